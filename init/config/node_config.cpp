#include "config/node_config.hpp"

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/kubernetes_keys.hpp"
#include "config/ranges.hpp"
#include "config/slurm_keys.hpp"

namespace thole {

namespace {

bool names_key(const Key& key, std::string_view dotted) {
    return dotted.size() == key.section.size() + 1 + key.name.size() && dotted.starts_with(key.section) &&
           dotted[key.section.size()] == '.' && dotted.ends_with(key.name);
}

}  // namespace

NodeConfig::NodeConfig(std::span<const Key> keys) : keys_(keys) {
    entries_.reserve(keys.size());
    for (const Key& key : keys) {
        entries_.push_back({std::string(key.fallback), "default"});
    }
}

const NodeConfig::Entry* NodeConfig::find(std::string_view dotted) const {
    for (std::size_t index = 0; index < keys_.size(); ++index) {
        if (names_key(keys_[index], dotted)) {
            return &entries_[index];
        }
    }
    return nullptr;
}

std::string_view NodeConfig::text(std::string_view dotted) const {
    const Entry* entry = find(dotted);
    return entry != nullptr ? std::string_view(entry->value) : std::string_view();
}

std::vector<std::string_view> NodeConfig::list(std::string_view dotted) const {
    const auto value = text(dotted);
    return value.empty() ? std::vector<std::string_view>() : split(value, ',');
}

Result<std::string_view> NodeConfig::lookup(std::string_view dotted) const {
    for (std::size_t index = 0; index < keys_.size(); ++index) {
        if (names_key(keys_[index], dotted)) {
            return keys_[index].secret ? Result<std::string_view>(failure("a secret goes into no unit and no template: "
                                                                          "others than root could read it there"))
                                       : std::string_view(entries_[index].value);
        }
    }
    const auto dot = dotted.find('.');
    if (dot == std::string_view::npos) {
        return failure(concat("'", dotted, "' is not the name of a node.ini key: that is SECTION.KEY"));
    }
    return std::unexpected(find_key(keys_, dotted.substr(0, dot), dotted.substr(dot + 1)).error());
}

std::string_view NodeConfig::origin(std::string_view dotted) const {
    const Entry* entry = find(dotted);
    return entry != nullptr ? std::string_view(entry->origin) : std::string_view();
}

bool NodeConfig::is_set(std::string_view dotted) const {
    const Entry* entry = find(dotted);
    return entry != nullptr && entry->set;
}

Status NodeConfig::set(std::string_view section, std::string_view name, std::string_view value, std::string_view origin,
                       bool public_source) {
    const auto key = find_key(keys_, section, name);
    if (!key) {
        return std::unexpected(key.error());
    }
    if ((*key)->secret && public_source) {
        return failure(
            concat("'", name, "' in [", section,
                   "] is a secret and everybody can read it there; put it into a "
                   "node.ini that only root may read (mode 0600), or hand that file over by a config disk or "
                   "fw_cfg"));
    }
    auto canonical = canonical_value(**key, value);
    if (!canonical) {
        return std::unexpected(canonical.error());
    }
    entries_[static_cast<std::size_t>(*key - keys_.data())] = {std::move(*canonical), std::string(origin), true};
    return {};
}

void NodeConfig::derive(std::string_view dotted, std::string_view value, std::string_view origin) {
    for (std::size_t index = 0; index < keys_.size(); ++index) {
        if (names_key(keys_[index], dotted) && entries_[index].value.empty()) {
            entries_[index] = {std::string(value), std::string(origin)};
        }
    }
}

Status NodeConfig::finish() {
    if (auto checked = check_ranges(*this); !checked) {
        return checked;
    }
    if (auto checked = check_slurm(*this); !checked) {
        return checked;
    }
    derive_reserved(*this);
    derive_kubernetes_role(*this);
    if (auto checked = check_kubernetes(*this); !checked) {
        return checked;
    }
    const auto services = list("kubernetes.service-range");
    if (!services.empty()) {
        constexpr unsigned kNameServer = 10;
        const auto range = parse_network(services.front());
        derive("kubernetes.dns-address", address_text(network_address(*range, kNameServer)),
               "kubernetes.service-range");
    }
    return check_dns_address(*this);
}

Result<std::string> expand(std::string_view text, const NodeConfig& config) {
    std::string out;
    while (true) {
        const auto dollar = text.find('$');
        out += text.substr(0, dollar);
        if (dollar == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(dollar);
        if (text.starts_with("$$")) {
            out += '$';
            text.remove_prefix(2);
            continue;
        }
        if (!text.starts_with("${")) {
            out += '$';
            text.remove_prefix(1);
            continue;
        }
        const auto close = text.find('}');
        if (close == std::string_view::npos) {
            return failure(concat("'", text.substr(0, 32), "' has no closing brace"));
        }
        const auto name = text.substr(2, close - 2);
        if (name.find('.') == std::string_view::npos) {
            out += text.substr(0, close + 1);
        } else if (const auto value = config.lookup(name)) {
            out += *value;
        } else {
            return with_context(concat("${", name, "}"), value.error());
        }
        text.remove_prefix(close + 1);
    }
}

}  // namespace thole

#include "daemon/units.hpp"

#include <algorithm>
#include <cerrno>

#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kSuffix = ".unit";
constexpr std::string_view kDropInSuffix = ".unit.d";

bool is_template(std::string_view name) { return name.ends_with('@'); }

bool contains(const std::vector<Unit>& units, std::string_view name) {
    return std::ranges::any_of(units, [&](const Unit& unit) { return unit.name == name; });
}

}  // namespace

Result<UnitFiles> UnitFiles::find(std::span<const std::string_view> directories) {
    UnitFiles files;
    for (const auto directory : directories) {
        if (auto listed = files.list(directory); !listed) {
            return std::unexpected(listed.error());
        }
    }
    return files;
}

Status UnitFiles::list(std::string_view directory) {
    const auto names = list_directory(std::string(directory));
    if (!names) {
        return names.error().code == ENOENT ? Status() : Status(std::unexpected(names.error()));
    }
    for (const std::string& name : *names) {
        const std::string path = concat(directory, "/", name);
        if (name.ends_with(kDropInSuffix)) {
            if (auto listed = list_drop_ins(path, name); !listed) {
                return listed;
            }
        } else if (name.ends_with(kSuffix)) {
            files_.push_back({name.substr(0, name.size() - kSuffix.size()), path, false});
        }
    }
    return {};
}

Status UnitFiles::list_drop_ins(std::string_view directory, const std::string& folder) {
    const auto names = list_directory(std::string(directory));
    if (!names) {
        return std::unexpected(names.error());
    }
    for (const std::string& name : *names) {
        if (name.ends_with(".conf")) {
            files_.push_back(
                {folder.substr(0, folder.size() - kDropInSuffix.size()), concat(directory, "/", name), true});
        }
    }
    return {};
}

const UnitFiles::File* UnitFiles::file_of(std::string_view unit) const {
    for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
        if (!file->drop_in && file->unit == unit) {
            return &*file;
        }
    }
    return nullptr;
}

bool UnitFiles::has(std::string_view name) const {
    const auto from = template_of(name);
    return file_of(name) != nullptr || (!from.empty() && file_of(from) != nullptr);
}

Result<std::vector<UnitText>> UnitFiles::read(std::string_view name) const {
    std::vector<UnitText> texts;
    const auto from = template_of(name);
    const File* const own = file_of(name) != nullptr || from.empty() ? file_of(name) : file_of(from);
    if (own == nullptr) {
        return texts;
    }
    std::vector<const std::string*> paths{&own->path};
    for (const std::string_view unit : {from, name}) {
        for (const File& file : files_) {
            if (file.drop_in && file.unit == unit) {
                paths.push_back(&file.path);
            }
        }
    }
    for (const std::string* path : paths) {
        auto text = read_file(*path);
        if (!text) {
            return std::unexpected(text.error());
        }
        texts.push_back({*path, std::move(*text)});
    }
    return texts;
}

std::vector<std::string_view> UnitFiles::names() const {
    std::vector<std::string_view> all;
    for (const File& file : files_) {
        if (!file.drop_in && file_of(file.unit) == &file) {
            all.push_back(file.unit);
        }
    }
    return all;
}

std::vector<std::string_view> UnitFiles::instances() const {
    std::vector<std::string_view> all;
    for (const File& file : files_) {
        if (file.drop_in && !template_of(file.unit).empty()) {
            all.push_back(file.unit);
        }
    }
    return all;
}

Expander unit_expander(const NodeConfig& config) {
    return [&config](std::string_view text) -> Result<std::string> {
        std::string doubled;
        for (std::size_t at = 0; at < text.size(); ++at) {
            doubled += text[at];
            if (text[at] == '$' && at + 1 < text.size() && text[at + 1] == '$') {
                doubled += "$$$";
                ++at;
            }
        }
        return expand(doubled, config);
    };
}

namespace {

/// Reads units by name and then the instances that they name, until nothing new is named.
class Loader {
   public:
    Loader(const UnitFiles& files, const Expander& expand, std::vector<Error>& errors, std::size_t expected)
        : files_(files), expand_(expand), errors_(errors) {
        units_.reserve(expected);
    }

    void load(std::string_view name) {
        if (auto unit = read(name)) {
            units_.push_back(std::move(*unit));
        } else {
            errors_.push_back(unit.error());
        }
    }

    void load_instances_of_others() {
        for (std::size_t at = 0; at < units_.size(); ++at) {
            std::vector<std::string> named;
            for (const auto* list : {&units_[at].required, &units_[at].wanted}) {
                named.insert(named.end(), list->begin(), list->end());
            }
            for (const std::string& name : named) {
                load_instance(name);
            }
        }
    }

    void load_instance(std::string_view name) {
        if (!template_of(name).empty() && files_.has(name) && !contains(units_, name)) {
            load(name);
        }
    }

    std::vector<Unit> take() { return std::move(units_); }

   private:
    Result<Unit> read(std::string_view name) {
        if (auto named = unit_name_of_file(concat(name, kSuffix)); !named) {
            return std::unexpected(named.error());
        }
        const auto texts = files_.read(name);
        return texts ? parse_unit(name, *texts, expand_) : std::unexpected(texts.error());
    }

    const UnitFiles& files_;
    const Expander& expand_;
    std::vector<Error>& errors_;
    std::vector<Unit> units_;
};

}  // namespace

Result<std::vector<Unit>> load_units(std::span<const std::string_view> directories, const Expander& expand,
                                     const std::vector<std::string>& instances, std::vector<Error>& errors) {
    const auto files = UnitFiles::find(directories);
    if (!files) {
        errors.push_back(files.error());
        return std::unexpected(files.error());
    }
    const auto names = files->names();
    Loader loader(*files, expand, errors, names.size() + instances.size());
    for (const auto name : names) {
        if (!is_template(name)) {
            loader.load(name);
        }
    }
    for (const auto name : files->instances()) {
        loader.load_instance(name);
    }
    for (const std::string& name : instances) {
        loader.load_instance(name);
    }
    loader.load_instances_of_others();
    if (!errors.empty()) {
        return std::unexpected(errors.front());
    }
    return loader.take();
}

}  // namespace thole

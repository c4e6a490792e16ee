#include "config/render.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kEach = "[]}";
constexpr int kDeepest = 16;

struct Rendered {
    std::string path;  // below the target
    std::string content;
    mode_t mode = 0;
};

/// The place of "${section.key[]}" in a line.
struct Each {
    std::size_t start = std::string_view::npos;
    std::size_t length = 0;
    std::string_view key;
};

Each find_each(std::string_view line) {
    const auto end = line.find(kEach);
    if (end == std::string_view::npos) {
        return {};
    }
    const auto start = line.rfind("${", end);
    if (start == std::string_view::npos || line.substr(start, end - start).find('}') != std::string_view::npos) {
        return {};
    }
    return {start, end + kEach.size() - start, line.substr(start + 2, end - start - 2)};
}

Status render_line(std::string& out, std::string_view line, const NodeConfig& config) {
    const Each each = find_each(line);
    if (each.start == std::string_view::npos) {
        auto expanded = expand(line, config);
        if (!expanded) {
            return std::unexpected(expanded.error());
        }
        out += *expanded;
        return {};
    }
    if (const auto known = config.lookup(each.key); !known) {
        return std::unexpected(known.error());
    }
    for (const auto item : config.list(each.key)) {
        std::string one(line);
        one.replace(each.start, each.length, item);
        if (auto written = render_line(out, one, config); !written) {
            return written;
        }
    }
    return {};
}

Status collect(std::vector<Rendered>& files, const std::string& templates, const std::string& below,
               const NodeConfig& config, int depth) {
    const std::string directory = templates + below;
    const auto names = list_directory(directory);
    if (!names) {
        return std::unexpected(names.error());
    }
    for (const std::string& name : *names) {
        const std::string path = concat(below, "/", name);
        struct stat information{};
        if (::stat((templates + path).c_str(), &information) != 0) {
            return system_error("read", templates + path);
        }
        if (S_ISDIR(information.st_mode)) {
            if (depth == kDeepest) {
                return failure(concat(templates, path, ": directories lie too deep"));
            }
            if (auto inner = collect(files, templates, path, config, depth + 1); !inner) {
                return inner;
            }
            continue;
        }
        const auto text = read_file(templates + path);
        if (!text) {
            return std::unexpected(text.error());
        }
        auto content = render_text(templates + path, *text, config);
        if (!content) {
            return std::unexpected(content.error());
        }
        files.push_back({path, std::move(*content), information.st_mode & 07777U});
    }
    return {};
}

/// The target lies in memory and is made anew at each boot, so that nothing is gained by a rename or an fsync.
Status write_rendered(const std::string& path, const Rendered& file) {
    if (auto made = make_directories(path.substr(0, path.rfind('/'))); !made) {
        return made;
    }
    ::unlink(path.c_str());
    auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL, file.mode);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (::fchmod(fd->get(), file.mode) != 0) {
        return system_error("set the mode of", path);
    }
    return write_all(fd->get(), file.content, path);
}

}  // namespace

Result<std::string> render_text(std::string_view file, std::string_view text, const NodeConfig& config) {
    std::string out;
    int line = 1;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto one = text.substr(0, end == std::string_view::npos ? end : end + 1);
        if (const auto written = render_line(out, one, config); !written) {
            return with_context(concat(file, ":", line), written.error());
        }
        text.remove_prefix(one.size());
        ++line;
    }
    return out;
}

Result<int> render_tree(const std::string& templates, const std::string& target, const NodeConfig& config) {
    if (!path_exists(templates)) {
        return 0;
    }
    std::vector<Rendered> files;
    if (const auto collected = collect(files, templates, "", config, 0); !collected) {
        return std::unexpected(collected.error());
    }
    for (const Rendered& file : files) {
        if (const auto written = write_rendered(target + file.path, file); !written) {
            return std::unexpected(written.error());
        }
    }
    return static_cast<int>(files.size());
}

}  // namespace thole

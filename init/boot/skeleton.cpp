#include "boot/skeleton.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kDeepest = 32;

Status fill(const std::string& from, const std::string& to, int depth);

Status own(const std::string& path, const struct stat& like) {
    if (::lchown(path.c_str(), like.st_uid, like.st_gid) != 0) {
        return system_error("set the owner of", path);
    }
    if (!S_ISLNK(like.st_mode) && ::chmod(path.c_str(), like.st_mode & 07777U) != 0) {
        return system_error("set the mode of", path);
    }
    return {};
}

Status copy_link(const std::string& from, const std::string& to) {
    std::array<char, 4096> target{};
    const ssize_t length = ::readlink(from.c_str(), target.data(), target.size() - 1);
    if (length < 0 || ::symlink(target.data(), to.c_str()) != 0) {
        return system_error("copy the link", from);
    }
    return {};
}

Status copy_one(const std::string& from, const std::string& to, const struct stat& source, int depth) {
    struct stat there{};
    const bool exists = ::lstat(to.c_str(), &there) == 0;
    if (S_ISDIR(source.st_mode)) {
        if (!exists && ::mkdir(to.c_str(), 0700) != 0) {
            return system_error("make the directory", to);
        }
        if (auto owned = exists ? Status() : own(to, source); !owned) {
            return owned;
        }
        return fill(from, to, depth + 1);
    }
    if (exists) {
        return {};
    }
    Status copied;
    if (S_ISLNK(source.st_mode)) {
        copied = copy_link(from, to);
    } else if (const auto content = read_file(from)) {
        copied = replace_file(to, *content, source.st_mode & 07777U);
    } else {
        copied = std::unexpected(content.error());
    }
    return copied ? own(to, source) : copied;
}

Status fill(const std::string& from, const std::string& to, int depth) {
    if (depth == kDeepest) {
        return failure(concat(from, ": directories lie too deep"));
    }
    const auto names = list_directory(from);
    if (!names) {
        return std::unexpected(names.error());
    }
    for (const std::string& name : *names) {
        const std::string source = concat(from, "/", name);
        struct stat information{};
        if (::lstat(source.c_str(), &information) != 0) {
            return system_error("read", source);
        }
        if (auto copied = copy_one(source, concat(to, "/", name), information, depth); !copied) {
            return copied;
        }
    }
    return {};
}

}  // namespace

Status fill_from_skeleton(const std::string& skeleton, const std::string& target) {
    return path_exists(skeleton) ? fill(skeleton, target, 0) : Status();
}

}  // namespace thole

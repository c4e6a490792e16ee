#include "boot/tree_copy.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kDeepest = 32;
constexpr std::size_t kChunk = std::size_t{1} << 20U;

class TreeCopy {
   public:
    explicit TreeCopy(dev_t device) : device_(device) {}

    [[nodiscard]] Status directory(const std::string& from, const std::string& to, int depth) const;

   private:
    [[nodiscard]] Status one(const std::string& from, const std::string& to, int depth) const;
    [[nodiscard]] Status below(const std::string& from, const std::string& to, const struct stat& source,
                               int depth) const;

    dev_t device_;  // where the copy began: what is mounted below it is no part of the tree
};

Status own(const std::string& path, const struct stat& like) {
    if (::lchown(path.c_str(), like.st_uid, like.st_gid) != 0) {
        return system_error("set the owner of", path);
    }
    // After the owner: chown(2) takes set-user-id bits away.
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

Status copy_content(const Fd& source, const Fd& target, const std::string& to) {
    for (;;) {
        const ssize_t sent = ::sendfile(target.get(), source.get(), nullptr, kChunk);
        if (sent < 0 && errno != EINTR) {
            return system_error("copy the file", to);
        }
        if (sent == 0) {
            return ::fsync(target.get()) == 0 ? Status() : system_error("write", to);
        }
    }
}

/// Under another name first, so that a file of this name is always a whole one.
Status copy_file(const std::string& from, const std::string& to, const struct stat& like) {
    const std::string unfinished = concat(to, ".unfinished");
    const auto source = open_file(from, O_RDONLY | O_NOFOLLOW);
    if (!source) {
        return std::unexpected(source.error());
    }
    const auto target = open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!target) {
        return std::unexpected(target.error());
    }
    if (auto copied = copy_content(*source, *target, to); !copied) {
        return copied;
    }
    if (auto owned = own(unfinished, like); !owned) {
        return owned;
    }
    return ::rename(unfinished.c_str(), to.c_str()) == 0 ? Status() : system_error("rename the copy to", to);
}

Status copy_device(const std::string& to, const struct stat& source) {
    return ::mknod(to.c_str(), source.st_mode, source.st_rdev) == 0 ? Status() : system_error("make the device", to);
}

Status TreeCopy::below(const std::string& from, const std::string& to, const struct stat& source, int depth) const {
    struct stat there{};
    const bool exists = ::lstat(to.c_str(), &there) == 0;
    if (!exists && ::mkdir(to.c_str(), 0700) != 0) {
        return system_error("make the directory", to);
    }
    if (auto owned = exists ? Status() : own(to, source); !owned) {
        return owned;
    }
    return source.st_dev == device_ ? directory(from, to, depth + 1) : Status();
}

Status TreeCopy::one(const std::string& from, const std::string& to, int depth) const {
    struct stat source{};
    if (::lstat(from.c_str(), &source) != 0) {
        return system_error("read", from);
    }
    if (S_ISDIR(source.st_mode)) {
        return below(from, to, source, depth);
    }
    struct stat there{};
    if (::lstat(to.c_str(), &there) == 0) {
        return {};
    }
    if (S_ISREG(source.st_mode)) {
        return copy_file(from, to, source);
    }
    const auto made = S_ISLNK(source.st_mode) ? copy_link(from, to) : copy_device(to, source);
    return made ? own(to, source) : made;
}

Status TreeCopy::directory(const std::string& from, const std::string& to, int depth) const {
    if (depth == kDeepest) {
        return failure(concat(from, ": directories lie too deep"));
    }
    const auto names = list_directory(from);
    if (!names) {
        return std::unexpected(names.error());
    }
    const std::string_view between = from.ends_with('/') ? "" : "/";
    for (const std::string& name : *names) {
        if (auto copied = one(concat(from, between, name), concat(to, "/", name), depth); !copied) {
            return copied;
        }
    }
    return {};
}

}  // namespace

Status copy_tree(const std::string& from, const std::string& to) {
    struct stat start{};
    if (::stat(from.c_str(), &start) != 0) {
        return system_error("read", from);
    }
    return TreeCopy(start.st_dev).directory(from, to, 0);
}

}  // namespace thole

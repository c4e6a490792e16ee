// What local-path-provisioner runs on a node to make or remove the folder of a volume:
// `volume -p FOLDER -s BYTES -m MODE -a create|delete`. It is compiled without a C++ library.

// NOLINTBEGIN(modernize-deprecated-headers)
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
// NOLINTEND(modernize-deprecated-headers)
#include <sys/stat.h>

namespace {

constexpr int kDescriptors = 16;
constexpr mode_t kForAll = 0777;  // pods come with users of their own

int complain(const char* what, const char* path) {
    ::fprintf(stderr, "%s %s: %s\n", what, path, ::strerror(errno));
    return 1;
}

int create(const char* folder) {
    if (::mkdir(folder, kForAll) != 0 && errno != EEXIST) {
        return complain("make the volume's folder", folder);
    }
    return ::chmod(folder, kForAll) == 0 ? 0 : complain("open the volume's folder to its pods", folder);
}

int remove_one(const char* path, const struct stat* /*information*/, int /*kind*/, struct FTW* /*place*/) {
    return ::remove(path) == 0 ? 0 : complain("remove", path);
}

/// What is in it goes first; links are not followed, nor is another file system entered.
int destroy(const char* folder) {
    struct stat information{};
    if (::lstat(folder, &information) != 0 && errno == ENOENT) {
        return 0;
    }
    return ::nftw(folder, remove_one, kDescriptors, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const char* folder = nullptr;
    const char* action = "";
    for (int index = 1; index + 1 < argc; index += 2) {
        if (::strcmp(argv[index], "-p") == 0) {
            folder = argv[index + 1];
        } else if (::strcmp(argv[index], "-a") == 0) {
            action = argv[index + 1];
        }
    }
    if (folder != nullptr && folder[0] == '/' && ::strcmp(action, "create") == 0) {
        return create(folder);
    }
    if (folder != nullptr && folder[0] == '/' && ::strcmp(action, "delete") == 0) {
        return destroy(folder);
    }
    ::fputs("usage: volume -p /FOLDER -s BYTES -m MODE -a create|delete\n", stderr);
    return 2;
}

#include "boot/encryption.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/program.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kCryptsetup = "/usr/sbin/cryptsetup";
constexpr int kWrongKey = 2;  // cryptsetup(8), RETURN CODES

/// A key of 256 random bits cannot be guessed, so the work that makes guesses dear is the least there is.
constexpr std::string_view kIterations = "1000";

/// cryptsetup with the key as its standard input.
Result<ProgramResult> cryptsetup(std::vector<std::string> words, std::string_view key) {
    words.insert(words.begin(), {std::string(kCryptsetup), "--batch-mode", "--key-file", "-"});
    return run_program(words, key);
}

Status measure(BlockDevice& device) {
    const auto fd = open_file(device.path(), O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const off_t end = ::lseek(fd->get(), 0, SEEK_END);
    if (end < 0) {
        return system_error("ask the size of", device.path());
    }
    device.size = static_cast<std::uint64_t>(end);
    return {};
}

/// All that was written to the device is on the medium, before anything is written to what lies in it.
Status settle(const BlockDevice& device) {
    const auto fd = open_file(device.path(), O_RDWR);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    return ::fsync(fd->get()) == 0 ? Status() : Status(system_error("write to the medium of", device.path()));
}

}  // namespace

Status encrypt_device(const BlockDevice& device, std::string_view key) {
    const auto made = cryptsetup(
        {"luksFormat", "--type", "luks2", "--label", std::string(kDataLabel), "--cipher", "aes-xts-plain64",
         "--key-size", "512", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", std::string(kIterations), device.path()},
        key);
    if (!made) {
        return std::unexpected(made.error());
    }
    if (made->status != 0) {
        return failure(concat("cannot encrypt ", device.path(), ": cryptsetup luksFormat ended with ", made->status,
                              ": ", trim(made->output)));
    }
    return settle(device);
}

Result<BlockDevice> unlock_device(const BlockDevice& device, std::string_view key) {
    const auto opened = cryptsetup({"open", "--type", "luks2", device.path(), std::string(kDataLabel)}, key);
    if (!opened) {
        return std::unexpected(opened.error());
    }
    if (opened->status == kWrongKey) {
        return failure(
            concat("The data disk ", device.path(),
                   " is encrypted with another key than node.data-key. It was not touched. Hand over the key "
                   "that it was made with."));
    }
    if (opened->status != 0) {
        return failure(concat("The encrypted data disk ", device.path(), " cannot be opened: cryptsetup ended with ",
                              opened->status, ": ", trim(opened->output)));
    }
    BlockDevice inner;
    inner.name = concat("mapper/", kDataLabel);
    if (auto measured = measure(inner); !measured) {
        return std::unexpected(measured.error());
    }
    auto content = read_content(inner);
    if (!content) {
        return std::unexpected(content.error());
    }
    inner.content = std::move(*content);
    return inner;
}

}  // namespace thole

#include "boot/data_format.hpp"

#include <vector>

#include "base/text.hpp"
#include "boot/program.hpp"

namespace thole {

namespace {

/// The journal's size in MiB: enough for a node's writes, little of a small disk.
std::string journal_size(const BlockDevice& device) { return device.size < (std::uint64_t{2} << 30U) ? "16" : "64"; }

}  // namespace

Status make_data_file_system(const BlockDevice& device, const std::string& contents) {
    std::vector<std::string> command{"/usr/sbin/mkfs.ext4",
                                     "-q",
                                     "-F",
                                     "-L",
                                     std::string(kDataLabel),
                                     "-b",
                                     "4096",
                                     "-m",
                                     "1",
                                     "-J",
                                     "size=" + journal_size(device),
                                     "-E",
                                     "lazy_itable_init=1,lazy_journal_init=1,nodiscard"};
    if (!contents.empty()) {
        command.insert(command.end(), {"-d", contents});
    }
    command.insert(command.end(), {device.path(), to_text(static_cast<std::int64_t>(data_blocks(device)))});
    const auto made = run_program(command);
    if (!made) {
        return std::unexpected(made.error());
    }
    if (made->status != 0) {
        return failure(
            concat("cannot format ", device.path(), ": mkfs.ext4 ended with ", made->status, ": ", trim(made->output)));
    }
    return {};
}

}  // namespace thole

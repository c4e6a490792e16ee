#include "log/log_places.hpp"

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

std::string LogPlaces::file(std::string_view name) const { return concat(files, "/", name, ".log"); }

std::string LogPlaces::ring(std::string_view name) const { return concat(rings, "/", name); }

std::string boot_identity() {
    const auto identity = read_file("/proc/sys/kernel/random/boot_id");
    const auto first_process = read_file("/proc/1/stat");
    if (!identity || !first_process) {
        return {};
    }
    // The name in brackets may hold anything; the start time is the 20th field behind it, see proc_pid_stat(5).
    constexpr std::size_t kStartTime = 20;
    const auto behind_name = first_process->rfind(')');
    const auto fields = split_words(std::string_view(*first_process).substr(behind_name + 1));
    return concat(trim(*identity), ".", fields.size() >= kStartTime ? fields[kStartTime - 1] : "0");
}

std::uint64_t boot_number() {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char letter : boot_identity()) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
    }
    return hash == 0 ? 1 : hash;
}

}  // namespace thole

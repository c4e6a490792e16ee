#include "upgrade/write.hpp"

#include <fcntl.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/text.hpp"
#include "boot/partition_grow.hpp"
#include "os/file.hpp"

namespace thole::upgrade {

namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20U;
constexpr std::size_t kSumSize = 32;

class Sum {
   public:
    Sum() { ::crypto_generichash_blake2b_init(&state_, nullptr, 0, kSumSize); }

    void add(const unsigned char* bytes, std::size_t size) {
        ::crypto_generichash_blake2b_update(&state_, bytes, size);
    }

    std::string digits() {
        std::array<unsigned char, kSumSize> sum{};
        ::crypto_generichash_blake2b_final(&state_, sum.data(), sum.size());
        return hexadecimal(sum);
    }

   private:
    crypto_generichash_blake2b_state state_{};
};

Result<std::size_t> read_some(const Fd& source, unsigned char* into, std::size_t size, std::uint64_t at) {
    for (;;) {
        const ssize_t count = ::pread(source.get(), into, size, static_cast<off_t>(at));
        if (count >= 0) {
            return static_cast<std::size_t>(count);
        }
        if (errno != EINTR) {
            return system_error("read", "the bundle");
        }
    }
}

Status copy(const Fd& source, std::uint64_t from, const Part& part, const Fd& target, const std::string& name,
            const Say& say) {
    const auto buffer = std::make_unique<std::array<unsigned char, kChunk>>();
    Sum sum;
    for (std::uint64_t done = 0; done < part.size;) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, part.size - done));
        const auto count = read_some(source, buffer->data(), size, from + done);
        if (!count || *count == 0) {
            return count ? failure("the bundle is cut short") : Status(std::unexpected(count.error()));
        }
        sum.add(buffer->data(), *count);
        if (auto written = write_all(target.get(), {reinterpret_cast<const char*>(buffer->data()), *count}, name);
            !written) {
            return written;
        }
        done += *count;
        say(done, part.size);
    }
    if (sum.digits() != part.sum) {
        return failure("the bundle is damaged: its bytes have another sum than its header says");
    }
    return ::fsync(target.get()) == 0 ? Status() : system_error("write", name);
}

Status read_back(const Fd& target, const Part& part, const std::string& name) {
    ::posix_fadvise(target.get(), 0, 0, POSIX_FADV_DONTNEED);  // from the medium, not from memory
    const auto buffer = std::make_unique<std::array<unsigned char, kChunk>>();
    Sum sum;
    for (std::uint64_t done = 0; done < part.size;) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, part.size - done));
        const auto count = read_some(target, buffer->data(), size, done);
        if (!count || *count == 0) {
            break;
        }
        sum.add(buffer->data(), *count);
        done += *count;
    }
    if (sum.digits() != part.sum) {
        return failure(concat(name, " gives back other bytes than were written to it: the disk is faulty"));
    }
    return {};
}

}  // namespace

Status write_part(const Fd& bundle, std::uint64_t from, const Part& part, const std::string& target, int flags,
                  const Say& say) {
    const auto fd = open_file(target, O_RDWR | flags, 0600);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (auto copied = copy(bundle, from, part, *fd, target, say); !copied) {
        return copied;
    }
    return read_back(*fd, part, target);
}

Status name_partition(const std::string& partition, std::string_view identifier) {
    const auto named =
        change_partition_table(partition, [&](std::string_view start, unsigned number, std::uint64_t /*disk_size*/) {
            return with_partition_guid(start, number, identifier);
        });
    return named ? Status() : Status(std::unexpected(named.error()));
}

}  // namespace thole::upgrade

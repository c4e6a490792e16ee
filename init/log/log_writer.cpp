#include "log/log_writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/text.hpp"
#include "log/log_batch.hpp"
#include "log/log_file.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

class LogWriter {
   public:
    explicit LogWriter(const LogPlaces& places) : places_(places), boot_(boot_identity()) {
        (void)make_directories(places.files);  // a failure shows as lost lines, which are counted
        auto directory = open_file(places.files, O_RDONLY | O_DIRECTORY);
        if (directory) {
            directory_ = std::move(*directory);
            ::flock(directory_.get(), LOCK_EX);  // an earlier writer may still be at its last lines
        }
    }

    void take(std::string_view message) {
        LogBatch batch;
        if (message.size() < sizeof batch) {
            return;
        }
        std::memcpy(&batch, message.data(), sizeof batch);
        batch.name.back() = '\0';
        LogFile& file = file_of(batch);
        file.set_limits(batch.size, batch.count);
        file.add(message.substr(sizeof batch), batch.time, batch.lost);
    }

    /// Says what is not said yet, and sees to it that everything is on disk.
    void finish() {
        for (const auto& file : files_) {
            if (file && file->lost() > 0) {
                file->add({}, LogTime::now(), 0);
            }
        }
        if (directory_) {
            ::syncfs(directory_.get());
        }
    }

   private:
    LogFile& file_of(const LogBatch& batch) {
        if (batch.slot >= files_.size()) {
            files_.resize(batch.slot + 1);
        }
        auto& file = files_[batch.slot];
        std::string path = places_.file(batch.name.data());
        if (!file || file->path() != path) {
            file = std::make_unique<LogFile>(std::move(path), boot_);
        }
        return *file;
    }

    const LogPlaces& places_;
    std::string boot_;
    Fd directory_;
    std::vector<std::unique_ptr<LogFile>> files_;
};

}  // namespace

int log_writer_main(const LogPlaces& places, int batches) {
    // Not on the stack and not on the heap: pages that no message reaches stay untouched.
    static std::array<char, sizeof(LogBatch) + kBatchText> message;
    LogWriter writer(places);
    while (true) {
        const ssize_t size = ::recv(batches, message.data(), message.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            break;
        }
        writer.take({message.data(), static_cast<std::size_t>(size)});
    }
    writer.finish();
    return 0;
}

}  // namespace thole

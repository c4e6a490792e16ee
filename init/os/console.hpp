// Lines for the person at the console. Never blocks: where the console is absent, stuck or slow, lines are dropped and
// counted.
#pragma once

#include <string>
#include <string_view>

#include "os/fd.hpp"

namespace thole {

/// Who gets every line as well; at times several at once, with line ends between them.
class ConsoleListener {
   public:
    virtual ~ConsoleListener() = default;
    virtual void on_lines(std::string_view text) = 0;
};

/// A descriptor of /dev/console that never waits and is no controlling terminal; without a console, as in a container
/// that has no terminal, of standard error, which is what its engine shows as the container's log. -1 where there is
/// neither. A signal handler may call it.
int open_console();

class Console {
   public:
    /// A console that cannot be opened is no error: lines then go nowhere but are counted as lost.
    static Console open();

    /// Writes "[  12.3] TEXT" (seconds since the kernel started).
    void line(std::string_view text);

    /// From now on `listener` gets every line too; nullptr ends that.
    void listen(ConsoleListener* listener) { listener_ = listener; }

    /// Keeps lines back and writes many at once, until release(): the start of a thousand services says as many lines.
    void gather() { gathering_ = true; }
    void release();

    [[nodiscard]] unsigned long lost() const { return lost_; }

   private:
    explicit Console(Fd fd);

    void write();

    Fd fd_;
    std::string_view line_end_;
    ConsoleListener* listener_ = nullptr;
    std::string gathered_;  // for the console
    std::string said_;      // the same for the listener
    unsigned long lines_ = 0;
    unsigned long lost_ = 0;
    bool gathering_ = false;
};

}  // namespace thole

// What the parts of the actor share. It uses nothing of thole's own code, so that a mistake there is not made twice.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace actor {

using Words = std::span<const std::string>;

/// Says what failed with errno's text on standard error and ends with 99.
[[noreturn]] void fail(const std::string& what);

/// Writes a line to standard output at once.
void say(const std::string& text);

/// Writes everything, through short writes; false where the other side is gone.
bool write_all(int fd, const char* data, std::size_t size);

/// The whole file; false (and errno) where it cannot be read.
bool read_file(const std::string& path, std::string& out);

/// Writes a text with one write, as the files of /proc and cgroups want it.
bool write_file(const std::string& path, const std::string& text);

/// A decimal number, or the end of the program.
std::int64_t number(const std::string& text);

/// Until a signal ends the process.
[[noreturn]] void sleep_forever();

/// Becomes another program; 127 where it is not there.
[[noreturn]] void become(Words command);

/// Connects to a stream socket by path; -1 and errno where that fails. Without patience it waits for nothing, later
/// neither.
int connect_to(const std::string& path, bool patient = true);

// A verb takes the words behind it and gives the exit status.
int agent(Words words);          // runs commands for the test: `agent PATH`, a device or a socket
int enter(Words words);          // makes the namespaces and becomes their PID 1
int processes(Words words);      // children, orphans, daemons, bombs
int services(Words words);       // how a service can behave: signals, exits, memory, logs, cgroups
int notifications(Words words);  // sd_notify as services and strangers send it
int control(Words words);        // clients of the control socket, good and bad
int machine(Words words);        // mounts, the clock, limits of another process, interfaces

}  // namespace actor

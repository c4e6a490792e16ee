// How a line looks to the machine that logs are forwarded to.
#pragma once

#include <string>
#include <string_view>

#include "log/log_line.hpp"

namespace thole {

/// Facility daemon, severity informational (RFC 5424, 6.2.1): a service's line says nothing of its own.
inline constexpr unsigned kServicePriority = 3 * 8 + 6;

struct ForwardLine {
    LogTime time;
    unsigned priority = kServicePriority;
    std::string_view host;
    std::string_view log;
    std::string_view text;
};

/// A message of RFC 5424 without structured data; names are cut and cleaned as its grammar wants.
std::string syslog_message(const ForwardLine& line);

/// One object: time (as in the log), boot_ms, host, log, priority, text. No line end.
std::string json_message(const ForwardLine& line);

}  // namespace thole

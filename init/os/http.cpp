#include "os/http.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <optional>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kLargestHead = 16384;
constexpr std::size_t kPiece = std::size_t{64} << 10U;

struct FreeAddresses {
    void operator()(addrinfo* found) const { ::freeaddrinfo(found); }
};

void set_patience(const Fd& fd, Milliseconds patience) {
    const timeval limit{.tv_sec = patience.count() / 1000, .tv_usec = (patience.count() % 1000) * 1000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/// The first of the host's addresses that answers.
Result<Fd> connect_to(const Url& url, Milliseconds patience) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int error = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &wanted, &list); error != 0) {
        return failure(concat("cannot look up ", url.host, ": ", ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, FreeAddresses> found(list);
    int code = EHOSTUNREACH;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
        Fd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!fd) {
            code = errno;
            continue;
        }
        set_patience(fd, patience);
        if (::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0) {
            return fd;
        }
        code = errno == EINPROGRESS ? ETIMEDOUT : errno;
    }
    return system_error("connect to", concat(url.host, " port ", url.port), code);
}

Status ask(const Fd& fd, const Url& url) {
    const std::string request =
        concat("GET ", url.path, " HTTP/1.0\r\nHost: ", url.host, "\r\nUser-Agent: thole\r\nConnection: close\r\n\r\n");
    for (std::size_t done = 0; done < request.size();) {
        const ssize_t count = ::send(fd.get(), request.data() + done, request.size() - done, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            return system_error("ask", url.host);
        }
        done += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return {};
}

/// More bytes; none at the end.
Result<std::size_t> more(const Fd& fd, const Url& url, std::array<char, kPiece>& into) {
    for (;;) {
        const ssize_t count = ::recv(fd.get(), into.data(), into.size(), 0);
        if (count >= 0) {
            return static_cast<std::size_t>(count);
        }
        if (errno == EAGAIN) {
            return failure(concat(url.host, " stopped sending"));
        }
        if (errno != EINTR) {
            return system_error("read from", url.host);
        }
    }
}

struct Head {
    std::size_t size = 0;                 // with the blank line
    std::optional<std::uint64_t> length;  // of what comes behind it, where it says so
};

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return out;
}

Result<Head> read_head(std::string_view text, std::size_t end, const Url& url) {
    Head head{end + 4, {}};
    const auto lines = split(text.substr(0, end), '\n');
    const auto status = split_words(lines.front());
    if (status.size() < 2 || !status[0].starts_with("HTTP/1.")) {
        return failure(concat(url.host, " port ", url.port, " does not speak HTTP"));
    }
    if (status[1] != "200") {
        return failure(concat(url.host, " answers ", trim(lines.front()), " for ", url.path));
    }
    for (const auto line : lines) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || lower(line.substr(0, colon)) != "content-length") {
            continue;
        }
        const auto length = parse_integer(trim(line.substr(colon + 1)), 0, std::numeric_limits<std::int64_t>::max());
        if (length) {
            head.length = static_cast<std::uint64_t>(*length);
        }
    }
    return head;
}

/// Parts an answer into its head and what goes on to the sink.
class Answer {
   public:
    Answer(const Url& url, std::uint64_t limit, const Sink& sink) : url_(url), limit_(limit), sink_(sink) {}

    Status take(std::string_view bytes) {
        if (head_) {
            return pass_on(bytes);
        }
        start_ += bytes;
        const auto end = start_.find("\r\n\r\n");
        if (end == std::string::npos) {
            return start_.size() < kLargestHead ? Status() : failure(concat(url_.host, " does not speak HTTP"));
        }
        auto head = read_head(start_, end, url_);
        if (!head) {
            return std::unexpected(head.error());
        }
        head_ = *head;
        return pass_on(std::string_view(start_).substr(head_->size));
    }

    /// After the last byte.
    [[nodiscard]] Status check_whole() const {
        const bool whole = head_ && (!head_->length || *head_->length == done_);
        return whole ? Status() : failure(concat("what ", url_.host, " sent was cut short: ", done_, " bytes"));
    }

   private:
    Status pass_on(std::string_view bytes) {
        done_ += bytes.size();
        if (done_ > limit_) {
            return failure(concat("the file at ", url_.host, " has more than ", limit_, " bytes"));
        }
        return bytes.empty() ? Status() : sink_(bytes);
    }

    const Url& url_;
    std::uint64_t limit_;
    const Sink& sink_;
    std::string start_;
    std::optional<Head> head_;
    std::uint64_t done_ = 0;
};

}  // namespace

Result<Url> parse_url(std::string_view text) {
    if (!text.starts_with(kScheme)) {
        return failure(concat("'", text, "' is no URL that is understood: http://HOST[:PORT]/PATH",
                              text.starts_with("https://") ? "; there is no HTTPS: what is fetched has a sum or a "
                                                             "signature of its own"
                                                           : ""));
    }
    text.remove_prefix(kScheme.size());
    const auto slash = std::min(text.find('/'), text.size());
    std::string_view authority = text.substr(0, slash);
    Url url;
    if (slash < text.size()) {
        url.path = text.substr(slash);
    }
    if (const auto bracket = authority.find(']'); authority.starts_with('[') && bracket != std::string_view::npos) {
        url.host = authority.substr(1, bracket - 1);
        authority.remove_prefix(bracket + 1);
    } else {
        url.host = authority.substr(0, authority.find(':'));
        authority.remove_prefix(url.host.size());
    }
    const bool has_port = authority.starts_with(':');
    const auto port = has_port ? parse_integer(authority.substr(1), 1, 65535) : Result<std::int64_t>(80);
    const bool plain = std::ranges::all_of(url.path, [](char letter) { return letter > ' ' && letter < '\x7f'; });
    if (url.host.empty() || (!has_port && !authority.empty()) || !port || !plain) {
        return failure(concat("'", kScheme, text, "' is no URL: http://HOST[:PORT]/PATH"));
    }
    url.port = to_text(*port);
    return url;
}

Status http_get(const Url& url, std::uint64_t limit, Milliseconds patience, const Sink& sink) {
    const auto fd = connect_to(url, patience);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (auto asked = ask(*fd, url); !asked) {
        return asked;
    }
    const auto piece = std::make_unique<std::array<char, kPiece>>();
    Answer answer(url, limit, sink);
    for (;;) {
        const auto count = more(*fd, url, *piece);
        if (!count) {
            return std::unexpected(count.error());
        }
        if (*count == 0) {
            return answer.check_whole();
        }
        if (auto taken = answer.take({piece->data(), *count}); !taken) {
            return taken;
        }
    }
}

}  // namespace thole

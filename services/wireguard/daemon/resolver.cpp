#include "resolver.hpp"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "os/file.hpp"
#include "os/pipe.hpp"

namespace thole::mesh {

namespace {

constexpr unsigned kLongestSearch = 60;  // seconds
constexpr std::size_t kMostOfName = 4;   // addresses

std::string address_of(const addrinfo& found) {
    Address address;
    address.family = static_cast<sa_family_t>(found.ai_family);
    if (found.ai_family == AF_INET) {
        const auto* socket = reinterpret_cast<const sockaddr_in*>(found.ai_addr);
        std::memcpy(address.bytes.data(), &socket->sin_addr, 4);
    } else {
        const auto* socket = reinterpret_cast<const sockaddr_in6*>(found.ai_addr);
        std::memcpy(address.bytes.data(), &socket->sin6_addr, 16);
    }
    return address_text(address);
}

std::string look_up(const NamedPlace& place, std::size_t index) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    std::string lines;
    if (::getaddrinfo(place.host.c_str(), nullptr, &wanted, &found) != 0) {
        return lines;
    }
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6) {
            append(lines, index, " ", address_of(*one), "\n");
        }
    }
    ::freeaddrinfo(found);
    return lines;
}

[[noreturn]] void look_up_all(const std::vector<NamedPlace>& places, int out) {
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(kLongestSearch);
    for (std::size_t index = 0; index < places.size(); ++index) {
        (void)write_all(out, look_up(places[index], index), "the daemon");
    }
    ::_exit(0);
}

bool is_name(const NamedPlace& place) { return !parse_address(place.host); }

}  // namespace

std::vector<std::vector<Endpoint>> parse_resolved(std::string_view text, const std::vector<NamedPlace>& places) {
    std::vector<std::vector<Endpoint>> found(places.size());
    for (const auto line : split(text, '\n')) {
        const auto words = split_words(line);
        const auto most = static_cast<std::int64_t>(places.size()) - 1;
        const auto index = words.size() == 2 ? parse_integer(words[0], 0, most) : failure("");
        const auto address = words.size() == 2 ? parse_address(words[1]) : failure("");
        if (index && address) {
            auto& all = found[static_cast<std::size_t>(*index)];
            if (all.size() < kMostOfName) {
                all.push_back({*address, places[static_cast<std::size_t>(*index)].port});
            }
        }
    }
    return found;
}

Resolver::~Resolver() {
    if (child_ > 0) {
        loop_.remove(answer_.get());
        end_search();
    }
}

bool Resolver::has_names() const { return std::ranges::any_of(places_, is_name); }

void Resolver::start() {
    if (child_ > 0 || places_.empty()) {
        return;
    }
    std::string numbers;
    for (std::size_t index = 0; index < places_.size(); ++index) {
        if (!is_name(places_[index])) {
            append(numbers, index, " ", places_[index].host, "\n");
        }
    }
    auto pipe = make_pipe("the search for names");
    if (!has_names() || !pipe) {
        on_resolved_(parse_resolved(numbers, places_));
        return;
    }
    answer_ = std::move(pipe->reader);
    const Fd out = std::move(pipe->writer);
    child_ = ::fork();
    if (child_ == 0) {
        look_up_all(places_, out.get());
    }
    if (child_ > 0 && loop_.add(answer_.get(), EPOLLIN, *this)) {
        return;
    }
    end_search();
    on_resolved_(parse_resolved(numbers, places_));
}

void Resolver::end_search() {
    answer_.reset();
    if (child_ > 0) {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    child_ = -1;
}

void Resolver::on_events(std::uint32_t /*events*/) {
    std::array<char, 1024> buffer;
    const ssize_t count = ::read(answer_.get(), buffer.data(), buffer.size());
    if (count > 0) {
        text_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish();
    }
}

void Resolver::finish() {
    loop_.remove(answer_.get());
    end_search();
    const std::string text = std::move(text_);
    text_.clear();
    on_resolved_(parse_resolved(text, places_));
}

}  // namespace thole::mesh

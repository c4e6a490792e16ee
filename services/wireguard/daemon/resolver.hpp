// Names of seeds and endpoints, looked up by a process of its own: getaddrinfo(3) waits for name servers as long as
// they like, and the daemon for nobody.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "os/event_loop.hpp"
#include "os/fd.hpp"
#include "settings.hpp"

namespace thole::mesh {

class Resolver : public EventSource {
   public:
    /// Gets the addresses of each place, in the order of the places; none where a name is not known.
    using OnResolved = std::function<void(const std::vector<std::vector<Endpoint>>& found)>;

    Resolver(EventLoop& loop, std::vector<NamedPlace> places, OnResolved on_resolved)
        : loop_(loop), places_(std::move(places)), on_resolved_(std::move(on_resolved)) {}
    ~Resolver() override;

    /// Numeric addresses at once; where there are names, again when all have been looked up, or given up. Does nothing
    /// while a search goes on.
    void start();

    /// Whether some place is a name, so that its address may change.
    [[nodiscard]] bool has_names() const;

    void on_events(std::uint32_t events) override;

   private:
    void finish();
    void end_search();

    EventLoop& loop_;
    std::vector<NamedPlace> places_;
    OnResolved on_resolved_;
    Fd answer_;
    int child_ = -1;
    std::string text_;
};

/// "INDEX ADDRESS" lines, as the process writes them; others are left out.
std::vector<std::vector<Endpoint>> parse_resolved(std::string_view text, const std::vector<NamedPlace>& places);

}  // namespace thole::mesh

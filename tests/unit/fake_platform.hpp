// A machine for supervisor tests: it writes down what it was asked to do, and its clock moves only when a test moves
// it.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "supervisor/supervisor.hpp"

namespace thole {

class FakePlatform : public Platform {
   public:
    bool holds(const Condition& condition) override {
        return std::ranges::count(true_conditions, condition.subject) > 0;
    }

    Status spawn(UnitIndex index) override {
        calls.push_back("spawn " + name(index));
        if (std::ranges::count(cannot_spawn, name(index)) > 0) {
            return std::unexpected(Error("no such program", spawn_code));
        }
        if (executes_at_once) {
            supervisor->on_executed(index);
        }
        return {};
    }
    Status run_helper(UnitIndex index, const CommandLine& command) override {
        calls.push_back("run " + command.at(0) + " of " + name(index));
        return {};
    }
    void adopt(UnitIndex index) override { calls.push_back("adopt " + name(index)); }
    Status arm(UnitIndex index) override {
        calls.push_back("arm " + name(index));
        return {};
    }
    bool send_stop_signal(UnitIndex index) override {
        calls.push_back("signal " + name(index));
        return !without_process;
    }
    void send_signal(UnitIndex index, int signal) override {
        calls.push_back("signal " + std::to_string(signal) + " to " + name(index));
    }
    void kill_all(UnitIndex index) override { calls.push_back("kill " + name(index)); }
    void clear(UnitIndex index) override {
        calls.push_back("clear " + name(index));
        if (empties_at_once) {
            supervisor->on_emptied(index);
        }
    }
    void changed(UnitIndex /*index*/, State /*before*/) override {}
    void reindexed(std::span<const std::optional<UnitIndex>> former) override {
        former_places.assign(former.begin(), former.end());
    }
    Instant now() override { return time; }
    std::int64_t wall_seconds() override { return wall_offset + time.milliseconds / 1000; }
    std::int64_t random(std::int64_t limit) override { return limit - 1; }

    /// Lets time pass and gives the supervisor what is due, deadline after deadline.
    void advance(Milliseconds span) {
        const Instant end = time + span;
        while (const auto next = supervisor->next_deadline()) {
            if (*next > end) {
                break;
            }
            time = std::max(time, *next);
            supervisor->on_time();
        }
        time = end;
    }

    [[nodiscard]] std::string name(UnitIndex index) const { return supervisor->graph().at(index).unit.name; }
    [[nodiscard]] long count(const std::string& call) const { return std::ranges::count(calls, call); }

    Supervisor* supervisor = nullptr;
    Instant time{1000};
    std::int64_t wall_offset = 1'767'225'600;  // 2026-01-01 00:00:00 UTC when the machine starts
    bool empties_at_once = true;
    bool executes_at_once = true;
    bool without_process = false;
    std::vector<std::optional<UnitIndex>> former_places;
    std::vector<std::string> calls;
    std::vector<std::string> true_conditions;
    std::vector<std::string> cannot_spawn;
    int spawn_code = 0;
};

/// A vector of units, which can only be moved.
template <typename... Units>
std::vector<Unit> list(Units&&... units) {
    std::vector<Unit> all;
    (all.push_back(std::forward<Units>(units)), ...);
    return all;
}

}  // namespace thole

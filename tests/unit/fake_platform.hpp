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
            return failure("no such program");
        }
        return {};
    }
    void send_stop_signal(UnitIndex index) override { calls.push_back("signal " + name(index)); }
    void kill_all(UnitIndex index) override { calls.push_back("kill " + name(index)); }
    void clear(UnitIndex index) override {
        if (empties_at_once) {
            supervisor->on_emptied(index);
        }
    }
    void changed(UnitIndex, State) override {}
    Instant now() override { return time; }

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
    bool empties_at_once = true;
    std::vector<std::string> calls;
    std::vector<std::string> true_conditions;
    std::vector<std::string> cannot_spawn;
};

}  // namespace thole

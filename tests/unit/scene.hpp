// A supervisor with its units on a machine that a test moves; see fake_platform.hpp.
#pragma once

#include "fake_platform.hpp"

namespace thole {

inline Unit unit(std::string name, std::vector<std::string> required = {}) {
    Unit made;
    made.name = std::move(name);
    made.required = std::move(required);
    made.command = {"/bin/true"};
    made.readiness = Readiness::notify;
    return made;
}

struct Scene {
    explicit Scene(std::vector<Unit> units) : supervisor(Graph::build(std::move(units)).value(), platform) {
        platform.supervisor = &supervisor;
    }

    UnitIndex at(std::string_view name) const { return supervisor.graph().find(name).value(); }
    State state(std::string_view name) const { return supervisor.service(at(name)).state; }
    const Service& service(std::string_view name) const { return supervisor.service(at(name)); }
    void ready(std::string_view name) { supervisor.on_ready(at(name)); }
    void exited(std::string_view name, int code = 0, int signal = 0) {
        supervisor.on_exited(at(name), ExitStatus{code, signal, false});
    }

    FakePlatform platform;
    Supervisor supervisor;
};

}  // namespace thole

#include <doctest/doctest.h>

#include "scene.hpp"

using namespace thole;

TEST_CASE("supervisor: units start in parallel as far as what they require allows") {
    Scene scene(list(unit("a"), unit("b"), unit("c", {"a", "b"})));
    scene.supervisor.start_all();
    CHECK(scene.platform.calls == std::vector<std::string>{"spawn a", "spawn b"});
    CHECK(scene.state("c") == State::waiting);
    scene.ready("a");
    CHECK(scene.state("c") == State::waiting);
    scene.ready("b");
    CHECK(scene.state("c") == State::starting);
}

TEST_CASE("supervisor: a required unit that fails for good fails its dependents and says why") {
    auto units = list(unit("a"), unit("b", {"a"}), unit("c", {"b"}));
    units[0].restart = RestartPolicy::never;
    Scene strict(std::move(units));
    strict.platform.cannot_spawn = {"a"};
    strict.supervisor.start_all();
    CHECK(strict.state("a") == State::failed);
    CHECK(strict.service("b").reason == "it requires a, which is failed: no such program");
    CHECK(strict.state("c") == State::failed);
}

TEST_CASE("supervisor: a wanted unit that fails is no obstacle") {
    auto dependent = unit("b");
    dependent.wanted = {"a", "not-on-this-node"};
    auto broken = unit("a");
    broken.restart = RestartPolicy::never;
    Scene scene(list(std::move(broken), std::move(dependent)));
    scene.supervisor.start_all();
    CHECK(scene.state("b") == State::waiting);
    scene.exited("a", 1);
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.state("b") == State::starting);
}

TEST_CASE("supervisor: a condition that does not hold skips the unit, which satisfies its dependents") {
    auto conditional = unit("a");
    conditional.conditions = {{Condition::Kind::path, false, "/dev/x"}};
    Scene scene(list(std::move(conditional), unit("b", {"a"})));
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::skipped);
    CHECK(scene.state("b") == State::starting);
    CHECK(scene.service("a").reason == "the condition /dev/x does not hold");
}

TEST_CASE("supervisor: a start looks again at the conditions of what was skipped below it") {
    auto conditional = unit("a");
    conditional.conditions = {{Condition::Kind::path, false, "/dev/x"}};
    Scene scene(list(std::move(conditional), unit("b", {"a"}), unit("c", {"a", "b"})));
    scene.supervisor.start_all();
    for (const auto* name : {"b", "c"}) {
        scene.ready(name);
    }
    scene.supervisor.stop(scene.at("b"));
    scene.exited("c");
    scene.exited("b");
    scene.platform.true_conditions = {"/dev/x"};
    scene.supervisor.start(scene.at("c"));
    CHECK(scene.state("a") == State::starting);
    CHECK(scene.state("b") == State::waiting);
    scene.ready("a");
    CHECK(scene.state("b") == State::starting);
    scene.ready("b");
    CHECK(scene.state("c") == State::starting);
}

TEST_CASE("supervisor: the restart delay doubles up to its cap and starts again after a minute of health") {
    auto crashing = unit("a");
    crashing.restart = RestartPolicy::always;
    crashing.restart_delay = Milliseconds(100);
    crashing.restart_delay_max = Milliseconds(400);
    Scene scene(list(std::move(crashing)));
    scene.supervisor.start_all();
    for (const int expected : {100, 200, 400, 400}) {
        scene.ready("a");
        scene.exited("a", 1);
        CHECK(scene.service("a").delay == Milliseconds(expected));
        scene.platform.advance(Milliseconds(expected));
        CHECK(scene.state("a") == State::starting);
    }
    scene.ready("a");
    scene.platform.advance(Milliseconds(61'000));
    scene.exited("a", 1);
    CHECK(scene.service("a").delay == Milliseconds(100));
    CHECK(scene.service("a").restarts == 5);
}

TEST_CASE("supervisor: ten thousand crashes in a row leave one service that still restarts") {
    auto crashing = unit("a");
    crashing.restart = RestartPolicy::always;
    Scene scene(list(std::move(crashing)));
    scene.supervisor.start_all();
    for (int crash = 0; crash < 10'000; ++crash) {
        scene.exited("a", 1);
        scene.platform.advance(Milliseconds(30'000));
    }
    CHECK(scene.state("a") == State::starting);
    CHECK(scene.service("a").restarts == 10'000);
}

TEST_CASE("supervisor: a start that takes too long is stopped and counts as failed") {
    auto slow = unit("a");
    slow.readiness_timeout = Milliseconds(5000);
    slow.restart = RestartPolicy::never;
    Scene scene(list(std::move(slow)));
    scene.supervisor.start_all();
    scene.platform.advance(Milliseconds(5000));
    CHECK(scene.state("a") == State::stopping);
    scene.exited("a", 0);
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.service("a").reason == "not ready within 5.0 s");
}

TEST_CASE("supervisor: SIGKILL comes after the stop timeout, and what SIGKILL does not end is let go") {
    Scene scene(list(unit("a")));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.supervisor.stop(scene.at("a"));
    CHECK(scene.platform.count("signal a") == 1);
    scene.platform.advance(Milliseconds(10'000));
    CHECK(scene.platform.count("kill a") == 1);
    scene.platform.advance(Milliseconds(10'000));
    CHECK(scene.state("a") == State::stopped);
}

TEST_CASE("supervisor: a stop first stops those that require the unit") {
    Scene scene(list(unit("a"), unit("b", {"a"})));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.ready("b");
    scene.supervisor.stop(scene.at("a"));
    CHECK(scene.state("a") == State::ready);
    CHECK(scene.state("b") == State::stopping);
    scene.exited("b");
    CHECK(scene.state("a") == State::stopping);
    scene.exited("a");
    CHECK(scene.supervisor.all_at_rest());
}

TEST_CASE("supervisor: a crash of a required unit leaves its dependents alone") {
    Scene scene(list(unit("a"), unit("b", {"a"})));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.ready("b");
    scene.exited("a", 0, 9);
    CHECK(scene.state("a") == State::delayed);
    CHECK(scene.state("b") == State::ready);
    CHECK(scene.service("a").reason.starts_with("killed by signal 9"));
}

TEST_CASE("supervisor: a restart stops and starts the unit, from any state") {
    Scene scene(list(unit("a")));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.supervisor.restart(scene.at("a"));
    CHECK(scene.state("a") == State::stopping);
    scene.exited("a");
    CHECK(scene.state("a") == State::starting);
    scene.exited("a", 1);
    CHECK(scene.state("a") == State::delayed);
    scene.supervisor.restart(scene.at("a"));
    CHECK(scene.state("a") == State::starting);
}

TEST_CASE("supervisor: shutdown while units start stops all in reverse order and starts nothing more") {
    Scene scene(list(unit("a"), unit("b", {"a"}), unit("c", {"b"})));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.supervisor.begin_shutdown();
    CHECK(scene.state("c") == State::stopped);
    CHECK(scene.state("b") == State::stopping);
    CHECK(scene.state("a") == State::ready);
    scene.exited("b");
    CHECK(scene.state("a") == State::stopping);
    scene.supervisor.start(scene.at("c"));
    CHECK(scene.state("c") == State::stopped);
    scene.exited("a");
    CHECK(scene.supervisor.all_at_rest());
}

TEST_CASE("supervisor: a stop during the restart delay ends it") {
    Scene scene(list(unit("a")));
    scene.supervisor.start_all();
    scene.exited("a", 1);
    CHECK(scene.state("a") == State::delayed);
    scene.supervisor.stop(scene.at("a"));
    CHECK(scene.state("a") == State::stopped);
    scene.platform.advance(Milliseconds(60'000));
    CHECK(scene.platform.count("spawn a") == 1);
}

TEST_CASE("supervisor: starting a unit starts what it requires") {
    Scene scene(list(unit("a"), unit("b", {"a"})));
    scene.supervisor.start(scene.at("b"));
    CHECK(scene.state("a") == State::starting);
    scene.ready("a");
    CHECK(scene.state("b") == State::starting);
}

TEST_CASE("supervisor: a service waits until nothing of it is left before it starts again") {
    auto crashing = unit("a");
    crashing.restart = RestartPolicy::always;
    Scene scene(list(std::move(crashing)));
    scene.platform.empties_at_once = false;
    scene.supervisor.start_all();
    scene.exited("a", 1);
    scene.platform.advance(Milliseconds(1000));
    CHECK(scene.state("a") == State::clearing);
    scene.supervisor.on_emptied(scene.at("a"));
    CHECK(scene.state("a") == State::delayed);
}

TEST_CASE("supervisor: a thousand units in a row start one behind the other") {
    std::vector<Unit> units;
    for (int number = 0; number < 1000; ++number) {
        units.push_back(unit("u" + std::to_string(1000 + number)));
        if (number > 0) {
            units.back().required = {"u" + std::to_string(999 + number)};
        }
    }
    Scene scene(std::move(units));
    scene.supervisor.start_all();
    for (UnitIndex index = 0; index < 1000; ++index) {
        scene.supervisor.on_ready(index);
    }
    CHECK(scene.state("u1999") == State::ready);
}

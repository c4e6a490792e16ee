// What one service can be asked to do beside starting and stopping: helpers, forking, watchdog, limits, timers,
// sockets.
#include <doctest/doctest.h>

#include <cerrno>

#include "scene.hpp"

using namespace thole;

TEST_CASE("service: pre-start commands run one after the other before the command") {
    auto one = unit("a");
    one.pre_start = {{"first"}, {"second"}};
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::preparing);
    scene.exited("a");
    scene.exited("a");
    CHECK(scene.platform.calls == std::vector<std::string>{"run first of a", "run second of a", "spawn a"});
    CHECK(scene.state("a") == State::starting);
}

TEST_CASE("service: a pre-start command that fails ends the start, and the readiness timeout covers it") {
    auto one = unit("a");
    one.pre_start = {{"first"}};
    one.restart = RestartPolicy::never;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.exited("a", 3);
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.service("a").reason == "a pre-start command failed: exit status 3");
    scene.supervisor.start(scene.at("a"));
    scene.platform.advance(Milliseconds(90'000));
    CHECK(scene.state("a") == State::stopping);
    CHECK(scene.platform.count("spawn a") == 0);
}

TEST_CASE("service: post-stop commands run when the last process is gone, however it ended") {
    auto one = unit("a");
    one.post_stop = {{"tidy"}};
    one.restart = RestartPolicy::never;
    Scene scene(list(std::move(one)));
    scene.platform.empties_at_once = false;
    scene.supervisor.start_all();
    scene.ready("a");
    scene.exited("a", 0, 11);
    CHECK(scene.platform.count("run tidy of a") == 0);
    scene.supervisor.on_emptied(scene.at("a"));
    CHECK(scene.state("a") == State::finishing);
    scene.exited("a", 1);
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.service("a").reason.find("killed by signal 11") == 0);
    CHECK(scene.service("a").reason.find("a post-stop command failed") != std::string::npos);
    CHECK(scene.service("a").last_exit.signal == 11);
}

TEST_CASE("service: a oneshot that remains keeps its post-stop commands for its stop") {
    auto one = unit("a");
    one.type = ServiceType::oneshot;
    one.readiness = Readiness::started;
    one.post_stop = {{"undo"}};
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.exited("a");
    CHECK(scene.state("a") == State::done);
    CHECK(scene.platform.count("run undo of a") == 0);
    scene.supervisor.start(scene.at("a"));
    CHECK(scene.platform.count("spawn a") == 1);
    scene.supervisor.stop(scene.at("a"));
    CHECK(scene.state("a") == State::finishing);
    scene.exited("a");
    CHECK(scene.state("a") == State::stopped);
}

TEST_CASE("service: a oneshot that does not remain is run by each start") {
    auto one = unit("a");
    one.type = ServiceType::oneshot;
    one.readiness = Readiness::started;
    one.remain = false;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.exited("a");
    CHECK(scene.state("a") == State::done);
    scene.supervisor.start(scene.at("a"));
    CHECK(scene.platform.count("spawn a") == 2);
}

TEST_CASE("service: a forking service is ready when its main process was found") {
    auto one = unit("a");
    one.type = ServiceType::forking;
    one.readiness = Readiness::started;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::starting);
    scene.exited("a");
    CHECK(scene.platform.count("adopt a") == 1);
    CHECK(scene.state("a") == State::starting);
    scene.ready("a");
    CHECK(scene.state("a") == State::ready);
    scene.exited("a", 1);
    CHECK(scene.state("a") == State::delayed);
}

TEST_CASE("service: a forking service whose pid file never names a process has failed to start") {
    auto one = unit("a");
    one.type = ServiceType::forking;
    one.readiness = Readiness::started;
    one.restart = RestartPolicy::never;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.exited("a");
    scene.platform.without_process = true;
    scene.platform.advance(Milliseconds(90'000));
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.platform.count("clear a") == 1);
}

TEST_CASE("service: one that ends well before it was ready has failed") {
    auto one = unit("a");
    one.restart = RestartPolicy::never;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.exited("a");
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.service("a").reason == "it ended, with status 0, before it was ready");
}

TEST_CASE("service: the watchdog aborts what is silent and leaves what speaks") {
    auto one = unit("a");
    one.watchdog = Milliseconds(1000);
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.ready("a");
    for (int beat = 0; beat < 10; ++beat) {
        scene.platform.advance(Milliseconds(900));
        scene.supervisor.on_alive(scene.at("a"));
    }
    CHECK(scene.state("a") == State::ready);
    scene.platform.advance(Milliseconds(1000));
    CHECK(scene.state("a") == State::stopping);
    CHECK(scene.platform.count("signal 6 to a") == 1);
    scene.exited("a", 0, 6);
    CHECK(scene.state("a") == State::delayed);
    CHECK(scene.service("a").reason == "it did not say that it is alive within 1.0 s");
}

TEST_CASE("service: WATCHDOG_USEC and WATCHDOG=trigger are the service's own word") {
    auto one = unit("a");
    one.watchdog = Milliseconds(1000);
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.supervisor.on_watchdog_time(scene.at("a"), Milliseconds(5000));
    scene.platform.advance(Milliseconds(4000));
    CHECK(scene.state("a") == State::ready);
    scene.supervisor.on_unhealthy(scene.at("a"));
    CHECK(scene.state("a") == State::stopping);
}

TEST_CASE("service: EXTEND_TIMEOUT_USEC moves the deadline of a start and of a stop") {
    auto one = unit("a");
    one.readiness_timeout = Milliseconds(1000);
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.supervisor.on_extension(scene.at("a"), Milliseconds(60'000));
    scene.platform.advance(Milliseconds(50'000));
    CHECK(scene.state("a") == State::starting);
    scene.supervisor.stop(scene.at("a"));
    scene.supervisor.on_extension(scene.at("a"), Milliseconds(30'000));
    scene.platform.advance(Milliseconds(20'000));
    CHECK(scene.platform.count("kill a") == 0);
    scene.platform.advance(Milliseconds(10'000));
    CHECK(scene.platform.count("kill a") == 1);
}

TEST_CASE("service: too many starts in a time are the end of it") {
    auto one = unit("a");
    one.restart = RestartPolicy::always;
    one.restart_delay = Milliseconds(10);
    one.restart_delay_max = Milliseconds(10);
    one.start_limit_count = 3;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    for (int crash = 0; crash < 3; ++crash) {
        scene.exited("a", 1);
        scene.platform.advance(Milliseconds(10));
    }
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.platform.count("spawn a") == 3);
    scene.platform.advance(Milliseconds(20'000));
    scene.supervisor.start(scene.at("a"));
    CHECK(scene.state("a") == State::starting);
}

TEST_CASE("service: a process that cannot be made for lack of resources is tried again, whatever the policy") {
    auto one = unit("a");
    one.restart = RestartPolicy::never;
    Scene scene(list(std::move(one)));
    scene.platform.cannot_spawn = {"a"};
    scene.platform.spawn_code = EAGAIN;
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::delayed);
    scene.platform.cannot_spawn.clear();
    scene.platform.advance(Milliseconds(200));
    CHECK(scene.state("a") == State::starting);
}

TEST_CASE("service: it is ready when its program runs, not when it has a process") {
    auto one = unit("a");
    one.readiness = Readiness::started;
    Scene scene(list(std::move(one), unit("b", {"a"})));
    scene.platform.executes_at_once = false;
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::starting);
    CHECK(scene.platform.count("spawn b") == 0);
    scene.supervisor.on_executed(scene.at("a"));
    CHECK(scene.state("a") == State::ready);
    CHECK(scene.platform.count("spawn b") == 1);
}

TEST_CASE("service: a program that cannot be executed fails its start, in whatever state that is heard") {
    for (const State heard_in : {State::starting, State::ready, State::stopping}) {
        auto one = unit("a");
        one.restart = RestartPolicy::never;
        Scene scene(list(std::move(one)));
        scene.supervisor.start_all();
        if (heard_in == State::ready) {
            scene.ready("a");
        } else if (heard_in == State::stopping) {
            scene.supervisor.stop(scene.at("a"));
        }
        CHECK(scene.state("a") == heard_in);
        scene.supervisor.on_start_failed(scene.at("a"), Error("cannot execute it", 0));
        CHECK(scene.state("a") == (heard_in == State::stopping ? State::stopped : State::failed));
        CHECK(scene.service("a").reason == "cannot execute it");
    }
}

TEST_CASE("service: what a service leaves gets its own time where the unit says cgroup, none where it says mixed") {
    for (const KillMode mode : {KillMode::cgroup, KillMode::mixed}) {
        auto one = unit("a");
        one.kill = mode;
        Scene scene(list(std::move(one)));
        scene.platform.empties_at_once = false;
        scene.supervisor.start_all();
        scene.ready("a");
        scene.supervisor.stop(scene.at("a"));
        scene.exited("a");
        CHECK(scene.state("a") == State::clearing);
        scene.platform.advance(Milliseconds(9'999));
        CHECK(scene.platform.count("kill a") == 0);
        CHECK((scene.state("a") == State::clearing) == (mode == KillMode::cgroup));
        scene.platform.advance(Milliseconds(10'000));
        CHECK(scene.platform.count("kill a") == (mode == KillMode::cgroup ? 1 : 0));
        CHECK(scene.state("a") == State::stopped);
    }
}

TEST_CASE("service: a timer starts its unit again and again, with jitter") {
    auto one = unit("a");
    one.type = ServiceType::oneshot;
    one.readiness = Readiness::started;
    one.timed().every = Milliseconds(60'000);
    one.timed().jitter = Milliseconds(1000);
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::idle);
    scene.platform.advance(Milliseconds(60'998));
    CHECK(scene.state("a") == State::idle);
    scene.platform.advance(Milliseconds(1));
    CHECK(scene.state("a") == State::starting);
    scene.exited("a");
    CHECK(scene.state("a") == State::idle);
    scene.platform.advance(Milliseconds(60'999));
    CHECK(scene.platform.count("spawn a") == 2);
}

TEST_CASE("service: a failed timed unit is tried again by its policy, and after that by its timer") {
    auto one = unit("a");
    one.type = ServiceType::oneshot;
    one.readiness = Readiness::started;
    one.restart = RestartPolicy::never;
    one.timed().every = Milliseconds(60'000);
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.platform.advance(Milliseconds(60'000));
    scene.exited("a", 1);
    scene.platform.advance(Milliseconds(1000));
    CHECK(scene.state("a") == State::idle);
    scene.platform.advance(Milliseconds(60'000));
    CHECK(scene.platform.count("spawn a") == 2);
}

TEST_CASE("service: a calendar follows the wall clock when it jumps") {
    auto one = unit("a");
    one.type = ServiceType::oneshot;
    one.readiness = Readiness::started;
    one.timed().calendar = parse_calendar("daily").value();
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    scene.platform.advance(Milliseconds(23 * 3'600'000));
    CHECK(scene.state("a") == State::idle);
    scene.platform.wall_offset -= 3600;  // set back by an hour
    scene.supervisor.on_clock_changed();
    scene.platform.advance(Milliseconds(3'700'000));
    CHECK(scene.state("a") == State::idle);
    scene.platform.wall_offset += 5 * 365 * 86'400;  // and by years to the future
    scene.supervisor.on_clock_changed();
    CHECK(*scene.service("a").deadline - scene.platform.time <= Milliseconds(24 * 3'600'000));
    scene.platform.advance(Milliseconds(24 * 3'600'000));
    CHECK(scene.state("a") == State::starting);
}

TEST_CASE("service: an on-demand unit waits for a connection and satisfies its dependents meanwhile") {
    auto one = unit("a");
    one.on_demand = true;
    Scene scene(list(std::move(one), unit("b", {"a"})));
    scene.supervisor.start_all();
    CHECK(scene.state("a") == State::idle);
    CHECK(scene.state("b") == State::starting);
    scene.supervisor.on_activated(scene.at("a"));
    CHECK(scene.state("a") == State::starting);
    scene.ready("a");
    scene.exited("a");
    CHECK(scene.state("a") == State::idle);
    CHECK(scene.platform.count("arm a") == 2);
}

TEST_CASE("service: an on-demand unit that never takes its connection is stopped from running hot") {
    auto one = unit("a");
    one.on_demand = true;
    Scene scene(list(std::move(one)));
    scene.supervisor.start_all();
    for (int run = 0; run < 100 && scene.state("a") == State::idle; ++run) {
        scene.supervisor.on_activated(scene.at("a"));
        scene.ready("a");
        scene.exited("a");
    }
    CHECK(scene.state("a") == State::failed);
    CHECK(scene.platform.count("spawn a") == 20);
}

TEST_CASE("service: a reload signal goes to a ready service that has one") {
    auto one = unit("a");
    one.reload_signal = 1;
    Scene scene(list(std::move(one), unit("b")));
    scene.supervisor.start_all();
    CHECK(!scene.supervisor.reload_service(scene.at("a")));
    scene.ready("a");
    CHECK(scene.supervisor.reload_service(scene.at("a")));
    CHECK(scene.platform.count("signal 1 to a") == 1);
    scene.ready("b");
    CHECK(scene.supervisor.reload_service(scene.at("b")).error().message.find("reload-signal") != std::string::npos);
}

#include <doctest/doctest.h>

#include "supervisor/transition.hpp"

using namespace thole;

namespace {

State next(State state, Event event, const Circumstances& circumstances = {}) {
    return transition(state, event, circumstances).next;
}

Action action(State state, Event event, const Circumstances& circumstances = {}) {
    return transition(state, event, circumstances).action;
}

}  // namespace

TEST_CASE("transition: a simple service lives from start to stop") {
    CHECK(next(State::stopped, Event::start) == State::waiting);
    CHECK(next(State::waiting, Event::admitted) == State::starting);
    CHECK(action(State::waiting, Event::admitted) == Action::spawn);
    CHECK(next(State::starting, Event::became_ready) == State::ready);
    CHECK(next(State::ready, Event::stop) == State::stopping);
    CHECK(action(State::ready, Event::stop) == Action::send_stop_signal);
    CHECK(next(State::stopping, Event::exited) == State::clearing);
    CHECK(next(State::clearing, Event::emptied, {.wanted = false}) == State::stopped);
}

TEST_CASE("transition: a oneshot is done when it has ended well, not before") {
    const Circumstances well{.type = ServiceType::oneshot, .succeeded = true};
    CHECK(next(State::starting, Event::became_ready, well) == State::starting);
    CHECK(next(State::starting, Event::exited, well) == State::clearing);
    CHECK(next(State::clearing, Event::emptied, well) == State::done);
    const Circumstances badly{.type = ServiceType::oneshot, .restart = RestartPolicy::never, .succeeded = false};
    CHECK(next(State::clearing, Event::emptied, badly) == State::failed);
}

TEST_CASE("transition: the restart policy decides after an end that nobody asked for") {
    CHECK(next(State::clearing, Event::emptied, {.restart = RestartPolicy::always, .succeeded = true}) ==
          State::delayed);
    CHECK(next(State::clearing, Event::emptied, {.restart = RestartPolicy::on_failure, .succeeded = true}) ==
          State::stopped);
    CHECK(next(State::clearing, Event::emptied, {.restart = RestartPolicy::on_failure}) == State::delayed);
    CHECK(next(State::clearing, Event::emptied, {.restart = RestartPolicy::never}) == State::failed);
    CHECK(next(State::delayed, Event::timeout) == State::waiting);
}

TEST_CASE("transition: a stop is taken in every state") {
    for (const State state : {State::waiting, State::delayed, State::failed, State::done, State::skipped}) {
        CHECK(next(state, Event::stop) == State::stopped);
    }
    for (const State state : {State::starting, State::ready}) {
        CHECK(next(state, Event::stop) == State::stopping);
    }
    CHECK(next(State::clearing, Event::stop) == State::clearing);
}

TEST_CASE("transition: a service that ignores the stop signal is killed, one that SIGKILL does not end is let go") {
    CHECK(action(State::stopping, Event::timeout) == Action::kill_all);
    CHECK(next(State::clearing, Event::timeout, {.wanted = false}) == State::stopped);
}

TEST_CASE("transition: an event that a state has no line for changes nothing") {
    for (int state = 0; state <= static_cast<int>(State::failed); ++state) {
        const auto here = static_cast<State>(state);
        if (here != State::clearing) {
            CHECK(next(here, Event::emptied) == here);
        }
        if (here != State::waiting) {
            CHECK(next(here, Event::refused) == here);
        }
    }
    CHECK(next(State::stopped, Event::exited) == State::stopped);
    CHECK(next(State::ready, Event::start) == State::ready);
}

// Reloads, conflicts, and who holds whom: what concerns several units at once.
#include <doctest/doctest.h>

#include "scene.hpp"

using namespace thole;

namespace {

Unit marked(std::string name, std::uint64_t fingerprint, std::vector<std::string> required = {}) {
    auto made = unit(std::move(name), std::move(required));
    made.fingerprint = fingerprint;
    return made;
}

std::string text(const Result<std::vector<ReloadChange>>& changes) {
    std::string all;
    for (const ReloadChange& change : changes.value()) {
        all += (change.kind == ReloadChange::Kind::added     ? "+"
                : change.kind == ReloadChange::Kind::changed ? "~"
                                                             : "-") +
               change.name + " ";
    }
    return all;
}

}  // namespace

TEST_CASE("reload: only what changed is restarted, and what did not keeps its process") {
    Scene scene(list(marked("a", 1), marked("c", 1), marked("d", 1)));
    scene.supervisor.start_all();
    for (const char* name : {"a", "c", "d"}) {
        scene.ready(name);
    }
    scene.platform.calls.clear();
    const auto changes = scene.supervisor.reload(list(marked("a", 1), marked("b", 1), marked("c", 2), marked("d", 1)));
    CHECK(text(changes) == "+b ~c ");
    CHECK(scene.platform.calls == std::vector<std::string>{"spawn b", "signal c"});
    CHECK(scene.state("a") == State::ready);
    CHECK(scene.platform.former_places.at(3) == std::optional<UnitIndex>(2));
    scene.exited("c");
    CHECK(scene.state("c") == State::starting);
    CHECK(scene.state("d") == State::ready);
}

TEST_CASE("reload: what is gone is stopped by its old rules and leaves with the next reload") {
    Scene scene(list(marked("a", 1), marked("b", 1)));
    scene.supervisor.start_all();
    scene.ready("a");
    scene.ready("b");
    CHECK(text(scene.supervisor.reload(list(marked("b", 1)))) == "-a ");
    CHECK(scene.state("a") == State::stopping);
    scene.supervisor.start(scene.at("a"));
    CHECK(!scene.service("a").wanted);
    scene.exited("a");
    CHECK(scene.state("a") == State::stopped);
    CHECK(text(scene.supervisor.reload(list(marked("b", 1)))).empty());
    CHECK(!scene.supervisor.graph().find("a"));
    CHECK(scene.state("b") == State::ready);
}

TEST_CASE("reload: a refused one changes nothing") {
    Scene scene(list(marked("a", 1), marked("b", 1)));
    scene.supervisor.start_all();
    scene.ready("a");
    const auto refused = scene.supervisor.reload(list(marked("a", 2, {"x"})));
    REQUIRE(!refused);
    CHECK(refused.error().message.find("there is no unit 'x'") != std::string::npos);
    const auto circle = scene.supervisor.reload(list(marked("a", 2, {"b"}), marked("b", 2, {"a"})));
    CHECK(circle.error().message.find("circle") != std::string::npos);
    const auto leaving = scene.supervisor.reload(list(marked("b", 2, {"a"})));
    CHECK(leaving.error().message.find("there is no unit 'a'") != std::string::npos);
    CHECK(scene.state("a") == State::ready);
    CHECK(scene.state("b") == State::starting);
    CHECK(scene.platform.count("signal a") == 0);
    CHECK(scene.supervisor.graph().size() == 2);
}

TEST_CASE("reload: a unit that was disabled is added without being started") {
    Scene scene(list(marked("a", 1)));
    scene.supervisor.start_all();
    auto manual = marked("b", 1);
    manual.enabled = false;
    CHECK(text(scene.supervisor.reload(list(marked("a", 1), std::move(manual)))) == "+b ");
    CHECK(scene.state("b") == State::stopped);
}

TEST_CASE("reload: during shutdown it is refused") {
    Scene scene(list(marked("a", 1)));
    scene.supervisor.start_all();
    scene.supervisor.begin_shutdown();
    CHECK(!scene.supervisor.reload(list(marked("a", 2))));
}

TEST_CASE("conflicts: a start stops the other first; at the start of the node the first by name wins") {
    auto left = unit("left");
    left.conflicts = {"right"};
    Scene scene(list(std::move(left), unit("right")));
    scene.supervisor.start_all();
    CHECK(scene.state("left") == State::starting);
    CHECK(scene.state("right") == State::stopped);
    CHECK(scene.service("right").reason == "it conflicts with left");
    scene.ready("left");
    scene.supervisor.start(scene.at("right"));
    CHECK(scene.state("left") == State::stopping);
    CHECK(scene.state("right") == State::waiting);
    scene.exited("left");
    CHECK(scene.state("left") == State::stopped);
    CHECK(scene.state("right") == State::starting);
}

TEST_CASE("graph: a unit cannot require what it conflicts with, nor conflict with itself") {
    auto both = unit("a", {"b"});
    both.conflicts = {"b"};
    CHECK(!Graph::build(list(std::move(both), unit("b"))));
    auto self = unit("a");
    self.conflicts = {"a"};
    CHECK(!Graph::build(list(std::move(self))));
}

TEST_CASE("failure: every dependent names the unit that holds it") {
    auto broken = unit("a");
    broken.restart = RestartPolicy::never;
    Scene scene(list(std::move(broken), unit("b", {"a"}), unit("c", {"b"})));
    scene.platform.cannot_spawn = {"a"};
    scene.supervisor.start_all();
    CHECK(scene.service("b").held_by == scene.at("a"));
    CHECK(scene.service("c").held_by == scene.at("a"));
    CHECK(scene.service("c").reason ==
          "it requires b, which is failed: it requires a, which is failed: no such program");
    scene.platform.cannot_spawn.clear();
    scene.supervisor.start(scene.at("c"));
    scene.ready("a");
    scene.ready("b");
    CHECK(scene.state("c") == State::starting);
    CHECK(!scene.service("c").held_by);
}

TEST_CASE("graph: a start over many paths visits each unit once") {
    std::vector<Unit> units;
    for (int layer = 0; layer < 30; ++layer) {
        for (int place = 0; place < 10; ++place) {
            auto one = unit("l" + std::to_string(100 + layer) + "-" + std::to_string(place));
            for (int below = 0; layer > 0 && below < 10; ++below) {
                one.required.push_back("l" + std::to_string(99 + layer) + "-" + std::to_string(below));
            }
            units.push_back(std::move(one));
        }
    }
    Scene scene(std::move(units));
    scene.supervisor.start(scene.at("l129-0"));
    CHECK(scene.state("l100-9") == State::starting);
    CHECK(scene.state("l129-1") == State::stopped);
}

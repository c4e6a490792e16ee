// Random lives of random graphs: after every step the supervisor must be in a state that its rules allow. The seed is
// printed; THOLE_SEED repeats a run.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "scene.hpp"

using namespace thole;

namespace {

class Model {
   public:
    explicit Model(unsigned seed) : random_(seed), scene_(units()) {
        scene_.platform.empties_at_once = false;
        scene_.supervisor.start_all();
    }

    void step() {
        const UnitIndex index = pick(scene_.supervisor.graph().size());
        switch (pick(14)) {
            case 0: scene_.supervisor.start(index); break;
            case 1: scene_.supervisor.stop(index); break;
            case 2: scene_.supervisor.restart(index); break;
            case 3: scene_.platform.advance(Milliseconds(pick(20'000))); break;
            case 4: scene_.supervisor.on_activated(index); break;
            case 5: scene_.supervisor.on_unhealthy(index); break;
            case 6: reload(); break;
            case 7: scene_.supervisor.on_clock_changed(); break;
            case 8: break_or_mend(index); break;
            default: machine_answers(index); break;
        }
    }

    void check() {
        const Graph& graph = scene_.supervisor.graph();
        bool any_busy = false;
        for (UnitIndex index = 0; index < graph.size(); ++index) {
            const Service& service = scene_.supervisor.service(index);
            any_busy = any_busy || !at_rest(service.state);
            INFO(graph.at(index).unit.name << " is " << to_text(service.state));
            if (scene_.supervisor.shutting_down()) {
                CHECK(!service.wanted);
            }
            CHECK((service.state != State::waiting || service.wanted || has_busy_dependents(index)));
            CHECK((service.state != State::delayed || service.deadline.has_value()));
            CHECK((service.state != State::stopping || service.deadline.has_value()));
            CHECK((service.state != State::clearing || service.deadline.has_value()));
            check_neighbours(index);
        }
        CHECK(scene_.supervisor.all_at_rest() == !any_busy);
    }

    /// From wherever it is, a shutdown ends with every service at rest.
    void shut_down() {
        scene_.supervisor.begin_shutdown();
        for (int round = 0; round < 100 && !scene_.supervisor.all_at_rest(); ++round) {
            for (UnitIndex index = 0; index < scene_.supervisor.graph().size(); ++index) {
                machine_answers(index);
            }
            scene_.platform.advance(Milliseconds(1000));
            check();
        }
        CHECK(scene_.supervisor.all_at_rest());
    }

   private:
    /// What is unwanted waits only for those that must stop before it.
    [[nodiscard]] bool has_busy_dependents(UnitIndex index) const {
        const GraphNode& node = scene_.supervisor.graph().at(index);
        const auto& behind = scene_.supervisor.shutting_down() ? node.followers : node.dependents;
        return std::ranges::any_of(behind,
                                   [&](UnitIndex other) { return !at_rest(scene_.supervisor.service(other).state); });
    }

    void check_neighbours(UnitIndex index) {
        const GraphNode& node = scene_.supervisor.graph().at(index);
        const Service& service = scene_.supervisor.service(index);
        const bool runs = service.state == State::preparing || service.state == State::starting;
        for (const UnitIndex other : node.conflicts) {
            // A reload may bring two that run into conflict: one of them is on its way out then.
            CHECK_FALSE((runs && service.wanted && scene_.supervisor.service(other).wanted));
        }
        if (service.held_by) {
            CHECK(*service.held_by < scene_.supervisor.graph().size());
        }
    }

    std::vector<Unit> units() {
        std::vector<Unit> all;
        const std::size_t count = 2 + pick(10);
        for (std::size_t number = 0; number < count; ++number) {
            all.push_back(random_unit(number));
        }
        return all;
    }

    Unit random_unit(std::size_t number) {
        auto one = unit("u" + std::to_string(10 + number));
        for (std::size_t before = 0; before < number; ++before) {
            const std::string name = "u" + std::to_string(10 + before);
            const std::size_t tie = pick(12);
            (tie == 0   ? one.required
             : tie == 1 ? one.wanted
             : tie == 2 ? one.after
             : tie == 3 ? one.conflicts
                        : unused_)
                .push_back(name);
        }
        one.type = static_cast<ServiceType>(pick(3));
        one.readiness = one.type == ServiceType::simple && pick(2) == 0 ? Readiness::notify : Readiness::started;
        one.restart = static_cast<RestartPolicy>(pick(3));
        one.kill = static_cast<KillMode>(pick(3));
        one.pre_start.resize(pick(3), {"before"});
        one.post_stop.resize(pick(3), {"after"});
        one.remain = pick(2) == 0;
        one.on_demand = pick(8) == 0;
        one.enabled = pick(6) != 0;
        one.watchdog = Milliseconds(pick(3) * 1000);
        one.start_limit_count = static_cast<int>(pick(4));
        one.fingerprint = pick(4);
        if (!one.on_demand && pick(8) == 0) {
            one.timed().every = Milliseconds(1000 + pick(10'000));
        }
        return one;
    }

    void reload() {
        auto next = units();
        const std::size_t size = scene_.supervisor.graph().size();
        const auto changes = scene_.supervisor.reload(std::move(next));
        CHECK((changes || scene_.supervisor.graph().size() == size));
    }

    void break_or_mend(UnitIndex index) {
        scene_.platform.executes_at_once = pick(2) == 0;
        scene_.platform.cannot_spawn.clear();
        if (pick(2) == 0) {
            scene_.platform.cannot_spawn = {scene_.platform.name(index)};
            scene_.platform.spawn_code = pick(2) == 0 ? 11 : 0;
        }
    }

    /// What a real machine could say of the service now.
    void machine_answers(UnitIndex index) {
        const State state = scene_.supervisor.service(index).state;
        const int code = pick(3) == 0 ? 1 : 0;
        if (state == State::clearing) {
            scene_.supervisor.on_emptied(index);
        } else if (state == State::starting && pick(2) == 0) {
            scene_.supervisor.on_ready(index);
        } else if (state == State::starting || state == State::ready || state == State::stopping ||
                   state == State::preparing || state == State::finishing) {
            process_answers(index, code);
        }
    }

    /// A process runs its program, cannot, or ends.
    void process_answers(UnitIndex index, int code) {
        const std::size_t answer = pick(6);
        if (answer == 0) {
            scene_.supervisor.on_executed(index);
        } else if (answer == 1) {
            scene_.supervisor.on_start_failed(index, Error("no such program", 0));
        } else {
            scene_.supervisor.on_exited(index, ExitStatus{code, 0, false});
        }
    }

    std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

    std::mt19937 random_;
    std::vector<std::string> unused_;
    Scene scene_;
};

}  // namespace

TEST_CASE("model: random graphs live through random events and shut down") {
    const char* const given = std::getenv("THOLE_SEED");
    const unsigned first = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device()();
    const unsigned lives = given != nullptr ? 1 : 150;
    for (unsigned life = 0; life < lives; ++life) {
        INFO("THOLE_SEED=" << first + life);
        Model model(first + life);
        for (int step = 0; step < 120; ++step) {
            model.step();
            model.check();
        }
        model.shut_down();
    }
    MESSAGE("first seed " << first << ", " << lives << " lives of 120 steps");
}

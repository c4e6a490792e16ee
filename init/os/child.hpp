// What a new process does between clone and exec. It runs beside PID 1 on PID 1's own memory, so everything here keeps
// to four rules: it reads only what its Launch owns, writes only there and on its own stack, allocates nothing, and
// makes its system calls by raw_call, since errno is PID 1's.
#pragma once

#include <array>
#include <cstddef>

#include "os/confine.hpp"

namespace thole {

inline constexpr int kHighestPassed = 99;
inline constexpr std::size_t kMostPassed = 32;

/// A descriptor that the program gets, and under which number.
struct PassedDescriptor {
    int from = -1;
    int to = -1;
};

/// Numbers from here on are left out of the table of descriptors that a new process takes for its own.
inline constexpr int kFirstLeftOut = 48;

struct Child {
    const char* program = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    const char* working_directory = nullptr;  // null: stay
    const char* oom_score = nullptr;          // null: stay
    const Confinement* confinement = nullptr;
    const Account* account = nullptr;
    const PassedDescriptor* passed = nullptr;
    std::size_t passed_count = 0;
    std::array<char*, 2> pid_variables{};  // each gets the process's own number at its end
    int cgroup_directory = -1;             // that it must join by itself, since clone3 was refused
    int null = -1;
    int output = -1;
    int nice = 0;
    bool shares_table = false;   // of descriptors, with PID 1, until it takes its own
    bool clears_signals = true;  // clone3 was refused, which would have done that
    FailedStep failed;           // its report; where nothing has failed, the program runs
};

/// The entry of the new process; `argument` is its Child.
int child_main(void* argument);

}  // namespace thole

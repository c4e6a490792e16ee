// The parts of the C++ runtime that serve exceptions, replaced by an end: nothing here throws, and the library's own
// are a third of a small static binary (unwinder, demangler, printf). What the standard library would throw, memory
// that cannot be had among it, ends the process by SIGABRT; for PID 1 the crash handler says so and the kernel restarts
// the node.
//
// Only for the node's binary: the tests run with the machine's own runtime and its sanitizers.
#include <cstdlib>
#include <new>

namespace {

void* allocate(std::size_t size) {
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        std::abort();
    }
    return memory;
}

}  // namespace

// Replaceable by the standard ([new.delete]).
void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

// Names that the compiled C++ library refers to: the Itanium C++ ABI's (exceptions, pure virtual calls) and libc++abi's
// own.
extern "C" {
[[noreturn]] void __cxa_throw(void*, void*, void (*)(void*)) { std::abort(); }
[[noreturn]] void __cxa_rethrow() { std::abort(); }
[[noreturn]] void __cxa_pure_virtual() { std::abort(); }
[[noreturn]] void __cxa_deleted_virtual() { std::abort(); }
[[noreturn]] void __abort_message(const char*, ...) { std::abort(); }
void* __cxa_allocate_exception(std::size_t) { std::abort(); }
void* __cxa_init_primary_exception(void*, void*, void (*)(void*)) { std::abort(); }
void* __cxa_begin_catch(void*) { std::abort(); }
void __cxa_end_catch() { std::abort(); }
void __cxa_free_exception(void*) { std::abort(); }
int __gxx_personality_v0() { std::abort(); }
void _Unwind_Resume() { std::abort(); }
}

namespace std {

[[noreturn]] void terminate() noexcept { std::abort(); }

inline namespace __1 {
// What libc++ calls where it is compiled without exceptions.
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) noexcept { std::abort(); }
}  // namespace __1

}  // namespace std

#include "os/clone.hpp"

// The child starts on an empty stack, so nothing of the caller's frame can be used after the system call: only
// registers.
#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl thole_clone3\n"
    ".type thole_clone3,@function\n"
    "thole_clone3:\n"
    "    mov %rcx, %r8\n"   // the system call destroys rcx
    "    mov $435, %eax\n"  // clone3
    "    syscall\n"
    "    test %rax, %rax\n"
    "    jz 1f\n"
    "    ret\n"
    "1:  xor %ebp, %ebp\n"
    "    mov %r8, %rdi\n"
    "    call *%rdx\n"
    "    mov %eax, %edi\n"
    "    mov $60, %eax\n"  // exit
    "    syscall\n"
    "    hlt\n"
    ".size thole_clone3, .-thole_clone3\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n"
    ".globl thole_clone3\n"
    ".type thole_clone3,%function\n"
    "thole_clone3:\n"
    "    mov x8, #435\n"  // clone3
    "    svc #0\n"
    "    cbz x0, 1f\n"
    "    ret\n"
    "1:  mov x29, #0\n"
    "    mov x0, x3\n"
    "    blr x2\n"
    "    mov x8, #93\n"  // exit
    "    svc #0\n"
    "    brk #0\n"
    ".size thole_clone3, .-thole_clone3\n");
#else
#error "thole runs on x86_64 and aarch64"
#endif

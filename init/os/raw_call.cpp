#include "os/raw_call.hpp"

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl thole_raw_call\n"
    ".type thole_raw_call,@function\n"
    "thole_raw_call:\n"
    "    mov %rdi, %rax\n"
    "    mov (%rsi), %rdi\n"
    "    mov 16(%rsi), %rdx\n"
    "    mov 24(%rsi), %r10\n"
    "    mov 32(%rsi), %r8\n"
    "    mov 40(%rsi), %r9\n"
    "    mov 8(%rsi), %rsi\n"
    "    syscall\n"
    "    ret\n"
    ".size thole_raw_call, .-thole_raw_call\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n"
    ".globl thole_raw_call\n"
    ".type thole_raw_call,%function\n"
    "thole_raw_call:\n"
    "    mov x8, x0\n"
    "    mov x9, x1\n"
    "    ldp x0, x1, [x9]\n"
    "    ldp x2, x3, [x9, #16]\n"
    "    ldp x4, x5, [x9, #32]\n"
    "    svc #0\n"
    "    ret\n"
    ".size thole_raw_call, .-thole_raw_call\n");
#else
#error "thole runs on x86_64 and aarch64"
#endif

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
    ".size thole_clone3, .-thole_clone3\n"
    ".globl thole_clone\n"
    ".type thole_clone,@function\n"
    "thole_clone:\n"
    "    sub $16, %rsi\n"  // on the child's stack: its argument and its entry
    "    mov %r9, (%rsi)\n"
    "    mov %r8, 8(%rsi)\n"
    "    mov %rcx, %r10\n"
    "    xor %r8d, %r8d\n"
    "    mov $56, %eax\n"  // clone
    "    syscall\n"
    "    test %rax, %rax\n"
    "    jz 1f\n"
    "    ret\n"
    "1:  xor %ebp, %ebp\n"
    "    pop %rdi\n"
    "    pop %rax\n"
    "    call *%rax\n"
    "    mov %eax, %edi\n"
    "    mov $60, %eax\n"  // exit
    "    syscall\n"
    "    hlt\n"
    ".size thole_clone, .-thole_clone\n");
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
    ".size thole_clone3, .-thole_clone3\n"
    ".globl thole_clone\n"
    ".type thole_clone,%function\n"
    "thole_clone:\n"
    "    stp x4, x5, [x1, #-16]!\n"  // on the child's stack: its entry and its argument
    "    mov x4, x3\n"
    "    mov x3, #0\n"
    "    mov x8, #220\n"  // clone
    "    svc #0\n"
    "    cbz x0, 1f\n"
    "    ret\n"
    "1:  mov x29, #0\n"
    "    ldp x2, x0, [sp], #16\n"
    "    blr x2\n"
    "    mov x8, #93\n"  // exit
    "    svc #0\n"
    "    brk #0\n"
    ".size thole_clone, .-thole_clone\n");
#else
#error "thole runs on x86_64 and aarch64"
#endif

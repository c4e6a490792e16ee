// The one name that a libmnl built against glibc refers to and musl does not have. It is used by mnl_nlmsg_fprintf,
// a debugging aid that nothing here calls; saying "failed" keeps all of printf out of the binary.
#include <stdio.h>

int __fprintf_chk(FILE* stream, int flag, const char* format, ...) {
    (void)stream;
    (void)flag;
    (void)format;
    return -1;
}

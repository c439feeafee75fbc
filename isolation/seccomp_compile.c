#include "isolation/seccomp_compile.h"

#include "isolation/seccomp.h"
#include "isolation/seccomp_verify.h"

int seccomp_build(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                  struct err *err)
{
    if (seccomp_by_library(p, insns, ret_count) == 0 && seccomp_verify(p, insns, *ret_count, NULL) == 0)
        return 0;
    int rc = seccomp_emit(p, insns, ret_count, err);
    return rc < 0 ? rc : seccomp_verify(p, insns, *ret_count, err);
}

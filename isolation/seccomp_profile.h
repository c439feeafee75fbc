/*
 * seccomp_profile - which system calls a job may make, as data. Everything not named fails with EPERM, every number
 * above the highest one named anywhere with ENOSYS; another architecture's calls kill.
 * Conditions are "argument & mask == value": the one kind that libseccomp merges correctly (2.5.4 and 2.6.1 make
 * wider filters than asked of NE and of ranges), and the one that can't be passed by with a high bit set.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_PROFILE_H
#define REEVE_ISOLATION_SECCOMP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct seccomp_number {
    const char *name;
    int number;
};
struct seccomp_condition {
    uint32_t arg;
    uint64_t mask, value;
};
struct seccomp_rule {
    const char *name;
    uint32_t count;
    struct seccomp_condition when[2];
};
struct seccomp_except {
    const char *name;
    uint32_t arg, count;
    uint32_t values[4];
};
struct seccomp_profile {
    const char *const *allowed;
    size_t allowed_count;
    const struct seccomp_number *newer, *unknown;
    size_t newer_count, unknown_count;
    const struct seccomp_rule *when;
    size_t when_count;
    const struct seccomp_except *except;
    size_t except_count;
};

extern const struct seccomp_profile seccomp_default;

#endif

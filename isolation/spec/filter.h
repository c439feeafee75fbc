/*
 * filter - which system call filter a sandbox gets, above the floor that all have.
 *
 *   NAMED  a profile that the node has: "" is the default one, others are files that its administrator put there
 *   GIVEN  a compiled filter comes along as LAUNCH_FD_SECCOMP: a sealed memfd of instructions. Whatever it says, it can
 *          only take away from what the floor leaves
 *   TRACE  the default profile, but what it would deny is let through, down to the floor, and written to the file that
 *          comes along as LAUNCH_FD_SECCOMP (isolation/spec/trace.h)
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_FILTER_H
#define REEVE_ISOLATION_SPEC_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/job_spec.h"

#define FILTER_NAME_MAX SECCOMP_NAME_LEN_MAX
#define FILTER_DEFAULT SECCOMP_DEFAULT /* as "" */
#define NODE_PROFILES_MAX 24     /* beside our own */
#define FILTER_INSNS_MAX 4096          /* the kernel's BPF_MAXINSNS */

enum filter_kind { FILTER_NAMED, FILTER_GIVEN, FILTER_TRACE, FILTER_KINDS };

struct filter_spec {
    uint32_t kind;
    char name[FILTER_NAME_MAX + 1]; /* NAMED; empty else */
};

/* How many fds come along for it. */
uint32_t filter_fds(const struct filter_spec *spec);
int filter_spec_check(const struct filter_spec *spec, struct err *err) MUST_USE;

#endif

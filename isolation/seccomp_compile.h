/*
 * seccomp_compile - from the text of a profile to the filter: read, built by libseccomp where that is right and by our
 * own emitter elsewhere, and verified call by call in either case. Takes time and memory: for a process with limits on
 * both, which is what the reeve-seccomp program is.
 */
#ifndef REEVE_ISOLATION_SECCOMP_COMPILE_H
#define REEVE_ISOLATION_SECCOMP_COMPILE_H

#include "isolation/seccomp_emit.h"

/* -EBADMSG: neither way gave a filter that does what the profile says. */
int seccomp_build(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                  struct err *err) MUST_USE;

#endif

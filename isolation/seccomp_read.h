/*
 * seccomp_read - from the text of a profile (OCI JSON, or Docker's and Podman's more than that) to what it means here.
 *
 * A job has no capabilities, runs on this architecture and this kernel: "includes" and "excludes" are settled by that.
 * Refused with place and reason, beside what isn't the format at all:
 *   - what would let through more than is written: a name that nobody knows in a rule stricter than the default, a
 *     condition on an argument whose width nobody knows or on bits that the kernel doesn't look at;
 *   - what other runtimes read in another way: two conditions on one argument in a rule that denies (they take one or
 *     the other), or that can never both hold;
 *   - what nobody is there for: NOTIFY and its listener, flags beyond TSYNC;
 *   - a profile under which nothing can run or end: without exit, exit_group, rt_sigreturn, execve.
 * clone3 and io_uring_* get ENOSYS where the default is another errno and no rule names them.
 * A name that nobody knows in a rule that allows is left out: the call fails, and the notes say so.
 */
#ifndef REEVE_ISOLATION_SECCOMP_READ_H
#define REEVE_ISOLATION_SECCOMP_READ_H

#include "base/buf.h"
#include "base/err.h"
#include "isolation/seccomp_profile.h"

#define SECCOMP_TEXT_MAX ((size_t)256 << 10)

/* -EINVAL: err begins with the place ("syscalls[3].args[0].op: ..."). -EFBIG. `notes` (may be NULL) gets a line for
 * each thing that was left out. */
int seccomp_read(const char *text, size_t len, struct seccomp_profile *ret, struct buf *notes,
                 struct err *err) MUST_USE;

#endif

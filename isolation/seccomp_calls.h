/*
 * seccomp_calls - what we know of system calls beside libseccomp: how wide the kernel takes each argument to be, and
 * the numbers of calls that are newer than the library.
 * A filter sees 64 bits of an argument, the kernel cuts it to the call's own type: a condition on more than that many
 * bits can be passed by with a high bit set. Widths are those of the kernel's own declarations (the kernel says them in
 * tracing/events/syscalls), but clone's flags, of which it looks at the low word only.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_CALLS_H
#define REEVE_ISOLATION_SECCOMP_CALLS_H

#include <stdint.h>

/* Bits of an argument that the kernel looks at: 64, 32 or 16; 0: the call has no such argument, or nobody knows. */
uint32_t seccomp_call_width(const char *name, uint32_t arg);

/* The number of a call newer than the library, the same on all architectures; -1. And back: NULL. */
int seccomp_call_newer(const char *name);
const char *seccomp_call_newer_name(int number);
int seccomp_call_newest(void);

#endif

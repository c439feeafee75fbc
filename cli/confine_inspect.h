/*
 * confine_inspect - questions about a process that runs, answered by the kernel.
 * Ownership: texts go into the caller's buf or array; nothing is kept.
 */
#ifndef REEVE_CLI_CONFINE_INSPECT_H
#define REEVE_CLI_CONFINE_INSPECT_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define INSPECT_TEXT_MAX 16384

/* A child of `parent` (of this name, NULL: any); 0 = none. */
pid_t inspect_child(pid_t parent, const char *name);
/* The text of /proc/PID/NAME without the newline at its end; "" when it can't be read. */
const char *inspect_file(pid_t pid, const char *name, char out[INSPECT_TEXT_MAX]);
/* Where /proc/PID/NAME leads; "" when nowhere. */
const char *inspect_link(pid_t pid, const char *name, char out[256]);
/* The value of "KEY:" in /proc/PID/NAME, spaces made one; "" when it has none. */
const char *inspect_value(pid_t pid, const char *name, const char *key, char out[256]);
/* One letter, as in /proc/PID/stat; 0 = gone. */
char inspect_state(pid_t pid);
/* A file as the namespaces of `pid` see it: read by a child that steps in. */
const char *inspect_inside(pid_t pid, const char *path, char out[256]);
/* Filter number `index` (0 = the newest) of a process: its instructions. 0 = no such filter, -errno: can't be asked. */
int inspect_filter(pid_t pid, unsigned index, struct buf *out) MUST_USE;
/* Waits until it has stopped itself. -ETIMEDOUT, -ESRCH. No event tells of somebody else's child: it is looked at. */
int inspect_wait_stopped(pid_t pid, int timeout_ms) MUST_USE;

#endif

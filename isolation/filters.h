/*
 * filters - the system call filters that this node has, compiled: the floor, the default, the tracing one, and one for
 * each profile in the administrator's folder. Each is compiled once, when the warden starts, by the reeve-seccomp
 * program in a process of its own, as a user that is nobody else, with limits on time and memory; and kept in a sealed
 * memfd. The warden itself reads no profile.
 */
#ifndef REEVE_ISOLATION_FILTERS_H
#define REEVE_ISOLATION_FILTERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "isolation/spec/filter.h"

#define FILTERS_OWN 3 /* floor, default, trace: the first ones */
#define FILTERS_MAX (FILTERS_OWN + NODE_PROFILES_MAX)

struct filters {
    struct filter_row {
        char name[FILTER_NAME_MAX + 1];
        int fd;
    } at[FILTERS_MAX];
    size_t count;
};

struct filters_options {
    int program;     /* reeve-seccomp */
    const char *dir; /* NAME.json each; NULL: none */
    uid_t user;      /* of the compiling process; its group too */
};

/* -errno, and which profile is wrong and where. A file that root doesn't own, or that others may write, is refused. */
int filters_open(struct filters *f, const struct filters_options *o, struct err *err) MUST_USE;
void filters_close(struct filters *f);
/* The memfd of a profile, of "floor" and "trace" too; -1: there is none. Borrowed. */
int filters_find(const struct filters *f, const char *name);
/* Whether a memfd that came from outside can be a filter: sealed, whole instructions, no more than the kernel takes. */
bool filter_is_sound(int fd);

#endif

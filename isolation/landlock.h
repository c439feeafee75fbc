/*
 * landlock - a second opinion on every path, below the mounts and beside the filter: what a job may read, run and write
 * is said once more as folders, and holds for files that it reaches in any other way. By raw system calls, no heap:
 * it is a part of the keeper.
 * Kernels before 5.19 (ABI 1) count as having none: there, no file could be renamed from one folder to another.
 */
#ifndef REEVE_ISOLATION_LANDLOCK_H
#define REEVE_ISOLATION_LANDLOCK_H

#include <stddef.h>

enum landlock_right {
    LANDLOCK_MAY_READ,   /* and run */
    LANDLOCK_MAY_WRITE,  /* files that are there: devices, /proc */
    LANDLOCK_MAY_CHANGE, /* read, run, write, make, rename, remove */
    LANDLOCK_RIGHT_COUNT
};

struct landlock_place {
    int fd; /* a folder; -1 is passed over */
    enum landlock_right right;
};

/* What the kernel offers; 0: nothing. */
int landlock_abi(void);
/* A ruleset of these places and all below them; what it knows of and isn't named is denied. So are abstract sockets and
 * signals to what isn't of the same job, where the kernel knows how. An fd, or -errno. */
int landlock_ruleset(int abi, const struct landlock_place *places, size_t count);
/* For good, for this process and its children; takes no_new_privs. 0 or -errno. */
int landlock_enter(int ruleset);

#endif

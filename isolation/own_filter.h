/*
 * own_filter - the system calls that warden, zygote and keeper keep for themselves once they are up. Each has a table
 * of its own (own_filter_warden.c, own_filter_zygote.c, own_filter_keeper.c): whoever takes one of them over finds the
 * rest of the kernel closed. Jobs have filters of their own beside this (seccomp.h).
 *
 * A call that isn't let through fails: with EPERM, or with ENOSYS when it is newer than Linux 5.0, so that the
 * C library falls back to an older one. Another architecture's calls and x32's kill. clone(2) makes processes and
 * threads, never namespaces; clone3, whose flags no filter can see, is one of the calls that aren't there.
 *
 * Filters pass on to children and can't be taken off: a table must leave what the children need.
 * Purity: no heap; own_filter_emit is pure.
 */
#ifndef REEVE_ISOLATION_OWN_FILTER_H
#define REEVE_ISOLATION_OWN_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define OWN_FILTER_INSNS_MAX 1024
#define OWN_FILTER_LISTS 3

struct own_filter_list {
    const short *calls;
    size_t count;
};

struct own_filter {
    bool refuses; /* the lists name what is refused (all else is let through), not what is let through */
    bool keeps_core_limit; /* RLIMIT_CORE may be read, not set */
    bool makes_user_namespaces; /* clone(CLONE_NEWUSER) and no other flag */
    struct own_filter_list lists[OWN_FILTER_LISTS];
};

extern const struct own_filter own_filter_keeper, own_filter_zygote, own_filter_mover, own_filter_stager;
/* A warden that starts agents, and one that only hears an agent that is there already (--socket-fd); both, when the
 * node has images, volumes or a private network to give, with what those take. An agent gets own_filter_warden in any
 * case. */
extern const struct own_filter own_filter_warden, own_filter_warden_alone;
extern const struct own_filter own_filter_warden_roots, own_filter_warden_alone_roots;

/* The number of instructions, 0: too many calls. */
size_t own_filter_emit(const struct own_filter *filter, struct sock_filter insns[OWN_FILTER_INSNS_MAX]);
/* From here on, for this process and all its children. No new privileges either. 0 or -errno. */
int own_filter_load(const struct own_filter *filter);

#endif

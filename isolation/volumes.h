/*
 * volumes - folders of the node that jobs may be given, by name. Which there are is the node's configuration; who may
 * ask for one, and whether to write, is the scheduler's policy.
 *
 * Ownership: whoever owns a volume's folder is the job, as the job sees it: files that it makes belong to that owner.
 * So a writable volume must not be root's, and its file system must be able to map ids.
 */
#ifndef REEVE_ISOLATION_VOLUMES_H
#define REEVE_ISOLATION_VOLUMES_H

#include "isolation/spec/root.h"

#define VOLUMES_MAX 32

struct volume {
    char name[ROOT_NAME_SIZE];
    int folder;      /* as it was when we started */
    bool read_only;  /* for all */
    bool no_exec;
};

struct volumes {
    struct volume at[VOLUMES_MAX];
    size_t count;
};

/* "NAME=PATH[:ro][:noexec]", of the warden's options. -EINVAL and a sentence. To be called in a mount namespace of our
 * own. */
int volumes_add(struct volumes *v, const char *text, struct err *err) MUST_USE;
void volumes_close(struct volumes *v);
/* A mount for an attempt, attached nowhere. -ENOENT: no such volume; -EROFS: not for writing; -errno. */
int volumes_take(const struct volumes *v, const struct root_volume *want, uint32_t first_id, struct err *err) MUST_USE;
/* Adds what there is, as features. */
void volumes_offer(const struct volumes *v, struct root_abilities *ret);

#endif

/*
 * idmap - user namespaces that only say which ids of a file system stand for which of a sandbox.
 */
#ifndef REEVE_ISOLATION_IDMAP_H
#define REEVE_ISOLATION_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct idmap_row {
    uint32_t on_disk, outside, count;
};

/* Maps users by `users`, groups by `groups`, on a mount that is attached nowhere yet. 0; -EOPNOTSUPP: its file system
 * or this kernel can't; -errno. */
int idmap_mount(int mount, const struct idmap_row *users, size_t users_count, const struct idmap_row *groups,
                size_t groups_count) MUST_USE;

#endif

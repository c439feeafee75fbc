/*
 * privileges - from root to the scheduler's own user: folders and sockets are made first, then there is no way back.
 */
#ifndef REEVE_SCHEDULER_PRIVILEGES_H
#define REEVE_SCHEDULER_PRIVILEGES_H

#include <sys/types.h>

#include "base/err.h"

/* A folder of this mode, owned by uid:gid when we are root ((uid_t)-1 = leave). */
int privileges_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err) MUST_USE;
/* Files made from here on are the user's; undone by privileges_as_root(). */
int privileges_as_user(uid_t uid, gid_t gid, struct err *err) MUST_USE;
int privileges_as_root(struct err *err) MUST_USE;
/* For ever: ids, groups, no new privileges; each step is read back. */
int privileges_drop(uid_t uid, gid_t gid, struct err *err) MUST_USE;

#endif

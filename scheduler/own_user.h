/*
 * own_user - from root to the scheduler's own user: folders and sockets are made first, then there is no way back.
 */
#ifndef REEVE_SCHEDULER_OWN_USER_H
#define REEVE_SCHEDULER_OWN_USER_H

#include <sys/types.h>

#include "base/err.h"

/* A folder of this mode, owned by uid:gid when we are root ((uid_t)-1 = leave). */
int own_user_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err) MUST_USE;
/* Files made from here on are the user's; undone by own_user_end(). */
int own_user_begin(uid_t uid, gid_t gid, struct err *err) MUST_USE;
int own_user_end(struct err *err) MUST_USE;
/* For ever: ids, groups, no new privileges; each step is read back. */
int own_user_for_ever(uid_t uid, gid_t gid, struct err *err) MUST_USE;

#endif

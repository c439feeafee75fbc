/*
 * privileges - reportd needs none: its folder gets its owner, then root is given up for ever.
 */
#ifndef REEVE_QUOTAS_REPORTS_PRIVILEGES_H
#define REEVE_QUOTAS_REPORTS_PRIVILEGES_H

#include <sys/types.h>

#include "base/err.h"

/* Makes the folder (0755); owned by uid:gid when we are root ((uid_t)-1 = leave). */
int report_folder_make(const char *path, uid_t uid, gid_t gid, struct err *err) MUST_USE;
/* Ids, groups, no new privileges; each is read back. */
int report_user_become(uid_t uid, gid_t gid, struct err *err) MUST_USE;

#endif

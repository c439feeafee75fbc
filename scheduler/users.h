/*
 * users - login name of a uid, asked of the system once in a while.
 * Names may be slow to ask for (a directory on the network) and rarely change: kept for USERS_KEPT_S.
 */
#ifndef REEVE_SCHEDULER_USERS_H
#define REEVE_SCHEDULER_USERS_H

#include <sys/types.h>

#define USERS_KEPT_S 60
#define USER_NAME_MAX 64

/* The name, or "uid:1234" when there is none. Returns out. */
const char *users_name(uid_t uid, char out[USER_NAME_MAX]);

#endif

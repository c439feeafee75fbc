/*
 * link - reportd's one reading connection to the store, made when needed and again after it broke.
 * Bound: after a failure nothing is tried for LINK_PAUSE_MS: a store that is down costs a deadline now and then, not
 *        one per request.
 */
#ifndef REEVE_QUOTAS_REPORTS_LINK_H
#define REEVE_QUOTAS_REPORTS_LINK_H

#include "quotas/store/store.h"

#define LINK_PAUSE_MS 1000

struct link {
    const char *url, *cell; /* borrowed */
    struct store_sync *sync;
    uint64_t retry_boot_us;
    uint64_t opened;        /* counts connections: whoever must look again after a break compares it */
    struct err last;        /* why it is down */
};

/* The connection, borrowed until the next link_x() call. -ENOTCONN and the last reason while it rests. */
int link_get(struct link *l, struct store_sync **ret, struct err *err) MUST_USE;
/* A call on it failed: drops it (a late reply must not be taken for the next one's) and rests. */
void link_broke(struct link *l, const struct err *why);
void link_fini(struct link *l);

#endif

#include "quotas/reports/link.h"

#include <errno.h>

#include "base/io/clock.h"

int link_get(struct link *l, struct store_sync **ret, struct err *err)
{
    if (l->sync == NULL) {
        if (clock_boot_us() < l->retry_boot_us)
            return err_set(err, -ENOTCONN, "%s", err_text(&l->last));
        struct err why = {0};
        int r = store_sync_open(&l->sync, l->url, l->cell, &why);
        if (r < 0) {
            l->sync = NULL;
            link_broke(l, &why);
            return err_set(err, r, "%s", err_text(&why));
        }
        l->opened++;
    }
    *ret = l->sync;
    return 0;
}

void link_broke(struct link *l, const struct err *why)
{
    l->last = *why;
    l->retry_boot_us = clock_boot_us() + (uint64_t)LINK_PAUSE_MS * 1000;
    link_fini(l);
}

void link_fini(struct link *l)
{
    if (l->sync != NULL)
        store_sync_close(l->sync);
    l->sync = NULL;
}

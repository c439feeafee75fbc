/* Who runs where: a pinned attempt has its cores alone, and all that aren't pinned share the rest. */
#include <errno.h>

#include "base/io/log.h"
#include "isolation/warden.h"

static struct cg_cpus taken_cpus(const struct warden *w)
{
    struct cg_cpus taken = {0};
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        const struct attempt *attempt = &w->attempts.at[i];
        for (size_t k = 0; attempt->used && k < COUNT_OF(taken.bits); k++)
            taken.bits[k] |= attempt->cpus.bits[k];
    }
    return taken;
}

int warden_cpus_share(struct warden *w, struct err *err)
{
    struct cg_cpus taken = taken_cpus(w);
    int rc = cg_share_cpus(&w->cg, &taken, err);
    for (uint32_t i = 0; i < w->attempts.top && rc == 0; i++) {
        const struct attempt *attempt = &w->attempts.at[i];
        if (!attempt->used || cg_cpus_any(&attempt->cpus))
            continue;
        rc = cg_share_with(&w->cg, attempt->group, err);
        if (rc == -ENOENT || rc == -ENODEV) /* not made yet, or just gone */
            rc = 0;
    }
    return rc;
}

int warden_cpus_take(struct warden *w, struct attempt *attempt, uint32_t count, struct err *err)
{
    if (count == 0)
        return 0;
    struct cg_cpus taken = taken_cpus(w);
    int rc = cg_pick_cpus(&w->cg, &taken, count, &attempt->cpus);
    if (rc < 0)
        return err_set(err, rc, "cgroups: %u cores of its own are not free", count);
    return warden_cpus_share(w, err);
}

void warden_cpus_give_back(struct warden *w, struct attempt *attempt)
{
    struct err err = {0};
    if (!cg_cpus_any(&attempt->cpus))
        return;
    attempt->cpus = (struct cg_cpus){0};
    if (warden_cpus_share(w, &err) < 0) /* the others have fewer cores than they might, until one more comes or goes */
        log_line(LOG_WARN, "cpus", "error=%s", log_quote(err.text));
}

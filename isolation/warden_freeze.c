/*
 * Freezing, which ends by itself: spec/ops.h says why. Who is frozen stands in the table of attempts; after a restart
 * nobody knows for how long it was meant, so nobody is.
 */
#include <string.h>

#include "base/io/log.h"
#include "isolation/warden.h"

#define THAW_AGAIN_US UINT64_C(1000000) /* it failed: a defect of the kernel's or the machine's */

static enum op_status status_of(int rc, int *ret_error)
{
    *ret_error = rc < 0 ? -rc : 0;
    return rc < 0 ? OP_FAILED : rc > 0 ? OP_DONE : OP_BUSY;
}

enum op_status warden_freeze(struct warden *w, struct attempt *attempt, uint64_t until_boot_us, int *ret_error)
{
    int rc = cg_freeze(&w->cg, attempt->group, true);
    if (rc >= 0)
        attempt->thaw_boot_us = MAX(MIN(until_boot_us, warden_boot_us() + FREEZE_MAX_US), 1);
    return status_of(rc, ret_error);
}

enum op_status warden_thaw(struct warden *w, struct attempt *attempt, int *ret_error)
{
    int rc = cg_freeze(&w->cg, attempt->group, false);
    if (rc >= 0)
        attempt->thaw_boot_us = 0;
    return status_of(rc, ret_error);
}

static void thaw_due(struct warden *w, struct attempt *attempt, uint64_t boot_us)
{
    int error;
    enum op_status status = warden_thaw(w, attempt, &error);
    if (status == OP_FAILED)
        attempt->thaw_boot_us = boot_us + THAW_AGAIN_US;
    log_line(status == OP_FAILED ? LOG_ERROR : LOG_INFO, "thaw.due", "group=%s error=%s", attempt->group,
             log_quote(strerror(error)));
}

uint64_t warden_thaws_advance(struct warden *w)
{
    uint64_t boot_us = warden_boot_us(), next_us = UINT64_MAX;
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        struct attempt *attempt = &w->attempts.at[i];
        if (!attempt->used || attempt->removal.active || attempt->thaw_boot_us == 0)
            continue;
        if (attempt->thaw_boot_us <= boot_us)
            thaw_due(w, attempt, boot_us);
        if (attempt->thaw_boot_us != 0)
            next_us = MIN(next_us, attempt->thaw_boot_us - boot_us);
    }
    return next_us == UINT64_MAX ? next_us : warden_now_us() + next_us;
}

void warden_thaw_all(struct warden *w)
{
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        int error;
        if (w->attempts.at[i].used && !w->attempts.at[i].removal.active)
            (void)warden_thaw(w, &w->attempts.at[i], &error); /* where nothing can freeze, nothing is */
    }
}

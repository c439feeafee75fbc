/*
 * follow - the kernel's limits on what attempts read and write by themselves: as the policy has them when they are
 * launched, and again whenever it has changed. A few are asked for at a time, each answer asks for the next.
 */
#include <string.h>

#include "agent/attempt.h"
#include "agent/core/direct_limits.h"
#include "agent/core/launch_args.h"
#include "agent/folder.h"
#include "base/io/log.h"

#define AT_ONCE 16

void follow_limit(const struct attempt *t, struct sandbox_limits *limits)
{
    struct arbiter_standing s;
    arbiter_standing(fair_arbiter(t->all->with.fair), t->tenant, &s);
    const struct io_rule has = {.bytes_per_s = s.limits.bytes_per_s, .ops_per_s = s.limits.ops_per_s};
    direct_limits(&has, s.part_ppm, s.tenants, t->all->with.able->features, limits);
}

static void on_limited(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)token, (void)ids;
    struct attempts *a = owner;
    char name[ATTEMPT_ID_TEXT_MAX];
    a->limiting--;
    if (reply->status == OP_FAILED || reply->status == OP_BAD_REQUEST)
        log_line(LOG_WARN, "limits.stay", "attempt=%s step=%s error=%s", attempt_id_format(reply->id, name),
                 log_quote(reply->step), log_quote(strerror(reply->error)));
    follow_go_on(a);
}

/* The job's own, which the policy only tightens, stand in its order. */
static int own_limits(const struct attempt *t, struct sandbox_limits *limits)
{
    struct run_call order = {0};
    int rc = folder_read(t->dir, "order", &run_call_fields, &order, NULL);
    if (rc == 0)
        launch_io_limits(&order.spec.limits, limits);
    fields_clear(&run_call_fields, &order);
    return rc;
}

/* False: the warden has too much to do; later. */
static bool ask(struct attempt *t)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_LIMIT;
    request.id = t->id;
    int rc = own_limits(t, &request.sandbox.limits);
    follow_limit(t, &request.sandbox.limits);
    if (rc < 0)
        log_line(LOG_WARN, "limits.stay", "attempt=%s step=order error=%s", t->name, log_quote(strerror(-rc)));
    else if (warden_link_ask(t->all->with.warden, &request, NULL, 0, on_limited, t->all, 0) < 0)
        return false;
    t->all->limiting += rc == 0;
    t->follows = t->all->followed;
    return true;
}

void follow_go_on(struct attempts *a)
{
    while (a->following && a->limiting < AT_ONCE) {
        const struct roster_row *row = roster_next(a->roster, a->follow_cursor);
        struct attempt *t = row != NULL ? row->data : NULL;
        a->following = row != NULL;
        bool runs = t != NULL && (t->life == LIFE_GREETING || t->life == LIFE_RUNNING);
        if (runs && t->follows != a->followed && !ask(t))
            return; /* the next turn asks again */
        a->follow_cursor = row != NULL ? row->handle : 0;
    }
}

void follow_look(struct attempt *t)
{
    if (t->follows == t->all->followed || ask(t))
        return;
    t->all->following = true; /* from the first on: only who lags is asked for */
    t->all->follow_cursor = 0;
}

void attempts_follow(struct attempts *a)
{
    a->followed++;
    a->following = true;
    a->follow_cursor = 0;
    follow_go_on(a);
}

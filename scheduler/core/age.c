#include "scheduler/core/age.h"

#include "scheduler/core/state.h"

void age_stop(const struct core *c, struct age_pause *a, int64_t utc_us)
{
    if (c->order.age_ms != 0 && a->since_utc_us == 0)
        a->since_utc_us = utc_us;
}

static int64_t stood_still(const struct age_pause *a, int64_t utc_us)
{
    return a->us + (a->since_utc_us != 0 ? MAX(utc_us - a->since_utc_us, 0) : 0);
}

void age_go_on(struct age_pause *a, int64_t utc_us)
{
    a->us = stood_still(a, utc_us);
    a->since_utc_us = 0;
}

void age_begin(const struct core *c, struct job *j, int64_t utc_us)
{
    j->urgency = order_urgency(j->priority, j->submitted_utc_us, c->order.age_ms * 1000);
    if (c->order.age_ms == 0 || j->shape == NULL)
        return;
    j->urgency -= stood_still(&j->shape->age_pause, utc_us);
    for (const struct tenant *t = j->shape->tenant; t != NULL; t = t->parent)
        j->urgency -= stood_still(&t->age_pause, utc_us);
}

/* Its tenant's sums are the same to all of them. */
int64_t age_urgency(const struct job *j)
{
    return j->urgency + j->shape->age_pause.us;
}

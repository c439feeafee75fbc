#include "isolation/keeper_ends.h"

/* One reason to end: SIGTERM at term_us (KEEPER_NEVER: none), SIGKILL at kill_us. */
struct end {
    uint32_t cause;
    uint64_t term_us, kill_us;
};

enum { ENDS = 4 };

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > KEEPER_NEVER - b ? KEEPER_NEVER : a + b;
}

/* SIGKILL at `kill_us`; a warning before it only when it leaves more than half of `length_us` undisturbed. */
static struct end hard_end(uint32_t cause, uint64_t kill_us, uint64_t length_us, uint64_t grace_us)
{
    bool warned = kill_us != KEEPER_NEVER && grace_us > 0 && grace_us < length_us / 2 && grace_us < kill_us;
    return (struct end){cause, warned ? kill_us - grace_us : KEEPER_NEVER, kill_us};
}

static void list_ends(const struct keeper_ends *e, struct end ends[ENDS])
{
    uint64_t limit_at = e->limit_us > 0 ? add(e->start_us, e->limit_us) : KEEPER_NEVER;
    ends[0] = (struct end){END_TIME_LIMIT, limit_at, add(limit_at, e->grace_us)};
    ends[1] = hard_end(END_BUDGET, add(e->start_us, e->paid_us), e->paid_us, e->grace_us);
    ends[2] = hard_end(END_LEASE, e->lease_at_us, e->lease_us, e->grace_us);
    ends[3] = (struct end){e->cause, KEEPER_NEVER, e->stop_kill_us};
}

void keeper_ends_init(struct keeper_ends *e, const struct sandbox_spec *spec, uint64_t start_us)
{
    *e = (struct keeper_ends){
        .start_us = start_us,
        .limit_us = spec->time_limit_us,
        .paid_us = spec->paid_us,
        .lease_us = spec->lease_us,
        .grace_us = spec->grace_us,
        .lease_at_us = spec->lease_us > 0 ? add(start_us, spec->lease_us) : KEEPER_NEVER,
        .stop_kill_us = KEEPER_NEVER,
    };
}

void keeper_ends_paid(struct keeper_ends *e, uint64_t paid_us)
{
    e->paid_us = MAX(e->paid_us, paid_us);
}

void keeper_ends_lease(struct keeper_ends *e, uint64_t lease_at_us)
{
    if (e->lease_at_us != KEEPER_NEVER)
        e->lease_at_us = MAX(e->lease_at_us, lease_at_us);
}

bool keeper_ends_stop(struct keeper_ends *e, uint32_t cause, uint64_t now_us, uint64_t grace_us)
{
    bool first = e->cause == END_NONE;
    e->stop_kill_us = MIN(e->stop_kill_us, add(now_us, grace_us));
    if (first)
        e->cause = cause;
    return first;
}

enum keeper_act keeper_ends_due(struct keeper_ends *e, uint64_t now_us)
{
    struct end ends[ENDS];
    list_ends(e, ends);
    const struct end *kill = &ends[0], *term = &ends[0];
    for (int i = 1; i < ENDS; i++) {
        kill = ends[i].kill_us < kill->kill_us ? &ends[i] : kill;
        term = ends[i].term_us < term->term_us ? &ends[i] : term;
    }
    if (kill->kill_us <= now_us) {
        if (e->cause == END_NONE)
            e->cause = term->term_us < kill->kill_us ? term->cause : kill->cause;
        return KEEPER_KILL;
    }
    if (e->cause == END_NONE && term->term_us <= now_us) {
        e->cause = term->cause;
        e->stop_kill_us = MIN(e->stop_kill_us, term->kill_us);
        return KEEPER_TERM;
    }
    return KEEPER_WAIT;
}

uint64_t keeper_ends_next(const struct keeper_ends *e)
{
    struct end ends[ENDS];
    list_ends(e, ends);
    uint64_t next = KEEPER_NEVER;
    for (int i = 0; i < ENDS; i++) {
        next = MIN(next, ends[i].kill_us);
        if (e->cause == END_NONE)
            next = MIN(next, ends[i].term_us);
    }
    return next;
}

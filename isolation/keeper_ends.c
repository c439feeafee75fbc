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

bool keeper_ends_is_suspended(const struct keeper_ends *e)
{
    return e->suspends % 2 == 1;
}

static bool will_pause(const struct keeper_ends *e)
{
    return (e->pauses || e->halted || keeper_ends_is_suspended(e)) && e->cause == END_NONE;
}

static const struct end no_end = {END_NONE, KEEPER_NEVER, KEEPER_NEVER};

static void list_ends(const struct keeper_ends *e, struct end ends[ENDS])
{
    bool stands_still = e->paused && will_pause(e);
    uint64_t limit_at = e->limit_us > 0 ? add(e->start_us, e->limit_us) : KEEPER_NEVER;
    ends[0] = stands_still ? no_end : (struct end){END_TIME_LIMIT, limit_at, add(limit_at, e->grace_us)};
    ends[1] = will_pause(e) ? no_end : hard_end(END_BUDGET, add(e->start_us, e->paid_us), e->slice_us, e->grace_us);
    ends[2] = hard_end(END_LEASE, e->lease_at_us, e->lease_us, e->grace_us);
    ends[3] = (struct end){e->cause, KEEPER_NEVER, e->stop_kill_us};
}

void keeper_ends_init(struct keeper_ends *e, const struct sandbox_spec *spec, uint64_t start_us)
{
    *e = (struct keeper_ends){
        .start_us = start_us,
        .limit_us = spec->time_limit_us,
        .paid_us = spec->paid_us,
        .slice_us = spec->paid_us,
        .lease_us = spec->lease_us,
        .grace_us = spec->grace_us,
        .lease_at_us = spec->lease_us > 0 ? add(start_us, spec->lease_us) : KEEPER_NEVER,
        .stop_kill_us = KEEPER_NEVER,
        .pauses = spec->pauses_at_paid_end != 0,
    };
}

bool keeper_ends_suspend(struct keeper_ends *e, uint32_t number)
{
    bool newer = number >= e->suspends;
    e->suspends = MAX(e->suspends, number);
    return newer;
}

void keeper_ends_halt(struct keeper_ends *e)
{
    e->halted = true;
}

bool keeper_ends_paid(struct keeper_ends *e, uint64_t paid_us, uint64_t now_us)
{
    if (e->paused && keeper_ends_is_suspended(e))
        return false; /* what it had paid for is given back */
    bool goes_on = e->paused && paid_us > e->paid_us && e->cause == END_NONE;
    if (paid_us > e->paid_us)
        e->slice_us = MAX(e->slice_us, paid_us - e->paid_us);
    e->paid_us = MAX(e->paid_us, paid_us);
    if (goes_on) {
        e->start_us += MAX(now_us, e->paused_at_us) - e->paused_at_us;
        e->paused = e->halted = false;
    }
    return goes_on;
}

void keeper_ends_at_paid_end(struct keeper_ends *e, bool pauses, uint64_t signal_us)
{
    e->pauses = pauses;
    if (signal_us != e->signal_us)
        e->signalled = false;
    e->signal_us = signal_us;
}

uint64_t keeper_ends_run_us(const struct keeper_ends *e, uint64_t now_us)
{
    return (e->paused ? e->paused_at_us : now_us) - e->start_us;
}

void keeper_ends_lease(struct keeper_ends *e, uint64_t lease_at_us)
{
    if (e->lease_at_us != KEEPER_NEVER)
        e->lease_at_us = MAX(e->lease_at_us, lease_at_us);
}

bool keeper_ends_stop(struct keeper_ends *e, uint32_t cause, uint64_t now_us, uint64_t grace_us)
{
    bool first = e->cause == END_NONE;
    e->stop_kill_us = MIN(e->stop_kill_us, add(now_us, e->paused ? 0 : grace_us)); /* it has no time to do anything */
    if (first)
        e->cause = cause;
    return first;
}

static uint64_t pause_at(const struct keeper_ends *e)
{
    if (e->paused || !will_pause(e))
        return KEEPER_NEVER;
    return keeper_ends_is_suspended(e) || e->halted ? e->start_us : add(e->start_us, e->paid_us);
}

static uint64_t signal_at(const struct keeper_ends *e)
{
    bool due = e->signal_us != 0 && !e->signalled && !e->paused && e->cause == END_NONE;
    return due ? add(e->start_us, e->signal_us) : KEEPER_NEVER;
}

/* What lets it live. */
static enum keeper_act milder(struct keeper_ends *e, uint64_t now_us)
{
    if (pause_at(e) <= now_us) {
        e->paused_at_us = MIN(now_us, add(e->start_us, e->paid_us));
        e->paused = true;
        e->paid_us = e->paused_at_us - e->start_us;
        return KEEPER_PAUSE;
    }
    if (signal_at(e) <= now_us) {
        e->signalled = true;
        return KEEPER_SIGNAL;
    }
    return KEEPER_WAIT;
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
    return milder(e, now_us);
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
    next = MIN(next, pause_at(e));
    return MIN(next, signal_at(e));
}

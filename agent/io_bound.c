#include "agent/io_bound.h"

#include <inttypes.h>

#include "agent/attempt.h"
#include "agent/metering.h"
#include "base/io/clock.h"
#include "base/io/log.h"

bool io_bound_take(struct io_bound *b, struct measure paid, bool newer)
{
    uint64_t before = measured_bound(b->paid), now = measured_bound(paid);
    if (now == before || (now < before && !newer))
        return false;
    b->step = is_measured(b->paid) && now > before ? now - before : now;
    b->spare = b->step / IO_SPARE_PARTS;
    b->paid = paid;
    b->asked = false;
    b->waits_boot_us = b->halted_boot_us = 0;
    return true;
}

void io_bound_saves(struct io_bound *b, bool saves)
{
    if (b->saves && !saves)
        b->waits_boot_us = b->halted_boot_us = 0; /* it may go on to where its bytes are out */
    b->saves = saves;
}

bool io_bound_is_set(const struct io_bound *b)
{
    return is_measured(b->paid) || b->limit > 0;
}

static uint64_t paid_of(const struct io_bound *b)
{
    return measured_bound(b->paid);
}

static uint64_t limit_of(const struct io_bound *b)
{
    return b->limit > 0 ? b->limit : UINT64_MAX;
}

/* Where all is paid up to its own limit nothing more is asked for, and it is told nothing. */
static bool is_spared(const struct io_bound *b)
{
    return b->saves && b->spare > 0 && paid_of(b) < limit_of(b);
}

static uint64_t open_of(const struct io_bound *b)
{
    return paid_of(b) - (is_spared(b) ? b->spare : 0);
}

static uint64_t bound_of(const struct io_bound *b)
{
    return MIN(open_of(b), limit_of(b));
}

bool io_bound_stands(const struct attempt *t)
{
    return t->paused && t->account.billed >= open_of(&t->bound);
}

/* More than its own limit is never asked for. */
static bool shall_ask(const struct io_bound *b)
{
    return is_measured(b->paid) && !b->asked && paid_of(b) < limit_of(b);
}

uint64_t io_bound_due_us(const struct attempt *t)
{
    const struct io_bound *b = &t->bound;
    if (!io_bound_is_set(b) || t->paused)
        return UINT64_MAX;
    uint64_t mark = shall_ask(b) ? paid_of(b) - b->step / 2 : bound_of(b), used = t->account.billed;
    uint64_t left = mark > used ? mark - used : 0;
    uint64_t readings = left / (2 * fair_bytes_in(t->all->with.fair, (int64_t)IO_READ_US * 1000));
    uint64_t pause = MIN(readings, IO_READ_SELDOM_US / IO_READ_US) * IO_READ_US;
    return b->read_boot_us + MAX(pause, IO_READ_US);
}

/* At once, whatever its tenant's rule: what is paid may be on its way, and what doesn't run owes nobody. */
static void halt(struct attempt *t, uint64_t now)
{
    struct io_bound *b = &t->bound;
    if (b->halted_boot_us == 0 && (t->paused || (t->keeper != NULL && keeper_link_halt(t->keeper) == 0)))
        b->halted_boot_us = now;
}

static bool since(uint64_t boot_us, uint64_t long_us, uint64_t now)
{
    return boot_us != 0 && now - boot_us >= long_us;
}

static void stop(struct attempt *t, enum end_cause cause)
{
    log_line(LOG_INFO, "attempt.io_bound", "attempt=%s cause=%s io_bytes=%" PRIu64 " bound=%" PRIu64, t->name,
             end_causes[cause].name, t->account.billed, bound_of(&t->bound));
    attempt_stop(t, cause, 0);
    for (uint32_t i = 0; i < LOG_STREAM_COUNT; i++)
        logs_hold(t->all->logs, t->logs[i]); /* until it is dead it writes no more than its pipes hold */
}

/* More is used, or wanted, than is paid. Whether there is money for more its scheduler knows, which may be away for a
 * while: it orders the stop where its tenant's jobs are stopped for that. */
static void act(struct attempt *t, uint64_t now)
{
    const struct io_bound *b = &t->bound;
    if (t->suspends % 2 == 1)
        return; /* it stands still, and what was paid beyond that may be given back */
    bool deaf = !t->paused && since(b->halted_boot_us, IO_HALT_US, now);
    if (deaf)
        stop(t, END_IO_BUDGET);
    else if (since(b->waits_boot_us, IO_WAIT_US, now) || t->account.billed > open_of(b))
        halt(t, now);
}

/* Nobody has answered in time: it goes on as far as is paid. */
static void give_spare(struct attempt *t)
{
    t->bound.spare = 0;
    t->bound.waits_boot_us = t->bound.halted_boot_us = 0;
    t->paid_due = true;
    running_sync(t);
}

void io_bound_check(struct attempt *t)
{
    struct io_bound *b = &t->bound;
    if (t->life != LIFE_RUNNING || !io_bound_is_set(b)) {
        mover_link_bound(t->mover, UINT64_MAX, true);
        return;
    }
    metering_take(t); /* what was moved since its group was read is used, too */
    uint64_t now = clock_boot_us();
    if (is_spared(b) && (since(b->halted_boot_us, IO_SPARE_US, now) || since(b->waits_boot_us, IO_SPARE_US, now)))
        give_spare(t);
    uint64_t used = t->account.billed, bound = bound_of(b);
    bool last = limit_of(b) <= paid_of(b) || since(b->waits_boot_us, IO_LAST_US, now);
    mover_link_bound(t->mover, bound > used ? bound - used : 0, last);
    if (shall_ask(b) && used + b->step / 2 >= paid_of(b)) {
        b->asked = true;
        t->all->with.on_hurry(t->all->with.arg);
    }
    bool waits = mover_link_waits(t->mover);
    b->waits_boot_us = !waits ? 0 : b->waits_boot_us == 0 ? now : b->waits_boot_us;
    if (t->stop_cause == END_NONE && used >= limit_of(b))
        stop(t, END_IO_LIMIT);
    else if (t->stop_cause == END_NONE && (used > bound || waits || b->halted_boot_us != 0))
        act(t, now);
}

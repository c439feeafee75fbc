#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"

/*
 * How much of its I/O an attempt has paid for. Run time passes by itself, bytes don't: what is held for them is an
 * allowance, which its node lets nobody exceed, and the next one is held once half of it is used. Where nobody counts,
 * or nothing of it is priced, nothing is held; limits.io_bytes bounds it all the same.
 */
#define LEAST_PARTS 16                       /* of an allowance: what is worth going on for */
#define FASTEST_PER_US UINT64_C(65536)       /* no node moves 64 GiB a second for one attempt */
#define BURST_BYTES (UINT64_C(64) << 30)
#define BEYOND_PAID_BYTES (UINT64_C(1) << 40) /* nobody measures a stop that takes so many more */

uint64_t io_allowance(const struct core *c, int64_t utc_us)
{
    const struct price_version *v = price_book_at(c->prices, utc_us);
    return v != NULL && v->io_allowance != 0 ? v->io_allowance : IO_ALLOWANCE_DEFAULT;
}

uint64_t io_at_a_time(const struct core *c, const struct shape *s, const struct meter *meter, int64_t budget_micros,
                      uint64_t until_us)
{
    uint64_t each = io_allowance(c, meter->started_utc_us), least = each / LEAST_PARTS;
    if (s->io_limit_bytes != 0)
        each = MIN(each, s->io_limit_bytes);
    if (budget_micros <= 0)
        return each;
    int64_t beside_time = MAX(budget_micros - price_due(c->prices, meter, NULL, until_us), INT64_C(0));
    uint64_t left = price_io_bytes(c->prices, meter, beside_time, each, until_us);
    return MIN(MAX(left, least), price_io_bytes(c->prices, meter, budget_micros, each, until_us));
}

struct io_offer io_offer(const struct core *c, const struct shape *s, const struct node *n, const struct meter *meter,
                         uint64_t until_us, struct io_stand at)
{
    struct io_offer offer = {0};
    uint64_t limit = s->io_limit_bytes != 0 ? s->io_limit_bytes : UINT64_MAX, told = measured(at.paid);
    if (n != NULL && !n->counts_io)
        return offer;
    if (price_io_dearest(c->prices, meter, until_us) == 0) {
        if (s->io_limit_bytes != 0)
            offer.told = offer.least = offer.most = measure_of(limit);
        return offer;
    }
    uint64_t each = io_allowance(c, meter->started_utc_us + (int64_t)meter->settled_us);
    uint64_t most = MAX(told, MIN(limit, at.counted + each));
    offer.most = measure_of(most);
    offer.least = measure_of(MIN(most, MAX(told, at.counted) + each / LEAST_PARTS));
    offer.told = measure_of(told);
    return offer;
}

int64_t io_hold(const struct core *c, const struct meter *meter, struct measure paid, uint64_t until_us)
{
    return is_measured(paid) ? price_io_hold(c->prices, meter, measured(paid), until_us) : 0;
}

struct measure io_bought(const struct core *c, const struct meter *meter, const struct io_offer *offer, int64_t micros,
                         uint64_t until_us)
{
    if (!is_measured(offer->most))
        return offer->most;
    uint64_t bytes = price_io_bytes(c->prices, meter, micros, measured(offer->most), until_us);
    return measure_of(MAX(bytes, measured(offer->least)));
}

struct measure io_believed(const struct use_point *use)
{
    uint64_t counted = measured(use->io_bytes);
    uint64_t fastest = use->run_us < LIMIT_IO_BYTES_MAX / FASTEST_PER_US ? use->run_us * FASTEST_PER_US
                                                                        : LIMIT_IO_BYTES_MAX;
    if (!is_measured(use->io_bytes) || counted > LIMIT_IO_BYTES_MAX)
        return (struct measure){0};
    return measure_of(MIN(counted, fastest + BURST_BYTES));
}

/* ---- while it lives --------------------------------------------------------------------------------- */

struct io_stand task_io(const struct task *t)
{
    return (struct io_stand){t->io_paid, measured(t->use.io_bytes)};
}

bool task_io_is_out(const struct task *t)
{
    return is_measured(t->io_paid) && measured(t->use.io_bytes) >= measured(t->io_paid);
}

bool task_io_is_due(const struct core *c, const struct task *t)
{
    uint64_t limit = t->job->shape->io_limit_bytes, paid = measured(t->io_paid);
    if (!is_measured(t->io_paid) || !is_measured(t->use.io_bytes) || (limit != 0 && paid >= limit))
        return false;
    return measured(t->use.io_bytes) + io_allowance(c, c->turn_utc_us) / 2 >= paid;
}

bool io_gains(const struct task *t, struct measure paid, const struct io_offer *offer)
{
    uint64_t told = measured(t->io_paid), wants = measured(offer->least) - MIN(told, measured(offer->least));
    return wants == 0 || (measured(paid) > told && measured(paid) - told >= wants);
}

/* ---- what is charged -------------------------------------------------------------------------------- */

struct use_point io_within(const struct core *c, const struct task *t, const struct meter *meter,
                           const struct use_point *use)
{
    struct use_point paid = *use;
    if (!is_measured(use->io_bytes))
        return paid;
    if (is_measured(t->io_paid))
        paid.io_bytes = measure_of(MIN(measured(use->io_bytes), measured(t->io_paid)));
    int64_t most = is_measured(t->io_paid) ? t->hold_micros : 0; /* nothing was held for it */
    paid.io_bytes = price_io_within(c->prices, meter, &paid, most);
    return paid;
}

struct use_point io_owed(const struct task *t, const struct meter *meter, const struct use_point *use)
{
    struct use_point owed = *use;
    uint64_t paid = MAX(measured(t->io_paid), measured(price_io_charged(meter)));
    if (is_measured(use->io_bytes))
        owed.io_bytes = measure_of(MIN(measured(use->io_bytes), paid + BEYOND_PAID_BYTES));
    return owed;
}

#include "agent/fair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/fairio/model.h"
#include "base/io/clock.h"

struct fair {
    struct arbiter *arbiter;
    struct io_cost cost;
    struct loop *loop;
    struct loop_flush flush;
    struct timer *wake;
    int64_t wake_ns; /* what the timer is set to, INT64_MAX: nothing */
};

static void pump(struct fair *f)
{
    int64_t now = clock_mono_ns();
    arbiter_pump(f->arbiter, now);
    int64_t wake = arbiter_wake_ns(f->arbiter);
    if (wake == f->wake_ns)
        return;
    f->wake_ns = wake;
    if (wake == INT64_MAX)
        timer_cancel(f->wake);
    else
        timer_set_us(f->wake, wake <= now ? 0 : (uint64_t)(wake - now) / 1000 + 1);
}

static void on_flush(void *arg)
{
    pump(arg);
}

/* The turn that it wakes ends with a flush. */
static void on_wake(void *arg)
{
    struct fair *f = arg;
    f->wake_ns = INT64_MAX;
}

int fair_new(struct fair **ret, struct loop *l, const struct io_cost *cost, struct err *err)
{
    struct fairq_setup with = {.cost = cost != NULL ? *cost : io_cost_default, .tenants_max = FAIR_TENANTS_MAX,
                               .jobs_max = FAIR_JOBS_MAX, .streams_max = FAIR_STREAMS_MAX,
                               .requests_max = FAIR_REQUESTS_MAX, .grants_max = FAIR_GRANTS_MAX};
    struct fair *f = calloc(1, sizeof *f);
    int rc = f == NULL ? -ENOMEM : arbiter_new(&f->arbiter, &with, clock_mono_ns());
    rc = rc < 0 ? rc : timer_new(&f->wake, l, on_wake, f);
    if (rc < 0) {
        if (f != NULL)
            arbiter_free(f->arbiter);
        free(f);
        return err_set(err, rc, "fair queue: %s", strerror(-rc));
    }
    f->loop = l;
    f->cost = with.cost;
    f->wake_ns = INT64_MAX;
    f->flush = (struct loop_flush){.fn = on_flush, .arg = f};
    loop_on_flush(l, &f->flush);
    *ret = f;
    return 0;
}

void fair_free(struct fair *f)
{
    if (f == NULL)
        return;
    loop_off_flush(f->loop, &f->flush);
    timer_free(f->wake);
    arbiter_free(f->arbiter);
    free(f);
}

struct arbiter *fair_arbiter(struct fair *f)
{
    return f->arbiter;
}

uint64_t fair_bytes_in(const struct fair *f, int64_t ns)
{
    return MAX(io_cost_bytes_in(&f->cost, IO_READ, ns), io_cost_bytes_in(&f->cost, IO_WRITE, ns));
}

int fair_shares(struct fair *f, const struct share_given *rows, size_t count)
{
    return arbiter_shares(f->arbiter, rows, count, clock_mono_ns());
}

int fair_post(struct fair *f, arbiter_id stream, const struct fq_request *r)
{
    return arbiter_post(f->arbiter, stream, r, clock_mono_ns());
}

void fair_late(struct fair *f, const struct fq_grant *grant, uint64_t moved_bytes)
{
    arbiter_late(f->arbiter, grant, moved_bytes, clock_mono_ns());
}

void fair_direct(struct fair *f, const char *tenant, enum io_dir dir, uint64_t ops, uint64_t bytes)
{
    arbiter_direct(f->arbiter, tenant, dir, ops, bytes, clock_mono_ns());
}

void fair_done(struct fair *f, const struct fq_grant *grant, uint64_t moved_bytes)
{
    arbiter_done(f->arbiter, grant, moved_bytes, clock_mono_ns());
}

/*
 * device - a disk that exists only on paper: `channels` operations at once, each takes its cost times a speed factor
 * and a fixed latency. Time is a number; tests change the speed, stall it, cut completions short.
 */
#ifndef REEVE_TESTS_AGENT_FAIRIO_DEVICE_H
#define REEVE_TESTS_AGENT_FAIRIO_DEVICE_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/fairio/fairq.h"

#define DEVICE_OPS_MAX 1024
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

static const struct io_cost disk_cost = {
    .of = {[IO_READ] = {.sequential_ns = 9400, .random_ns = 9400, .per_byte_ps = 862},
           [IO_WRITE] = {.sequential_ns = 9400, .random_ns = 12000, .per_byte_ps = 400}}};

struct device_op {
    struct fq_grant grant;
    int64_t starts_ns, ends_ns;
};

struct device {
    struct fairq *q;
    int64_t now_ns;
    int64_t free_ns[4];    /* when each channel is free again */
    unsigned channels;
    int64_t slow_percent;  /* 100 = as its cost says */
    int64_t latency_ns;
    int64_t stall_every_ns, stall_ns, stalled_ns; /* it stands still so long, so often; 0 = never */
    struct device_op ops[DEVICE_OPS_MAX];
    unsigned count;
    int64_t busy_ns;       /* of channel 0 */
    int64_t ticked_ns;
};

static inline void device_init(struct device *d, struct fairq *q, unsigned channels)
{
    *d = (struct device){.q = q, .channels = channels, .slow_percent = 100};
}

/* Grants whatever the queue gives now. */
static inline unsigned device_fill(struct device *d)
{
    struct fq_grant g;
    unsigned taken = 0;
    for (; fairq_next(d->q, d->now_ns, &g); taken++) {
        unsigned c = 0;
        for (unsigned i = 1; i < d->channels; i++)
            c = d->free_ns[i] < d->free_ns[c] ? i : c;
        if (d->count == DEVICE_OPS_MAX)
            ck_abort_msg("more in flight than any window allows");
        int64_t starts = MAX(d->free_ns[c], d->now_ns), takes = g.cost_ns * d->slow_percent / 100;
        if (d->stall_every_ns > 0 && starts >= d->stalled_ns + d->stall_every_ns) {
            d->stalled_ns = starts;
            starts += d->stall_ns;
        }
        d->free_ns[c] = starts + takes;
        d->busy_ns += takes;
        d->ops[d->count++] = (struct device_op){g, starts, starts + takes + d->latency_ns};
    }
    return taken;
}

/* Moves to the next completion and takes it out; false: nothing is in flight. */
static inline bool device_step(struct device *d, struct fq_grant *ret)
{
    if (d->count == 0)
        return false;
    unsigned least = 0;
    for (unsigned i = 1; i < d->count; i++)
        least = d->ops[i].ends_ns < d->ops[least].ends_ns ? i : least;
    d->now_ns = MAX(d->now_ns, d->ops[least].ends_ns);
    *ret = d->ops[least].grant;
    d->ops[least] = d->ops[--d->count];
    return true;
}

static inline void device_tick(struct device *d)
{
    if (d->now_ns - d->ticked_ns < WINDOW_TICK_NS)
        return;
    d->ticked_ns = d->now_ns;
    fairq_tick(d->q, d->now_ns);
}

static inline struct fairq *new_queue(void)
{
    struct fairq *q = NULL;
    struct fairq_setup setup = {.cost = disk_cost, .tenants_max = 64, .jobs_max = 256, .streams_max = 512,
                                .requests_max = 8192, .grants_max = 512};
    ck_assert_int_eq(fairq_new(&q, &setup, 0), 0);
    return q;
}

/* A tenant with one job and one stream. */
struct client {
    fq_id tenant, job, stream;
    uint64_t chunk; /* bytes of each request */
    bool random;
    enum io_dir dir;
};

static inline struct client new_client_under(struct fairq *q, uint32_t cap, struct fq_share share, uint64_t chunk,
                                             bool random)
{
    struct client c = {.chunk = chunk, .random = random};
    ck_assert_int_eq(fairq_tenant_add(q, &share, cap, &c.tenant), 0);
    ck_assert_int_eq(fairq_job_add(q, c.tenant, &c.job), 0);
    ck_assert_int_eq(fairq_stream_add(q, c.job, 256, &c.stream), 0);
    return c;
}

static inline struct client new_client(struct fairq *q, struct fq_share share, uint64_t chunk, bool random)
{
    return new_client_under(q, 0, share, chunk, random);
}

static inline void client_post(struct fairq *q, const struct client *c, int64_t now_ns)
{
    struct fq_request r = {.dir = c->dir, .random = c->random, .bytes = c->chunk};
    if (fairq_post(q, c->stream, &r, now_ns) < 0)
        ck_abort_msg("a request was not taken");
}

static inline int64_t charged(const struct fairq *q, fq_id tenant)
{
    struct fq_view v;
    if (fairq_view(q, tenant, &v) < 0)
        ck_abort_msg("no such tenant");
    return v.charged_ns;
}

#endif

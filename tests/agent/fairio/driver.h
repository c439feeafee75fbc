/*
 * driver - the arbiter on a real file: grants become moves, answers become service; clients that always have the next
 * request (closed), or have them at times of their own (open loop). For tests and the bench.
 */
#ifndef REEVE_TESTS_AGENT_FAIRIO_DRIVER_H
#define REEVE_TESTS_AGENT_FAIRIO_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/fairio/arbiter.h"
#include "base/io/moves.h"

#define DRIVER_CLIENTS_MAX 40
#define DRIVER_BUFFER ((size_t)1 << 20)
#define DRIVER_DEPTH 128
#define DRIVER_SAMPLES_MAX 400000

struct driver;
struct driver_client {
    struct driver *driver;
    const char *tenant;
    struct disk_share share;
    uint64_t request_bytes;
    unsigned depth;      /* closed: requests it always has */
    double rate_per_s;   /* open: Poisson arrivals; 0 = closed */
    bool random, writes;
    /* its state */
    arbiter_id stream;
    uint64_t at, moved_bytes, done;
    int64_t next_ns;     /* open: the next arrival */
    int64_t *samples;    /* latency of each request from when it was meant to start */
    unsigned samples_count;
    int64_t charged_before_ns;
    unsigned errors;
};

/* What is in flight, by its place. */
struct driver_op {
    struct driver_client *client;
    struct fq_grant grant;
    int64_t meant_ns;
    uint32_t buffer;
    bool used;
};

struct driver {
    struct arbiter *arbiter; /* NULL: nobody decides, each request goes to the disk as it comes */
    struct moves *moves;
    int fd;
    uint64_t file_bytes, seed;
    struct driver_client *clients;
    unsigned clients_count;
    struct driver_op ops[DRIVER_DEPTH];
    int64_t meant_ns[DRIVER_CLIENTS_MAX][8192]; /* of each client's requests, by number */
    uint64_t posted[DRIVER_CLIENTS_MAX];
    int64_t spent_ns; /* inside the arbiter, when it is asked for */
};

static inline int64_t driver_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline uint64_t driver_random(struct driver *d)
{
    d->seed ^= d->seed << 13;
    d->seed ^= d->seed >> 7;
    d->seed ^= d->seed << 17;
    return d->seed;
}

static inline uint64_t driver_place(struct driver *d, struct driver_client *c, uint64_t bytes)
{
    if (c->random)
        return driver_random(d) % (d->file_bytes / bytes) * bytes;
    uint64_t at = c->at;
    c->at = at + 2 * bytes > d->file_bytes ? 0 : at + bytes;
    return at;
}

/* Sends a grant, or what nobody had to grant, to the disk. */
static inline void driver_send(struct driver *d, struct driver_client *c, const struct fq_grant *g, int64_t meant_ns)
{
    uint32_t i = 0;
    while (i < DRIVER_DEPTH && d->ops[i].used)
        i++;
    int buffer = moves_lend(d->moves);
    if (i == DRIVER_DEPTH || buffer < 0) {
        fprintf(stderr, "driver: more in flight than any window allows\n");
        abort();
    }
    d->ops[i] = (struct driver_op){c, *g, meant_ns, (uint32_t)buffer, true};
    struct move move = {.kind = c->writes ? MOVE_WRITE : MOVE_READ, .fd = d->fd, .buffer = (uint32_t)buffer,
                        .bytes = (uint32_t)g->bytes, .offset = driver_place(d, c, g->bytes), .token = i};
    if (moves_ask(d->moves, &move) < 0)
        abort();
}

static inline void driver_go(void *owner, uint64_t token, const struct fq_grant *g)
{
    struct driver *d = owner;
    driver_send(d, &d->clients[token], g, d->meant_ns[token][g->token % 8192]);
}

static inline void driver_request(struct driver *d, unsigned i, int64_t meant_ns)
{
    struct driver_client *c = &d->clients[i];
    uint64_t number = d->posted[i]++;
    d->meant_ns[i][number % 8192] = meant_ns;
    struct fq_request r = {.dir = c->writes ? IO_WRITE : IO_READ, .random = c->random, .bytes = c->request_bytes,
                           .token = number};
    if (d->arbiter == NULL) {
        struct fq_grant g = {.bytes = c->request_bytes, .last = true, .token = number};
        driver_send(d, c, &g, meant_ns);
    } else if (arbiter_post(d->arbiter, c->stream, &r, driver_now_ns()) < 0) {
        abort();
    }
}

static inline void driver_set_shares(struct driver *d, int64_t now_ns)
{
    struct share_given rows[64];
    if (d->clients_count > COUNT_OF(rows))
        abort();
    for (unsigned i = 0; i < d->clients_count; i++)
        rows[i] = (struct share_given){(char *)(uintptr_t)d->clients[i].tenant, d->clients[i].share};
    if (arbiter_shares(d->arbiter, rows, d->clients_count, now_ns) < 0)
        abort();
}

static inline void driver_begin(struct driver *d, int64_t now_ns)
{
    if (d->arbiter != NULL)
        driver_set_shares(d, now_ns);
    for (unsigned i = 0; i < d->clients_count; i++) {
        struct driver_client *c = &d->clients[i];
        c->driver = d;
        struct arbiter_stream s = {.tenant = c->tenant, .job = 1, .out_max = 256, .go = driver_go, .owner = d,
                                   .token = i};
        if (d->arbiter != NULL && arbiter_open(d->arbiter, &s, &c->stream) < 0)
            abort();
        c->next_ns = now_ns;
        for (unsigned k = 0; c->rate_per_s <= 0 && k < c->depth; k++)
            driver_request(d, i, now_ns);
    }
}

/* Requests whose time has come; when the next comes. */
static inline int64_t driver_arrivals(struct driver *d, int64_t now_ns)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < d->clients_count; i++) {
        struct driver_client *c = &d->clients[i];
        if (c->rate_per_s <= 0)
            continue;
        /* Bounded: what can't even be queued counts from when it was meant to start, later. */
        while (c->next_ns <= now_ns && d->posted[i] - c->done < 4096 &&
               (d->arbiter != NULL || moves_in_flight(d->moves) < DRIVER_DEPTH - 1)) {
            driver_request(d, i, c->next_ns);
            double u = ((double)(driver_random(d) >> 11) + 1) / 9007199254740994.0;
            c->next_ns += (int64_t)(-log(u) * 1e9 / c->rate_per_s);
        }
        next = c->next_ns < next ? c->next_ns : next;
    }
    return next;
}

static inline void driver_finish(struct driver *d, const struct moved *m, bool more)
{
    struct driver_op *op = &d->ops[m->token];
    struct driver_client *c = op->client;
    int64_t now = driver_now_ns();
    uint64_t moved = m->result > 0 ? (uint64_t)m->result : 0;
    moves_give_back(d->moves, op->buffer);
    op->used = false;
    c->errors += m->result < 0;
    c->moved_bytes += moved;
    if (d->arbiter != NULL)
        arbiter_done(d->arbiter, &op->grant, moved, now);
    if (!op->grant.last)
        return;
    c->done++;
    if (c->samples != NULL && c->samples_count < DRIVER_SAMPLES_MAX)
        c->samples[c->samples_count++] = now - op->meant_ns;
    if (more && c->rate_per_s <= 0)
        driver_request(d, (unsigned)(c - d->clients), now);
}

/* Runs for so long; then takes in what is in flight. */
static inline void driver_run(struct driver *d, int64_t for_ns)
{
    struct moved got[64];
    int64_t now = driver_now_ns(), until = now + for_ns;
    driver_begin(d, now);
    while ((now = driver_now_ns()) < until) {
        int64_t next = driver_arrivals(d, now);
        if (d->arbiter != NULL) {
            arbiter_pump(d->arbiter, now);
            int64_t wake = arbiter_wake_ns(d->arbiter);
            next = wake < next ? wake : next;
        }
        next = next < until ? next : until;
        int n = moves_wait(d->moves, got, 64, next > now ? next - now : 0);
        if (n < 0)
            abort();
        for (int i = 0; i < n; i++)
            driver_finish(d, &got[i], true);
    }
    while (moves_in_flight(d->moves) > 0) {
        int n = moves_wait(d->moves, got, 64, -1);
        for (int i = 0; i < n; i++)
            driver_finish(d, &got[i], false);
    }
}

/* Device time of each as charged, in parts per million of all. */
static inline void driver_shares(const struct driver *d, double ret[])
{
    struct arbiter_view v;
    double all = 0;
    for (uint32_t at = 0; arbiter_next_view(d->arbiter, &at, &v);)
        for (unsigned i = 0; i < d->clients_count; i++)
            if (strcmp(d->clients[i].tenant, v.tenant) == 0)
                all += ret[i] = (double)v.queue.charged_ns;
    for (unsigned i = 0; i < d->clients_count; i++)
        ret[i] /= all;
}

static inline void driver_end(struct driver *d)
{
    for (unsigned i = 0; d->arbiter != NULL && i < d->clients_count; i++)
        arbiter_close(d->arbiter, d->clients[i].stream);
}

#endif

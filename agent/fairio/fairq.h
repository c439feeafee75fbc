/*
 * fairq - whose bytes move next on one device. The queue decides, in device time; others move.
 *
 *   cap -- limits that hold for all tenants under it together; caps lie under caps
 *     tenant -- weight, reservation
 *       job  -- jobs of a tenant share what it gets evenly, by start tags of their own
 *         stream -- one direction of one file or pipe; streams of a job take turns
 *           request -- bytes to move, in order; cut into chunks when they are granted
 *
 * Order: every tenant has a virtual start S, device time it got divided by its weight. V never runs ahead of the
 * smallest S of those that have work. Among those with S <= V + q the one goes first that would be finished earliest
 * (S + cost / weight), so a small operation doesn't wait behind the large ones of many; q is one chunk at the mean
 * weight. Who has a reservation and is behind it goes before all that. Whoever comes back from idleness starts at V:
 * nothing is saved up.
 *
 * A reservation is a part of the device time that is granted at all, so that it holds at whatever speed the device has
 * and however it stalls: its clock is what was granted, not the time of day, and no estimate of a speed is in it.
 *
 * A cap is paid by every chunk of every tenant under it. While it isn't paid off they wait in its own order, by tags of
 * their own: V, which runs on meanwhile, would make them all alike. It lets out one of them at a time, when it is paid
 * off; who was let out takes part in the order above. So over any interval T, of all under it together,
 *   bytes <= bytes_per_s * (T + FQ_BURST_NS) + one chunk                           (operations, device time: the same)
 *
 *   Bound, for any two tenants with work, without reservations and caps, over any interval in which neither is late or
 *   slow:
 *     |D_f/w_f - D_m/w_m| <= C_f/w_f + C_m/w_m + 2q        (D: what they were charged, C: their largest chunk)
 *   With q = 0 this is start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM 1996.
 *
 * Window: what is in flight is bounded in device time (window.h). Who is first and has little in flight, with the next
 * chunk at most a sixteenth of the window, goes although it is full; by all of them it is an eighth more at most.
 *
 * Charging: the cost of a chunk is charged when it is granted; what was not moved is given back once, when it is done.
 * An operation that takes four times as long as a full window does (25 ms at least) is late: it leaves the window, for
 * others to use, and its tenant is granted nothing more until it comes back. So whoever moves slowly (a mover that has
 * next to no cpu, a file system that hangs) keeps the disk idle for nobody but itself. Where operations of others are
 * done all the while, it isn't the disk that is slow: for a second from then on its tenant has one operation out at a
 * time, so that the next that is late has next to nothing of the window. One that takes ten times what it should (one
 * second at least) is stuck, and said to be.
 *
 * Ownership: the queue owns everything; ids are plain values, and find nothing once what they named is gone.
 * Bounds:    all of struct fairq_setup, given at birth; beyond them -ENOSPC.
 * Units:     ns of a clock that only goes forward, given by the caller; bytes; parts per million.
 * Purity:    pure: no clock, no ring. Ties break by id: the same calls give the same grants on any machine.
 */
#ifndef REEVE_AGENT_FAIRIO_FAIRQ_H
#define REEVE_AGENT_FAIRIO_FAIRQ_H

#include "agent/fairio/cost.h"
#include "agent/fairio/latency.h"
#include "agent/fairio/window.h"
#include "base/macros.h"

#define FQ_WEIGHT_MAX 1000000u
#define FQ_CHUNK_CONTENDED ((uint64_t)128 << 10)
#define FQ_CHUNK_ALONE ((uint64_t)512 << 10)
#define FQ_CONTENDED_NS INT64_C(50000000)  /* a second tenant has work, or had some within this */
#define FQ_BURST_NS INT64_C(100000000)     /* what a limit lets through at once: its rate times this */
#define FQ_DEBT_NS INT64_C(10000000000)
#define FQ_LATE_MIN_NS INT64_C(25000000)
#define FQ_LATE_FACTOR 4
#define FQ_SLOW_SEEN_NS INT64_C(5000000)   /* so long others' are done while one is late */
#define FQ_SLOW_NS INT64_C(1000000000)
#define FQ_STUCK_MIN_NS INT64_C(1000000000)
#define FQ_STUCK_FACTOR 10

struct fairq;
/* Never 0. Things of one kind are numbered below their bound, so that who asks can keep tables of its own beside. */
typedef uint64_t fq_id;
static inline uint32_t fq_index(fq_id id)
{
    return (uint32_t)id - 1;
}

struct fairq_setup {
    struct io_cost cost;
    int64_t contended_ns, alone_ns; /* the window's two ends; 0 = window.h's */
    uint32_t tenants_max, jobs_max, streams_max, requests_max, grants_max;
};

struct fq_share {
    uint32_t weight;       /* 1..FQ_WEIGHT_MAX */
    uint32_t reserved_ppm; /* of the device time granted to all; of all tenants together less than PPM; 0 = none */
};

/* 0 = none. */
struct fq_limits {
    uint32_t ppm; /* of the device's time, at its nominal speed */
    uint64_t bytes_per_s, ops_per_s;
};
/* Caps are numbered by their places in one list, from 1; 0 is none. */
struct fq_cap {
    struct fq_limits limits;
    uint32_t under; /* another cap, before it in the list */
    uint32_t was;   /* its place in the list before: what is owed there is owed here */
};

struct fq_request {
    enum io_dir dir;
    bool random;
    uint64_t bytes; /* <= IO_BYTES_MAX; 0 = one operation without bytes, as fsync is */
    uint64_t token; /* the caller's */
};

struct fq_grant {
    fq_id id, stream;
    enum io_dir dir;
    uint64_t token, offset, bytes; /* offset within the request */
    int64_t cost_ns;
    bool last; /* the request's last chunk */
};

/* What an operator asks of a tenant. */
enum fq_standing {
    FQ_IDLE,    /* nothing to move */
    FQ_READY,   /* waits for its turn or for the window */
    FQ_FULL,    /* everything it has to move is in flight already */
    FQ_LIMITED, /* by a cap; not before until_ns */
    FQ_STUCK,   /* an operation of its does not come back */
};
/* Which of the cap's limits. */
enum fq_limit { FQ_LIMIT_BYTES, FQ_LIMIT_OPS, FQ_LIMIT_TIME, FQ_LIMIT_COUNT };
struct fq_view {
    enum fq_standing standing;
    int64_t until_ns;
    uint32_t cap;                          /* FQ_LIMITED: the one that holds it longest */
    enum fq_limit limit;
    uint64_t limited_total[FQ_LIMIT_COUNT]; /* how often each came to be that */
    int64_t charged_ns; /* net, since it was added */
    uint64_t granted_ops, moved_bytes;
    int64_t in_flight_ns, late_ns, stuck_ns; /* in the window; out of it; of the latter */
    int64_t slow_until_ns;                 /* one operation at a time until then */
    int64_t ahead_ns; /* device time that others of its weight get before it is its turn */
};

/* -EINVAL: costs or bounds out of range; -ENOMEM. */
int fairq_new(struct fairq **ret, const struct fairq_setup *setup, int64_t now_ns) MUST_USE;
void fairq_free(struct fairq *q); /* NULL is fine */

bool fairq_share_is_valid(const struct fq_share *s);
bool fairq_limits_are_valid(const struct fq_limits *l);
/* From now on there are these caps, and no tenant is under any until fairq_tenant_set() puts it there. -EINVAL: a limit
 * out of range, or one under what doesn't come before it; -ENOMEM: nothing has changed. */
int fairq_caps(struct fairq *q, const struct fq_cap *caps, uint32_t count, int64_t now_ns) MUST_USE;
/* -EINVAL: a share out of range, no such cap. -ENOSPC. */
int fairq_tenant_add(struct fairq *q, const struct fq_share *share, uint32_t cap, fq_id *ret) MUST_USE;
/* What it is ahead of V stays the same in device time, and a reservation is behind as far as it was. -ENOENT,
 * -EINVAL. */
int fairq_tenant_set(struct fairq *q, fq_id tenant, const struct fq_share *share, uint32_t cap,
                     int64_t now_ns) MUST_USE;
int fairq_tenant_drop(struct fairq *q, fq_id tenant) MUST_USE;                           /* -EBUSY: it has jobs */
int fairq_job_add(struct fairq *q, fq_id tenant, fq_id *ret) MUST_USE;                   /* -ENOENT, -ENOSPC, -ENOMEM */
int fairq_job_drop(struct fairq *q, fq_id job) MUST_USE;                                 /* -EBUSY: it has streams */
/* At most `out_max` chunks of it are in flight: 1 where their order counts. */
int fairq_stream_add(struct fairq *q, fq_id job, uint32_t out_max, fq_id *ret) MUST_USE; /* -ENOENT, -ENOSPC, -EINVAL */
void fairq_stream_clear(struct fairq *q, fq_id stream);        /* forgets what waits */
int fairq_stream_drop(struct fairq *q, fq_id stream) MUST_USE; /* forgets what waits; -EBUSY: something is in flight */

int fairq_post(struct fairq *q, fq_id stream, const struct fq_request *request, int64_t now_ns) MUST_USE;
/* The next chunk, when there is one and the window has room for it. Call until false. */
bool fairq_next(struct fairq *q, int64_t now_ns, struct fq_grant *ret);
/* It is done: so many bytes moved (an error: 0). False: no such grant, or not any more. */
bool fairq_done(struct fairq *q, fq_id grant, uint64_t moved_bytes, int64_t now_ns);
/* What a tenant took by itself, past this queue: it waits its turn and its limits accordingly, but never for more than
 * FQ_DEBT_NS of the others' work, or of the time of day: what it takes all the time must not keep its logs for ever. */
struct fq_taken {
    int64_t cost_ns;
    uint64_t ops, bytes;
};
void fairq_charge(struct fairq *q, fq_id tenant, const struct fq_taken *taken, int64_t now_ns);
/* Window, speed, operations that don't come back. Each WINDOW_TICK_NS while anything is in flight or waits. */
void fairq_tick(struct fairq *q, int64_t now_ns);
/* When fairq_next() may have something that it hasn't now, without any other call; INT64_MAX = never. */
int64_t fairq_wake_ns(const struct fairq *q);

int fairq_view(const struct fairq *q, fq_id tenant, struct fq_view *ret) MUST_USE; /* -ENOENT */
bool fairq_is_busy(const struct fairq *q); /* something waits or is in flight */
const struct window *fairq_window(const struct fairq *q);
int64_t fairq_in_flight_ns(const struct fairq *q);
/* Of all tenants, since birth: from when a request was posted until its first chunk was granted; from a grant until it
 * was done. */
struct fq_times {
    struct latency waited, served;
    uint64_t stuck_total; /* operations that left the window because they didn't come back */
    uint32_t stuck;       /* now */
};
const struct fq_times *fairq_times(const struct fairq *q);
int64_t fairq_slack(const struct fairq *q); /* q of the bound, in ns, at weight 1 */

#endif

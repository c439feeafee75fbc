/*
 * state - what fairq*.c share: the queue's tables. Nobody else includes it.
 *
 * A tenant is in exactly one place:
 *   NOWHERE   nothing can be granted to it: no work, all of it in flight, something late, or slow with one in flight
 *   WAITING   in `waiting`, by start: S > V + q
 *   ELIGIBLE  in `eligible`, by start, and in `finish`, by finish; stays so until it is served
 *   LIMITED   in `parked` of the cap that holds it longest, by turn; with a reservation in its `behind` as well
 * and, when WAITING or ELIGIBLE with a reservation, in `reserved` as well.
 */
#ifndef REEVE_AGENT_FAIRIO_STATE_H
#define REEVE_AGENT_FAIRIO_STATE_H

#include "agent/fairio/fairq.h"
#include "base/heap.h"

#define VIRTUAL 65536 /* virtual time: ns * VIRTUAL / weight */
#define NONE UINT32_MAX

/* Slots of one kind: taken ones have an odd generation. */
struct slot {
    uint32_t generation, next_free;
};
/* What is free of a table: a list of what was given back, NONE; behind it those from `fresh` on. */
struct pool {
    uint32_t first, fresh;
};

enum place { NOWHERE, WAITING, ELIGIBLE, LIMITED };

/* In `closed`, by when it is paid off, while somebody is parked and nobody who was let out still has to be served. */
struct cap {
    struct fq_limits limits;
    uint32_t under;            /* NONE */
    int64_t paid_ns[FQ_LIMIT_COUNT]; /* when each limit is paid off */
    int64_t unlock_ns;         /* the last of them */
    enum fq_limit limit;       /* which that is */
    int64_t turn_now;          /* the turn served last: who has been away begins there */
    struct heap parked, behind;
    uint32_t out;              /* who was let out; NONE */
    uint32_t at;
};

struct tenant {
    struct slot slot;
    struct fq_share share;
    enum place place;
    uint32_t at, at_finish, at_reserved; /* in waiting, eligible or a cap's parked; in finish; in reserved or behind */
    uint32_t cap;              /* the nearest; NONE */
    uint32_t parked_at, let_out_by; /* caps; NONE */
    int64_t turn;              /* what it got divided by its weight: among those under its cap */
    int64_t start;             /* S */
    int64_t finish;            /* S and what its next chunk takes, as of when it became eligible */
    int64_t counted_ns;        /* the last time until which a cap held it that was counted */
    int64_t slow_until_ns;     /* one at a time; 0: it never was */
    int64_t reserve_ns;        /* its reservation is behind once served_ns is there */
    struct heap jobs;          /* those with something to grant, by start tag */
    int64_t job_now;           /* the tag served last: a job that comes back starts there */
    uint32_t jobs_count;
    uint32_t in_flight;        /* grants */
    uint64_t pending;          /* requests */
    struct fq_view seen;
};
struct job {
    struct slot slot;
    uint32_t tenant, streams_count;
    uint32_t at;               /* in its tenant's heap */
    int64_t tag;
    uint32_t first;            /* ring of its streams that have something to grant; NONE */
};
struct stream {
    struct slot slot;
    uint32_t job, out, out_max;
    uint32_t first, last;      /* requests; NONE */
    uint32_t before, after;    /* in the job's ring; NONE = not in it */
};
struct request {
    uint32_t next;             /* in its stream, or free */
    struct fq_request what;
    uint64_t granted;          /* bytes of it */
    int64_t posted_ns;         /* -1: some of it was granted */
};
struct grant {
    struct slot slot;
    uint32_t stream, older, newer;
    int64_t cost_ns, since_ns;
    int64_t late_ns, passed_ns; /* when it left the window; when something of others was done since, as first seen */
    uint64_t bytes;
    enum io_dir dir;
    bool random, late, stuck;
};

struct fairq {
    struct fairq_setup with;
    struct window window;
    struct fq_times times;
    struct tenant *tenants;
    struct job *jobs;
    struct stream *streams;
    struct request *requests;
    struct grant *grants;
    struct pool free_tenants, free_jobs, free_streams, free_requests, free_grants;
    struct heap waiting, eligible, finish, reserved, closed;
    struct cap *caps;
    uint32_t caps_count;
    int64_t virtual_now;       /* V */
    int64_t served_ns;         /* device time granted to all: the clock of reservations */
    uint64_t weights;          /* of those waiting or eligible */
    int64_t chunk_ns;          /* C: one chunk of FQ_CHUNK_CONTENDED, the dearer direction */
    int64_t in_flight_ns;      /* in the window */
    uint32_t in_flight, oldest, newest; /* grants by age */
    uint32_t working;          /* tenants with something pending or in flight, and not stuck */
    uint32_t seen_tenant, other_tenant; /* the last two different ones that posted or were served */
    int64_t seen_ns, other_ns;
    uint32_t done_tenant;      /* of which something was done last, */
    int64_t done_ns, done_other_ns; /* when, and when last of any other */
};

/* fairq_place.c: where a tenant is. */
void place_enter(struct fairq *q, struct tenant *t, int64_t now_ns); /* it may have become able to go */
void place_leave(struct fairq *q, struct tenant *t);
void place_move_start(struct fairq *q, struct tenant *t, int64_t by); /* S, and what depends on it */
void place_release(struct fairq *q, int64_t now_ns);   /* caps that are paid off */
struct tenant *place_pick(struct fairq *q, int64_t now_ns, bool *ret_reserved); /* NULL: nobody */
int64_t place_slack(const struct fairq *q);            /* q, virtual */
int64_t virtual_of(int64_t cost_ns, uint32_t weight);
extern const struct heap_kind place_behind_first;      /* tenants by when their reservation is behind */

/* fairq_cap.c: limits of many together. */
struct cap *cap_over(struct fairq *q, const struct tenant *t, int64_t now_ns); /* that holds it longest; NULL: none */
void cap_park(struct fairq *q, struct cap *c, struct tenant *t);
void cap_unpark(struct fairq *q, struct tenant *t);
struct tenant *cap_let_out(struct fairq *q, int64_t now_ns); /* one, in no place then; NULL: nobody is due */
void cap_out_is_back(struct fairq *q, struct tenant *t);     /* if it was let out: the next may be */
void cap_pay(struct fairq *q, const struct tenant *t, const struct fq_taken *took, int64_t now_ns);
void cap_pay_direct(struct fairq *q, struct tenant *t, const struct fq_taken *took, int64_t now_ns); /* in no place */
void cap_served(struct fairq *q, struct tenant *t, int64_t cost_ns);
void cap_give_back(struct fairq *q, struct tenant *t, int64_t cost_ns);
void cap_reweigh(struct fairq *q, struct tenant *t, uint32_t weight); /* in no place */
void caps_free(struct cap *caps, uint32_t count);

/* fairq_work.c: jobs, streams and requests of a tenant. */
struct work {
    struct job *job;
    struct stream *stream;
    struct request *request;
    uint64_t bytes; /* of the next chunk */
    int64_t cost_ns;
};
bool work_is_there(const struct tenant *t);
struct work work_head(struct fairq *q, struct tenant *t, int64_t now_ns); /* there is some */
void work_take(struct fairq *q, struct tenant *t, struct work *w);        /* its chunk is granted */
void work_list(struct fairq *q, struct stream *s);                        /* it may have something to grant */
void work_unlist(struct fairq *q, struct stream *s);
bool work_is_contended(const struct fairq *q, int64_t now_ns);
void work_note(struct fairq *q, uint32_t tenant, int64_t now_ns);

#endif

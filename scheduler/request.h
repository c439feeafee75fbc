/*
 * request - somebody's wish to change the state, on its way through the commit turn.
 *
 *   posted -> propose (between two batches, on the state as it is then) -> facts in flight -> all durable -> settled
 *
 * Ownership: turn_post() takes the request; the turn frees it through its ops after settled or unavailable.
 *            Every request is answered exactly once: in propose (REQUEST_ANSWERED), settled, or unavailable. The last
 *            one also when the store leaves the outcome open for TURN_UNKNOWN_MS: the facts stay on their way, the
 *            asker asks again.
 */
#ifndef REEVE_SCHEDULER_REQUEST_H
#define REEVE_SCHEDULER_REQUEST_H

#include "scheduler/core/core.h"

struct request;

enum request_step {
    REQUEST_FACTS,    /* these facts (none: it changes nothing; settled is called once the present state is durable) */
    REQUEST_LATER,    /* something about it is in flight: ask again after the next apply */
    REQUEST_ANSWERED, /* a refusal, or a mere question: nothing to commit */
};

struct request_ops {
    bool patient; /* waits while the store is away (agents); others are told at once */
    enum request_step (*propose)(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                 size_t room, size_t *ret_count);
    /* All its facts are durable or refused (r->refusal names the first). true: propose again, there is more to do. */
    bool (*settled)(struct request *r);
    void (*unavailable)(struct request *r, const char *why);
    void (*free)(struct request *r);
};

struct request {
    const struct request_ops *ops;
    struct request *next;     /* the turn's */
    uint32_t open;            /* the turn's: facts on their way */
    bool told;                /* the turn's: was answered that its outcome is not known yet */
    char refusal[48];         /* the store's code for the first refused fact; "" = none */
    char detail[160];
};

#endif

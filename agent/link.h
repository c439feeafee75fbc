/*
 * link - the agent's connection to the scheduler: hello, beats, states one way; orders and log reads the other.
 *
 *   down --pause--> opening --open--> greeting --hello answered--> up --closed--> down
 *
 * The pause grows from 50 ms to 5 s with jitter, so that a thousand agents don't come back at once. Whatever comes from
 * a term below the fence is dropped; a scheduler that answers with one is left alone. Every answered hello or beat
 * renews the leases, counted from when it was sent.
 */
#ifndef REEVE_AGENT_LINK_H
#define REEVE_AGENT_LINK_H

#include "agent/attempts.h"
#include "agent/fence.h"
#include "agent/log_read.h"
#include "agent/shares.h"
#include "base/io/loop.h"
#include "base/resources.h"

#define LINK_PAUSE_MIN_MS 50u
#define LINK_PAUSE_MAX_MS 5000u
#define LINK_BEAT_DEFAULT_MS 1000u
#define LINK_TELLS_MAX 256u /* states sent and not yet answered */
#define LINK_UNAVAILABLE_MS 1000u

struct link;

struct link_setup {
    struct loop *loop;
    const char *socket; /* path */
    const char *node;
    const struct resources *capacity;
    const struct pairs *labels;
    uint32_t max_attempts;
    const struct strs *features; /* looked at when it says hello */
    struct attempts *attempts;
    struct shares *shares;
    struct fence *fence;
};

int link_new(struct link **ret, const struct link_setup *setup, struct err *err) MUST_USE;
void link_free(struct link *l);
void link_serve_logs(struct link *l, struct log_reader *reader);
void link_start(struct link *l);
void link_turn(struct link *l); /* tells what is due */
void link_hurry(struct link *l); /* a beat now; or once the one that is under way was answered */

/* The way back for log_reader. */
void link_answer_log(void *link, const struct rpc_ticket *ticket, const struct log_reply *reply);
void link_refuse_log(void *link, const struct rpc_ticket *ticket, const char *code, const char *message);

#endif

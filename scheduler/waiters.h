/*
 * waiters - clients that wait for a job to change (job.wait): answered by what becomes durable, or by their timeout.
 * Ownership: waits are kept here; a client that went away is answered into the void.
 * Bound:     WAITERS_MAX.
 */
#ifndef REEVE_SCHEDULER_WAITERS_H
#define REEVE_SCHEDULER_WAITERS_H

#include "base/io/rpc.h"
#include "scheduler/core/core.h"

#define WAITERS_MAX 16384
#define WAIT_DEFAULT_MS 30000
#define WAIT_MAX_MS 600000

struct waiters;

struct waiters_setup {
    struct loop *loop;
    struct core_now (*now)(void *arg);
    void *arg;
};
int waiters_new(struct waiters **ret, const struct waiters_setup *setup, struct err *err) MUST_USE;
void waiters_free(struct waiters *w);
/* Before the loop runs. */
void waiters_start(struct waiters *w, struct core *core, struct rpc_server *server);
/* Answers now when the job has changed since call->seen, else later. The caller has checked who may see the job.
 * -ENOBUFS: too many wait. */
int waiters_add(struct waiters *w, const struct rpc_ticket *ticket, const struct wait_call *call) MUST_USE;
/* Something about the job became durable. */
void waiters_wake(struct waiters *w, uint64_t job);
size_t waiters_count(const struct waiters *w);

#endif

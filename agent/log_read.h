/*
 * log_read - answers log.read: bytes of a log from an offset on, through the ring, past the hole when there is one.
 * With `wait` the answer comes when there is something new, when the attempt has ended, or after LOG_READ_WAIT_US.
 * Bounds: LOG_READS_MAX at once, refused by name beyond; LOG_READ_MAX bytes per answer.
 */
#ifndef REEVE_AGENT_LOG_READ_H
#define REEVE_AGENT_LOG_READ_H

#include "agent/attempts.h"
#include "base/io/rpc.h"

#define LOG_READS_MAX 1024u
#define LOG_READ_MAX (UINT32_C(256) << 10)
#define LOG_READ_WAIT_US UINT64_C(20000000)

struct log_reader;

struct log_reader_setup {
    struct loop *loop;
    struct ring *ring;
    struct attempts *attempts;
    void (*answer)(void *arg, const struct rpc_ticket *ticket, const struct log_reply *reply);
    void (*refuse)(void *arg, const struct rpc_ticket *ticket, const char *code, const char *message);
    void *arg;
};

int log_reader_new(struct log_reader **ret, const struct log_reader_setup *setup) MUST_USE;
void log_reader_free(struct log_reader *r); /* after ring_free() */
void log_reader_ask(struct log_reader *r, const struct rpc_ticket *ticket, const struct log_call *call);
/* Some log has changed: who waits looks again, in this turn. */
void log_reader_wake(struct log_reader *r);
void log_reader_turn(struct log_reader *r);
void log_reader_forget(struct log_reader *r); /* the connection is gone, nobody waits any more */

#endif

/*
 * follow - stays with a job: waits for its end, passes on what it writes, survives restarts of the scheduler.
 *
 *   job.wait  ── change ──► on_change; what waited for a first or next attempt asks again
 *   log.read  ── bytes  ──► stdout, stderr, each from its own offset: none lost, none twice
 *             ── end    ──► the next attempt, if the job goes on
 *   lost connection       ► again after a pause, from the same offsets
 *
 * Ends when the job is final and every stream it follows has ended.
 */
#ifndef REEVE_CLI_FOLLOW_H
#define REEVE_CLI_FOLLOW_H

#include "cli/cli.h"

struct follow_setup {
    struct cli *cli;
    uint64_t job;
    uint32_t task;
    bool streams[LOG_STREAM_COUNT]; /* of this task, to stdout and stderr */
    uint32_t epoch;                 /* attempt to begin with; 0 = the newest */
    bool only_this_attempt;
    bool interrupt_cancels;         /* Ctrl-C cancels the job and stays, a second one leaves; else the first leaves */
    void (*on_change)(void *arg, const struct wait_reply *now); /* NULL = nobody wants to know */
    void *arg;
};

/* CLI_DONE: *ret is the job's end (the caller clears it with wait_reply_fields). Otherwise the person was told, and the
 * program exits with the code (130: left by Ctrl-C). */
int follow(const struct follow_setup *setup, struct wait_reply *ret);
/* Bytes of a log, written out whole; a marker on stderr first when bytes in between were dropped. */
int follow_write(enum log_stream which, const struct log_reply *reply);

#endif

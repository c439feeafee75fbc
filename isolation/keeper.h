/*
 * keeper - pid 1 of a running sandbox: waits for the payload, the clock and the agent, and leaves the exit record.
 * Memory: static and on the stack; no heap.
 */
#ifndef REEVE_ISOLATION_KEEPER_H
#define REEVE_ISOLATION_KEEPER_H

#include <stdnoreturn.h>

#include "isolation/keeper_ends.h"
#include "isolation/sandbox.h"
#include "isolation/spec/keeper.h"
#include "isolation/spec/stage.h"

struct keeper {
    struct sandbox *box;
    struct keeper_ends ends;
    int signals, timer, link; /* link: the agent's connection, -1 */
    bool hello_sent;
    bool killing;             /* everything inside was sent SIGKILL */
    bool oom_seen;            /* the kernel killed one of ours for lack of memory */
    int oom_asks;             /* how often to look whether it did, after it said that it might */
    bool main_ended;
    uint32_t stage;           /* enum stage_phase */
    bool started;             /* one that waited for inputs was exec'ed; others always were */
    bool gate_reset;
    int out_error;            /* errno: outputs are not all where they should be */
    bool over;                /* nothing of it runs any more */
    bool drained;             /* an agent has every byte of the pipes */
    int main_status;
    struct keeper_record record;
};

/* What it waits with, and from then on its own system call filter (own_filter.h): before the payload may run, so that
 * a keeper that can't watch is a launch that failed. 0 or -errno. */
int keeper_prepare(struct sandbox *box);
/* Takes the sandbox over once the payload runs. Never returns. */
noreturn void keeper_main(struct sandbox *box);

/* The exit record of a launch that failed after "go". */
void keeper_record_failed_launch(struct sandbox *box, uint32_t step, int error);
/* Fills in the sum and writes the record durably to `fd`. 0 or -errno. */
int keeper_record_write(int fd, struct keeper_record *record);

/* What is due now is done. */
void keeper_act_when_due(struct keeper *k);
/* SIGTERM to all that is the job's; what is being brought out is not. */
void keeper_term(struct keeper *k);

/* keeper_stage.c: inputs and outputs. Where there are none, a payload that ends is over. */
void keeper_stage_begin(struct keeper *k);
void keeper_stage_hear(struct keeper *k);
void keeper_stage_settle(struct keeper *k); /* after children were reaped */
void keeper_stage_stop(struct keeper *k);
void keeper_gate_hear(struct keeper *k);

/* The agent's side. */
void keeper_link_accept(struct keeper *k);
void keeper_link_read(struct keeper *k);
/* A traced job's call is written down and let through; at the end the rows go to the file. */
void keeper_trace_hear(struct keeper *k);
void keeper_trace_write(struct keeper *k);
int keeper_link_send(struct keeper *k, uint32_t op); /* HELLO carries the read ends of the pipes */
void keeper_link_say(struct keeper *k, uint32_t op); /* if somebody is there; the next HELLO says it again */

#endif

/*
 * progress - how far a job is, while somebody waits: one line that is redrawn on a terminal, one line per change in a
 * pipe, nothing with --json.
 */
#ifndef REEVE_CLI_PROGRESS_H
#define REEVE_CLI_PROGRESS_H

#include "cli/cli.h"

struct progress {
    struct cli *cli;
    bool quiet;  /* the job's own output is on the terminal: say nothing */
    bool drawn;  /* a line without its end stands on the terminal */
    char *said;  /* last plain line: the same is not said twice */
};

/* on_change of follow(): `arg` is the struct progress. */
void progress_show(void *arg, const struct wait_reply *now);
void progress_end(struct progress *p);

#endif

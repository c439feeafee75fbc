/*
 * show_past - what the scheduler has forgotten of a job that it still shows. It keeps a job's newest attempts only and
 * none over a restart, and of one that runs no lines of charges from before a restart: the reports know all of it.
 */
#ifndef REEVE_CLI_SHOW_PAST_H
#define REEVE_CLI_SHOW_PAST_H

#include "base/buf.h"
#include "cli/cli.h"

/* Of a named task its older attempts, and when it was left out; of all attempts that are shown, their lines of charges.
 * Taken from the reports, if they answer. False: they don't, and something is missing, or may be. */
bool show_past_fill(struct cli *cli, const struct job_call *call, struct job_view *view);
/* Are lines of charges missing that were there before a restart? */
bool show_past_lacks_lines(const struct attempt_view *a);
/* "task       17 succeeded": how it is, and why there are no attempts where there are none. */
void show_past_task(const struct cli *cli, struct buf *out, const struct job_view *v, uint32_t task, bool complete);

#endif

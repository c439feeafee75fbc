/*
 * show_task - what `reeve show JOB.TASK` says of a task beside its attempts. The scheduler keeps a job's newest
 * attempts only, and none over a restart: what it has forgotten the reports know.
 */
#ifndef REEVE_CLI_SHOW_TASK_H
#define REEVE_CLI_SHOW_TASK_H

#include "base/buf.h"
#include "cli/cli.h"

/* Attempts of the task that the scheduler no longer has, and when it was left out: taken from the reports, if they
 * answer. False: they don't, and something is missing. */
bool show_task_complete(struct cli *cli, const struct job_call *call, struct job_view *view);
/* "task       17 succeeded": how it is, and why there are no attempts where there are none. */
void show_task_put(const struct cli *cli, struct buf *out, const struct job_view *v, uint32_t task, bool complete);

#endif

/*
 * job_text - how jobs and attempts read: shared by ps, history, show, run and wait.
 */
#ifndef REEVE_CLI_JOB_TEXT_H
#define REEVE_CLI_JOB_TEXT_H

#include "base/proto.h"
#include "cli/cli.h"

/* "killed: out of memory, peak 4Gi of 4Gi", "exited with code 3", "killed by signal 9 (Killed)". */
void job_text_end(struct buf *out, const struct attempt_view *a, const struct job_spec *spec);
/* "112/365 ██░░░░", "0/1", with "2 failed" behind it. */
void job_text_tasks(struct buf *out, const struct job_row *row, bool bar);
/* "14:32:05 to 14:50:00": when something is expected to start; `now` when that is all that is known of its begin.
 * Nothing when nothing is known. */
void job_text_start(struct buf *out, int64_t from_utc_us, int64_t to_utc_us, int64_t now_utc_us);
/* "812", "812.17", "812.17.2" for an attempt of this job. */
void job_text_ref(struct buf *out, uint64_t job, const struct job_spec *spec, const struct attempt_view *a);
/* "cpu 3ms   memory peak 4Mi   read 1Mi in 12   processes 2", and a line of delays if there were any. */
void job_text_usage(struct buf *out, const struct usage *u);
/* Refused by its scheduler as unknown? Then the history is asked. CLI_DONE and *ret filled (caller clears), or told. */
int job_text_view(struct cli *cli, const struct job_call *call, struct job_view *ret, bool *ret_archived);

#endif

/*
 * submit - sending a job and saying what came back; shared by `submit` and `run`.
 */
#ifndef REEVE_CLI_SUBMIT_H
#define REEVE_CLI_SUBMIT_H

#include "cli/cli.h"
#include "cli/job_request.h"

/* Makes the key, then sends; a lost reply is asked for again under the same key. An exit code; told unless CLI_DONE. */
int submit_send(struct cli *cli, struct job_request *r, struct submit_reply *ret);
/* "job 812 queued   acme/etl   365 tasks, 50 at a time   quote 41.20 EUR (at most 58.40)   would start: now" */
void submit_say(struct cli *cli, const struct submit_call *call, const struct submit_reply *r, FILE *to);

#endif

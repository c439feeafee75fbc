/*
 * job_request - what `submit` and `run` send: a job file or script, overridden by options, with a key made before
 * anything is sent.
 *
 * A file that begins with "#!" is a script: its text travels in the job, and its lines "#REEVE --cpu 2 --time 30m" are
 * options like those of the command line. Everything else is YAML or JSON: the fields of reeve-job(5), and `tenant`
 * and `key` beside them.
 */
#ifndef REEVE_CLI_JOB_REQUEST_H
#define REEVE_CLI_JOB_REQUEST_H

#include "base/proto.h"
#include "cli/args.h"

struct job_request {
    struct submit_call call; /* owned: job_request_fini() */
};

/* The options of a job, over struct job_request; those of `run` end where its command begins. */
extern const struct option_set submit_options, run_options;
/* Those among them that say what a sandbox is; over any struct that begins with a struct job_request. */
extern const struct option_set sandbox_options;

void job_request_fini(struct job_request *r);
/* Reads a file ("-" = stdin). -EINVAL: "train.yaml:7:12: resources.memory: ..." or "job.sh:3: --memory: ...". */
int job_request_read(struct job_request *r, const char *path, struct err *err) MUST_USE;
/* The same from text; `name` is what messages call it. */
int job_request_read_text(struct job_request *r, const char *name, const char *text, size_t len,
                          struct err *err) MUST_USE;
/* A key of 128 random bits, when there is none. */
int job_request_make_key(struct job_request *r, struct err *err) MUST_USE;
/* Splits a line as a shell would: spaces, '...', "...", backslash; a '#' at the start of a word ends it. The words lie
 * in `line`, which is overwritten. -EINVAL: a quote that isn't closed, or more than `max` words. */
int words_split(char *line, char **words, size_t max, size_t *ret_count, struct err *err) MUST_USE;

#endif

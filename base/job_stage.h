/*
 * job_stage - what a job wants brought into its sandbox before its command starts, and brought out after it: its
 * `inputs` and `outputs`. Every path is one inside the sandbox: what leads to the node's disk is a volume, which the
 * policy let the job have.
 *
 *   inputs   from a volume, to a place that ends with the sandbox (the scratch)
 *   outputs  from anywhere, to a place in a writable volume
 *
 * In paths "{job}" and "{task}" stand for the numbers of who runs.
 * Purity: pure.
 */
#ifndef REEVE_BASE_JOB_STAGE_H
#define REEVE_BASE_JOB_STAGE_H

#include "base/fields.h"

#define JOB_STAGES_MAX 16     /* inputs, and as many outputs */
#define STAGE_PATH_MAX 511
#define STAGE_DIGEST_HEX 64
#define STAGE_DIGEST_WORD "record" /* instead of one: computed, and kept in the attempt's record */
#define STAGE_FILES_MAX 1000000u   /* of one input or output, folders included */
#define STAGE_HASHED_MAX 65536u    /* the same, of one whose digest is wanted */
#define STAGE_DEPTH_MAX 64u        /* folders in folders */

enum stage_when { STAGE_ON_SUCCESS, STAGE_ALWAYS, STAGE_WHEN_COUNT };
extern const struct names stage_when_names; /* "success", "always" */

struct job_stage {
    char *from, *to;
    char *sha256;       /* 64 digits that it must have, or STAGE_DIGEST_WORD; NULL = not looked at */
    uint64_t max_bytes; /* more is refused before a byte is copied; 0 = no limit of its own */
    uint32_t when;      /* enum stage_when; of outputs */
};
extern const struct fields job_input_fields, job_output_fields;

struct job_spec;
/* Relative paths become absolute (below cwd), an input's `to` its name there; then everything that a row can't say.
 * After volumes and cwd were completed. -EINVAL, the field's name first. Twice changes nothing. */
int job_stages_complete(struct job_spec *spec, struct err *err) MUST_USE;
/* A path with its numbers filled in. -ENAMETOOLONG. */
int stage_path_fill(const char *path, uint64_t job, uint32_t task, char out[STAGE_PATH_MAX + 1]) MUST_USE;

#endif

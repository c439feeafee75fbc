/*
 * job_retry - which failures of its own making a job wants tried again, and how long it waits before: its `retry`.
 * How often is its `retries`. What a node's fault means is not the job's to say.
 * Purity: pure.
 */
#ifndef REEVE_BASE_JOB_RETRY_H
#define REEVE_BASE_JOB_RETRY_H

#include "base/fields.h"

#define JOB_RETRY_CODES_MAX 64               /* items of a list: codes and ranges of them */
#define JOB_RETRY_PAUSE_FIRST_MS UINT64_C(1000) /* where the job says nothing; and no pause is shorter */
#define JOB_RETRY_PAUSE_LARGEST_MS UINT64_C(60000) /* where the job says nothing */
#define JOB_RETRY_PAUSE_MAX_MS UINT64_C(86400000) /* no pause is longer */

struct job_retry {
    bool present;
    struct strs on;             /* names of causes; none: those that are tried again without a word */
    struct strs exit_codes;     /* "75", "100-110": only these are tried again; none: all */
    struct strs not_exit_codes; /* or: all but these */
    uint64_t pause_ms, pause_max_ms; /* the first and the largest; 0 = default */
};
extern const struct fields job_retry_fields;

/* Codes 1 to 255; bit 0 is for whatever no process can exit with. */
struct exit_codes {
    uint64_t bits[4];
};
bool exit_codes_have(const struct exit_codes *codes, int32_t code);
/* Those that are tried again. Of what was checked. */
struct exit_codes job_retry_codes(const struct job_retry *r);
/* Bits 1 << enum end_cause: those that are tried again. Of what was checked; of NULL: without a word. */
uint32_t job_retry_causes(const struct job_retry *r);
/* Is it a failure of a job's own making, that `on` can name? */
bool job_retry_is_cause(uint32_t cause);
/* What a row can't say, and whether it makes sense with so many retries. -EINVAL, the field's name first. */
int job_retry_check(const struct job_retry *r, uint32_t retries, struct err *err) MUST_USE;

#endif

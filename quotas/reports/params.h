/*
 * params - the query part of a URL, taken apart strictly: percent-decoded, valid UTF-8, no NUL, no name twice.
 * Also where a refusal of a parameter is put together: which one, what was found, what is allowed.
 * Purity:    pure.
 * Ownership: params_fini(); {0} is empty.
 */
#ifndef REEVE_QUOTAS_REPORTS_PARAMS_H
#define REEVE_QUOTAS_REPORTS_PARAMS_H

#include "base/fields.h"

#define PARAMS_MAX 32

struct params {
    struct pair v[PARAMS_MAX];
    size_t count;
};

/* What becomes a problem+json body. */
struct problem {
    int status;
    char parameter[64]; /* "" = it is about none */
    char detail[512];
    char allowed[512];  /* "" = nothing to add */
    unsigned retry_after_s;
};

/* `query` without the "?"; NULL = none. Any failure here and below is status 400 (and -EINVAL). */
int params_parse(const char *query, struct params *ret, struct problem *problem) MUST_USE;
void params_fini(struct params *p);
const char *params_get(const struct params *p, const char *name); /* NULL = absent */
/* Refuses the first parameter that is not among `names` (NULL-terminated). */
int params_only(const struct params *p, const char *const *names, struct problem *problem) MUST_USE;

/* Fills the problem; returns -EINVAL. */
int problem_set(struct problem *p, int status, const char *parameter, const char *allowed, const char *format, ...)
    PRINTF_LIKE(5, 6);
void problem_write(const struct problem *p, struct buf *out); /* the JSON object, left open: add members, then "}" */
const char *problem_title(int status);

#endif

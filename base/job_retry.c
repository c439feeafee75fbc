#include "base/job_retry.h"

#include <errno.h>
#include <string.h>

#include "base/attempt.h"
#include "base/parse.h"

enum { CODE_MAX = 255 };

/* The failures of a job's own making. Budgets aren't among them: another attempt would be stopped as well. */
static const struct {
    uint32_t cause;
    bool by_default;
} causes[] = {
    {END_EXIT, true},   {END_SIGNAL, true},  {END_OOM, true},
    {END_INPUTS, true}, {END_OUTPUTS, true}, {END_TIME_LIMIT, false},
};
_Static_assert(END_CAUSE_COUNT <= 32, "a bit for each cause");

static const struct field retry_rows[] = {
    FIELD_ROW(job_retry, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(job_retry, 2, "on", FIELD_STRS, on, .max = COUNT_OF(causes),
              .help = "of exit, signal, out_of_memory, inputs, outputs, time_limit; default: all but the last"),
    FIELD_ROW(job_retry, 3, "exit_codes", FIELD_STRS, exit_codes, .max = JOB_RETRY_CODES_MAX,
              .help = "only these: [75, 100-110]; default: all but 0"),
    FIELD_ROW(job_retry, 4, "not_exit_codes", FIELD_STRS, not_exit_codes, .max = JOB_RETRY_CODES_MAX,
              .help = "all but these: they are final at once"),
    FIELD_ROW(job_retry, 5, "pause", FIELD_DURATION, pause_ms, .max = JOB_RETRY_PAUSE_MAX_MS,
              .help = "before the first further attempt; it doubles with each; default 1s"),
    FIELD_ROW(job_retry, 6, "pause_max", FIELD_DURATION, pause_max_ms, .max = JOB_RETRY_PAUSE_MAX_MS,
              .help = "the largest; default 1m, or pause where that is more"),
};
const struct fields job_retry_fields = FIELDS_TABLE("retry", job_retry, retry_rows);

/* ---- causes ---- */

static uint32_t bit_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (strcmp(end_causes[causes[i].cause].name, name) == 0)
            return UINT32_C(1) << causes[i].cause;
    return 0;
}

uint32_t job_retry_causes(const struct job_retry *r)
{
    uint32_t bits = 0;
    for (size_t i = 0; r != NULL && i < r->on.count; i++)
        bits |= bit_of(r->on.v[i]);
    bool named = bits != 0;
    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (!named && causes[i].by_default)
            bits |= UINT32_C(1) << causes[i].cause;
    return bits;
}

bool job_retry_is_cause(uint32_t cause)
{
    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (causes[i].cause == cause)
            return true;
    return false;
}

static int check_causes(const struct strs *on, struct err *err)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < on->count; i++) {
        uint32_t bit = bit_of(on->v[i]);
        if (bit == 0)
            return err_set(err, -EINVAL,
                           "retry.on[%zu]: '%.40s' is none of exit, signal, out_of_memory, inputs, outputs, time_limit",
                           i, on->v[i]);
        if ((seen & bit) != 0)
            return err_set(err, -EINVAL, "retry.on[%zu]: '%s' is there twice", i, on->v[i]);
        seen |= bit;
    }
    return 0;
}

/* ---- exit codes ---- */

bool exit_codes_have(const struct exit_codes *codes, int32_t code)
{
    uint32_t at = code < 0 || code > CODE_MAX ? 0 : (uint32_t)code;
    return (codes->bits[at / 64] >> (at % 64) & 1) != 0;
}

/* "75" or "100-110". */
static int read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char low[8] = "";
    const char *dash = strchr(text, '-');
    size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
    if (len >= sizeof low)
        return -EINVAL;
    memcpy(low, text, len);
    int rc = parse_u64(low, 1, CODE_MAX, first, NULL);
    *last = *first;
    if (rc == 0 && dash != NULL)
        rc = parse_u64(dash + 1, *first, CODE_MAX, last, NULL);
    return rc;
}

static int read_codes(const struct strs *texts, const char *field, struct exit_codes *ret, struct err *err)
{
    *ret = (struct exit_codes){0};
    for (size_t i = 0; i < texts->count; i++) {
        uint64_t first = 0, last = 0;
        if (read_range(texts->v[i], &first, &last) < 0)
            return err_set(err, -EINVAL,
                           "retry.%s[%zu]: '%.40s' is no exit code from 1 to 255, nor a range like 100-110", field, i,
                           texts->v[i]);
        for (uint64_t code = first; code <= last; code++) {
            if (exit_codes_have(ret, (int32_t)code))
                return err_set(err, -EINVAL, "retry.%s[%zu]: %d is there twice", field, i, (int)code);
            ret->bits[code / 64] |= UINT64_C(1) << (code % 64);
        }
    }
    return 0;
}

struct exit_codes job_retry_codes(const struct job_retry *r)
{
    struct exit_codes codes;
    bool only = r->exit_codes.count > 0;
    int rc = read_codes(only ? &r->exit_codes : &r->not_exit_codes, "", &codes, NULL);
    for (size_t i = 0; i < COUNT_OF(codes.bits); i++)
        codes.bits[i] = rc < 0 ? UINT64_MAX : only ? codes.bits[i] : ~codes.bits[i];
    return codes;
}

static int check_codes(const struct job_retry *r, struct err *err)
{
    static const struct exit_codes every = {{~UINT64_C(1), UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct exit_codes codes;
    bool only = r->exit_codes.count > 0;
    if (only && r->not_exit_codes.count > 0)
        return err_set(err, -EINVAL, "retry.not_exit_codes: there are exit_codes already; say one of them");
    const char *field = only ? "exit_codes" : "not_exit_codes";
    const struct strs *texts = only ? &r->exit_codes : &r->not_exit_codes;
    if (texts->count > 0 && (job_retry_causes(r) >> END_EXIT & 1) == 0)
        return err_set(err, -EINVAL, "retry.%s: 'exit' is not among `on`, so no exit code is tried again", field);
    int rc = read_codes(texts, field, &codes, err);
    if (rc == 0 && !only && memcmp(&codes, &every, sizeof codes) == 0)
        rc = err_set(err, -EINVAL, "retry.not_exit_codes: that is every exit code; leave 'exit' out of `on`");
    return rc;
}

/* ---- pauses ---- */

static int check_pauses(const struct job_retry *r, struct err *err)
{
    const struct {
        const char *name;
        uint64_t ms;
    } pauses[] = {{"pause", r->pause_ms}, {"pause_max", r->pause_max_ms}};
    char longest[PARSE_TEXT_MAX], first[PARSE_TEXT_MAX];
    for (size_t i = 0; i < COUNT_OF(pauses); i++)
        if (pauses[i].ms != 0 && pauses[i].ms < JOB_RETRY_PAUSE_FIRST_MS)
            return err_set(err, -EINVAL, "retry.%s: at least 1s", pauses[i].name);
    if (r->pause_max_ms != 0 && r->pause_max_ms < r->pause_ms)
        return err_set(err, -EINVAL, "retry.pause_max: %s is less than the first pause, %s",
                       format_duration(r->pause_max_ms, longest), format_duration(r->pause_ms, first));
    return 0;
}

int job_retry_check(const struct job_retry *r, uint32_t retries, struct err *err)
{
    if (!r->present)
        return 0;
    if (retries == 0)
        return err_set(err, -EINVAL, "retry: nothing is tried again without `retries`, the number of further attempts");
    int rc = check_causes(&r->on, err);
    if (rc == 0)
        rc = check_codes(r, err);
    return rc < 0 ? rc : check_pauses(r, err);
}

#include "quotas/reports/span.h"

#include <errno.h>
#include <string.h>

#include "base/io/zone.h"
#include "base/parse.h"
#include "quotas/reports/escape.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define TIMES "a date (2026-11-01), an RFC 3339 instant (2026-11-01T00:00:00Z), or milliseconds since 1970"

int span_time(const char *text, const struct zone_table *zone, int64_t *ret_utc_us)
{
    int64_t ms, utc_us;
    /* "2026" and "20261101" are dates that somebody wrote another way, not moments in 1970. */
    bool looks_like_date = strlen(text) <= 8 && strcmp(text, "0") != 0;
    if (!looks_like_date && parse_i64(text, -INT64_C(62135596800000), INT64_C(253402300799999), &ms, NULL) == 0) {
        *ret_utc_us = ms * 1000;
        return 0;
    }
    int r = parse_time(text, &utc_us, NULL);
    if (r == 0)
        *ret_utc_us =
            strchr(text, 'T') == NULL ? zone_day_begin(zone, utc_us / DAY_US - (utc_us % DAY_US < 0)) : utc_us;
    return r;
}

static int read_zone(const struct params *params, struct span *s, struct problem *problem)
{
    const char *tz = params_get(params, "tz");
    struct err err = {0};
    if (tz == NULL)
        return 0;
    int r = zone_read(tz, &s->zone, &err);
    if (r == -ENOMEM)
        return problem_set(problem, 503, NULL, NULL, "no memory");
    return r == 0 ? 0 : problem_set(problem, 400, "tz", "an IANA name, like Europe/Berlin, or UTC",
                                    "tz: '%.100s' is not a time zone that is known here", tz);
}

static int read_times(const struct params *params, struct span *s, struct problem *problem)
{
    const char *from = params_get(params, "from"), *to = params_get(params, "to");
    s->from_utc_us = INT64_MIN;
    s->to_utc_us = INT64_MAX;
    if (from != NULL && span_time(from, &s->zone, &s->from_utc_us) < 0)
        return problem_set(problem, 400, "from", TIMES, "from: '%.100s' is not a time", from);
    if (to != NULL && span_time(to, &s->zone, &s->to_utc_us) < 0)
        return problem_set(problem, 400, "to", TIMES, "to: '%.100s' is not a time", to);
    if (from != NULL && to != NULL && s->from_utc_us >= s->to_utc_us)
        return problem_set(problem, 400, "to", "an instant after from", "to: is not after from");
    s->has_from = from != NULL;
    s->has_to = to != NULL;
    return 0;
}

int span_parse(const struct params *params, struct span *ret, struct problem *problem)
{
    struct span s = {0};
    int r = read_zone(params, &s, problem);
    if (r == 0)
        r = read_times(params, &s, problem);
    if (r < 0) {
        span_fini(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void span_fini(struct span *s)
{
    fields_clear(&zone_table_fields, &s->zone);
    *s = (struct span){0};
}

const char *span_tz(const struct span *s)
{
    return s->zone.name != NULL ? s->zone.name : ZONE_UTC;
}

int64_t span_period_end(const struct span *s, uint32_t kind, int64_t utc_us)
{
    int64_t end = period_end(kind, zone_day(&s->zone, utc_us) * DAY_US);
    return end == INT64_MAX ? end : zone_day_begin(&s->zone, end / DAY_US);
}

const char *span_period_name(const struct span *s, uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX])
{
    return period_name(kind, zone_day(&s->zone, utc_us) * DAY_US, out);
}

static void write_time(struct buf *out, const char *name, bool present, int64_t utc_us)
{
    char text[PARSE_TEXT_MAX];
    if (present)
        buf_addf(out, "\"%s\":\"%s\",", name, format_time(utc_us, text));
    else
        buf_addf(out, "\"%s\":null,", name);
}

void span_json(const struct span *s, struct buf *out)
{
    write_time(out, "from", s->has_from, s->from_utc_us);
    write_time(out, "to", s->has_to, s->to_utc_us);
    buf_add_str(out, "\"tz\":");
    json_text(out, span_tz(s));
    buf_add_str(out, ",");
}

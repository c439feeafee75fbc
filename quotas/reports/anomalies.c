/*
 * GET /v1/reports/anomalies: days on which a tenant was charged unusually much or little, against its own history.
 *
 * A tenant that has been there for four weeks is held against the same weekday of up to eight weeks before, a younger
 * one against all days before, once there are seven of them. A day without charges is one of 0. Odd is what lies
 * farther from the median than `sensitivity` spreads (trend.h) and by at least `minimum`. Only days that are over.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/query.h"
#include "quotas/reports/report.h"
#include "quotas/reports/trend.h"

#define WEEKS 8
#define HISTORY_DAYS (7 * WEEKS)
#define YOUNG_DAYS 28
#define LEAST_DAYS 7
#define DEFAULT_DAYS 30
#define DAYS_MAX 1500
#define DAY_US (INT64_C(86400) * 1000000)
#define MILLION 1000000

struct anomalies {
    struct query query;
    int64_t sensitivity, minimum;    /* millionths, micro-units */
    int64_t first, end;              /* days that are judged, half-open */
    char tenant[256];                /* of the days below */
    int64_t *days;                   /* [day - (first - HISTORY_DAYS)] */
    int64_t since;                   /* the tenant's first day with a charge, or the first we look at */
    struct list rows;                /* struct odd_day */
};
struct odd_day {
    int64_t day, cost, expected, spread;
    char tenant[256];
};

static int read_decimal(const struct params *params, const char *name, int64_t max, int64_t *ret,
                        struct problem *problem)
{
    const char *text = params_get(params, name);
    int64_t value;
    if (text == NULL)
        return 0;
    if (parse_money(text, &value, NULL) < 0 || value < 0 || value > max)
        return problem_set(problem, 400, name, "a number, like 3.5", "%s: '%.100s' is no such number", name, text);
    *ret = value;
    return 0;
}

/* The days to judge: as asked for, and over. */
static int find_days(struct anomalies *a, const struct ask *ask, struct problem *problem)
{
    const struct span *span = &a->query.span;
    int64_t over = zone_day(&span->zone, ask->as_of_utc_us);
    a->end = span->has_to ? MIN(zone_day(&span->zone, span->to_utc_us - 1) + 1, over) : over;
    a->first = span->has_from ? zone_day(&span->zone, span->from_utc_us) : a->end - DEFAULT_DAYS;
    if (a->end - a->first > DAYS_MAX)
        return problem_set(problem, 400, "from", NULL, "from: more than %d days", DAYS_MAX);
    a->days = calloc((size_t)MAX(a->end - a->first, INT64_C(0)) + HISTORY_DAYS, sizeof *a->days);
    return a->days != NULL ? 0 : problem_set(problem, 503, NULL, NULL, "no memory");
}

/* What came before a day, that it can be held against; how many. */
static size_t history_of(const struct anomalies *a, int64_t day, int64_t out[HISTORY_DAYS])
{
    int64_t step = day - a->since >= YOUNG_DAYS ? 7 : 1;
    size_t count = 0;
    for (int64_t at = day - step; at >= a->since && at >= day - HISTORY_DAYS; at -= step)
        out[count++] = a->days[at - (a->first - HISTORY_DAYS)];
    return day - a->since >= LEAST_DAYS ? count : 0;
}

static int judge(struct anomalies *a, int64_t day)
{
    int64_t history[HISTORY_DAYS], cost = a->days[day - (a->first - HISTORY_DAYS)];
    size_t count = history_of(a, day, history);
    if (count == 0)
        return 0;
    struct usual usual = usual_of(history, count);
    int64_t off = cost > usual.median ? cost - usual.median : usual.median - cost;
    if (off < a->minimum || (double)off <= (double)usual.spread * (double)a->sensitivity / MILLION)
        return 0;
    struct odd_day *odd = list_add(&a->rows, sizeof *odd);
    if (odd == NULL)
        return -ENOMEM;
    *odd = (struct odd_day){day, cost, usual.median, usual.spread, ""};
    memcpy(odd->tenant, a->tenant, sizeof odd->tenant);
    return 0;
}

/* All days of the tenant are there. */
static int finish_tenant(struct anomalies *a)
{
    int r = 0;
    for (int64_t day = a->first; day < a->end && a->tenant[0] != '\0' && r == 0; day++)
        r = judge(a, day);
    memset(a->days, 0, ((size_t)MAX(a->end - a->first, INT64_C(0)) + HISTORY_DAYS) * sizeof *a->days);
    return r;
}

static int take_row(struct anomalies *a, const char *tenant, int64_t day, int64_t micros)
{
    int r = 0;
    if (strcmp(a->tenant, tenant) != 0) {
        r = finish_tenant(a);
        snprintf(a->tenant, sizeof a->tenant, "%s", tenant);
        a->since = day;
    }
    a->days[day - (a->first - HISTORY_DAYS)] = micros;
    return r;
}

static int read_days(struct anomalies *a, const struct ask *ask, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct buf sql = {0};
    struct query wide = a->query, *q = &wide; /* borrowed: with the history before */
    const struct query_source *source = query_full_hours(&q->span.zone) ? &hours_source : &cost_source;
    const char *tenant = source->tenant, *when = source->when;
    q->span.from_utc_us = zone_day_begin(&q->span.zone, a->first - HISTORY_DAYS);
    q->span.to_utc_us = zone_day_begin(&q->span.zone, a->end);
    buf_addf(&sql,
             "SELECT %s, day(%s, ?5), sum(c.micros) FROM %s WHERE %s >= ?2 AND %s < ?3 AND visible(?1, %s)"
             " AND (?4 = '/' OR %s = ?4 OR (%s > ?4 || '/' AND %s < ?4 || '0')) GROUP BY 1, 2 ORDER BY 1, 2",
             tenant, when, source->from, when, when, tenant, tenant, tenant, tenant);
    int r = sql.failed ? err_set(err, -ENOMEM, "no memory") : db_prepare(ask->db, buf_text(&sql), &s, err);
    if (r == 0 && query_bind(q, ask->viewer, s) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    while (r == 0 && (r = db_step(s, err)) == 1)
        r = take_row(a, db_text(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)) < 0
                ? err_set(err, -ENOMEM, "no memory") : 0;
    if (r == 0 && finish_tenant(a) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    buf_fini(&sql);
    return r;
}

static int by_day(const void *a, const void *b)
{
    const struct odd_day *x = a, *y = b;
    return x->day != y->day ? (x->day < y->day ? -1 : 1) : strcmp(x->tenant, y->tenant);
}

static void write_rows(struct anomalies *a, const struct ask *ask, struct buf *out)
{
    static const struct sheet_column columns[] = {{"day", CELL_TEXT}, {"tenant", CELL_TEXT}, {"direction", CELL_TEXT},
                                                  {"cost", CELL_MONEY}, {"expected", CELL_MONEY}, {"low", CELL_MONEY},
                                                  {"high", CELL_MONEY}, {"score", CELL_DECIMAL}};
    struct sheet *sheet = &a->query.sheet;
    const struct odd_day *v = a->rows.v;
    memcpy(sheet->currency, ask->currency, sizeof sheet->currency);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        sheet_column_add(sheet, columns[i].name, columns[i].kind);
    if (sheet_has_head(sheet)) {
        buf_add_str(out, "{\"schema\":\"reeve-anomalies/1\",");
        span_json(&a->query.span, out);
        ask_json(ask, out);
    }
    sheet_begin(sheet, out);
    for (size_t i = 0; i < a->rows.count; i++) {
        char day[PERIOD_NAME_MAX];
        int64_t reach = (int64_t)((double)v[i].spread * (double)a->sensitivity / MILLION);
        double score = (double)(v[i].cost - v[i].expected) / (double)v[i].spread;
        const struct cell cells[] = {cell_text(period_name(PERIOD_DAY, v[i].day * DAY_US, day)),
                                     cell_text(v[i].tenant),
                                     cell_text(v[i].cost > v[i].expected ? "up" : "down"),
                                     cell_number(v[i].cost),
                                     cell_number(v[i].expected),
                                     cell_number(MAX(v[i].expected - reach, INT64_C(0))),
                                     cell_number(v[i].expected + reach),
                                     cell_number((int64_t)(MIN(MAX(score, -1e6), 1e6) * MILLION))};
        sheet_row(sheet, cells, out);
    }
    sheet_end(sheet, out);
    buf_add_str(out, sheet_has_head(sheet) ? "}\n" : "");
}

int anomalies_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {SPAN_NAMES, SHEET_NAMES, "tenant", "sensitivity", "minimum", NULL};
    struct anomalies a = {.sensitivity = 4 * MILLION, .minimum = MILLION};
    struct err err = {0};
    (void)report;
    int r = query_parse(ask->params, names, "tenant", &a.query, problem);
    if (r == 0 && a.query.tenant != NULL)
        r = ask_tenant(ask, a.query.tenant, problem);
    if (r == 0)
        r = read_decimal(ask->params, "sensitivity", INT64_C(1000) * MILLION, &a.sensitivity, problem);
    if (r == 0)
        r = read_decimal(ask->params, "minimum", MONEY_MICROS_MAX, &a.minimum, problem);
    if (r == 0)
        r = find_days(&a, ask, problem);
    if (r == 0) {
        r = read_days(&a, ask, &err) < 0 ? ask_failed(problem, &err) : 0;
        if (r == 0) {
            if (a.rows.count > 1)
                qsort(a.rows.v, a.rows.count, sizeof(struct odd_day), by_day);
            write_rows(&a, ask, &answer->body);
            answer->content_type = sheet_type(&a.query.sheet);
        }
    }
    free(a.days);
    free(a.rows.v);
    query_fini(&a.query);
    return r;
}

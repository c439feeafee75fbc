/* GET /v1/forecast, /v1/budgets/<tenant>/forecast: what will have been spent at a period's end, and when a limit is
 * reached. */
#include "quotas/reports/forecast.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/zone.h"
#include "base/parse.h"
#include "quotas/period.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/query.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define BUDGETS_AGE_MS 1000
#define LAST_US (INT64_C(253402214400) * 1000000)

/* What each tenant was charged on each of the last days, by one zone's midnights. */
struct daily {
    char *zone;     /* NULL = UTC */
    char *resource; /* whose hours, in millionths; NULL = money */
    int64_t first;  /* day[0] */
    struct list of; /* struct tenant_days, by tenant */
};
struct tenant_days {
    char tenant[256];
    int64_t days[FORECAST_DAYS];
};

struct forecast {
    const struct ask *ask;
    struct list zones; /* struct daily */
};

static void forecast_fini(struct forecast *f)
{
    struct daily *v = f->zones.v;
    for (size_t i = 0; i < f->zones.count; i++) {
        free(v[i].zone);
        free(v[i].resource);
        free(v[i].of.v);
    }
    free(v);
}

/* ---- what was charged ------------------------------------------------------------------------------------------- */
static int take_row(struct daily *d, const char *tenant, int64_t day, int64_t micros)
{
    struct tenant_days *last = d->of.count > 0 ? &((struct tenant_days *)d->of.v)[d->of.count - 1] : NULL;
    if (last == NULL || strcmp(last->tenant, tenant) != 0) {
        last = list_add(&d->of, sizeof *last);
        if (last == NULL)
            return -ENOMEM;
        *last = (struct tenant_days){0};
        snprintf(last->tenant, sizeof last->tenant, "%s", tenant);
    }
    if (day >= d->first && day < d->first + FORECAST_DAYS)
        last->days[day - d->first] += micros;
    return 0;
}

static int read_daily(struct daily *d, const struct ask *ask, const struct zone_table *zone, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct buf sql = {0};
    int64_t today = zone_day(zone, ask->now_utc_us);
    d->first = today - FORECAST_DAYS;
    const struct query_source *source =
        d->resource == NULL && query_full_hours(zone) ? &hours_source : &cost_source;
    buf_addf(&sql, "SELECT %s, day(%s, ?3), %s FROM %s WHERE %s >= ?1 AND %s < ?2%s GROUP BY 1, 2 ORDER BY 1, 2",
             source->tenant, source->when, d->resource != NULL ? "sum(c.quantity) / 1000" : "sum(c.micros)",
             source->from, source->when, source->when, d->resource != NULL ? " AND c.resource = ?4" : "");
    int r = sql.failed ? err_set(err, -ENOMEM, "no memory") : db_prepare(ask->db, buf_text(&sql), &s, err);
    if (r == 0)
        r = db_bind(s, d->resource != NULL ? "iizt" : "iiz", zone_day_begin(zone, d->first),
                    zone_day_begin(zone, today), zone, d->resource);
    while (r == 0 && (r = db_step(s, err)) == 1)
        r = take_row(d, db_text(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)) < 0
                ? err_set(err, -ENOMEM, "no memory") : 0;
    buf_fini(&sql);
    return r;
}

/* One reading per zone and resource that budgets name. */
static int find_daily(struct forecast *f, const struct budget_rule *rule, const struct zone_table *zone,
                      const struct daily **ret, struct err *err)
{
    const struct daily *v = f->zones.v;
    for (size_t i = 0; i < f->zones.count; i++)
        if (str_same(v[i].zone, rule->zone) && str_same(v[i].resource, rule->resource)) {
            *ret = &v[i];
            return 0;
        }
    struct daily *d = list_add(&f->zones, sizeof *d);
    if (d == NULL)
        return err_set(err, -ENOMEM, "no memory");
    *d = (struct daily){0};
    *ret = d;
    if (str_set(&d->zone, rule->zone) < 0 || str_set(&d->resource, rule->resource) < 0)
        return err_set(err, -ENOMEM, "no memory");
    return read_daily(d, f->ask, zone, err);
}

/* The subtree's days, from its first one with a charge on; how many. */
static size_t sum_days(const struct daily *d, const char *tenant, int64_t out[FORECAST_DAYS])
{
    const struct tenant_days *v = d->of.v;
    int64_t days[FORECAST_DAYS] = {0};
    size_t first = FORECAST_DAYS;
    for (size_t i = 0; i < d->of.count; i++) {
        if (!tenant_path_is_below(v[i].tenant, tenant))
            continue;
        for (size_t k = 0; k < FORECAST_DAYS; k++) {
            days[k] += v[i].days[k];
            first = v[i].days[k] != 0 && k < first ? k : first;
        }
    }
    memcpy(out, days + first, (FORECAST_DAYS - first) * sizeof *out);
    return FORECAST_DAYS - first;
}

/* ---- a budget's period ------------------------------------------------------------------------------------------ */
static int read_rule(const struct ask *ask, const char *tenant, struct tenant_rule *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT rule FROM tenants WHERE path = ?1 AND removed = 0", &s, err);
    if (r == 0)
        r = db_bind(s, "t", tenant);
    if (r == 0)
        r = db_step(s, err);
    return r == 1 ? fields_decode(&tenant_rule_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
                                  ret, err)
                  : r;
}

/* "acme#gpu@2026-11" is of the further budget gpu, "acme@2026-11" of the first. Absent: an account outlives its rule.
 */
static const struct budget_rule *find_rule(const struct tenant_rule *rule, const char *account)
{
    const struct budget_rule *v = rule->budgets.v;
    const char *name = strchr(account, '#');
    size_t len = name != NULL ? strcspn(name + 1, "@") : 0;
    for (size_t i = 0; name != NULL && i < rule->budgets.count; i++)
        if (v[i].name != NULL && strlen(v[i].name) == len && strncmp(v[i].name, name + 1, len) == 0)
            return &v[i];
    return name == NULL && rule->budget.present ? &rule->budget : NULL;
}

static int64_t period_end_of(const struct budget_rule *rule, const struct zone_table *zone, int64_t now)
{
    int64_t today = zone_day(zone, now);
    if (rule->period == PERIOD_FIXED)
        return rule->to_utc_us;
    if (rule->period == PERIOD_CUSTOM && rule->every_days > 0) {
        int64_t first = zone_day(zone, rule->from_utc_us), since = MAX(today - first, INT64_C(0));
        return zone_day_begin(zone, first + (since / rule->every_days + 1) * rule->every_days);
    }
    int64_t end = period_end(rule->period, today * DAY_US);
    return end == INT64_MAX ? end : zone_day_begin(zone, end / DAY_US);
}

static void extrapolate(struct forecast_row *row, int64_t now)
{
    const struct budget_row *b = row->budget;
    double left = (double)b->limit_micros - (double)b->spent_micros;
    row->has_trend = row->trend.days > 0;
    if (row->end_utc_us != INT64_MAX && row->has_trend) {
        row->at_end = trend_in(&row->trend, (double)(row->end_utc_us - now) / (double)DAY_US);
        row->at_end.low += (double)b->spent_micros;
        row->at_end.middle += (double)b->spent_micros;
        row->at_end.high += (double)b->spent_micros;
    }
    row->runs_out = b->limit_micros < 0 ? (struct range){.low = HUGE_VAL, .middle = HUGE_VAL, .high = HUGE_VAL}
                                        : trend_until(&row->trend, left);
}

static int add_row(struct forecast *f, const struct budget_row *budget, struct list *ret, struct err *err)
{
    static const struct budget_rule none = {0};
    struct tenant_rule rule = {0};
    struct zone_table zone = {0};
    const struct daily *daily = NULL;
    int64_t days[FORECAST_DAYS];
    int r = read_rule(f->ask, budget->tenant, &rule, err);
    const struct budget_rule *of = r == 0 ? find_rule(&rule, budget->account) : NULL;
    of = of != NULL ? of : &none;
    if (r == 0 && of->zone != NULL)
        r = zone_read(of->zone, &zone, err);
    if (r == 0)
        r = find_daily(f, of, &zone, &daily, err);
    struct forecast_row *row = r == 0 ? list_add(ret, sizeof *row) : NULL;
    if (r == 0 && row == NULL)
        r = err_set(err, -ENOMEM, "no memory");
    if (r == 0) {
        *row = (struct forecast_row){.budget = budget,
                                     .end_utc_us = period_end_of(of, &zone, f->ask->now_utc_us),
                                     .trend = trend_of(days, sum_days(daily, budget->tenant, days))};
        snprintf(row->resource, sizeof row->resource, "%s", of->resource != NULL ? of->resource : "");
        extrapolate(row, f->ask->now_utc_us);
    }
    fields_clear(&tenant_rule_fields, &rule);
    fields_clear(&zone_table_fields, &zone);
    return r;
}

int forecast_rows(const struct ask *ask, const struct list *rows, struct list *ret, struct err *err)
{
    struct forecast f = {.ask = ask};
    struct list found = {0};
    const struct budget_row *v = rows->v;
    int r = 0;
    for (size_t i = 0; i < rows->count && r == 0; i++)
        if (v[i].current)
            r = add_row(&f, &v[i], &found, err);
    forecast_fini(&f);
    if (r < 0)
        free(found.v);
    else
        *ret = found;
    return r;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */
static struct cell money_cell(bool known, double micros)
{
    return (struct cell){.present = known, .number = (int64_t)MIN(MAX(micros, -9e18), 9e18)};
}

static struct cell time_cell(bool known, double days, int64_t now)
{
    double at = (double)now + days * (double)DAY_US;
    return (struct cell){.present = known && at < (double)LAST_US, .number = at < (double)LAST_US ? (int64_t)at : 0};
}

static const struct sheet_column columns[] = {
    {"tenant", CELL_TEXT},         {"period", CELL_TEXT},         {"account", CELL_TEXT},
    {"resource", CELL_TEXT},
    {"period_end", CELL_TIME},     {"limit", CELL_MONEY},         {"spent", CELL_MONEY},
    {"held", CELL_MONEY},          {"history_days", CELL_NUMBER}, {"per_day", CELL_MONEY},
    {"forecast", CELL_MONEY},      {"forecast_low", CELL_MONEY},  {"forecast_high", CELL_MONEY},
    {"over_limit", CELL_FLAG},     {"runs_out", CELL_TIME},       {"runs_out_soonest", CELL_TIME},
    {"runs_out_latest", CELL_TIME}};

static void write_row(struct sheet *sheet, const struct forecast_row *row, int64_t now, struct buf *out)
{
    const struct budget_row *b = row->budget;
    bool has_end = row->end_utc_us != INT64_MAX, limited = b->limit_micros >= 0;
    bool forecast = has_end && row->has_trend, runs = limited && (row->has_trend || b->spent_micros >= b->limit_micros);
    const struct cell cells[COUNT_OF(columns)] = {
        cell_text(b->tenant),
        cell_text(b->period),
        cell_text(b->account),
        cell_text(row->resource[0] != '\0' ? row->resource : NULL),
        {.present = has_end, .number = row->end_utc_us},
        {.present = limited, .number = b->limit_micros},
        cell_number(b->spent_micros),
        cell_number(b->held_micros),
        cell_number((int64_t)row->trend.days),
        money_cell(row->has_trend, row->trend.rate),
        money_cell(forecast, row->at_end.middle),
        money_cell(forecast && row->at_end.known, row->at_end.low),
        money_cell(forecast && row->at_end.known, row->at_end.high),
        {.present = forecast && limited, .number = row->at_end.middle > (double)b->limit_micros},
        time_cell(runs, row->runs_out.middle, now),
        time_cell(runs && row->runs_out.known, row->runs_out.low, now),
        time_cell(runs && row->runs_out.known, row->runs_out.high, now)};
    sheet_row(sheet, cells, out);
}

static void write_rows(const struct ask *ask, struct sheet *sheet, const struct list *rows, const char *tenant,
                       bool alone, struct buf *out)
{
    const struct forecast_row *v = rows->v;
    char now[PARSE_TEXT_MAX];
    memcpy(sheet->currency, ask->currency, sizeof sheet->currency);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        sheet_column_add(sheet, columns[i].name, columns[i].kind);
    if (sheet_has_head(sheet)) {
        buf_addf(out, "{\"schema\":\"reeve-forecast/1\",\"now\":\"%s\",", format_time(ask->now_utc_us, now));
        ask_json(ask, out);
    }
    sheet_begin(sheet, out);
    for (size_t i = 0; i < rows->count; i++)
        if (tenant == NULL || (alone ? strcmp(v[i].budget->tenant, tenant) == 0
                                     : tenant_path_is_below(v[i].budget->tenant, tenant)))
            write_row(sheet, &v[i], ask->now_utc_us, out);
    sheet_end(sheet, out);
    buf_add_str(out, sheet_has_head(sheet) ? "}\n" : "");
}

static int find_tenant(const struct ask *ask, const char **ret, bool *ret_alone, struct problem *problem)
{
    bool in_path = ask->path_tenant != NULL && ask->path_tenant[0] != '\0';
    const char *tenant = in_path ? ask->path_tenant : params_get(ask->params, "tenant");
    *ret_alone = in_path;
    *ret = tenant;
    if (tenant == NULL)
        return 0;
    if (in_path && strcmp(tenant, TENANT_ROOT) != 0 && parse_tenant_path(tenant, NULL) < 0)
        return problem_set(problem, 404, NULL, NULL, "there is nothing here");
    return ask_tenant(ask, tenant, problem);
}

int forecast_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {SHEET_NAMES, "tenant", NULL}, *const alone_names[] = {SHEET_NAMES, NULL};
    struct sheet sheet = {0};
    struct list budgets = {0}, rows = {0};
    struct err err = {0};
    const char *tenant;
    bool alone;
    int r = find_tenant(ask, &tenant, &alone, problem);
    if (r == 0)
        r = params_only(ask->params, alone ? alone_names : names, problem);
    if (r == 0)
        r = sheet_parse(ask->params, &sheet, problem);
    if (r < 0)
        return r;
    budgets_refresh(report, BUDGETS_AGE_MS);
    if (report->budgets.stale) {
        problem->retry_after_s = 1;
        return problem_set(problem, 503, NULL, NULL, "the store can't be read: %s", err_text(&report->budgets.why));
    }
    r = budgets_rows(report, ask, &budgets, &err);
    if (r == 0)
        r = forecast_rows(ask, &budgets, &rows, &err);
    if (r == 0) {
        write_rows(ask, &sheet, &rows, tenant, alone, &answer->body);
        answer->content_type = sheet_type(&sheet);
    }
    free(rows.v);
    budgets_rows_clear(&budgets);
    return r < 0 ? ask_failed(problem, &err) : 0;
}

/*
 * GET /v1/reports/focus                   a billing month's charges as FOCUS rows
 * GET /v1/reports/focus/billing-periods   the months: FOCUS dataset "Billing Period"
 * GET /v1/reports/focus/schema            what the columns are: FOCUS metadata
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/sha256.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/focus_rows.h"
#include "quotas/reports/schema.h"

/* Of each layout. */
static const char *const layout_dates[] = {[1] = "2026-11-26T00:00:00Z", [FOCUS_LAYOUT] = "2026-11-26T06:00:00Z"};

#define VERSIONS "1.4, 1.2"
#define FORMATS "csv, json, ndjson"
#define IDLE "hide, separate, usage, even"

/* ---- parameters ------------------------------------------------------------------------------------------------- */
static int read_version(const struct params *params, uint32_t *ret, struct problem *problem)
{
    const char *text = params_get(params, "focus_version");
    *ret = text != NULL && strcmp(text, focus_version_name(FOCUS_1_2)) == 0 ? FOCUS_1_2 : FOCUS_1_4;
    if (text != NULL && strcmp(text, focus_version_name(*ret)) != 0)
        return problem_set(problem, 400, "focus_version", VERSIONS, "focus_version: '%.100s' is none", text);
    return 0;
}

static int read_format(const struct params *params, uint32_t *ret, struct problem *problem)
{
    const char *text = params_get(params, "format");
    int found = text != NULL ? names_find(&focus_format_names, text) : FOCUS_CSV;
    if (found < 0)
        return problem_set(problem, 400, "format", FORMATS, "format: '%.100s' is none", text);
    *ret = (uint32_t)found;
    return 0;
}

static int read_month(const struct ask *ask, struct focus_month *ret, struct problem *problem)
{
    const char *name = params_get(ask->params, "billing_period");
    struct err err = {0};
    bool named = false;
    if (name != NULL && focus_month_find(ask->db, name, ret, &named, &err) < 0)
        return ask_failed(problem, &err);
    if (!named)
        return problem_set(problem, 400, "billing_period", "a month: 2026-11",
                           name != NULL ? "billing_period: '%.100s' is no month" : "billing_period: is missing%s",
                           name != NULL ? name : "");
    return 0;
}

static int read_tenant(const struct ask *ask, const char **ret, struct problem *problem)
{
    const char *tenant = params_get(ask->params, "tenant");
    if (tenant == NULL || strcmp(tenant, TENANT_ROOT) == 0)
        return 0;
    if (parse_tenant_path(tenant, NULL) < 0)
        return problem_set(problem, 400, "tenant", "a tenant's path, like acme/etl, or /",
                           "tenant: '%.100s' is not a tenant's path", tenant);
    *ret = tenant;
    return ask_tenant(ask, tenant, problem);
}

/* Idle capacity is the whole cell's, and of whom it is said only 1.4 has columns for. */
static int read_idle(const struct ask *ask, struct focus_wish *wish, struct problem *problem)
{
    const char *text = params_get(ask->params, "idle");
    int found = text != NULL ? names_find(&focus_spread_names, text) : FOCUS_IDLE_HIDDEN;
    if (found < 0)
        return problem_set(problem, 400, "idle", IDLE, "idle: '%.100s' is none", text);
    wish->idle = (uint32_t)found;
    if (wish->idle == FOCUS_IDLE_HIDDEN)
        return 0;
    if (!ask->viewer->all || wish->tenant != NULL)
        return problem_set(problem, ask->viewer->all ? 400 : 403, "idle", "hide",
                           "idle: it is the whole cell's, not that of some tenants");
    if (wish->version != FOCUS_1_4 || wish->month.layout < 2)
        return problem_set(problem, 400, "idle", "hide", "idle: %s has no columns for it",
                           wish->version != FOCUS_1_4 ? "1.2" : wish->month.month.name);
    return 0;
}

static int check_layout(const struct focus_month *m, struct problem *problem)
{
    if (m->layout <= FOCUS_LAYOUT)
        return 0;
    return problem_set(problem, 503, NULL, NULL, "%s was closed by a newer version, with columns that this one "
                                                 "doesn't know", m->month.name);
}

/* ---- Cost and Usage --------------------------------------------------------------------------------------------- */
int focus_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    (void)report;
    static const char *const names[] = {"billing_period", "focus_version", "format", "tenant", "idle", NULL};
    struct focus_wish wish = {0};
    struct err err = {0};
    int r = params_only(ask->params, names, problem);
    if (r == 0)
        r = read_month(ask, &wish.month, problem);
    if (r == 0)
        r = read_version(ask->params, &wish.version, problem);
    if (r == 0)
        r = read_format(ask->params, &wish.format, problem);
    if (r == 0)
        r = read_tenant(ask, &wish.tenant, problem);
    if (r == 0)
        r = check_layout(&wish.month, problem);
    if (r == 0)
        r = read_idle(ask, &wish, problem);
    if (r == 0 && focus_rows_new(&answer->rows, ask, &wish, &err) < 0)
        return ask_failed(problem, &err);
    answer->content_type = focus_content_type(wish.format);
    return r;
}

bool focus_is_final(const struct ask *ask, uint64_t *ret_seq)
{
    const char *name = params_get(ask->params, "billing_period");
    struct focus_month month;
    bool named = false;
    if (name == NULL || focus_month_find(ask->db, name, &month, &named, NULL) < 0 || !named || month.closed_seq == 0)
        return false;
    *ret_seq = month.closed_seq;
    return true;
}

/* ---- Billing Period --------------------------------------------------------------------------------------------- */
static const char periods_sql[] =
    "SELECT created_utc_us, to_utc_us, coalesce(closed_utc_us, created_utc_us), from_utc_us, name, closed_seq,"
    " coalesce(issuer, ?1, (SELECT " ISSUER_DEFAULT " FROM meta)) FROM billing_periods ORDER BY from_utc_us";
enum { P_CREATED, P_TO, P_UPDATED, P_FROM, P_NAME, P_SEQ, P_ISSUER };

/* Open, or past its end and still taking late usage. */
static const char *state_of(sqlite3_stmt *s, int64_t now_utc_us)
{
    if (sqlite3_column_type(s, P_SEQ) != SQLITE_NULL)
        return "closed";
    return sqlite3_column_int64(s, P_TO) <= now_utc_us ? "closing" : "open";
}

static void write_period(sqlite3_stmt *s, uint32_t format, bool first, int64_t now_utc_us, struct buf *out)
{
    static const int times[] = {P_CREATED, P_TO, P_UPDATED, P_FROM};
    const char *state = state_of(s, now_utc_us);
    const char *const texts[] = {strcmp(state, "closed") == 0 ? "Closed" : "Open", db_text(s, P_ISSUER),
                                 db_text(s, P_NAME)};
    buf_add_str(out, format == FOCUS_CSV ? "" : format == FOCUS_NDJSON ? "{" : first ? "\n{" : ",\n{");
    for (size_t i = 0; i < focus_period_columns_count; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        if (format != FOCUS_CSV)
            buf_addf(out, "\"%s\":", focus_period_columns[i].name);
        if (i < COUNT_OF(times))
            focus_instant(out, format, sqlite3_column_int64(s, times[i]));
        else if (i < COUNT_OF(times) + COUNT_OF(texts))
            focus_text(out, format, texts[i - COUNT_OF(times)]);
        else if (i + 1 == focus_period_columns_count)
            focus_text(out, format, state);
        else if (sqlite3_column_type(s, P_SEQ) != SQLITE_NULL)
            buf_add_str(out, db_text(s, P_SEQ));
        else
            focus_null(out, format);
    }
    buf_add_str(out, format == FOCUS_CSV ? "\r\n" : format == FOCUS_NDJSON ? "}\n" : "}");
}

static void periods_head(uint32_t format, struct buf *out)
{
    if (format == FOCUS_JSON)
        buf_add_str(out, "{\"schema\":\"reeve-focus-periods/1\",\"focus_version\":\"1.4\",\"rows\":[");
    for (size_t i = 0; format == FOCUS_CSV && i < focus_period_columns_count; i++)
        buf_addf(out, "%s%s", i > 0 ? "," : "", focus_period_columns[i].name);
    if (format == FOCUS_CSV)
        buf_add_str(out, "\r\n");
}

int focus_periods_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    (void)report;
    static const char *const names[] = {"format", NULL};
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct billing_rule rule = {0};
    struct err err = {0};
    uint32_t format = FOCUS_CSV;
    int r = params_only(ask->params, names, problem);
    if (r == 0)
        r = read_format(ask->params, &format, problem);
    if (r < 0)
        return r;
    r = focus_rule_read(ask->db, &rule, &err);
    if (r == 0)
        r = db_prepare(ask->db, periods_sql, &s, &err);
    if (r == 0)
        r = db_bind(s, "t", rule.issuer);
    periods_head(format, &answer->body);
    for (bool first = true; r == 0 && (r = db_step(s, &err)) == 1; first = false, r = 0)
        write_period(s, format, first, ask->now_utc_us, &answer->body);
    if (format == FOCUS_JSON)
        buf_add_str(&answer->body, "]}\n");
    answer->content_type = focus_content_type(format);
    fields_clear(&billing_rule_fields, &rule);
    return r < 0 ? ask_failed(problem, &err) : 0;
}

/* ---- metadata --------------------------------------------------------------------------------------------------- */
static void write_definition(const struct focus_column *c, bool first, struct buf *out)
{
    static const char *const types[] = {[FOCUS_STRING] = "STRING", [FOCUS_DECIMAL] = "DECIMAL",
                                        [FOCUS_TIME] = "DATETIME", [FOCUS_OBJECT] = "JSON"};
    bool integer = c->type == FOCUS_DECIMAL && c->scale == 0;
    buf_addf(out, "%s{\"ColumnName\":\"%s\",\"DataType\":\"%s\"", first ? "\n" : ",\n", c->name,
             integer ? "INTEGER" : types[c->type]);
    if (c->type == FOCUS_DECIMAL)
        buf_addf(out, ",\"NumericPrecision\":%d,\"NumberScale\":%" PRIu32, integer ? 20 : 38, c->scale);
    if (c->type == FOCUS_STRING || c->type == FOCUS_OBJECT)
        buf_addf(out, ",\"StringMaxLength\":%d,\"StringEncoding\":\"UTF-8\"",
                 c->type == FOCUS_STRING ? 1024 : 16777216);
    if (strcmp(c->name, "Tags") == 0)
        buf_add_str(out, ",\"ProviderTagPrefixes\":[]");
    buf_add_str(out, "}");
}

/* The columns' own hash in the shape of a GUID: other columns, another id. */
static void schema_id(const struct buf *definitions, uint32_t version, char out[40])
{
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    const struct sha256_part parts[] = {{definitions->data, definitions->len},
                                        {focus_version_name(version), strlen(focus_version_name(version))}};
    sha256(parts, COUNT_OF(parts), hash);
    sha256_hex(hash, hex);
    snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void write_schema(uint32_t version, uint32_t layout, bool periods, struct buf *definitions, struct buf *out)
{
    const struct focus_column *columns = periods ? focus_period_columns : focus_columns;
    size_t count = periods ? focus_period_columns_count : focus_columns_count;
    char id[40];
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (!focus_column_is_of(&columns[i], version, layout))
            continue;
        write_definition(&columns[i], first, definitions);
        first = false;
    }
    schema_id(definitions, version, id);
    buf_addf(out, "{\"DataGenerator\":{\"DataGenerator\":\"Reeve\"},\"Dataset\":\"%s\",\"SchemaId\":\"%s\","
                  "\"CreationDate\":\"%s\",\"FocusVersion\":\"%s\",\"DataGeneratorVersion\":\"%d\","
                  "\"ColumnDefinition\":[", periods ? "BillingPeriod" : "CostAndUsage", id,
             layout_dates[layout], focus_version_name(version), (int)layout);
    buf_add(out, definitions->data, definitions->len);
    buf_add_str(out, "]}\n");
}

int focus_schema_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    (void)report;
    static const char *const names[] = {"billing_period", "focus_version", "dataset", NULL};
    static const char cost[] = "cost-and-usage", periods[] = "billing-period";
    const char *dataset = params_get(ask->params, "dataset");
    CLEANUP(buf_fini) struct buf definitions = {0};
    struct focus_month month = {.layout = FOCUS_LAYOUT};
    uint32_t version = FOCUS_1_4;
    int r = params_only(ask->params, names, problem);
    if (r == 0 && params_get(ask->params, "billing_period") != NULL)
        r = read_month(ask, &month, problem);
    if (r == 0)
        r = check_layout(&month, problem);
    if (r == 0)
        r = read_version(ask->params, &version, problem);
    if (r < 0)
        return r;
    bool of_periods = dataset != NULL && strcmp(dataset, periods) == 0;
    if (dataset != NULL && !of_periods && strcmp(dataset, cost) != 0)
        return problem_set(problem, 400, "dataset", "cost-and-usage, billing-period", "dataset: '%.100s' is none",
                           dataset);
    if (of_periods && version != FOCUS_1_4)
        return problem_set(problem, 400, "focus_version", "1.4", "focus_version: 1.2 has no dataset of periods");
    write_schema(version, month.layout, of_periods, &definitions, &answer->body);
    return 0;
}

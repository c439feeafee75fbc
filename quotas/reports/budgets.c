/* GET /v1/budgets: money by account as the store has it now, the last reading when it is away. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/parse.h"
#include "base/policy.h"
#include "quotas/ledger_names.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/report.h"

#define FRESH_MS 100

static int by_name(const void *a, const void *b)
{
    const struct store_account *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void budgets_refresh(struct report *report, uint64_t max_age_ms)
{
    struct budgets *b = &report->budgets;
    struct store_sync *sync;
    struct list accounts = {0};
    struct err err = {0};
    if (!b->stale && b->at_boot_us != 0 && clock_boot_us() - b->at_boot_us <= max_age_ms * 1000)
        return;
    int r = link_get(report->link, &sync, &err);
    if (r == 0) {
        r = store_accounts(sync, &accounts, &err);
        if (r < 0)
            link_broke(report->link, &err);
    }
    b->stale = r < 0;
    b->why = err;
    if (r < 0)
        return;
    store_accounts_clear(&b->accounts);
    b->accounts = accounts;
    if (accounts.count > 1)
        qsort(accounts.v, accounts.count, sizeof(struct store_account), by_name);
    b->at_utc_us = clock_utc_us();
    b->at_boot_us = clock_boot_us();
}

void budgets_rows_clear(struct list *rows)
{
    struct budget_row *v = rows->v;
    for (size_t i = 0; i < rows->count; i++) {
        free(v[i].tenant);
        free(v[i].budget);
        free(v[i].resource);
        free(v[i].account);
        free(v[i].period);
    }
    free(v);
    *rows = (struct list){0};
}

static int row_by_account(const void *account, const void *row)
{
    return strcmp(account, ((const struct budget_row *)row)->account);
}

/* Accounts of tenants are named tenant@period; those of jobs ("job:812") are not budgets of anybody. */
static int add_row(struct list *rows, const char *account, const struct store_account *money)
{
    char tenant[LEDGER_TENANT_MAX], budget[LEDGER_BUDGET_MAX];
    if (ledger_account_tenant(account, tenant) == NULL)
        return 0;
    struct budget_row *row = list_add(rows, sizeof *row);
    if (row == NULL)
        return -ENOMEM;
    *row = (struct budget_row){.limit_micros = money->limit_micros, .spent_micros = money->spent_micros,
                               .held_micros = money->held_micros};
    bool full = str_set(&row->tenant, tenant) < 0 || str_set(&row->account, account) < 0 ||
                str_set(&row->budget, ledger_account_budget(account, budget)) < 0 ||
                str_set(&row->resource, money->resource) < 0 ||
                str_set(&row->period, ledger_account_period(account)) < 0;
    return full ? -ENOMEM : 0;
}

static int add_accounts(const struct report *report, const struct ask *ask, struct list *rows, struct err *err)
{
    const struct store_account *v = report->budgets.accounts.v;
    for (size_t i = 0; i < report->budgets.accounts.count; i++) {
        char tenant[LEDGER_TENANT_MAX];
        if (ledger_account_tenant(v[i].name, tenant) != NULL && viewer_sees(ask->viewer, tenant) &&
            add_row(rows, v[i].name, &v[i]) < 0)
            return err_set(err, -ENOMEM, "no memory");
    }
    return 0;
}

/* ---- zones, as policies named them ---- */
static void zones_clear(struct list *zones)
{
    for (size_t i = 0; i < zones->count; i++)
        fields_clear(&zone_table_fields, &((struct zone_table *)zones->v)[i]);
    free(zones->v);
    *zones = (struct list){0};
}

/* NULL: UTC. */
static const struct zone_table *zone_in(const struct list *zones, const char *name)
{
    const struct zone_table *v = zones->v;
    for (size_t i = 0; name != NULL && i < zones->count; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    return NULL;
}

static int read_zones(sqlite3 *db, struct list *zones, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT shifts FROM zones", &s, err);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        struct zone_table *z = list_add(zones, sizeof *z);
        r = z == NULL ? err_set(err, -ENOMEM, "no memory")
                      : fields_decode(&zone_table_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
                                      z, err);
    }
    return r;
}

/* ---- rows that rules make ---- */
/* Marks the account of the period we are in. A budget on which nothing was ever held has no account in the store: its
 * rule says the limit. The first `sorted` rows are those of the store, by account. */
static int add_budget(const struct ask *ask, const struct tenant_rule *rule, const struct budget_rule *b,
                      const struct list *zones, size_t sorted, struct list *rows)
{
    char account[LEDGER_ACCOUNT_MAX];
    struct period period;
    period_of(b, zone_in(zones, b->zone), ask->now_utc_us, &period);
    if (ledger_budget_account(rule->path, b->name, period.name, account) == NULL)
        return 0;
    struct store_account none = {.limit_micros = b->soft ? -1 : b->limit_micros, .resource = b->resource};
    struct budget_row *row = sorted > 0 ? bsearch(account, rows->v, sorted, sizeof *row, row_by_account) : NULL;
    if (row == NULL) {
        if (add_row(rows, account, &none) < 0)
            return -ENOMEM;
        row = &((struct budget_row *)rows->v)[rows->count - 1];
    }
    row->soft = b->soft;
    row->current = true;
    return 0;
}

static int add_rule(const struct ask *ask, const struct tenant_rule *rule, const struct list *zones, size_t sorted,
                    struct list *rows)
{
    int r = 0;
    size_t at = 0;
    for (const struct budget_rule *b; r == 0 && (b = ledger_rule_budget(rule, &at)) != NULL;)
        r = viewer_sees(ask->viewer, rule->path) ? add_budget(ask, rule, b, zones, sorted, rows) : 0;
    return r;
}

static int add_rules(const struct ask *ask, struct list *rows, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    CLEANUP(zones_clear) struct list zones = {0};
    size_t sorted = rows->count;
    int r = read_zones(ask->db, &zones, err);
    if (r == 0)
        r = db_prepare(ask->db, "SELECT rule FROM tenants WHERE removed = 0", &s, err);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        struct tenant_rule rule = {0};
        r = fields_decode(&tenant_rule_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), &rule,
                          err);
        if (r == 0 && add_rule(ask, &rule, &zones, sorted, rows) < 0)
            r = err_set(err, -ENOMEM, "no memory");
        fields_clear(&tenant_rule_fields, &rule);
    }
    return r;
}

static int by_tenant(const void *a, const void *b)
{
    const struct budget_row *x = a, *y = b;
    int order = strcmp(x->tenant, y->tenant);
    return order != 0 ? order : strcmp(x->period, y->period);
}

int budgets_rows(const struct report *report, const struct ask *ask, struct list *ret, struct err *err)
{
    struct list rows = {0};
    int r = add_accounts(report, ask, &rows, err);
    if (r == 0)
        r = add_rules(ask, &rows, err);
    if (r < 0) {
        budgets_rows_clear(&rows);
        return r;
    }
    if (rows.count > 1)
        qsort(rows.v, rows.count, sizeof(struct budget_row), by_tenant);
    struct budget_row *v = rows.v;
    for (size_t i = 0; i < rows.count; i++)
        v[i].current = v[i].current || strcmp(v[i].account, "/@total") == 0; /* always there, rule or not */
    *ret = rows;
    return 0;
}

/* ---- as JSON and CSV ------------------------------------------------------------------------------------------ */
static void json_budget(struct buf *out, const struct budget_row *row, bool first)
{
    bool limited = row->limit_micros >= 0;
    buf_add_str(out, first ? "\n{\"tenant\":" : ",\n{\"tenant\":");
    json_text(out, row->tenant);
    buf_add_str(out, ",\"budget\":");
    json_text(out, row->budget);
    buf_add_str(out, ",\"resource\":");
    json_text(out, row->resource);
    buf_addf(out, ",\"soft\":%s,\"period\":", row->soft ? "true" : "false");
    json_text(out, row->period);
    buf_add_str(out, ",\"account\":");
    json_text(out, row->account);
    buf_addf(out, ",\"current\":%s", row->current ? "true" : "false");
    json_money(out, "limit", limited, row->limit_micros);
    json_money(out, "spent", true, row->spent_micros);
    json_money(out, "held", true, row->held_micros);
    json_money(out, "free", limited, row->limit_micros - row->spent_micros - row->held_micros);
    buf_add_str(out, "}");
}

/* The members after the opening brace; a problem has some of its own before. */
static void json_budgets(struct buf *out, const struct report *report, const struct ask *ask, const struct list *rows,
                         const char *tenant)
{
    char text[PARSE_TEXT_MAX];
    bool first = true;
    buf_addf(out, "\"schema\":\"reeve-budgets/1\",\"as_of_time\":%s%s%s,\"stale\":%s,\"currency\":",
             report->budgets.at_utc_us != 0 ? "\"" : "",
             report->budgets.at_utc_us != 0 ? format_time(report->budgets.at_utc_us, text) : "null",
             report->budgets.at_utc_us != 0 ? "\"" : "", report->budgets.stale ? "true" : "false");
    json_text(out, ask->currency);
    buf_add_str(out, ",\"budgets\":[");
    const struct budget_row *v = rows->v;
    for (size_t i = 0; i < rows->count; i++)
        if (tenant == NULL || tenant_path_is_below(v[i].tenant, tenant)) {
            json_budget(out, &v[i], first);
            first = false;
        }
    buf_add_str(out, "]}\n");
}

static void csv_money(struct buf *out, bool present, int64_t micros)
{
    buf_add_str(out, ",");
    if (present)
        money_text(out, micros);
    buf_add_str(out, ",");
    if (present)
        buf_addf(out, "%" PRId64, micros);
}

static void csv_budgets(struct buf *out, const struct ask *ask, const struct list *rows, const char *tenant)
{
    buf_add_str(out, "tenant,period,account,current,limit,limit_micros,spent,spent_micros,held,held_micros,free,"
                     "free_micros,currency,budget,resource,soft\r\n");
    const struct budget_row *v = rows->v;
    for (size_t i = 0; i < rows->count; i++) {
        bool limited = v[i].limit_micros >= 0;
        if (tenant != NULL && !tenant_path_is_below(v[i].tenant, tenant))
            continue;
        csv_text(out, v[i].tenant);
        buf_addf(out, ",%s,", v[i].period);
        csv_text(out, v[i].account);
        buf_addf(out, ",%s", v[i].current ? "true" : "false");
        csv_money(out, limited, v[i].limit_micros);
        csv_money(out, true, v[i].spent_micros);
        csv_money(out, true, v[i].held_micros);
        csv_money(out, limited, v[i].limit_micros - v[i].spent_micros - v[i].held_micros);
        buf_addf(out, ",%s,", ask->currency);
        csv_text(out, v[i].budget != NULL ? v[i].budget : "");
        buf_add_str(out, ",");
        csv_text(out, v[i].resource != NULL ? v[i].resource : "");
        buf_addf(out, ",%s\r\n", v[i].soft ? "true" : "false");
    }
}

static void write_stale(struct answer *answer, const struct report *report)
{
    struct problem stale = {.retry_after_s = 1};
    problem_set(&stale, 503, NULL, NULL, "the store can't be read, these are the last figures known: %s",
                err_text(&report->budgets.why));
    answer->status = 503;
    answer->content_type = "application/problem+json";
    problem_write(&stale, &answer->body);
    buf_add_str(&answer->body, ",");
}

int budgets_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {"tenant", "format", NULL};
    const char *tenant = params_get(ask->params, "tenant"), *format = params_get(ask->params, "format");
    struct list rows = {0};
    struct err err = {0};
    int r = params_only(ask->params, names, problem);
    if (r == 0 && format != NULL && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        r = problem_set(problem, 400, "format", "json, csv", "format: '%.100s' is none", format);
    if (r == 0 && tenant != NULL)
        r = ask_tenant(ask, tenant, problem);
    if (r < 0)
        return r;
    budgets_refresh(report, FRESH_MS);
    if (budgets_rows(report, ask, &rows, &err) < 0)
        return ask_failed(problem, &err);
    if (report->budgets.stale)
        write_stale(answer, report);
    else if (format != NULL && strcmp(format, "csv") == 0)
        answer->content_type = "text/csv; charset=utf-8; header=present";
    else
        buf_add_str(&answer->body, "{");
    if (answer->content_type != NULL && !report->budgets.stale)
        csv_budgets(&answer->body, ask, &rows, tenant);
    else
        json_budgets(&answer->body, report, ask, &rows, tenant);
    budgets_rows_clear(&rows);
    return 0;
}

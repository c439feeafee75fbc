/*
 * GET /v1/reports/idle: capacity, what was held of it, and the rest, by class of node and resource.
 * GET /v1/reports/allocation: all that the cell costs, down to tenants: their own charges, the idle rest, and the
 * charges of tenants that work for all.
 *
 *   idle   = separate (a row of its own) | usage | even        shared = <tenant>, with its subtree
 *   share  = separate | usage | even: how what is shared is spread
 *
 * usage: in proportion to own charges of that period, even: to each tenant that has any. Parts are cut by largest
 * remainder: they add up to the whole, to the micro-unit. Where nobody has charges, the rest stays a row of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/money.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/idle.h"
#include "quotas/reports/query.h"
#include "quotas/reports/split.h"

enum spread { SPREAD_SEPARATE, SPREAD_USAGE, SPREAD_EVEN, SPREAD_COUNT };
static const char *const spread_names[SPREAD_COUNT] = {"separate", "usage", "even"};

struct allocation_row {
    char period[PERIOD_NAME_MAX], tenant[256]; /* tenant "" = nobody's: idle */
    int64_t own, idle, shared;
    bool is_shared;
};

struct allocation {
    struct query query;
    uint32_t kind;        /* of period, or IDLE_NO_PERIOD */
    uint32_t idle, share; /* enum spread */
    const char *shared;   /* NULL = nobody works for all */
    struct list rows;     /* struct allocation_row, by period then tenant */
};

static uint32_t kind_of(const struct query *q)
{
    return q->by[BY_DAY] ? PERIOD_DAY : q->by[BY_WEEK] ? PERIOD_WEEK : q->by[BY_MONTH] ? PERIOD_MONTH : IDLE_NO_PERIOD;
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */
static int read_spread(const struct params *params, const char *name, uint32_t *ret, struct problem *problem)
{
    const char *text = params_get(params, name);
    for (uint32_t i = 0; text != NULL && i < SPREAD_COUNT; i++)
        if (strcmp(text, spread_names[i]) == 0) {
            *ret = i;
            return 0;
        }
    return text == NULL ? 0
                        : problem_set(problem, 400, name, "separate, usage, even", "%s: '%.100s' is none", name, text);
}

static int parse(const struct ask *ask, struct allocation *a, struct problem *problem)
{
    static const char *const names[] = {SPAN_NAMES, SHEET_NAMES, "granularity", "idle", "shared", "share", NULL};
    int r = query_parse(ask->params, names, "tenant", &a->query, problem);
    if (r == 0)
        r = read_spread(ask->params, "idle", &a->idle, problem);
    if (r == 0)
        r = read_spread(ask->params, "share", &a->share, problem);
    a->shared = params_get(ask->params, "shared");
    if (r == 0 && a->shared != NULL)
        r = parse_tenant_path(a->shared, NULL) < 0
                ? problem_set(problem, 400, "shared", "a tenant's path, like platform",
                              "shared: '%.100s' is not a tenant's path", a->shared)
                : ask_tenant(ask, a->shared, problem);
    if (r < 0 && problem->status == 404)
        snprintf(problem->parameter, sizeof problem->parameter, "shared");
    a->kind = kind_of(&a->query);
    return r;
}

static int failed(struct problem *problem, const struct err *err)
{
    if (err->code == -E2BIG)
        return problem_set(problem, 400, "granularity", "a shorter span, or longer periods", "%s", err_text(err));
    return ask_failed(problem, err);
}

/* ---- idle ------------------------------------------------------------------------------------------------------- */
static void head(const char *schema, const struct query *q, const struct ask *ask, struct sheet *sheet, struct buf *out)
{
    memcpy(sheet->currency, ask->currency, sizeof sheet->currency);
    if (sheet_has_head(sheet)) {
        buf_addf(out, "{\"schema\":\"%s\",", schema);
        span_json(&q->span, out);
        ask_json(ask, out);
    }
    sheet_begin(sheet, out);
}

static void tail(const struct sheet *sheet, int64_t total, struct buf *out)
{
    sheet_end(sheet, out);
    if (!sheet_has_head(sheet))
        return;
    buf_add_str(out, ",\"total\":\"");
    money_text(out, total);
    buf_addf(out, "\",\"total_micros\":%lld}\n", (long long)total);
}

static void write_idle(const struct query *q, const struct ask *ask, const struct list *rows, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"class", CELL_TEXT}, {"resource", CELL_TEXT}, {"capacity_hours", CELL_DECIMAL},
        {"allocated_hours", CELL_DECIMAL}, {"idle_hours", CELL_DECIMAL}, {"used_ratio", CELL_DECIMAL},
        {"capacity_cost", CELL_MONEY}, {"idle_cost", CELL_MONEY}};
    const struct idle_row *v = rows->v;
    struct sheet sheet = q->sheet;
    bool periods = kind_of(q) != IDLE_NO_PERIOD;
    int64_t total = 0;
    if (periods)
        sheet_column_add(&sheet, q->by[BY_DAY] ? "day" : q->by[BY_WEEK] ? "week" : "month", CELL_TEXT);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        sheet_column_add(&sheet, columns[i].name, columns[i].kind);
    head("reeve-idle/1", q, ask, &sheet, out);
    for (size_t i = 0; i < rows->count; i++) {
        int64_t used = v[i].capacity - v[i].idle;
        struct cell cells[] = {cell_text(v[i].period),
                               cell_text(v[i].class[0] != '\0' ? v[i].class : NULL),
                               cell_text(v[i].resource),
                               cell_number(v[i].capacity),
                               cell_number(v[i].allocated),
                               cell_number(v[i].idle),
                               cell_number(v[i].capacity > 0 ? money_round((money_wide)(uint64_t)used * 1000000,
                                                                           (uint64_t)v[i].capacity) : 0),
                               cell_number(v[i].capacity_micros),
                               cell_number(v[i].idle_micros)};
        sheet_row(&sheet, periods ? cells : cells + 1, out);
        total += v[i].idle_micros;
    }
    tail(&sheet, total, out);
}

int idle_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {SPAN_NAMES, SHEET_NAMES, "granularity", NULL};
    struct query q = {0};
    struct list rows = {0};
    struct err err = {0};
    (void)report;
    if (query_parse(ask->params, names, "tenant", &q, problem) < 0)
        return -EINVAL;
    int r = idle_read(ask, &q.span, kind_of(&q), &rows, &err);
    if (r == 0) {
        write_idle(&q, ask, &rows, &answer->body);
        answer->content_type = sheet_type(&q.sheet);
    }
    free(rows.v);
    query_fini(&q);
    return r < 0 ? failed(problem, &err) : 0;
}

/* ---- allocation ------------------------------------------------------------------------------------------------- */
static struct allocation_row *add_row(struct allocation *a, const char *period, const char *tenant)
{
    struct allocation_row *row = list_add(&a->rows, sizeof *row);
    if (row == NULL)
        return NULL;
    *row = (struct allocation_row){0};
    snprintf(row->period, sizeof row->period, "%s", period);
    snprintf(row->tenant, sizeof row->tenant, "%s", tenant);
    return row;
}

static int read_charges(struct allocation *a, const struct ask *ask, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct buf sql = {0};
    bool periods = a->kind != IDLE_NO_PERIOD;
    query_sql(&a->query, query_cost_source(&a->query), &sql);
    int r = sql.failed ? err_set(err, -ENOMEM, "no memory") : db_prepare(ask->db, buf_text(&sql), &s, err);
    if (r == 0)
        r = query_bind(&a->query, ask->viewer, s) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    while (r == 0 && (r = db_step(s, err)) == 1) {
        char period[PERIOD_NAME_MAX] = "";
        if (periods)
            snprintf(period, sizeof period, "%s", db_text(s, 0));
        struct allocation_row *row = add_row(a, period, db_text(s, periods));
        r = row == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
        if (row == NULL)
            break;
        row->own = sqlite3_column_int64(s, periods + 1);
        row->is_shared = a->shared != NULL && tenant_path_is_below(row->tenant, a->shared);
    }
    buf_fini(&sql);
    return r;
}

/* A row without a tenant for the idle cost of each period. */
static int read_idle(struct allocation *a, const struct ask *ask, struct err *err)
{
    struct list idle = {0};
    int r = idle_read(ask, &a->query.span, a->kind, &idle, err);
    const struct idle_row *v = idle.v;
    struct allocation_row *row = NULL;
    for (size_t i = 0; i < idle.count && r == 0; i++) {
        if (row == NULL || strcmp(row->period, v[i].period) != 0)
            row = add_row(a, v[i].period, "");
        if (row == NULL)
            r = err_set(err, -ENOMEM, "no memory");
        else if (!money_add(row->idle, v[i].idle_micros, &row->idle))
            r = err_set(err, -EOVERFLOW, "idle cost is beyond all bounds");
    }
    free(idle.v);
    return r;
}

static int by_period(const void *a, const void *b)
{
    const struct allocation_row *x = a, *y = b;
    int order = strcmp(x->period, y->period);
    return order != 0 ? order : strcmp(x->tenant, y->tenant);
}

/* Spreads `amount` over the rows of one period that are somebody's own; false: there is nobody. */
static bool spread(struct allocation_row *rows, size_t count, uint32_t how, int64_t amount, size_t member,
                   struct split *split)
{
    size_t takers = 0;
    for (size_t i = 0; i < count; i++) {
        bool takes = rows[i].tenant[0] != '\0' && !rows[i].is_shared && rows[i].own > 0;
        split[i] = (struct split){.weight = !takes ? 0 : how == SPREAD_EVEN ? 1 : (uint64_t)rows[i].own};
        takers += takes;
    }
    if (takers == 0)
        return false;
    split_amount(split, count, amount);
    for (size_t i = 0; i < count; i++)
        *(int64_t *)(void *)((char *)&rows[i] + member) += split[i].part;
    return true;
}

/* The rows of one period. What has been spread leaves its row. */
static void spread_period(const struct allocation *a, struct allocation_row *rows, size_t count, struct split *split)
{
    int64_t idle = 0, shared = 0;
    for (size_t i = 0; i < count; i++) {
        idle += rows[i].tenant[0] == '\0' ? rows[i].idle : 0;
        shared += rows[i].is_shared ? rows[i].own : 0;
    }
    if (a->idle != SPREAD_SEPARATE &&
        spread(rows, count, a->idle, idle, offsetof(struct allocation_row, idle), split))
        for (size_t i = 0; i < count; i++)
            rows[i].idle = rows[i].tenant[0] == '\0' ? 0 : rows[i].idle;
    if (a->share != SPREAD_SEPARATE &&
        spread(rows, count, a->share, shared, offsetof(struct allocation_row, shared), split))
        for (size_t i = 0; i < count; i++)
            rows[i].own = rows[i].is_shared ? 0 : rows[i].own;
}

static int spread_all(struct allocation *a, struct err *err)
{
    struct allocation_row *v = a->rows.v;
    CLEANUP(free_p) struct split *split = calloc(a->rows.count + 1, sizeof *split);
    if (split == NULL)
        return err_set(err, -ENOMEM, "no memory");
    if (a->rows.count > 1)
        qsort(v, a->rows.count, sizeof *v, by_period);
    for (size_t first = 0, end; first < a->rows.count; first = end) {
        for (end = first + 1; end < a->rows.count && strcmp(v[first].period, v[end].period) == 0;)
            end++;
        spread_period(a, v + first, end - first, split);
    }
    return 0;
}

static void write_allocation(const struct allocation *a, const struct ask *ask, struct buf *out)
{
    static const struct sheet_column columns[] = {{"own_cost", CELL_MONEY}, {"idle_cost", CELL_MONEY},
                                                  {"shared_cost", CELL_MONEY}, {"cost", CELL_MONEY}};
    const struct allocation_row *v = a->rows.v;
    struct sheet sheet = a->query.sheet;
    bool periods = a->kind != IDLE_NO_PERIOD;
    int64_t total = 0;
    query_columns_add(&a->query, &sheet);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        sheet_column_add(&sheet, columns[i].name, columns[i].kind);
    head("reeve-allocation/1", &a->query, ask, &sheet, out);
    for (size_t i = 0; i < a->rows.count; i++) {
        int64_t all = v[i].own + v[i].idle + v[i].shared;
        struct cell cells[] = {cell_text(v[i].period), cell_text(v[i].tenant[0] != '\0' ? v[i].tenant : NULL),
                               cell_number(v[i].own), cell_number(v[i].idle), cell_number(v[i].shared),
                               cell_number(all)};
        if (all == 0 && v[i].own == 0) /* it has been spread */
            continue;
        sheet_row(&sheet, periods ? cells : cells + 1, out);
        total += all;
    }
    tail(&sheet, total, out);
}

int allocation_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    struct allocation a = {.share = SPREAD_USAGE};
    struct err err = {0};
    (void)report;
    int r = parse(ask, &a, problem);
    if (r == 0) {
        r = read_charges(&a, ask, &err);
        if (r == 0)
            r = read_idle(&a, ask, &err);
        if (r == 0)
            r = spread_all(&a, &err);
        if (r == 0) {
            write_allocation(&a, ask, &answer->body);
            answer->content_type = sheet_type(&a.query.sheet);
        } else {
            r = failed(problem, &err);
        }
    }
    free(a.rows.v);
    query_fini(&a.query);
    return r;
}

#include "quotas/reports/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/policy.h"
#include "quotas/reports/db.h"
#include "quotas/reports/page_token.h"

const struct query_column query_columns[QUERY_DIMENSION_COUNT] = {
    [BY_DAY] = {"day", NULL, false},
    [BY_WEEK] = {"week", NULL, false},
    [BY_MONTH] = {"month", NULL, false},
    [BY_TENANT] = {"tenant", NULL, false},
    [BY_USER] = {"user", NULL, false},
    [BY_RESOURCE] = {"resource", "c.resource", false},
    [BY_JOB] = {"job", "c.job", true},
    [BY_NAME] = {"name", "j.name", false},
};

#define LABEL_PREFIX "label."
#define FIRST_LABEL 7 /* its parameter */
#define QUERY_LIMIT_MAX 10000
#define GROUPS "tenant, user, resource, job, name, day, week, month, label.<key>"

static int add_label(struct query *q, const char *name, struct problem *problem)
{
    if (name[strlen(LABEL_PREFIX)] == '\0')
        return problem_set(problem, 400, "group_by", GROUPS, "group_by: label. needs the label's key");
    if (q->labels_count == QUERY_LABELS_MAX)
        return problem_set(problem, 400, "group_by", GROUPS, "group_by: more than %d labels", QUERY_LABELS_MAX);
    for (size_t i = 0; i < q->labels_count; i++)
        if (strcmp(q->labels[i], name) == 0)
            return problem_set(problem, 400, "group_by", GROUPS, "group_by: '%.100s' is there twice", name);
    if (str_set(&q->labels[q->labels_count], name) < 0)
        return problem_set(problem, 503, NULL, NULL, "no memory");
    q->labels_count++;
    return 0;
}

static int find_dimension(const char *name)
{
    for (int i = 0; i < QUERY_DIMENSION_COUNT; i++)
        if (strcmp(query_columns[i].name, name) == 0)
            return i;
    return -1;
}

static int add_group(struct query *q, const char *name, struct problem *problem)
{
    if (strncmp(name, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0)
        return add_label(q, name, problem);
    int found = find_dimension(name);
    if (found < 0)
        return problem_set(problem, 400, "group_by", GROUPS, "group_by: '%.100s' is nothing to group by", name);
    if (q->by[found])
        return problem_set(problem, 400, "group_by", GROUPS, "group_by: '%s' is there twice", name);
    q->by[found] = true;
    return 0;
}

static int read_groups(const char *at, struct query *q, struct problem *problem)
{
    for (bool more = true; more;) {
        char name[512];
        size_t len = strcspn(at, ",");
        if (len == 0 || len >= sizeof name)
            return problem_set(problem, 400, "group_by", GROUPS, "group_by: a name is empty or too long");
        memcpy(name, at, len);
        name[len] = '\0';
        int r = add_group(q, name, problem);
        if (r < 0)
            return r;
        more = at[len] == ',';
        at += len + more;
    }
    return 0;
}

static int read_granularity(const struct params *params, struct query *q, struct problem *problem)
{
    const char *text = params_get(params, "granularity");
    int found = text != NULL ? find_dimension(text) : -1;
    if (text != NULL && (found < 0 || found > BY_MONTH))
        return problem_set(problem, 400, "granularity", "day, week, month", "granularity: '%.100s' is none", text);
    if (found >= 0)
        q->by[found] = true;
    if (q->by[BY_DAY] + q->by[BY_WEEK] + q->by[BY_MONTH] > 1)
        return problem_set(problem, 400, text != NULL ? "granularity" : "group_by", "one of day, week, month",
                           "more than one kind of period");
    return 0;
}

static int read_tenant(const struct params *params, struct query *q, struct problem *problem)
{
    const char *tenant = params_get(params, "tenant");
    if (tenant == NULL)
        return 0;
    if (strcmp(tenant, TENANT_ROOT) != 0 && parse_tenant_path(tenant, NULL) < 0)
        return problem_set(problem, 400, "tenant", "a tenant's path, like acme/etl, or /",
                           "tenant: '%.100s' is not a tenant's path", tenant);
    return str_set(&q->tenant, tenant) < 0 ? problem_set(problem, 503, NULL, NULL, "no memory") : 0;
}

static int read_number(const struct params *params, const char *name, uint64_t max, uint64_t *ret,
                       struct problem *problem)
{
    const char *text = params_get(params, name);
    char allowed[64];
    if (text == NULL || parse_u64(text, 1, max, ret, NULL) == 0)
        return 0;
    snprintf(allowed, sizeof allowed, "1 to %llu", (unsigned long long)max);
    return problem_set(problem, 400, name, allowed, "%s: '%.100s' is no such number", name, text);
}

static int read_rest(const struct params *params, struct query *q, struct problem *problem)
{
    int r = read_tenant(params, q, problem);
    if (r == 0)
        r = sheet_parse(params, &q->sheet, problem);
    if (r == 0)
        r = read_number(params, "as_of", INT64_MAX, &q->as_of, problem);
    if (r == 0)
        r = read_number(params, "limit", QUERY_LIMIT_MAX, &q->limit, problem);
    if (r == 0)
        r = read_number(params, "page_size", PAGE_ROWS_MAX, &q->page_size, problem);
    q->page_token = params_get(params, "page_token");
    if (r == 0 && q->page_size == 0 && q->sheet.excel)
        q->page_size = SHEET_EXCEL_ROWS;
    if (r == 0 && q->page_token != NULL && q->page_size == 0)
        r = problem_set(problem, 400, "page_token", "with the page_size of the first page",
                        "page_token: without a page_size");
    return r;
}

int query_parse(const struct params *params, const char *const *names, const char *group_by, struct query *ret,
                struct problem *problem)
{
    struct query q = {0};
    const char *groups = params_get(params, "group_by");
    int r = params_only(params, names, problem);
    if (r == 0)
        r = span_parse(params, &q.span, problem);
    if (r == 0)
        r = read_groups(groups != NULL ? groups : group_by, &q, problem);
    if (r == 0)
        r = read_granularity(params, &q, problem);
    if (r == 0)
        r = read_rest(params, &q, problem);
    if (r < 0) {
        query_fini(&q);
        return r;
    }
    *ret = q;
    return 0;
}

void query_fini(struct query *q)
{
    for (size_t i = 0; i < q->labels_count; i++)
        free(q->labels[i]);
    free(q->tenant);
    span_fini(&q->span);
    *q = (struct query){0};
}

void query_columns_add(const struct query *q, struct sheet *sheet)
{
    for (size_t i = 0; i < QUERY_DIMENSION_COUNT; i++)
        if (q->by[i])
            sheet_column_add(sheet, query_columns[i].name, query_columns[i].number ? CELL_NUMBER : CELL_TEXT);
    for (size_t i = 0; i < q->labels_count; i++)
        sheet_column_add(sheet, q->labels[i], CELL_TEXT);
}

#define HOUR_US INT64_C(3600000000)

bool query_full_hours(const struct zone_table *zone)
{
    const struct zone_shift *v = zone->shifts.v;
    for (size_t i = 0; i < zone->shifts.count; i++)
        if (v[i].offset_s % 3600 != 0 || v[i].from_utc_us % HOUR_US != 0)
            return false;
    return true;
}

const struct query_source *query_cost_source(const struct query *q)
{
    bool hourly = !q->by[BY_JOB] && !q->by[BY_NAME] && q->labels_count == 0 && q->as_of == 0 && q->page_size == 0 &&
                  (!q->span.has_from || q->span.from_utc_us % HOUR_US == 0) &&
                  (!q->span.has_to || q->span.to_utc_us % HOUR_US == 0) && query_full_hours(&q->span.zone);
    return hourly ? &hours_source : &cost_source;
}

static const char *tenant_of(const struct query_source *source)
{
    return source->tenant != NULL ? source->tenant : "j.tenant";
}

static size_t write_groups(const struct query *q, const struct query_source *source, struct buf *out)
{
    size_t columns = 0;
    for (size_t i = 0; i < QUERY_DIMENSION_COUNT; i++) {
        if (!q->by[i])
            continue;
        buf_add_str(out, columns++ > 0 ? ", " : "");
        if (query_columns[i].sql != NULL)
            buf_add_str(out, query_columns[i].sql);
        else if (i == BY_TENANT)
            buf_add_str(out, tenant_of(source));
        else if (i == BY_USER)
            buf_add_str(out, source->user != NULL ? source->user : "j.user");
        else
            buf_addf(out, "period('%s', %s, ?5)", query_columns[i].name, source->when);
    }
    for (size_t i = 0; i < q->labels_count; i++)
        buf_addf(out, "%s(SELECT value FROM json_each(j.labels) WHERE key = ?%zu)", columns++ > 0 ? ", " : "",
                 i + FIRST_LABEL);
    return columns;
}

static void write_numbers(size_t columns, struct buf *out)
{
    for (size_t i = 1; i <= columns; i++)
        buf_addf(out, "%s%zu", i > 1 ? ", " : "", i);
}

void query_sql(const struct query *q, const struct query_source *source, struct buf *out)
{
    buf_add_str(out, "SELECT ");
    size_t columns = write_groups(q, source, out);
    /* A subtree as a range of paths: '0' is the character after '/'. */
    const char *tenant = tenant_of(source);
    buf_addf(out, ", %s FROM %s WHERE %s >= ?2 AND %s < ?3 AND visible(?1, %s)"
                  " AND (?4 = '/' OR %s = ?4 OR (%s > ?4 || '/' AND %s < ?4 || '0'))%s%s GROUP BY ",
             source->measures, source->from, source->when, source->when, tenant, tenant, tenant, tenant, source->where,
             source->charges ? " AND c.seq <= ?6" : "");
    write_numbers(columns, out);
    buf_addf(out, " ORDER BY %s%s", source->order != NULL ? source->order : "", source->order != NULL ? ", " : "");
    write_numbers(columns, out);
    if (q->limit != 0)
        buf_addf(out, " LIMIT %llu", (unsigned long long)q->limit);
}

int query_bind(const struct query *q, const struct viewer *viewer, sqlite3_stmt *s)
{
    /* SQLite counts a statement's parameters up to the highest it names: what this one doesn't name isn't bound. */
    static const char all[] = "viitzi";
    int count = sqlite3_bind_parameter_count(s);
    char shape[sizeof all];
    snprintf(shape, sizeof shape, "%.*s", count, all);
    int r = db_bind(s, shape, viewer, q->span.from_utc_us, q->span.to_utc_us,
                    q->tenant != NULL ? q->tenant : TENANT_ROOT, &q->span.zone,
                    q->as_of != 0 ? (int64_t)q->as_of : INT64_MAX);
    for (size_t i = 0; i < q->labels_count && r == 0; i++)
        if (sqlite3_bind_text(s, (int)i + FIRST_LABEL, q->labels[i] + sizeof LABEL_PREFIX - 1, -1, SQLITE_STATIC) !=
            SQLITE_OK)
            r = -ENOMEM;
    return r;
}

#include "quotas/reports/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/policy.h"

const struct query_column query_columns[QUERY_DIMENSION_COUNT] = {
    [BY_DAY] = {"day", "period('day', c.from_utc_us)", false},
    [BY_WEEK] = {"week", "period('week', c.from_utc_us)", false},
    [BY_MONTH] = {"month", "period('month', c.from_utc_us)", false},
    [BY_TENANT] = {"tenant", "p.path", false},
    [BY_USER] = {"user", "j.user", false},
    [BY_RESOURCE] = {"resource", "c.resource", false},
    [BY_JOB] = {"job", "c.job", true},
    [BY_NAME] = {"name", "j.name", false},
};

#define LABEL_PREFIX "label."
#define GROUPS "tenant, user, resource, job, name, day, week, month, label.<key>"
#define TIMES "a date (2026-11-01), an RFC 3339 instant (2026-11-01T00:00:00Z), or milliseconds since 1970"

int query_time(const char *text, int64_t *ret_utc_us)
{
    int64_t ms;
    /* "2026" and "20261101" are dates that somebody wrote another way, not moments in 1970. */
    bool looks_like_date = strlen(text) <= 8 && strcmp(text, "0") != 0;
    if (!looks_like_date && parse_i64(text, -INT64_C(62135596800000), INT64_C(253402300799999), &ms, NULL) == 0) {
        *ret_utc_us = ms * 1000;
        return 0;
    }
    return parse_time(text, ret_utc_us, NULL);
}

static int read_times(const struct params *params, struct query *q, struct problem *problem)
{
    const char *from = params_get(params, "from"), *to = params_get(params, "to");
    q->from_utc_us = INT64_MIN;
    q->to_utc_us = INT64_MAX;
    if (from != NULL && query_time(from, &q->from_utc_us) < 0)
        return problem_set(problem, 400, "from", TIMES, "from: '%.100s' is not a time", from);
    if (to != NULL && query_time(to, &q->to_utc_us) < 0)
        return problem_set(problem, 400, "to", TIMES, "to: '%.100s' is not a time", to);
    if (from != NULL && to != NULL && q->from_utc_us >= q->to_utc_us)
        return problem_set(problem, 400, "to", "an instant after from", "to: is not after from");
    q->has_from = from != NULL;
    q->has_to = to != NULL;
    return 0;
}

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

static int read_groups(const struct params *params, struct query *q, struct problem *problem)
{
    const char *at = params_get(params, "group_by");
    if (at == NULL) {
        q->by[BY_TENANT] = true;
        return 0;
    }
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

static int read_rest(const struct params *params, struct query *q, struct problem *problem)
{
    const char *format = params_get(params, "format"), *tenant = params_get(params, "tenant");
    if (format != NULL && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        return problem_set(problem, 400, "format", "json, csv", "format: '%.100s' is none", format);
    q->csv = format != NULL && strcmp(format, "csv") == 0;
    if (tenant == NULL)
        return 0;
    if (strcmp(tenant, TENANT_ROOT) != 0 && parse_tenant_path(tenant, NULL) < 0)
        return problem_set(problem, 400, "tenant", "a tenant's path, like acme/etl, or /",
                           "tenant: '%.100s' is not a tenant's path", tenant);
    return str_set(&q->tenant, tenant) < 0 ? problem_set(problem, 503, NULL, NULL, "no memory") : 0;
}

int query_parse(const struct params *params, struct query *ret, struct problem *problem)
{
    static const char *const names[] = {"from", "to", "group_by", "granularity", "format", "tenant", NULL};
    struct query q = {0};
    int r = params_only(params, names, problem);
    if (r == 0)
        r = read_times(params, &q, problem);
    if (r == 0)
        r = read_groups(params, &q, problem);
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
    *q = (struct query){0};
}

void query_sql(const struct query *q, struct buf *out)
{
    size_t columns = 0;
    buf_add_str(out, "SELECT ");
    for (size_t i = 0; i < QUERY_DIMENSION_COUNT; i++)
        if (q->by[i])
            buf_addf(out, "%s%s", columns++ > 0 ? ", " : "", query_columns[i].sql);
    for (size_t i = 0; i < q->labels_count; i++)
        buf_addf(out, "%s(SELECT value FROM json_each(j.labels) WHERE key = ?%zu)", columns++ > 0 ? ", " : "", i + 5);
    /* A subtree as a range of paths: '0' is the character after '/'. */
    buf_add_str(out, ", sum(c.micros) FROM charges c JOIN paths p USING(tenant) LEFT JOIN jobs j USING(job)"
                     " WHERE c.from_utc_us >= ?2 AND c.from_utc_us < ?3 AND visible(?1, p.path)"
                     " AND (?4 = '/' OR p.path = ?4 OR (p.path > ?4 || '/' AND p.path < ?4 || '0')) GROUP BY ");
    for (size_t i = 1; i <= columns; i++)
        buf_addf(out, "%s%zu", i > 1 ? ", " : "", i);
    buf_add_str(out, " ORDER BY ");
    for (size_t i = 1; i <= columns; i++)
        buf_addf(out, "%s%zu", i > 1 ? ", " : "", i);
}

/*
 * query - what a report over jobs, attempts or charges was asked for, checked; and the SQL that answers it.
 *
 *   from, to, tz   span.h
 *   group_by       tenant user resource job name day week month label.<key>, comma-separated
 *   granularity    day | week | month: one row per group and period (the same as naming it in group_by)
 *   tenant         only this subtree
 *   as_of          only what the journal had up to this entry
 *   limit          so many rows
 *   format ...     sheet.h
 *   page_size, page_token   page_token.h
 * Each report takes some of them.
 *
 * A charge belongs to the period it begins in; the book cuts charges at each quarter of an hour, where every zone's
 * days begin, so days, weeks and months are exact. Columns have a fixed order whatever the order in group_by: period,
 * tenant, user, resource, job, name, labels.
 * No text of the caller ever becomes SQL.
 */
#ifndef REEVE_QUOTAS_REPORTS_QUERY_H
#define REEVE_QUOTAS_REPORTS_QUERY_H

#include "quotas/reports/sheet.h"
#include "quotas/reports/span.h"
#include "quotas/reports/viewer.h"

enum query_dimension {
    BY_DAY,
    BY_WEEK,
    BY_MONTH,
    BY_TENANT,
    BY_USER,
    BY_RESOURCE,
    BY_JOB,
    BY_NAME,
    QUERY_DIMENSION_COUNT
};
#define QUERY_LABELS_MAX 8

struct query_column {
    const char *name; /* heading; a label's is "label.<key>" */
    const char *sql;  /* NULL: the source says it */
    bool number;
};
extern const struct query_column query_columns[QUERY_DIMENSION_COUNT];

/* What rows are made of: SQL that is ours. */
struct query_source {
    const char *from;     /* tables; jobs is j, charges c */
    const char *tenant;   /* whose they are; NULL = j.tenant */
    const char *user;     /* NULL = j.user */
    const char *when;     /* the column that from, to and periods look at */
    const char *where;    /* "" or " AND ..." */
    const char *measures; /* the figures, after the groups */
    const char *order;    /* NULL = by the groups; else comes before them */
    bool charges;         /* there is a c: resource and as_of mean something */
};

extern const struct query_source hours_source; /* the same by the hour, a hundredth of the rows */
extern const struct query_source cost_source;  /* what was charged: one figure, "cost" */
extern const struct query_source waste_source; /* what wasn't used: its last two figures are cost and waste */

struct query {
    struct span span;
    struct sheet sheet;             /* its form and, by query_columns_add(), its groups */
    bool by[QUERY_DIMENSION_COUNT];
    char *labels[QUERY_LABELS_MAX]; /* "label.<key>" */
    size_t labels_count;
    char *tenant;                   /* NULL = all */
    uint64_t as_of;                 /* 0 = all there is */
    uint64_t limit, page_size;      /* 0 = all */
    const char *page_token;         /* borrowed from params; NULL = the first */
};

/* `names`: the parameters this report takes, NULL-terminated. `group_by`: when none is asked for. */
int query_parse(const struct params *params, const char *const *names, const char *group_by, struct query *ret,
                struct problem *problem) MUST_USE;
void query_fini(struct query *q);
/* hours_source where it gives the same rows as cost_source, else that: no jobs, names, labels; now, not as of then; all
 * of one answer; and from, to and midnights there are at full hours of UTC. */
const struct query_source *query_cost_source(const struct query *q);
/* Are all midnights of this zone at full hours of UTC? */
bool query_full_hours(const struct zone_table *zone);
/* The columns of the groups, borrowed from q. */
void query_columns_add(const struct query *q, struct sheet *sheet);
/* SELECT <groups>, <measures> ... with ?1 viewer, ?2 from, ?3 to, ?4 tenant or "/", ?5 zone, ?6 as_of, ?7.. keys. */
void query_sql(const struct query *q, const struct query_source *source, struct buf *out);
/* Binds all of that. */
int query_bind(const struct query *q, const struct viewer *viewer, sqlite3_stmt *s) MUST_USE;

#endif

/*
 * query - what a cost report was asked for, checked; and the SQL that answers it.
 *
 *   from, to       RFC 3339 date or instant, or epoch milliseconds; half-open; absent = from the first, to the last
 *   group_by       tenant user resource job name day week month label.<key>, comma-separated; default tenant
 *   granularity    day | week | month: one row per group and period (the same as naming it in group_by)
 *   tenant         only this subtree
 *   format         json | csv
 *
 * A charge belongs to the period it begins in; the book cuts charges at midnight UTC, so days, weeks and months are
 * exact. Columns have a fixed order whatever the order in group_by: period, tenant, user, resource, job, name, labels.
 * Purity: pure but for the names of SQL columns; no text of the caller ever becomes SQL.
 */
#ifndef REEVE_QUOTAS_REPORTS_QUERY_H
#define REEVE_QUOTAS_REPORTS_QUERY_H

#include "quotas/reports/params.h"

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
    const char *name;  /* heading; a label's is "label.<key>" */
    const char *sql;   /* NULL for a label */
    bool number;
};
extern const struct query_column query_columns[QUERY_DIMENSION_COUNT];

struct query {
    bool has_from, has_to;
    int64_t from_utc_us, to_utc_us; /* INT64_MIN / INT64_MAX when absent */
    bool by[QUERY_DIMENSION_COUNT];
    char *labels[QUERY_LABELS_MAX]; /* "label.<key>" */
    size_t labels_count;
    bool csv;
    char *tenant;                   /* NULL = all */
};

int query_parse(const struct params *params, struct query *ret, struct problem *problem) MUST_USE;
void query_fini(struct query *q);
/* SELECT <dimensions>, sum(micros) ... with ?1 viewer, ?2 from, ?3 to, ?4 tenant or "/", ?5.. label keys. */
void query_sql(const struct query *q, struct buf *out);
/* "2026-11-01" or epoch milliseconds. */
int query_time(const char *text, int64_t *ret_utc_us) MUST_USE;

#endif

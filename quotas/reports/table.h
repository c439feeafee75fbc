/*
 * table - the answer of a query: a statement's rows in the form that was asked for, drawn one by one, page by page.
 * The columns of the statement are those of the sheet, in its order.
 *
 * JSON's head has schema, from, to, tz, as_of, as_of_time, currency; its tail the total of all rows (also of those on
 * other pages) and, when pages were asked for, next_page_token.
 */
#ifndef REEVE_QUOTAS_REPORTS_TABLE_H
#define REEVE_QUOTAS_REPORTS_TABLE_H

#include "quotas/reports/query.h"
#include "quotas/reports/report.h"

struct table_kind {
    const char *schema;   /* "reeve-cost/1" */
    const char *const *parameters;
    const char *group_by; /* when nothing is said */
    struct query_source source;
    const struct query_source *(*choose)(const struct query *q); /* a quicker one that gives the same; NULL = none */
    struct sheet_column figures[10];
    size_t count;
    size_t total;         /* which of them the total is of */
    uint64_t limit;       /* when nothing is said; 0 = none */
};

int table_answer(const struct table_kind *kind, struct report *report, struct ask *ask, struct answer *answer,
                 struct problem *problem) MUST_USE;

#endif

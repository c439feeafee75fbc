/*
 * asking - a report asked without HTTP, for the tests of reports.
 */
#ifndef REEVE_TESTS_QUOTAS_REPORTS_ASKING_H
#define REEVE_TESTS_QUOTAS_REPORTS_ASKING_H

#include "tests/quotas/reports/journal.h"

/* The whole answer as text; "<status> <parameter>" when it is refused. */
static inline void asking(struct report *report, report_fn *fn, const struct viewer *viewer, const char *query,
                          char next_page[PAGE_TOKEN_MAX], struct buf *out)
{
    struct params params = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct err err = {0};
    struct ask ask = {.viewer = viewer, .params = &params};
    ck_assert_int_eq(params_parse(query, &params, &problem), 0);
    ck_assert_int_eq(ask_open(&ask, report, &problem), 0);
    if (fn(report, &ask, &answer, &problem) < 0)
        buf_addf(out, "%d %s", problem.status, problem.parameter);
    buf_add(out, buf_text(&answer.body), answer.body.len);
    buf_fini(&answer.body);
    int r = answer.rows != NULL ? 1 : 0;
    while (r == 1)
        r = answer.rows->next(answer.rows, out, &err);
    ck_assert_msg(r == 0, "%s", err_text(&err));
    if (answer.rows != NULL)
        answer.rows->free(answer.rows);
    if (next_page != NULL)
        snprintf(next_page, PAGE_TOKEN_MAX, "%s", answer.next_page);
    ask_fini(&ask);
    params_fini(&params);
}

#endif

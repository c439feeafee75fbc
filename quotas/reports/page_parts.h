/*
 * page_parts - the sections of the page that stand in files of their own. Only page*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_PAGE_PARTS_H
#define REEVE_QUOTAS_REPORTS_PAGE_PARTS_H

#include "quotas/reports/report.h"

void page_money_cell(struct buf *out, int64_t micros);
int page_budgets(struct report *report, const struct ask *ask, struct buf *out, struct err *err) MUST_USE;
int page_waste(const struct ask *ask, int64_t from_utc_us, struct buf *out, struct err *err) MUST_USE;

#endif

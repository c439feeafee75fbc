/*
 * rerate - charge lines by the price book as it is now, and those that cost something else. Amounts stay as they were
 * measured; what was re-rated before counts as charged. Asking changes nothing: whoever posts the differences does so
 * in reeved.
 * Ownership: the reply belongs to the caller (fields_clear).
 * Bounds:    RERATE_LINES_MAX lines or RERATE_ATTEMPTS_MAX attempts looked at, then there is more.
 */
#ifndef REEVE_QUOTAS_REPORTS_RERATE_H
#define REEVE_QUOTAS_REPORTS_RERATE_H

#include "base/proto.h"
#include "quotas/reports/report.h"

#define RERATE_ATTEMPTS_MAX 20000

int rerate_lines(const struct ask *ask, const struct rerate_call *call, struct rerate_reply *ret,
                 struct err *err) MUST_USE;

#endif

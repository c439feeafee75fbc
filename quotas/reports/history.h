/*
 * history - jobs as the books have them, in the shape in which reeved shows its own: the same client prints both.
 * Ownership: replies belong to the caller (fields_clear).
 * Bounds:    a list has at most HISTORY_LIST_MAX jobs, a job is shown with its HISTORY_ATTEMPTS_MAX newest attempts (a
 *            task, when one is named), charge lines of one price joined: an answer fits into one line of the protocol.
 */
#ifndef REEVE_QUOTAS_REPORTS_HISTORY_H
#define REEVE_QUOTAS_REPORTS_HISTORY_H

#include "base/proto.h"
#include "quotas/reports/report.h"

#define HISTORY_LIST_DEFAULT 100
#define HISTORY_LIST_MAX 1000
#define HISTORY_ATTEMPTS_MAX 500

/* Finished jobs, newest first; `after`: only smaller ids. */
int history_list(const struct ask *ask, const struct list_call *call, struct list_reply *ret, struct err *err) MUST_USE;
/* 1: filled, 0: there is no such job or task for this viewer. */
int history_show(const struct ask *ask, const struct job_call *call, struct job_view *ret, struct err *err) MUST_USE;
/* The ended attempt whose log is asked for (epoch 0: the newest): its node, epoch and record. 1: filled (the caller
 * clears attempt_view_fields), 0: there is none for this viewer. */
int history_attempt(const struct ask *ask, const struct log_call *call, struct attempt_view *ret,
                    struct err *err) MUST_USE;

#endif

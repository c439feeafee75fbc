/*
 * io_report - writes how the disk is shared into IO_STATUS_PATH (agent/core/io_status.h), every IO_REPORT_MS while
 * anything moves, and once more when it has stopped. A disk that is full costs the report and nothing else.
 */
#ifndef REEVE_AGENT_IO_REPORT_H
#define REEVE_AGENT_IO_REPORT_H

#include "agent/attempts.h"
#include "agent/core/io_check.h"
#include "agent/fair.h"

#define IO_REPORT_MS 1000

struct io_report;

/* `device` and `model`: for the report; copied. */
int io_report_new(struct io_report **ret, struct loop *l, struct fair *fair, const char *device, const char *model,
                  struct err *err) MUST_USE;
void io_report_free(struct io_report *r); /* NULL is fine */
/* What it says of the node's two meters; borrowed, outlives it. */
void io_report_check(struct io_report *r, const struct io_window *window);
/* Called at each report: says with io_report_moved() what has moved since the last one. */
void io_report_ask(struct io_report *r, void (*say)(void *arg, struct io_report *r), void *arg);
void io_report_moved(struct io_report *r, const struct attempt_moved *m);
/* Now. False: nothing has moved since the last one, nothing was written. For tests; the timer calls it. */
bool io_report_write(struct io_report *r);

#endif

/*
 * io_days - do the books' bytes agree with the kernel's? Answers it by node and day (base/ledger_io.h), and looks every
 * minute by itself: says in the log when a node's day begins to differ, and when a day is over how all nodes stood.
 */
#ifndef REEVE_QUOTAS_REPORTS_IO_DAYS_H
#define REEVE_QUOTAS_REPORTS_IO_DAYS_H

#include "base/io/loop.h"
#include "quotas/reports/report.h"

/* Days that begin in [from, to), both 0: today and yesterday; and what still runs. The caller clears it, also when it
 * failed. */
int io_days_read(const struct ask *ask, struct ledger_io_call call, struct ledger_io_reply *ret,
                 struct err *err) MUST_USE;
/* The same as gauges, a node by the worst of it. */
int io_days_metrics(const struct ask *ask, struct buf *out, struct err *err) MUST_USE;

struct io_watch;
int io_watch_new(struct io_watch **ret, struct loop *loop, const struct report *report, struct err *err) MUST_USE;
void io_watch_free(struct io_watch *w); /* NULL is fine */
/* Now, at that instant; how many lines it wrote of what differs. For tests; the timer calls it. */
size_t io_watch_look(struct io_watch *w, int64_t utc_us);

#endif

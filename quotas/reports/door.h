/*
 * door - report.sock: history.list, history.show, log.read, report.status for clients (report_methods), answered by
 * who calls. A log is read through reeved: the books know the node, and who may read.
 */
#ifndef REEVE_QUOTAS_REPORTS_DOOR_H
#define REEVE_QUOTAS_REPORTS_DOOR_H

#include "base/io/loop.h"
#include "quotas/reports/report.h"

struct door_rpc;

int door_open(struct door_rpc **ret, struct loop *loop, struct report *report, const char *path,
              struct err *err) MUST_USE;
void door_close(struct door_rpc *d); /* NULL is fine */

#endif

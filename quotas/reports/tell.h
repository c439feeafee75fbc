/*
 * tell - tells reeved how far the reports are (journal.archived), so that it can trim the stream. Best effort: the
 * newest number wins, a reeved that is away hears it when it is back.
 */
#ifndef REEVE_QUOTAS_REPORTS_TELL_H
#define REEVE_QUOTAS_REPORTS_TELL_H

#include "base/io/loop.h"

struct tell;

int tell_new(struct tell **ret, struct loop *loop, const char *socket_path, struct err *err) MUST_USE;
void tell_free(struct tell *t);
void tell_archived(struct tell *t, uint64_t seq);

#endif

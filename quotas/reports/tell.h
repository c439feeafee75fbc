/*
 * tell - tells reeved how far the reports are (journal.archived), so that it can trim the stream. Best effort: the
 * newest number wins, a reeved that is away hears it when it is back. Over the same connection logs are read of jobs
 * that reeved no longer knows (node.log): the nodes are its own.
 */
#ifndef REEVE_QUOTAS_REPORTS_TELL_H
#define REEVE_QUOTAS_REPORTS_TELL_H

#include "base/io/loop.h"
#include "base/proto.h"

struct tell;

int tell_new(struct tell **ret, struct loop *loop, const char *socket_path, struct err *err) MUST_USE;
void tell_free(struct tell *t);
void tell_archived(struct tell *t, uint64_t seq);
/* on_reply as of rpc_call(). -ENOTCONN while reeved is away. */
int tell_read_log(struct tell *t, const struct node_log_call *call,
                  void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg) MUST_USE;

/* Any call of a client, in the name of our own user; the same. */
int tell_call(struct tell *t, const struct method *method, const void *params,
              void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg) MUST_USE;

#endif

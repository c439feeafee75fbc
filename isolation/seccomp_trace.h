/*
 * seccomp_trace - what the keeper of a traced job wrote down (isolation/spec/trace.h), as text: the default profile
 * with a rule for each call that went beyond it, and in the rule's comment what was asked and how often.
 */
#ifndef REEVE_ISOLATION_SECCOMP_TRACE_H
#define REEVE_ISOLATION_SECCOMP_TRACE_H

#include "base/buf.h"
#include "base/err.h"

/* -EBADMSG: that is no trace. */
int seccomp_trace_profile(const void *trace, size_t len, struct buf *out, struct err *err) MUST_USE;

#endif

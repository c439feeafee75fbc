/*
 * io_check - the standing check of a node's two meters (agent/core/io_check.h): sums up what attempts told within a
 * day, keeps it in IO_CHECK_PATH, and says in the log when a day is over, and when the two begin to differ. A disk that
 * is full costs the file, and after a restart of the agent what wasn't in it: of both meters.
 */
#ifndef REEVE_AGENT_IO_CHECK_H
#define REEVE_AGENT_IO_CHECK_H

#include "agent/core/io_check.h"
#include "agent/fair.h"

#define IO_CHECK_MS 1000

struct io_checker;

int io_checker_new(struct io_checker **ret, struct loop *l, struct fair *fair, struct err *err) MUST_USE;
void io_checker_free(struct io_checker *c); /* NULL is fine; writes once more */
const struct io_window *io_checker_window(const struct io_checker *c); /* the present one */
/* Now, at that instant. For tests; the timer calls it. */
void io_checker_look(struct io_checker *c, int64_t utc_us);

/* `reeve-agent io-check`; its exit status: 0 they agree, 1 they differ, 2 there is nothing to read. */
int io_check_command(int argc, char **argv);

#endif

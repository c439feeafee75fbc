/*
 * fault_books - what the journal alone must look like, whoever wrote it: kept by the store of a world with every entry,
 * counted its own way, without a line of the product's ledger, prices, retry rules or task states.
 *
 *   a key is one job; job ids and terms rise
 *   a task: epochs one by one, one attempt at a time, none after its end, before its pause is over, or while held
 *   an end says what its cause means: who pays, which state, whether another try follows and whether that costs a retry
 *   a node: what is placed and not ended fits on it, is no more than it takes, and nothing new is placed on a drained
 *               one, or into a maintenance window
 *   a tenant and all above it: use and number of attempts within the quota at each placement, the queue in its bound
 *   an account: spent + held within the limit at each hold; a hold is the price of what it pays for, a settlement the
 *   price of what ran, nothing is settled twice and what is left returns
 *   I/O: each byte is charged once and none beyond what is paid; an end charges what its node counted, as far as that
 *   is paid; nothing is held or charged where nobody counts
 *
 * Prices of a world: 3.6 an hour of a core, so that micros are milli-cores times microseconds / 10^6, and 1000 micros a
 * GiB.
 */
#ifndef REEVE_TESTS_SIM_FAULT_BOOKS_H
#define REEVE_TESTS_SIM_FAULT_BOOKS_H

#include "quotas/ledger.h"

#define WORLD_PER_CPU_HOUR 3600000 /* micros */
#define WORLD_PER_GIB 1000         /* micros */
#define WORLD_GIB (UINT64_C(1) << 30)
#define WORLD_BLIND 4              /* every so manyth node doesn't count I/O: "n4", "n8" */
#define WORLD_MIN_RUN_MS 2000      /* before which nobody is preempted */
#define WORLD_GUARANTEED "globex"  /* the one tenant that is guaranteed something */

struct books_rules { /* of the world */
    uint64_t node_cpu_milli, node_mem_bytes, slice_us, grace_us, kill_us, horizon_us;
};
bool world_counts_io(const char *node);
struct books;
struct books *books_new(const struct books_rules *rules);
void books_free(struct books *b);
/* One committed entry. "" or the rule that it breaks. */
const char *books_enter(struct books *b, const struct fact *f);
/* Does a ledger say the same? "" or what differs. */
const char *books_compare(struct books *b, const struct ledger *l);
/* Are all tasks of this job final? */
bool books_job_is_over(const struct books *b, uint64_t job);

#endif

/*
 * ledger_io - the bytes of a node's attempts as the books hold them, beside what the kernel counted for them: of those
 * that ended on a day, or (day_utc_us 0) of those that still run, as far as they were charged.
 *
 *   told = charged - twice + written off + free + lost      attempt by attempt, what its node said in the end
 *
 * Every journal entry of an end says what the kernel counted and what of the bill it can't have; so the books answer
 * without their nodes, for as long as they are kept.
 * Purity: pure.
 */
#ifndef REEVE_BASE_LEDGER_IO_H
#define REEVE_BASE_LEDGER_IO_H

#include "base/fields.h"
#include "base/io_meters.h"

struct ledger_io_row {
    char *node;
    int64_t day_utc_us;         /* when the day began; 0: of attempts that run, where the kernel's count isn't known */
    uint64_t attempts;
    uint64_t kernel_bytes;
    uint64_t told_bytes;        /* by the node; while it runs: when it was last charged */
    uint64_t uncounted_bytes;   /* of them: in no count of the kernel's */
    uint64_t cached_bytes;      /* of the rest: through the page cache */
    uint64_t charged_bytes;
    uint64_t written_off_bytes; /* beyond what was paid, a limit or not; the platform's fault */
    uint64_t free_bytes;        /* they had no price when the attempt began */
    uint64_t twice_bytes;       /* more was charged of an attempt than its node ever told */
    uint64_t lost_bytes;        /* less, and nobody wrote it off */
    uint64_t unknown_attempts;  /* charged, and not in any of the above: their nodes don't say what they counted */
    uint64_t unknown_bytes;     /* that these were charged */
};
extern const struct fields ledger_io_row_fields;

/* Does what was charged and written off agree with the kernel's count? Where it is not known: with what was told. */
struct io_verdict ledger_io_verdict(const struct ledger_io_row *r);

#endif

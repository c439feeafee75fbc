/*
 * io_meters - do two meters of the same bytes agree: what the kernel counted for the groups of attempts, and what of
 * their bills went to a disk? An agent asks it of what it told within a day, the reports of what was charged.
 *
 * Bytes that were moved in memory, and logs, which the agent writes, are on bills and in no such count. What went
 * through the page cache a disk may have seen or not: either is fine. All else is on the bill as the kernel counted it:
 * more was billed twice, less is nobody's.
 * Purity: pure.
 */
#ifndef REEVE_BASE_IO_METERS_H
#define REEVE_BASE_IO_METERS_H

#include "base/buf.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define IO_METERS_PPM 20000u                /* so far they may be apart, of what the kernel counted */
#define IO_METERS_SLACK ((uint64_t)1 << 20) /* and so many bytes: the two are read one after the other */

struct io_sums {
    uint64_t kernel_read_bytes, kernel_written_bytes;
    uint64_t billed_bytes;
    uint64_t memory_bytes, log_bytes; /* of that: in no count of the kernel for these groups */
    uint64_t cached_bytes;            /* of the rest: through the page cache */
};

/* What rose between two readings of the same counts. */
void io_sums_add(struct io_sums *to, const struct io_sums *now, const struct io_sums *before);

struct io_verdict {
    bool agrees;
    uint64_t kernel_bytes, disk_bytes; /* disk: of what was billed */
    int64_t off_bytes;                 /* > 0: so much was billed twice; < 0: is on nobody's bill */
    double off_percent;                /* of what the kernel counted */
};
struct io_verdict io_verdict(const struct io_sums *s);
/* "agrees: the kernel counted 2097152 bytes, 2105344 of the disk were billed (+0.39 %)", without an end. */
void io_verdict_text(const struct io_verdict *v, struct buf *out);

#endif

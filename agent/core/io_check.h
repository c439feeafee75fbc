/*
 * io_check - do a node's two meters agree: what the kernel counted for the groups of its attempts, and what was told of
 * their bills and went to a disk? Summed up over windows of a day; a file that the agent writes and `reeve-agent
 * io-check` and `reeve doctor` read.
 *
 * Bytes that were moved in memory, and logs, which the agent writes, are on bills and in no such count. What went
 * through the page cache a disk may have seen or not: either is fine. All else is on the bill as the kernel counted it:
 * more was billed twice, less is nobody's.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_IO_CHECK_H
#define REEVE_AGENT_CORE_IO_CHECK_H

#include "base/buf.h"
#include "base/fields.h"

#define IO_CHECK_PATH "node/io.check" /* below the system's folder */
#define IO_CHECK_WINDOW_US INT64_C(86400000000)
#define IO_CHECK_PPM 20000u                /* so far they may be apart, of what the kernel counted */
#define IO_CHECK_SLACK ((uint64_t)1 << 20) /* and so many bytes: the two are read one after the other */

struct io_window {
    int64_t from_utc_us, to_utc_us; /* to: 0 = it goes on. from 0: there is none */
    uint64_t kernel_read_bytes, kernel_written_bytes;
    uint64_t billed_bytes;               /* all that was told */
    uint64_t memory_bytes, log_bytes;    /* of that: in no count of the kernel for these groups */
    uint64_t cached_bytes;               /* of the rest: through the page cache */
};
extern const struct fields io_window_fields;

struct io_check {
    struct io_window now, before;
};
extern const struct fields io_check_fields;

struct io_verdict {
    bool agrees;
    uint64_t kernel_bytes, disk_bytes; /* disk: of what was billed */
    int64_t off_bytes;                 /* > 0: so much was billed twice; < 0: is on nobody's bill */
    double off_percent;                /* of what the kernel counted */
};
struct io_verdict io_check_verdict(const struct io_window *w);
/* "agrees: the kernel counted 24.0Mi, 24.1Mi are billed (+0.4 %)", without an end. */
void io_check_text(const struct io_window *w, struct buf *out);

#endif

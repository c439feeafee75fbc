#include "agent/core/io_check.h"

#include <inttypes.h>

#include "base/macros.h"

#define ALWAYS .flags = FIELD_ALWAYS
static const struct field window_rows[] = {
    FIELD_ROW(io_window, 1, "from", FIELD_TIME, from_utc_us, ALWAYS),
    FIELD_ROW(io_window, 2, "to", FIELD_TIME, to_utc_us, .help = "absent: it goes on"),
    FIELD_ROW(io_window, 3, "kernel_read_bytes", FIELD_U64, kernel_read_bytes, ALWAYS),
    FIELD_ROW(io_window, 4, "kernel_written_bytes", FIELD_U64, kernel_written_bytes, ALWAYS),
    FIELD_ROW(io_window, 5, "billed_bytes", FIELD_U64, billed_bytes, ALWAYS),
    FIELD_ROW(io_window, 6, "memory_bytes", FIELD_U64, memory_bytes, ALWAYS, .help = "of them no disk saw"),
    FIELD_ROW(io_window, 7, "log_bytes", FIELD_U64, log_bytes, ALWAYS, .help = "of them"),
    FIELD_ROW(io_window, 8, "cached_bytes", FIELD_U64, cached_bytes, ALWAYS, .help = "of the rest"),
};
const struct fields io_window_fields = FIELDS_TABLE("window", io_window, window_rows);

static const struct field check_rows[] = {
    FIELD_ROW(io_check, 1, "now", FIELD_STRUCT, now, .of = &io_window_fields, ALWAYS),
    FIELD_ROW(io_check, 2, "before", FIELD_STRUCT, before, .of = &io_window_fields, .help = "the whole one before"),
};
const struct fields io_check_fields = FIELDS_TABLE("io check", io_check, check_rows);

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

struct io_verdict io_check_verdict(const struct io_window *w)
{
    struct io_verdict v = {.kernel_bytes = w->kernel_read_bytes + w->kernel_written_bytes,
                           .disk_bytes = less(less(w->billed_bytes, w->memory_bytes), w->log_bytes)};
    uint64_t least = less(v.disk_bytes, w->cached_bytes);
    if (v.kernel_bytes < least)
        v.off_bytes = (int64_t)(least - v.kernel_bytes);
    else if (v.kernel_bytes > v.disk_bytes)
        v.off_bytes = -(int64_t)(v.kernel_bytes - v.disk_bytes);
    uint64_t off = (uint64_t)(v.off_bytes < 0 ? -v.off_bytes : v.off_bytes);
    v.off_percent = (double)v.off_bytes * 100 / (double)MAX(v.kernel_bytes, UINT64_C(1));
    v.agrees = off <= IO_CHECK_SLACK || (double)off * 1e6 <= (double)v.kernel_bytes * IO_CHECK_PPM;
    return v;
}

void io_check_text(const struct io_window *w, struct buf *out)
{
    struct io_verdict v = io_check_verdict(w);
    buf_addf(out, "%s: the kernel counted %" PRIu64 " bytes, %" PRIu64 " of the disk were billed (%+.2f %%)",
             v.agrees ? "agrees" : "differs", v.kernel_bytes, v.disk_bytes, v.off_percent);
}

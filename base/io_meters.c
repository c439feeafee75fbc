#include "base/io_meters.h"

#include <inttypes.h>

void io_sums_add(struct io_sums *to, const struct io_sums *now, const struct io_sums *before)
{
    to->kernel_read_bytes += now->kernel_read_bytes - before->kernel_read_bytes;
    to->kernel_written_bytes += now->kernel_written_bytes - before->kernel_written_bytes;
    to->billed_bytes += now->billed_bytes - before->billed_bytes;
    to->memory_bytes += now->memory_bytes - before->memory_bytes;
    to->log_bytes += now->log_bytes - before->log_bytes;
    to->cached_bytes += now->cached_bytes - before->cached_bytes;
}

struct io_verdict io_verdict(const struct io_sums *s)
{
    struct io_verdict v = {.kernel_bytes = s->kernel_read_bytes + s->kernel_written_bytes};
    v.disk_bytes = LESS(LESS(s->billed_bytes, s->memory_bytes), s->log_bytes);
    uint64_t least = LESS(v.disk_bytes, s->cached_bytes);
    if (v.kernel_bytes < least)
        v.off_bytes = (int64_t)(least - v.kernel_bytes);
    else if (v.kernel_bytes > v.disk_bytes)
        v.off_bytes = -(int64_t)(v.kernel_bytes - v.disk_bytes);
    uint64_t off = (uint64_t)(v.off_bytes < 0 ? -v.off_bytes : v.off_bytes);
    v.off_percent = (double)v.off_bytes * 100 / (double)MAX(v.kernel_bytes, UINT64_C(1));
    v.agrees = off <= IO_METERS_SLACK || (double)off * 1e6 <= (double)v.kernel_bytes * IO_METERS_PPM;
    return v;
}

void io_verdict_text(const struct io_verdict *v, struct buf *out)
{
    buf_addf(out, "%s: the kernel counted %" PRIu64 " bytes, %" PRIu64 " of the disk were billed (%+.2f %%)",
             v->agrees ? "agrees" : "differs", v->kernel_bytes, v->disk_bytes, v->off_percent);
}

#include "agent/core/log_hole.h"

#include "base/macros.h"

uint64_t log_cap(uint64_t asked)
{
    return asked == 0 ? LOG_CAP_DEFAULT : MAX(asked, LOG_CAP_MIN);
}

/* A sixteenth of the cap, as a power of two from a block to 1 MiB. */
static uint64_t step_of(uint64_t cap)
{
    uint64_t step = LOG_BLOCK;
    while (step < (uint64_t)1 << 20 && step < cap / 16)
        step *= 2;
    return step;
}

struct log_hole log_hole(uint64_t size, uint64_t cap)
{
    uint64_t start = cap / 2 / LOG_BLOCK * LOG_BLOCK;
    if (size <= cap)
        return (struct log_hole){start, start};
    uint64_t step = step_of(cap);
    uint64_t end = (size - cap / 2) / step * step;
    return (struct log_hole){start, MAX(start, end)};
}

struct log_window log_window(uint64_t size, uint64_t cap, uint64_t offset, uint64_t max)
{
    struct log_hole hole = log_hole(size, cap);
    struct log_window w = {.offset = offset};
    if (offset >= hole.start && offset < hole.end) {
        w.dropped = hole.end - offset;
        w.offset = hole.end;
    }
    uint64_t limit = w.offset < hole.start ? hole.start : size;
    if (hole.start == hole.end)
        limit = size;
    if (w.offset < limit)
        w.len = MIN(max, limit - w.offset);
    return w;
}

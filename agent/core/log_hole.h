/*
 * log_hole - which bytes of a log are kept when it outgrows its cap: the first half and the last half, so that both the
 * beginning and the end of a long story can be read. In between lies one hole.
 *
 * Where it lies follows from the size alone, so nothing has to be remembered or repaired after a crash, and the number
 * of bytes dropped is exact. The hole only grows, in steps, so its rising end costs one fallocate per step.
 * The file never takes more than `cap` + one step + what is in flight. Offsets are those of what the job wrote.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_LOG_HOLE_H
#define REEVE_AGENT_CORE_LOG_HOLE_H

#include <stdint.h>

#define LOG_CAP_DEFAULT ((uint64_t)16 << 20)
#define LOG_CAP_MIN ((uint64_t)16 << 10)
#define LOG_BLOCK ((uint64_t)4096)

struct log_hole {
    uint64_t start, end; /* start == end: nothing dropped */
};

/* The cap that is used for what was asked: 0 = default, never below LOG_CAP_MIN. */
uint64_t log_cap(uint64_t asked);
struct log_hole log_hole(uint64_t size, uint64_t cap);

/* One read: where it begins, how far it may go, and what it skips. `len` 0 = nothing there (yet). */
struct log_window {
    uint64_t offset, len, dropped;
};
struct log_window log_window(uint64_t size, uint64_t cap, uint64_t offset, uint64_t max);

#endif

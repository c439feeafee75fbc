/*
 * trace - what a traced job asked for beyond its profile: how the keeper writes it down. A head, then one row for each
 * call and first argument that was seen, in the order in which they first were; what has no room is only counted.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_TRACE_H
#define REEVE_ISOLATION_SPEC_TRACE_H

#include <stdint.h>

#define TRACE_MAGIC 0x52565431u
#define TRACE_ROWS_MAX 1024

struct trace_head {
    uint32_t magic, rows;
    uint64_t lost; /* calls that no row was left for */
};
struct trace_row {
    int32_t number;
    uint32_t arch;
    uint64_t args[6]; /* of the first such call */
    uint64_t count;
};

#endif

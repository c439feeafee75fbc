/*
 * cost - what an operation takes of a device: nanoseconds of its time, by direction, pattern and size.
 *
 *   cost = base[direction][pattern] + per_byte[direction] * bytes
 *
 * Base and slope are fitted to measurements of two sizes, not to IOPS and bandwidth: "1 / IOPS + bytes / bandwidth"
 * counts the small transfer twice.
 * Units:  ns; slopes in ps per byte.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_COST_H
#define REEVE_AGENT_FAIRIO_COST_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef __int128 fq_wide; /* products of times and rates; gcc and clang */

enum io_dir { IO_READ, IO_WRITE, IO_DIR_COUNT };

struct io_cost {
    struct {
        int64_t sequential_ns, random_ns; /* base, > 0 */
        int64_t per_byte_ps;              /* >= 0 */
    } of[IO_DIR_COUNT];
};

#define IO_BYTES_MAX ((uint64_t)1 << 40)     /* of one operation */
#define IO_BASE_NS_MAX INT64_C(10000000000)  /* 10 s */
#define IO_BYTE_PS_MAX INT64_C(1000000)      /* 1 MB/s: slower is no disk */

/* Is every number within its range? */
bool io_cost_is_valid(const struct io_cost *c);
/* bytes <= IO_BYTES_MAX; rounded up. */
int64_t io_cost_of(const struct io_cost *c, enum io_dir dir, bool random, uint64_t bytes);
/* Of so many operations that moved so many bytes together. */
int64_t io_cost_of_many(const struct io_cost *c, enum io_dir dir, bool random, uint64_t ops, uint64_t bytes);
/* How many bytes fit into `ns`; a multiple of 4096, at least that. */
uint64_t io_cost_bytes_in(const struct io_cost *c, enum io_dir dir, int64_t ns);

#endif

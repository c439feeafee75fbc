#include "isolation/spec/limits.h"

#include <errno.h>
#include <inttypes.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

int sandbox_limits_check(const struct sandbox_limits *l, uint64_t mem_bytes, uint64_t cpu_milli, struct err *err)
{
    const struct {
        const char *name;
        uint64_t value, max, step;
    } rows[] = {
        {"mem_high_bytes", l->mem_high_bytes, mem_bytes, 1},
        {"mem_min_bytes", l->mem_min_bytes, mem_bytes, 1},
        {"swap_bytes", l->swap_bytes, MEM_BYTES_MAX, 1},
        {"huge_bytes[2M]", l->huge_bytes[HUGE_2M], MEM_BYTES_MAX, 2 * MIB},
        {"huge_bytes[1G]", l->huge_bytes[HUGE_1G], MEM_BYTES_MAX, GIB},
        {"io_read_bps", l->io_read_bps, LIMIT_RATE_MAX, 1},
        {"io_write_bps", l->io_write_bps, LIMIT_RATE_MAX, 1},
        {"io_read_ops", l->io_read_ops, LIMIT_OPS_MAX, 1},
        {"io_write_ops", l->io_write_ops, LIMIT_OPS_MAX, 1},
        {"io_weight", l->io_weight, LIMIT_IO_WEIGHT_MAX, 1},
        {"pinned_cpus", l->pinned_cpus, MIN(cpu_milli / 1000, LIMIT_PINNED_MAX), 1},
        {"reserved", l->reserved, 0, 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].value > rows[i].max || rows[i].value % rows[i].step != 0)
            return err_set(err, -EINVAL, "%s: %" PRIu64 " is above %" PRIu64 " or no multiple of %" PRIu64,
                           rows[i].name, rows[i].value, rows[i].max, rows[i].step);
    }
    return 0;
}

struct sandbox_limits sandbox_limits_io(const struct sandbox_limits *l)
{
    return (struct sandbox_limits){.io_read_bps = l->io_read_bps, .io_write_bps = l->io_write_bps,
                                   .io_read_ops = l->io_read_ops, .io_write_ops = l->io_write_ops,
                                   .io_weight = l->io_weight};
}

uint64_t sandbox_limits_need(const struct sandbox_limits *l)
{
    const struct job_limits same = {
        .mem_high_bytes = l->mem_high_bytes,
        .mem_min_bytes = l->mem_min_bytes,
        .swap_bytes = l->swap_bytes,
        .huge_2m_bytes = l->huge_bytes[HUGE_2M],
        .huge_1g_bytes = l->huge_bytes[HUGE_1G],
        .pin_cpus = l->pinned_cpus > 0,
        .io = {.read_bps = l->io_read_bps, .write_bps = l->io_write_bps, .read_ops = l->io_read_ops,
               .write_ops = l->io_write_ops, .weight = l->io_weight},
    };
    return job_limits_need(&same);
}

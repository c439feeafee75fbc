#include "base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define HUGE_2M ((uint64_t)2 << 20)
#define HUGE_1G ((uint64_t)1 << 30)

static const struct field io_rows[] = {
    FIELD_ROW(io_limits, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(io_limits, 2, "read_bps", FIELD_SIZE, read_bps, .max = LIMIT_RATE_MAX,
              .help = "bytes read a second from each device: 50Mi"),
    FIELD_ROW(io_limits, 3, "write_bps", FIELD_SIZE, write_bps, .max = LIMIT_RATE_MAX,
              .help = "bytes written a second to each device"),
    FIELD_ROW(io_limits, 4, "read_ops", FIELD_U64, read_ops, .max = LIMIT_OPS_MAX,
              .help = "read operations a second on each device"),
    FIELD_ROW(io_limits, 5, "write_ops", FIELD_U64, write_ops, .max = LIMIT_OPS_MAX,
              .help = "write operations a second on each device"),
    FIELD_ROW(io_limits, 6, "weight", FIELD_U32, weight, .max = LIMIT_IO_WEIGHT_MAX,
              .help = "share of a busy device, 1 to 1000; 100 is what others have"),
};
static const struct fields io_fields = FIELDS_TABLE("io", io_limits, io_rows);

static const struct field rows[] = {
    FIELD_ROW(job_limits, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(job_limits, 2, "memory_high", FIELD_SIZE, mem_high_bytes, .max = MEM_BYTES_MAX,
              .help = "soft limit: above it the task is slowed down and its memory reclaimed"),
    FIELD_ROW(job_limits, 3, "memory_min", FIELD_SIZE, mem_min_bytes, .max = MEM_BYTES_MAX,
              .help = "guarantee: so much is not reclaimed, whatever others need"),
    FIELD_ROW(job_limits, 4, "swap", FIELD_SIZE, swap_bytes, .max = MEM_BYTES_MAX,
              .help = "so much may be swapped out, beside the memory; default none"),
    FIELD_ROW(job_limits, 5, "huge_pages_2m", FIELD_SIZE, huge_2m_bytes, .max = MEM_BYTES_MAX,
              .help = "bytes in pages of 2 MiB, out of the node's pool"),
    FIELD_ROW(job_limits, 6, "huge_pages_1g", FIELD_SIZE, huge_1g_bytes, .max = MEM_BYTES_MAX,
              .help = "bytes in pages of 1 GiB"),
    FIELD_ROW(job_limits, 7, "pin_cpus", FIELD_BOOL, pin_cpus,
              .help = "runs on cores that no other pinned task shares; resources.cpu is a whole number"),
    FIELD_ROW(job_limits, 8, "processes", FIELD_U32, processes, .max = LIMIT_PROCESSES_MAX,
              .help = "processes and threads at once; default 4096"),
    FIELD_ROW(job_limits, 9, "io", FIELD_STRUCT, io, .of = &io_fields,
              .help = "on the node's block devices: {read_bps: 50Mi, write_bps: 10Mi, write_ops: 500}"),
    FIELD_ROW(job_limits, 10, "devices", FIELD_STRS, devices, .max = LIMIT_DEVICES_MAX,
              .help = "devices by the names nodes give them, where policy allows: [fuse]"),
    FIELD_ROW(job_limits, 11, "io_bytes", FIELD_SIZE, io_bytes, .max = LIMIT_IO_BYTES_MAX,
              .help = "bytes that an attempt may read and write in its life; there it is stopped"),
};
const struct fields job_limits_fields = FIELDS_TABLE("limits", job_limits, rows);

static int check_memory(const struct job_limits *l, const struct resources *r, struct err *err)
{
    if (l->mem_high_bytes > r->mem_bytes)
        return err_set(err, -EINVAL, "limits.memory_high: is above resources.memory");
    if (l->mem_min_bytes > r->mem_bytes)
        return err_set(err, -EINVAL, "limits.memory_min: is above resources.memory");
    if (l->huge_2m_bytes % HUGE_2M != 0)
        return err_set(err, -EINVAL, "limits.huge_pages_2m: is not a multiple of 2Mi");
    if (l->huge_1g_bytes % HUGE_1G != 0)
        return err_set(err, -EINVAL, "limits.huge_pages_1g: is not a multiple of 1Gi");
    return 0;
}

static int check_devices(const struct strs *devices, struct err *err)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct err inner = {0};
        if (parse_name(devices->v[i], RESOURCE_NAME_MAX, &inner) < 0)
            return err_set(err, -EINVAL, "limits.devices: %s", err_text(&inner));
        for (size_t k = 0; k < i; k++)
            if (strcmp(devices->v[i], devices->v[k]) == 0)
                return err_set(err, -EINVAL, "limits.devices: '%s' is there twice", devices->v[i]);
    }
    return 0;
}

int job_limits_check(const struct job_limits *l, const struct resources *r, struct err *err)
{
    if (l->pin_cpus && (r->cpu_milli % 1000 != 0 || r->cpu_milli / 1000 > LIMIT_PINNED_MAX))
        return err_set(err, -EINVAL, "limits.pin_cpus: needs a whole number of cores, up to %u, in resources.cpu",
                       LIMIT_PINNED_MAX);
    if (l->processes == 1)
        return err_set(err, -EINVAL, "limits.processes: at least 2");
    int rc = check_memory(l, r, err);
    return rc < 0 ? rc : check_devices(&l->devices, err);
}

uint64_t job_limits_need(const struct job_limits *l)
{
    const struct {
        uint64_t asked;
        enum node_feature feature;
    } table[] = {
        {l->mem_high_bytes, FEATURE_MEMORY_HIGH},   {l->mem_min_bytes, FEATURE_MEMORY_MIN},
        {l->swap_bytes, FEATURE_SWAP},              {l->huge_2m_bytes, FEATURE_HUGE_2M},
        {l->huge_1g_bytes, FEATURE_HUGE_1G},        {l->pin_cpus, FEATURE_PIN_CPUS},
        {l->io.read_bps, FEATURE_IO_READ_BPS},      {l->io.write_bps, FEATURE_IO_WRITE_BPS},
        {l->io.read_ops, FEATURE_IO_READ_OPS},      {l->io.write_ops, FEATURE_IO_WRITE_OPS},
        {l->io.weight, FEATURE_IO_WEIGHT},          {l->io_bytes, FEATURE_IO_BYTES},
    };
    uint64_t need = 0;
    for (size_t i = 0; i < COUNT_OF(table); i++)
        need |= table[i].asked != 0 ? FEATURE_BIT(table[i].feature) : 0;
    return need;
}

int job_limits_features(const struct job_limits *l, struct strs *ret)
{
    uint64_t need = job_limits_need(l);
    int rc = 0;
    for (uint32_t f = 0; f < FEATURE_COUNT && rc == 0; f++)
        rc = (need & FEATURE_BIT(f)) != 0 ? strs_add(ret, names_get(&node_feature_names, f)) : 0;
    for (size_t i = 0; i < l->devices.count && rc == 0; i++) {
        char name[FEATURE_NAME_MAX + 1];
        snprintf(name, sizeof name, FEATURE_DEVICE "%.31s", l->devices.v[i]);
        rc = strs_add(ret, name);
    }
    return rc;
}

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "isolation/cgroup.h"
#include "isolation/spec/mover.h"
#include "isolation/spec/stage.h"

#define PAGE 4096u /* the kernel rounds limits to pages; so do we, or nothing would read back as written */
#define PERIOD_US UINT64_C(100000)
#define PERIOD_LONG_US UINT64_C(1000000) /* below 10 milli-cores: the kernel takes no quota under 1 ms */

static const struct controller_row {
    const char *v1, *v2;
    bool required;
} controllers[CG_CONTROLLERS] = {
    [CG_CPU] = {"cpu", "cpu", true},
    [CG_CPUACCT] = {"cpuacct", "cpu", false}, /* v2 counts without it */
    [CG_MEMORY] = {"memory", "memory", true},
    [CG_PIDS] = {"pids", "pids", true},
    [CG_IO] = {"blkio", "io", false},
    [CG_CPUSET] = {"cpuset", "cpuset", false},
    [CG_DEVICES] = {"devices", "devices", false}, /* v2: a program */
    [CG_FREEZER] = {"freezer", "freezer", false}, /* v2: every group has it */
    [CG_HUGETLB] = {"hugetlb", "hugetlb", false},
};

const char *cg_controller_name(enum cg_controller c, bool v2)
{
    return v2 ? controllers[c].v2 : controllers[c].v1;
}

bool cg_controller_is_required(enum cg_controller c)
{
    return controllers[c].required;
}

struct values {
    const struct cg *cg;
    struct cg_value *at;
    int count;
};

static bool is_v2(const struct values *l, enum cg_controller c)
{
    return l->cg->of[c] >= 0 && l->cg->at[l->cg->of[c]].v2;
}

static struct cg_value *put(struct values *l, enum cg_controller c, const char *file, const char *format, ...)
    PRINTF_LIKE(4, 5);
static struct cg_value *put(struct values *l, enum cg_controller c, const char *file, const char *format, ...)
{
    assert(l->count < CG_VALUES_MAX);
    struct cg_value *v = &l->at[l->count++];
    *v = (struct cg_value){.controller = c};
    va_list args;
    va_start(args, format);
    vsnprintf(v->text, sizeof v->text, format, args);
    va_end(args);
    snprintf(v->file, sizeof v->file, "%s", file);
    return v;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return MIN(MAX(value, low), high);
}

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static void put_cpu(struct values *l, uint64_t milli)
{
    uint64_t period = milli < 10 ? PERIOD_LONG_US : PERIOD_US, quota = milli * period / 1000;
    if (is_v2(l, CG_CPU)) {
        put(l, CG_CPU, "cpu.max", "%" PRIu64 " %" PRIu64, quota, period);
        put(l, CG_CPU, "cpu.weight", "%" PRIu64, clamp(milli / 10, 1, 10000)); /* one core: the default, 100 */
        return;
    }
    put(l, CG_CPU, "cpu.cfs_period_us", "%" PRIu64, period)->usual = true;
    put(l, CG_CPU, "cpu.cfs_quota_us", "%" PRIu64, quota);
    put(l, CG_CPU, "cpu.shares", "%" PRIu64, clamp(milli * 1024 / 1000, 2, 262144));
}

static void put_memory_v2(struct values *l, uint64_t bytes, uint64_t scratch, const struct sandbox_limits *limits)
{
    put(l, CG_MEMORY, "memory.max", "%" PRIu64, bytes);
    struct cg_value *swap = put(l, CG_MEMORY, "memory.swap.max", "%" PRIu64, pages(limits->swap_bytes));
    swap->if_present = limits->swap_bytes == 0;
    /* The group may only go as a whole when its keeper is exempt: else the record would go with it. */
    put(l, CG_MEMORY, "memory.oom.group", "%d", l->cg->protect)->usual = true;
    if (limits->mem_high_bytes > 0)
        put(l, CG_MEMORY, "memory.high", "%" PRIu64, pages(limits->mem_high_bytes + scratch));
    if (limits->mem_min_bytes > 0)
        put(l, CG_MEMORY, "memory.min", "%" PRIu64, pages(limits->mem_min_bytes));
}

static void put_memory(struct values *l, const struct sandbox_spec *spec)
{
    uint64_t own = sandbox_has_mover(spec) ? MOVER_MEM_BYTES : 0;
    own += spec->stages != 0 ? STAGER_MEM_BYTES : 0;
    uint64_t bytes = pages(spec->mem_bytes + spec->scratch_bytes + own), swap = pages(spec->limits.swap_bytes);
    if (is_v2(l, CG_MEMORY)) {
        put_memory_v2(l, bytes, spec->scratch_bytes, &spec->limits);
        return;
    }
    put(l, CG_MEMORY, "memory.limit_in_bytes", "%" PRIu64, bytes);
    put(l, CG_MEMORY, "memory.memsw.limit_in_bytes", "%" PRIu64, bytes + swap)->if_present = swap == 0;
    /* What waits in sockets, UDP's too, is counted apart here, and only where it is limited. */
    put(l, CG_MEMORY, "memory.kmem.tcp.limit_in_bytes", "%" PRIu64, bytes)->if_present = true;
}

#define WEIGHT_USUAL 100u /* the kernel's own default */

/* What follows a change is looked at before it is written: most of it stays. */
static void put_line(struct values *l, const char *file, dev_t dev, const char *text, bool none, bool follows)
{
    struct cg_value *v = put(l, CG_IO, file, "%u:%u %s", major(dev), minor(dev), text);
    v->match = none ? CG_NO_LINE : CG_LINE;
    v->usual = follows;
}

static void put_io_v1(struct values *l, dev_t dev, const struct sandbox_limits *limits, bool follows)
{
    const struct {
        const char *file;
        uint64_t value;
    } rows[] = {
        {"blkio.throttle.read_bps_device", limits->io_read_bps},
        {"blkio.throttle.write_bps_device", limits->io_write_bps},
        {"blkio.throttle.read_iops_device", limits->io_read_ops},
        {"blkio.throttle.write_iops_device", limits->io_write_ops},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, rows[i].value);
        if (rows[i].value > 0 || follows)
            put_line(l, rows[i].file, dev, text, rows[i].value == 0, follows);
    }
}

static const char *rate(uint64_t value, char out[24])
{
    snprintf(out, 24, value > 0 ? "%" PRIu64 : "max", value);
    return out;
}

static bool has_rates(const struct sandbox_limits *m)
{
    return (m->io_read_bps | m->io_write_bps | m->io_read_ops | m->io_write_ops) != 0;
}

static void put_io_v2(struct values *l, dev_t dev, const struct sandbox_limits *m, bool follows)
{
    char text[4][24], line[120];
    snprintf(line, sizeof line, "rbps=%s wbps=%s riops=%s wiops=%s", rate(m->io_read_bps, text[0]),
             rate(m->io_write_bps, text[1]), rate(m->io_read_ops, text[2]), rate(m->io_write_ops, text[3]));
    put_line(l, "io.max", dev, line, !has_rates(m), follows);
}

static void put_weight(struct values *l, uint32_t weight, bool follows)
{
    struct cg_value *v;
    if (is_v2(l, CG_IO))
        v = put(l, CG_IO, l->cg->weight_by_bfq ? "io.bfq.weight" : "io.weight", "default %" PRIu32, weight);
    else
        v = put(l, CG_IO, "blkio.bfq.weight", "%" PRIu32, weight);
    v->match = is_v2(l, CG_IO) ? CG_LINE : CG_WHOLE;
    v->usual = follows;
}

static void put_rates(struct values *l, const struct sandbox_limits *limits, bool follows)
{
    for (int i = 0; i < l->cg->io_count; i++)
        (is_v2(l, CG_IO) ? put_io_v2 : put_io_v1)(l, l->cg->io[i], limits, follows);
}

static void put_io(struct values *l, const struct sandbox_limits *limits)
{
    if (has_rates(limits))
        put_rates(l, limits, false);
    if (limits->io_weight > 0)
        put_weight(l, limits->io_weight, false);
}

/* A controller has all four or none. */
int cg_io_values(const struct cg *cg, const struct sandbox_limits *limits, struct cg_value out[CG_VALUES_MAX])
{
    struct values l = {cg, out, 0};
    if ((cg->able.features & FEATURE_BIT(FEATURE_IO_READ_BPS)) != 0)
        put_rates(&l, limits, true);
    if ((cg->able.features & FEATURE_BIT(FEATURE_IO_WEIGHT)) != 0)
        put_weight(&l, limits->io_weight > 0 ? limits->io_weight : WEIGHT_USUAL, true);
    return l.count;
}

/* Where the node has huge pages; where it has none, the base may use none. */
static void put_huge(struct values *l, const struct sandbox_limits *limits)
{
    static const char *const names[HUGE_SIZES] = {"2MB", "1GB"};
    bool v2 = is_v2(l, CG_HUGETLB);
    for (int i = 0; i < HUGE_SIZES; i++) {
        if ((l->cg->able.features >> (FEATURE_HUGE_2M + i) & 1) == 0 && limits->huge_bytes[i] == 0)
            continue;
        char file[40];
        snprintf(file, sizeof file, v2 ? "hugetlb.%s.max" : "hugetlb.%s.limit_in_bytes", names[i]);
        put(l, CG_HUGETLB, file, "%" PRIu64, limits->huge_bytes[i]);
    }
}

int cg_values(const struct cg *cg, const struct sandbox_spec *spec, struct cg_value out[CG_VALUES_MAX])
{
    struct values l = {cg, out, 0};
    put_cpu(&l, spec->cpu_milli);
    put_memory(&l, spec);
    uint32_t own = sandbox_has_mover(spec) ? MOVER_PROCESSES : 0;
    own += spec->stages != 0 ? STAGER_PROCESSES : 0;
    put(&l, CG_PIDS, "pids.max", "%" PRIu32, spec->pids_max + own);
    put_io(&l, &spec->limits);
    put_huge(&l, &spec->limits);
    return l.count;
}

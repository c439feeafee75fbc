#include <inttypes.h>
#include <stdio.h>

#include "isolation/cgroup.h"

#define PAGE 4096u /* the kernel rounds limits to pages; so do we, or nothing would read back as written */
#define PERIOD_US UINT64_C(100000)
#define PERIOD_LONG_US UINT64_C(1000000) /* below 10 milli-cores: the kernel takes no quota under 1 ms */

const char *const cg_controller_names[CG_CONTROLLERS] = {"cpu", "cpuacct", "memory", "pids"};

struct values {
    struct cg_value *at;
    int count;
};

static void put(struct values *l, enum cg_controller c, const char *file, uint64_t number, bool if_present)
{
    struct cg_value *v = &l->at[l->count++];
    *v = (struct cg_value){.controller = c, .if_present = if_present};
    snprintf(v->file, sizeof v->file, "%s", file);
    snprintf(v->text, sizeof v->text, "%" PRIu64, number);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return MIN(MAX(value, low), high);
}

static void put_cpu(struct values *l, bool v2, uint64_t milli)
{
    uint64_t period = milli < 10 ? PERIOD_LONG_US : PERIOD_US, quota = milli * period / 1000;
    if (!v2) {
        put(l, CG_CPU, "cpu.cfs_period_us", period, false);
        put(l, CG_CPU, "cpu.cfs_quota_us", quota, false);
        put(l, CG_CPU, "cpu.shares", clamp(milli * 1024 / 1000, 2, 262144), false);
        return;
    }
    put(l, CG_CPU, "cpu.max", quota, false);
    struct cg_value *v = &l->at[l->count - 1];
    snprintf(v->text, sizeof v->text, "%" PRIu64 " %" PRIu64, quota, period);
    put(l, CG_CPU, "cpu.weight", clamp(milli / 10, 1, 10000), false); /* one core: the default, 100 */
}

static void put_memory(struct values *l, bool v2, bool oom_group, uint64_t bytes)
{
    if (!v2) {
        put(l, CG_MEMORY, "memory.limit_in_bytes", bytes, false);
        put(l, CG_MEMORY, "memory.memsw.limit_in_bytes", bytes, true);
        return;
    }
    put(l, CG_MEMORY, "memory.max", bytes, false);
    put(l, CG_MEMORY, "memory.swap.max", 0, true);
    put(l, CG_MEMORY, "memory.oom.group", oom_group, false);
}

int cg_values(const struct cg *cg, const struct sandbox_spec *spec, struct cg_value out[CG_VALUES_MAX])
{
    struct values l = {out, 0};
    uint64_t bytes = (spec->mem_bytes + spec->scratch_bytes + PAGE - 1) / PAGE * PAGE;
    put_cpu(&l, cg->at[cg->of[CG_CPU]].v2, spec->cpu_milli);
    /* The group may only go as a whole when its keeper is exempt: else the record would go with it. */
    put_memory(&l, cg->at[cg->of[CG_MEMORY]].v2, cg->protect, bytes);
    put(&l, CG_PIDS, "pids.max", spec->pids_max, false);
    assert(l.count <= CG_VALUES_MAX);
    return l.count;
}

/* Processors: sets as the kernel writes them, and who is pinned where. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "isolation/cgroup.h"

#define SET_TEXT_MAX 4096 /* what the kernel takes in one write */

static bool has(const struct cg_cpus *s, unsigned cpu)
{
    return (s->bits[cpu / 64] >> cpu % 64 & 1) != 0;
}

static bool take_number(const char **at, unsigned *ret)
{
    unsigned value = 0;
    const char *c = *at;
    for (; *c >= '0' && *c <= '9' && value < LIMIT_PINNED_MAX; c++)
        value = value * 10 + (unsigned)(*c - '0');
    bool any = c > *at && (*c < '0' || *c > '9') && value < LIMIT_PINNED_MAX;
    *at = c;
    *ret = value;
    return any;
}

bool cg_cpus_parse(const char *text, struct cg_cpus *ret)
{
    struct cg_cpus set = {0};
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        unsigned first, last;
        if (!take_number(&at, &first))
            return false;
        last = first;
        if (*at == '-' && (at++, !take_number(&at, &last)))
            return false;
        if (last < first || (*at != ',' && *at != '\0'))
            return false;
        for (unsigned cpu = first; cpu <= last; cpu++)
            set.bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
    }
    *ret = set;
    return true;
}

bool cg_cpus_format(const struct cg_cpus *cpus, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned cpu = 0; cpu < LIMIT_PINNED_MAX; cpu++) {
        unsigned last = cpu;
        if (!has(cpus, cpu))
            continue;
        while (last + 1 < LIMIT_PINNED_MAX && has(cpus, last + 1))
            last++;
        const char *comma = len > 0 ? "," : "";
        int n = last > cpu ? snprintf(out + len, size - len, "%s%u-%u", comma, cpu, last)
                           : snprintf(out + len, size - len, "%s%u", comma, cpu);
        if (n < 0 || (size_t)n >= size - len)
            return false;
        len += (size_t)n;
        cpu = last;
    }
    return true;
}

static bool read_set(const struct cg *cg, const char *group, const char *file, struct cg_cpus *ret)
{
    char text[SET_TEXT_MAX];
    return cg_file_read(cg->at[cg->of[CG_CPUSET]].base, group, file, text, sizeof text) > 0 &&
           cg_cpus_parse(text, ret);
}

int cg_pick_cpus(const struct cg *cg, const struct cg_cpus *taken, uint32_t count, struct cg_cpus *ret)
{
    struct cg_cpus all, picked = {0};
    if (cg->of[CG_CPUSET] < 0)
        return -EOPNOTSUPP;
    bool v2 = cg->at[cg->of[CG_CPUSET]].v2;
    if (!read_set(cg, ".", v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", &all))
        return -EIO;
    for (unsigned cpu = 0; cpu < LIMIT_PINNED_MAX && count > 0; cpu++) {
        if (!has(&all, cpu) || has(taken, cpu))
            continue;
        picked.bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
        count--;
    }
    if (count > 0)
        return -EBUSY;
    *ret = picked;
    return 0;
}

void cg_recall(const struct cg *cg, const char *group, struct cg_cpus *ret_cpus, uint64_t *ret_guarantee)
{
    char text[32];
    *ret_cpus = (struct cg_cpus){0};
    *ret_guarantee = 0;
    if (cg->of[CG_CPUSET] >= 0)
        (void)!read_set(cg, group, "cpuset.cpus", ret_cpus); /* none, or empty: it isn't pinned */
    const struct cg_hierarchy *memory = &cg->at[cg->of[CG_MEMORY]];
    if (memory->v2 && cg_file_read(memory->base, group, "memory.min", text, sizeof text) > 0)
        *ret_guarantee = strtoull(text, NULL, 10);
}

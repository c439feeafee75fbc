/* Processors: sets as the kernel writes them, and who is pinned where. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static bool read_all(const struct cg *cg, struct cg_cpus *ret)
{
    bool v2 = cg->at[cg->of[CG_CPUSET]].v2;
    return read_set(cg, ".", v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", ret);
}

int cg_pick_cpus(const struct cg *cg, const struct cg_cpus *taken, uint32_t count, struct cg_cpus *ret)
{
    struct cg_cpus all, picked = {0};
    if (cg->of[CG_CPUSET] < 0)
        return -EOPNOTSUPP;
    if (!read_all(cg, &all))
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

bool cg_cpus_any(const struct cg_cpus *s)
{
    uint64_t any = 0;
    for (size_t k = 0; k < COUNT_OF(s->bits); k++)
        any |= s->bits[k];
    return any != 0;
}

/* --- who isn't pinned -------------------------------------------------------------------------------------------- */

/* v1: all of them in one group, so that one write moves them all; v2: each has its own file. */
static bool by_group(const struct cg *cg)
{
    int at = cg->of[CG_CPUSET];
    return at >= 0 && !cg->at[at].v2 && cg->at[at].on_demand;
}

static int set_cpus(const struct cg *cg, const char *group, const struct cg_cpus *cpus, struct err *err)
{
    static const struct cg_value v = {.controller = CG_CPUSET, .file = "cpuset.cpus", .usual = true};
    char text[SET_TEXT_MAX];
    if (!cg_cpus_format(cpus, text, sizeof text))
        return err_set(err, -E2BIG, "cgroups: cpuset.cpus: the set is too long to be written");
    return cg_text_set(cg->at[cg->of[CG_CPUSET]].base, group, &v, text, err);
}

int cg_share_open(struct cg *cg, struct err *err)
{
    cg->sharing = false;
    if (!by_group(cg))
        return 0;
    int base = cg->at[cg->of[CG_CPUSET]].base;
    char text[SET_TEXT_MAX];
    if (mkdirat(base, CG_SHARED, 0755) < 0 && errno != EEXIST)
        return err_set(err, -errno, "cgroups: cannot make %s: %s", CG_SHARED, strerror(errno));
    static const struct cg_value mems = {.controller = CG_CPUSET, .file = "cpuset.mems", .usual = true};
    ssize_t n = cg_file_read(base, ".", mems.file, text, sizeof text);
    int rc = n < 0 ? err_set(err, (int)n, "cgroups: cpuset.mems: %s", strerror((int)-n))
                   : cg_text_set(base, CG_SHARED, &mems, text, err);
    return rc < 0 ? rc : cg_share_cpus(cg, &(struct cg_cpus){{0}}, err);
}

int cg_share_cpus(struct cg *cg, const struct cg_cpus *taken, struct err *err)
{
    if (cg->of[CG_CPUSET] < 0)
        return 0;
    if (!read_all(cg, &cg->shared))
        return err_set(err, -EIO, "cgroups: the base's processors can't be read");
    struct cg_cpus left = cg->shared;
    for (size_t k = 0; k < COUNT_OF(left.bits); k++)
        left.bits[k] &= ~taken->bits[k];
    cg->sharing = cg_cpus_any(taken) && cg_cpus_any(&left); /* somewhere they must run */
    if (cg->sharing)
        cg->shared = left;
    return by_group(cg) ? set_cpus(cg, CG_SHARED, &cg->shared, err) : 0;
}

/* A group that something lives in can't be told any more to have no set of its own (-ENOSPC): it is given all. */
int cg_share_with(const struct cg *cg, const char *group, struct err *err)
{
    char text[SET_TEXT_MAX];
    if (cg->of[CG_CPUSET] < 0 || !cg->at[cg->of[CG_CPUSET]].v2)
        return 0;
    if (!cg->sharing && cg_file_read(cg->at[cg->of[CG_CPUSET]].base, group, "cpuset.cpus", text, sizeof text) == 0)
        return 0; /* it never had one */
    return set_cpus(cg, group, &cg->shared, err);
}

/* On v2 everybody may have a set; memory nodes are written for who is pinned. */
static bool is_pinned(const struct cg *cg, const char *group)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_CPUSET]];
    char text[SET_TEXT_MAX];
    return !h->v2 || cg_file_read(h->base, group, "cpuset.mems", text, sizeof text) > 0;
}

void cg_recall(const struct cg *cg, const char *group, struct cg_cpus *ret_cpus, uint64_t *ret_guarantee)
{
    char text[32];
    *ret_cpus = (struct cg_cpus){0};
    *ret_guarantee = 0;
    if (cg->of[CG_CPUSET] >= 0 && is_pinned(cg, group))
        (void)!read_set(cg, group, "cpuset.cpus", ret_cpus); /* none, or empty: it isn't pinned */
    const struct cg_hierarchy *memory = &cg->at[cg->of[CG_MEMORY]];
    if (memory->v2 && cg_file_read(memory->base, group, "memory.min", text, sizeof text) > 0)
        *ret_guarantee = strtoull(text, NULL, 10);
}

#include "policies/capacity.h"

#include <string.h>

void capacity_names_fini(struct capacity_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->generic[i]);
    *names = (struct capacity_names){0};
}

static int place_of(const struct capacity_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->generic[i], name) == 0)
            return (int)i;
    return -1;
}

bool capacity_names_fit(const struct capacity_names *names, const struct resources *r)
{
    size_t fresh = 0;
    for (size_t i = 0; i < r->generic.count; i++)
        fresh += place_of(names, r->generic.v[i].name) < 0;
    return names->count + fresh <= RESOURCE_GENERIC_MAX;
}

bool capacity_names_add(struct capacity_names *names, const struct resources *r)
{
    for (size_t i = 0; i < r->generic.count; i++) {
        if (place_of(names, r->generic.v[i].name) >= 0)
            continue;
        if (names->count == RESOURCE_GENERIC_MAX ||
            str_set(&names->generic[names->count], r->generic.v[i].name) < 0)
            return false;
        names->count++;
    }
    return true;
}

bool capacity_of(const struct capacity_names *names, const struct resources *r, struct capacity *ret)
{
    struct capacity c = {0};
    c.v[CAPACITY_CPU] = r->cpu_milli;
    c.v[CAPACITY_MEM] = r->mem_bytes + r->scratch_bytes;
    for (size_t i = 0; i < r->generic.count; i++) {
        int at = place_of(names, r->generic.v[i].name);
        if (at < 0 && r->generic.v[i].value > 0)
            return false;
        if (at >= 0)
            c.v[CAPACITY_GENERIC + at] = r->generic.v[i].value;
    }
    *ret = c;
    return true;
}

void capacity_add(struct capacity *to, const struct capacity *what)
{
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        to->v[i] += what->v[i];
}

void capacity_take(struct capacity *from, const struct capacity *what)
{
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        from->v[i] = from->v[i] > what->v[i] ? from->v[i] - what->v[i] : 0;
}

bool capacity_fits(const struct capacity *need, const struct capacity *have)
{
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        if (need->v[i] > have->v[i])
            return false;
    return true;
}

#include "policies/capacity.h"

#include <string.h>

void capacity_names_fini(struct capacity_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->generic[i]);
    for (size_t i = 0; i < names->features_count; i++)
        free(names->features[i]);
    *names = (struct capacity_names){0};
}

static int index_of(char *const *texts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], name) == 0)
            return (int)i;
    return -1;
}

static int place_of(const struct capacity_names *names, const char *name)
{
    return index_of(names->generic, names->count, name);
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

bool capacity_features_fit(const struct capacity_names *names, const struct strs *features)
{
    size_t fresh = 0;
    for (size_t i = 0; i < features->count; i++)
        fresh += index_of(names->features, names->features_count, features->v[i]) < 0;
    return names->features_count + fresh <= NODE_FEATURES_MAX;
}

bool capacity_features_add(struct capacity_names *names, const struct strs *features)
{
    for (size_t i = 0; i < features->count; i++) {
        if (index_of(names->features, names->features_count, features->v[i]) >= 0)
            continue;
        if (names->features_count == NODE_FEATURES_MAX ||
            str_set(&names->features[names->features_count], features->v[i]) < 0)
            return false;
        names->features_count++;
    }
    return true;
}

bool capacity_features(const struct capacity_names *names, const struct strs *features, uint64_t *ret)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < features->count; i++) {
        int at = index_of(names->features, names->features_count, features->v[i]);
        if (at < 0)
            return false;
        bits |= UINT64_C(1) << at;
    }
    *ret = bits;
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

struct capacity capacity_of_many(const struct capacity *one, uint64_t times)
{
    struct capacity all = *one;
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        if (__builtin_mul_overflow(one->v[i], times, &all.v[i]))
            all.v[i] = UINT64_MAX;
    return all;
}

bool capacity_fits(const struct capacity *need, const struct capacity *have)
{
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        if (need->v[i] > have->v[i])
            return false;
    return need->features == 0 || (need->features & ~have->features) == 0;
}

uint64_t capacity_times(const struct capacity *need, const struct capacity *have)
{
    uint64_t times = (need->features & ~have->features) == 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        if (need->v[i] > 0)
            times = MIN(times, have->v[i] / need->v[i]);
    return times;
}

const char *capacity_name(const struct capacity_names *names, size_t dim)
{
    if (dim == CAPACITY_CPU || dim == CAPACITY_MEM)
        return dim == CAPACITY_CPU ? "cpu" : "memory";
    bool known = dim >= CAPACITY_GENERIC && dim - CAPACITY_GENERIC < names->count;
    return known ? names->generic[dim - CAPACITY_GENERIC] : NULL;
}

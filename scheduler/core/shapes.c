#include <string.h>

#include "scheduler/core/state.h"

struct shape_key {
    const struct tenant *tenant;
    uint64_t limit_us;
    const struct resources *resources;
};

static bool shape_is(const void *object, const void *key)
{
    const struct shape *s = object;
    const struct shape_key *k = key;
    return s->tenant == k->tenant && s->limit_us == k->limit_us &&
           fields_equal(&resources_fields, &s->resources, k->resources);
}

static uint64_t hash_of(const struct shape_key *k)
{
    uint64_t hash = hash_text(HASH_START, k->tenant->path);
    hash = hash_u64(hash_u64(hash, k->limit_us), k->resources->cpu_milli);
    hash = hash_u64(hash_u64(hash, k->resources->mem_bytes), k->resources->scratch_bytes);
    for (size_t i = 0; i < k->resources->generic.count; i++)
        hash = hash_u64(hash_text(hash, k->resources->generic.v[i].name), k->resources->generic.v[i].value);
    return hash;
}

struct shape *shape_get(struct core *c, struct tenant *t, const struct job_spec *spec)
{
    struct shape_key key = {t, spec->time_limit_ms * 1000, &spec->resources};
    uint64_t hash = hash_of(&key);
    c->shapes.is = shape_is;
    struct shape *s = table_find(&c->shapes, hash, &key);
    if (s == NULL) {
        s = core_alloc(sizeof *s);
        s->tenant = t;
        s->limit_us = key.limit_us;
        s->hash = hash;
        s->at = HEAP_NOWHERE;
        s->names_seen = SIZE_MAX;
        core_copy_resources(&spec->resources, &s->resources);
        table_put(&c->shapes, hash, s);
        t->refs++;
    }
    s->refs++;
    shape_refresh(c, s);
    return s;
}

void shape_put(struct core *c, struct shape *s)
{
    if (--s->refs > 0)
        return;
    BUG(s->ready.count > 0);
    table_remove(&c->shapes, s->hash, s);
    s->tenant->refs--;
    heap_fini(&s->ready);
    fields_clear(&resources_fields, &s->resources);
    free(s);
}

void shape_refresh(const struct core *c, struct shape *s)
{
    if (s->names_seen == c->names.count)
        return;
    s->names_seen = c->names.count;
    s->placeable = capacity_of(&c->names, &s->resources, &s->need);
}

uint64_t shape_slice_us(const struct core *c, const struct shape *s)
{
    return MIN(core_longest_us(c, s->limit_us), core_slice_us(c));
}

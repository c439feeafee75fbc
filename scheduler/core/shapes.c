#include <errno.h>
#include <string.h>

#include "quotas/ledger_names.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"

struct shape_key {
    const struct tenant *tenant;
    uint64_t limit_us, io_limit_bytes;
    bool preemptible, spread;
    uint32_t gang, gang_min, per_node;
    bool within_or_any;
    const char *within, *over;
    const struct resources *resources;
    const struct strs *features;
    const char *where;
};

static bool same_words(const struct strs *a, const struct strs *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = strcmp(a->v[i], b->v[i]) == 0;
    return same;
}

static const char *within_of(const struct shape *s)
{
    return s->within != NULL ? s->within->label : NULL;
}

static const char *over_of(const struct shape *s)
{
    return s->over != NULL ? s->over->groups->label : NULL;
}

static bool shape_is(const void *object, const void *key)
{
    const struct shape *s = object;
    const struct shape_key *k = key;
    return s->tenant == k->tenant && s->limit_us == k->limit_us && s->io_limit_bytes == k->io_limit_bytes &&
           s->preemptible == k->preemptible && s->spread == k->spread && s->gang == k->gang &&
           s->gang_min == k->gang_min && s->per_node == k->per_node && s->within_or_any == k->within_or_any &&
           str_same(within_of(s), k->within) && str_same(over_of(s), k->over) && str_same(s->where, k->where) &&
           same_words(&s->features, k->features) && fields_equal(&resources_fields, &s->resources, k->resources);
}

static uint64_t hash_of(const struct shape_key *k)
{
    uint64_t hash = key_text(KEY_START, k->tenant->path);
    uint64_t gang = (uint64_t)k->gang << 2 | (uint64_t)(k->gang - k->gang_min) << 16;
    hash = key_u64(key_u64(hash, k->limit_us), k->preemptible | (unsigned)k->spread << 1 | gang);
    if (k->io_limit_bytes != 0)
        hash = key_u64(hash, k->io_limit_bytes);
    if (k->per_node != 0 || k->within != NULL)
        hash = key_text(key_u64(key_u64(hash, k->per_node), k->within_or_any), k->within);
    if (k->over != NULL)
        hash = key_text(hash, k->over);
    hash = key_u64(hash, k->resources->cpu_milli);
    hash = key_u64(key_u64(hash, k->resources->mem_bytes), k->resources->scratch_bytes);
    for (size_t i = 0; i < k->resources->generic.count; i++)
        hash = key_u64(key_text(hash, k->resources->generic.v[i].name), k->resources->generic.v[i].value);
    for (size_t i = 0; i < k->features->count; i++)
        hash = key_text(hash, k->features->v[i]);
    return key_text(hash, k->where);
}

static bool has_feature(const struct strs *features, uint32_t feature)
{
    bool has = false;
    for (size_t i = 0; i < features->count; i++)
        has |= strcmp(features->v[i], names_get(&node_feature_names, feature)) == 0;
    return has;
}

/* What a job's spec says, but for texts and resources, which are the caller's to copy or to share. */
static struct shape shape_of(struct tenant *t, const struct job_spec *spec)
{
    struct shape s = {.tenant = t,
                      .limit_us = spec->time_limit_ms * 1000,
                      .io_limit_bytes = spec->limits.io_bytes,
                      .preemptible = spec->preemptible,
                      .spread = spec->placement == PLACEMENT_SPREAD,
                      .gang = (uint16_t)job_spec_gang(spec),
                      .gang_min = (uint16_t)job_spec_gang_min(spec),
                      .per_node = spec->per_node,
                      .within_or_any = spec->within_or_any};
    int rc = job_spec_features(spec, &s.features);
    BUG(rc < 0);
    return s;
}

/* Its texts and resources are the shape's, or a spec's that it is made of. */
static struct shape_key key_of(const struct shape *s)
{
    return (struct shape_key){.tenant = s->tenant,
                              .limit_us = s->limit_us,
                              .io_limit_bytes = s->io_limit_bytes,
                              .preemptible = s->preemptible,
                              .spread = s->spread,
                              .gang = s->gang,
                              .gang_min = s->gang_min,
                              .per_node = s->per_node,
                              .within_or_any = s->within_or_any,
                              .within = within_of(s),
                              .over = over_of(s),
                              .resources = &s->resources,
                              .features = &s->features,
                              .where = s->where};
}

struct shape *shape_get(struct core *c, struct tenant *t, const struct job_spec *spec)
{
    struct shape wanted = shape_of(t, spec);
    struct shape_key key = key_of(&wanted);
    key.resources = &spec->resources;
    key.within = spec->within;
    key.over = spec->spread;
    key.where = spec->where;
    uint64_t hash = hash_of(&key);
    c->shapes.is = shape_is;
    struct shape *s = table_find(&c->shapes, hash, &key);
    if (s == NULL) {
        s = core_alloc(sizeof *s);
        *s = wanted;
        wanted.features = (struct strs){0};
        s->within = spec->within != NULL ? topology_new(spec->within) : NULL;
        s->over = spec->spread != NULL ? spread_new(spec->spread) : NULL;
        s->hash = hash;
        s->at = s->waits_at = HEAP_NOWHERE;
        s->names_seen = SIZE_MAX;
        core_copy_resources(&spec->resources, &s->resources);
        s->pinned = has_feature(&s->features, FEATURE_PIN_CPUS);
        s->where = core_text(spec->where);
        s->pool = s->where != NULL ? pool_get(c, s->where) : NULL;
        s->parsed = s->pool != NULL ? &s->pool->parsed : NULL;
        table_put(&c->shapes, hash, s);
        t->refs++;
    }
    core_clear_strs(&wanted.features);
    s->refs++;
    shape_refresh(c, s);
    return s;
}

struct shape **shapes_take(struct core *c, const char *top, size_t *ret_count)
{
    struct shape **row = core_alloc((c->shapes.count + 1) * sizeof(struct shape *));
    size_t count = 0;
    for (size_t i = 0; i < c->shapes.size; i++) {
        struct shape *s = c->shapes.slots[i].object;
        if (s != NULL && tenant_path_is_below(s->tenant->path, top))
            row[count++] = s;
    }
    for (size_t i = 0; i < count; i++)
        table_remove(&c->shapes, row[i]->hash, row[i]);
    *ret_count = count;
    return row;
}

void shapes_put_back(struct core *c, struct shape *const *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct shape *s = row[i];
        struct shape_key key = key_of(s);
        s->hash = hash_of(&key);
        demand_renamed(s);
        table_put(&c->shapes, s->hash, s);
    }
}

void shape_put(struct core *c, struct shape *s)
{
    if (--s->refs > 0)
        return;
    BUG(s->ready.count > 0);
    reserve_forget(c, s);
    table_remove(&c->shapes, s->hash, s);
    s->tenant->refs--;
    if (s->demand != NULL)
        demand_put(c, s->demand);
    heap_fini(&s->ready);
    fields_clear(&resources_fields, &s->resources);
    core_clear_strs(&s->features);
    if (s->pool != NULL)
        pool_put(c, s->pool);
    topology_free(s->within);
    spread_free(c, s->over);
    free(s->where);
    free(s);
}

struct shape shape_as_if(const struct core *c, const struct tenant *t, const struct job_spec *spec)
{
    struct shape s = shape_of((struct tenant *)(uintptr_t)t, spec);
    s.resources = spec->resources;
    s.within = spec->within != NULL ? topology_new(spec->within) : NULL;
    s.where = spec->where;
    if (s.where == NULL)
        return s;
    s.pool = pool_find(c, s.where);
    if (s.pool != NULL) {
        s.parsed = &s.pool->parsed;
        return s;
    }
    struct where *parsed = core_alloc(sizeof *parsed);
    struct err err = {0};
    int rc = where_parse(s.where, parsed, &err);
    BUG(rc < 0);
    s.parsed = parsed;
    return s;
}

void shape_as_if_clear(struct shape *s)
{
    core_clear_strs(&s->features);
    topology_free(s->within);
    if (s->pool == NULL)
        free((void *)(uintptr_t)s->parsed);
}

bool shape_prefers(const struct shape *s, const struct node *n, const struct node *to)
{
    return (place_compare(&n->open, &to->open) < 0) != s->spread;
}

bool shape_suits(const struct shape *s, const struct node *n)
{
    return s->parsed == NULL || where_matches(s->parsed, n->name, &n->labels);
}

bool shape_need(const struct core *c, const struct shape *s, struct capacity *ret)
{
    if (!capacity_of(&c->names, &s->resources, ret))
        return false;
    ret->v[CAPACITY_ATTEMPTS] = 1;
    return capacity_features(&c->names, &s->features, &ret->features);
}

void shape_refresh(struct core *c, struct shape *s)
{
    size_t names = c->names.count + c->names.features_count; /* both only grow */
    if (s->names_seen == names)
        return;
    s->names_seen = names;
    if (s->demand != NULL)
        return; /* it named what has a place already, and keeps it */
    s->placeable = shape_need(c, s, &s->need);
    s->demand = s->placeable ? demand_get(c, &s->need, s->pool) : NULL;
    if (s->ready.count > 0)
        demand_waits(c, s, true);
}

void shapes_refresh(struct core *c)
{
    for (size_t i = 0; i < c->shapes.size; i++)
        if (c->shapes.slots[i].object != NULL)
            shape_refresh(c, c->shapes.slots[i].object);
}

/* Those who ask alike share one. */
int shapes_verify(const struct core *c, struct err *err)
{
    for (size_t i = 0; i < c->shapes.size; i++) {
        const struct shape *s = c->shapes.slots[i].object;
        struct shape_key key = s != NULL ? key_of(s) : (struct shape_key){0};
        if (s != NULL && table_find(&c->shapes, hash_of(&key), &key) != s)
            return err_set(err, -EUCLEAN, "tenant %s: who asks for what a job of it asked for finds another shape",
                           s->tenant->path);
    }
    return 0;
}

uint64_t shape_slice_us(const struct core *c, const struct shape *s)
{
    return MIN(core_longest_us(c, s->limit_us), core_slice_us(c));
}

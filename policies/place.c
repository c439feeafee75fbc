#include "policies/place.h"

#include <string.h>

int place_compare(const struct place_item *a, const struct place_item *b)
{
    if (a->free.v[CAPACITY_CPU] != b->free.v[CAPACITY_CPU])
        return a->free.v[CAPACITY_CPU] < b->free.v[CAPACITY_CPU] ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* FNV-1a: where an item hangs must not depend on addresses or on the order of arrival. */
static uint32_t priority_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    hash ^= hash >> 15;
    return hash * 2246822519u;
}

static void take_most(struct place_item *item, const struct place_item *below)
{
    if (below == NULL)
        return;
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        item->most.v[i] = MAX(item->most.v[i], below->most.v[i]);
    item->most.features |= below->most.features;
    item->longest_us = MAX(item->longest_us, below->longest_us);
}

static struct place_item *refresh(struct place_item *item)
{
    item->most = item->free;
    item->longest_us = item->until_us;
    take_most(item, item->left);
    take_most(item, item->right);
    return item;
}

/* What sorts before `at` goes to *ret_low, the rest to *ret_high. */
static void split(struct place_item *t, const struct place_item *at, struct place_item **ret_low,
                  struct place_item **ret_high)
{
    if (t == NULL) {
        *ret_low = *ret_high = NULL;
    } else if (place_compare(t, at) < 0) {
        split(t->right, at, &t->right, ret_high);
        *ret_low = refresh(t);
    } else {
        split(t->left, at, ret_low, &t->left);
        *ret_high = refresh(t);
    }
}

static struct place_item *merge(struct place_item *low, struct place_item *high)
{
    if (low == NULL || high == NULL)
        return low != NULL ? low : high;
    if (low->priority > high->priority) {
        low->right = merge(low->right, high);
        return refresh(low);
    }
    high->left = merge(low, high->left);
    return refresh(high);
}

static struct place_item *insert(struct place_item *t, struct place_item *item)
{
    if (t == NULL || item->priority > t->priority) {
        split(t, item, &item->left, &item->right);
        return refresh(item);
    }
    if (place_compare(item, t) < 0)
        t->left = insert(t->left, item);
    else
        t->right = insert(t->right, item);
    return refresh(t);
}

static struct place_item *drop(struct place_item *t, struct place_item *item)
{
    BUG(t == NULL);
    if (t == item)
        return merge(t->left, t->right);
    if (place_compare(item, t) < 0)
        t->left = drop(t->left, item);
    else
        t->right = drop(t->right, item);
    return refresh(t);
}

void place_add(struct place_index *index, struct place_item *item)
{
    BUG(item->in_index);
    item->priority = priority_of(item->name);
    item->left = item->right = NULL;
    index->root = insert(index->root, item);
    item->in_index = true;
    index->count++;
}

void place_remove(struct place_index *index, struct place_item *item)
{
    if (!item->in_index)
        return;
    index->root = drop(index->root, item);
    item->in_index = false;
    index->count--;
}

void place_set(struct place_index *index, struct place_item *item, const struct capacity *free)
{
    bool was_in = item->in_index;
    place_remove(index, item);
    item->free = *free;
    if (was_in)
        place_add(index, item);
}

struct search {
    const struct capacity *need;
    const struct place_item *avoid;
    int64_t end_us;
};

static struct place_item *find(struct place_item *t, const struct search *s)
{
    if (t == NULL || s->end_us > t->longest_us || !capacity_fits(s->need, &t->most))
        return NULL;
    if (t->free.v[CAPACITY_CPU] >= s->need->v[CAPACITY_CPU]) {
        struct place_item *found = find(t->left, s);
        if (found != NULL)
            return found;
        if (t != s->avoid && s->end_us <= t->until_us && capacity_fits(s->need, &t->free))
            return t;
    }
    return find(t->right, s);
}

struct place_item *place_find_until(const struct place_index *index, const struct capacity *need,
                                    const struct place_item *avoid, int64_t end_us)
{
    return find(index->root, &(struct search){need, avoid, end_us});
}

struct place_item *place_find(const struct place_index *index, const struct capacity *need,
                              const struct place_item *avoid)
{
    return place_find_until(index, need, avoid, INT64_MIN);
}

static bool from_most(const struct place_item *t, bool (*fn)(const struct place_item *item, void *arg), void *arg)
{
    return t != NULL && (from_most(t->right, fn, arg) || fn(t, arg) || from_most(t->left, fn, arg));
}

bool place_from_most(const struct place_index *index, bool (*fn)(const struct place_item *item, void *arg), void *arg)
{
    return from_most(index->root, fn, arg);
}

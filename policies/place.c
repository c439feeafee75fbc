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

/* The spine is the way from the root to the last item. What leaves its end is complete, and its `most` can be known;
 * until then `right` leads back towards the root. */
static struct place_item *leave_spine(struct place_item **top, struct place_item *below)
{
    struct place_item *item = *top;
    *top = item->right;
    item->right = below;
    return refresh(item);
}

void place_fill(struct place_index *index, struct place_item *const *items, size_t count)
{
    BUG(index->root != NULL);
    struct place_item *top = NULL, *below;
    for (size_t i = 0; i < count; i++) {
        struct place_item *item = items[i];
        BUG(item->in_index || (i > 0 && place_compare(items[i - 1], item) >= 0));
        item->priority = priority_of(item->name);
        item->in_index = true;
        for (below = NULL; top != NULL && item->priority > top->priority;)
            below = leave_spine(&top, below);
        item->left = below;
        item->right = top;
        top = item;
    }
    for (below = NULL; top != NULL;)
        below = leave_spine(&top, below);
    index->root = below;
    index->count = count;
}

static void each(struct place_item *t, void (*fn)(void *arg, struct place_item *item), void *arg)
{
    if (t == NULL)
        return;
    each(t->left, fn, arg);
    fn(arg, t);
    each(t->right, fn, arg);
}

void place_each(const struct place_index *index, void (*fn)(void *arg, struct place_item *item), void *arg)
{
    each(index->root, fn, arg);
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

static bool passes(const struct place_query *q, const struct place_item *item)
{
    return q->end_us <= item->until_us && capacity_fits(q->need, &item->free) && item != q->avoid;
}

static struct place_item *find_fullest(struct place_item *t, const struct place_query *q)
{
    if (t == NULL || q->end_us > t->longest_us || !capacity_fits(q->need, &t->most))
        return NULL;
    if (t->free.v[CAPACITY_CPU] >= q->need->v[CAPACITY_CPU]) {
        struct place_item *found = find_fullest(t->left, q);
        if (found != NULL)
            return found;
        if (passes(q, t))
            return t;
    }
    return find_fullest(t->right, q);
}

static struct place_item *find_emptiest(struct place_item *t, const struct place_query *q)
{
    if (t == NULL || q->end_us > t->longest_us || !capacity_fits(q->need, &t->most))
        return NULL;
    struct place_item *found = find_emptiest(t->right, q);
    if (found != NULL)
        return found;
    if (passes(q, t))
        return t;
    return find_emptiest(t->left, q);
}

struct place_item *place_search(const struct place_index *index, const struct place_query *q)
{
    return (q->spread ? find_emptiest : find_fullest)(index->root, q);
}

struct place_item *place_find_until(const struct place_index *index, const struct capacity *need,
                                    const struct place_item *avoid, int64_t end_us)
{
    return place_search(index, &(struct place_query){.need = need, .end_us = end_us, .avoid = avoid});
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

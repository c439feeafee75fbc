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

/* Compares as the names do, as far as it goes. */
static uint64_t head_of(const char *name)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++) {
        head = head << 8 | (uint8_t)*name;
        name += *name != '\0';
    }
    return head;
}

/* Of two in an index: place_compare() < 0. */
static bool is_before(const struct place_item *a, const struct place_item *b)
{
    if (a->cpu != b->cpu)
        return a->cpu < b->cpu;
    return a->head != b->head ? a->head < b->head : strcmp(a->name, b->name) < 0;
}

/* What the index knows of an item that comes in. */
static void begin(struct place_index *index, struct place_item *item)
{
    BUG(item->in_index);
    if (item->priority == 0) {
        item->priority = priority_of(item->name);
        item->head = head_of(item->name);
    }
    item->cpu = item->free.v[CAPACITY_CPU];
    item->most = item->free;
    item->longest_us = item->until_us;
    item->left = item->right = NULL;
    item->in_index = true;
    for (size_t i = index->dims; i < CAPACITY_DIMS; i++)
        if (item->free.v[i] != 0)
            index->dims = i + 1;
}

/* ---- the most of a branch --------------------------------------------------------------------------- */

static void raise_to(const struct place_index *index, struct place_item *t, const struct capacity *most,
                     int64_t longest_us)
{
    for (size_t i = 0; i < index->dims; i++)
        t->most.v[i] = MAX(t->most.v[i], most->v[i]);
    t->most.features |= most->features;
    t->longest_us = MAX(t->longest_us, longest_us);
}

static void raise_to_branch(const struct place_index *index, struct place_item *t, const struct place_item *below)
{
    if (below != NULL)
        raise_to(index, t, &below->most, below->longest_us);
}

static struct place_item *refresh(const struct place_index *index, struct place_item *t)
{
    for (size_t i = 0; i < index->dims; i++)
        t->most.v[i] = t->free.v[i];
    t->most.features = t->free.features;
    t->longest_us = t->until_us;
    raise_to_branch(index, t, t->left);
    raise_to_branch(index, t, t->right);
    return t;
}

/* true: it is another than before, so that what is above may be too. */
static bool has_fallen(const struct place_index *index, struct place_item *t)
{
    uint64_t before[CAPACITY_DIMS], features = t->most.features;
    int64_t longest_us = t->longest_us;
    bool fallen = false;
    for (size_t i = 0; i < index->dims; i++)
        before[i] = t->most.v[i];
    refresh(index, t);
    for (size_t i = 0; i < index->dims; i++)
        fallen |= t->most.v[i] != before[i];
    return fallen || t->most.features != features || t->longest_us != longest_us;
}

/* ---- the tree --------------------------------------------------------------------------------------- */

/* What sorts before `at` goes to *ret_low, the rest to *ret_high. */
static void split(const struct place_index *index, struct place_item *t, const struct place_item *at,
                  struct place_item **ret_low, struct place_item **ret_high)
{
    if (t == NULL) {
        *ret_low = *ret_high = NULL;
    } else if (is_before(t, at)) {
        split(index, t->right, at, &t->right, ret_high);
        *ret_low = refresh(index, t);
    } else {
        split(index, t->left, at, ret_low, &t->left);
        *ret_high = refresh(index, t);
    }
}

static struct place_item *merge(const struct place_index *index, struct place_item *low, struct place_item *high)
{
    if (low == NULL || high == NULL)
        return low != NULL ? low : high;
    if (low->priority > high->priority) {
        low->right = merge(index, low->right, high);
        return refresh(index, low);
    }
    high->left = merge(index, low, high->left);
    return refresh(index, high);
}

/* true: the most of what is left may be less than it was. */
static bool drop(const struct place_index *index, struct place_item **at, struct place_item *item)
{
    struct place_item *t = *at;
    BUG(t == NULL);
    if (t == item) {
        *at = merge(index, t->left, t->right);
        return true;
    }
    bool fallen = drop(index, is_before(item, t) ? &t->left : &t->right, item);
    return fallen && has_fallen(index, t);
}

void place_add(struct place_index *index, struct place_item *item)
{
    struct place_item **at = &index->root;
    begin(index, item);
    for (struct place_item *t; (t = *at) != NULL && t->priority >= item->priority;) {
        raise_to(index, t, &item->free, item->until_us);
        at = is_before(item, t) ? &t->left : &t->right;
    }
    split(index, *at, item, &item->left, &item->right);
    *at = refresh(index, item);
    index->count++;
}

/* The spine is the way from the root to the last item. What leaves its end is complete, and its `most` can be known;
 * until then `right` leads back towards the root. */
static struct place_item *leave_spine(const struct place_index *index, struct place_item **top,
                                      struct place_item *below)
{
    struct place_item *item = *top;
    *top = item->right;
    item->right = below;
    return refresh(index, item);
}

void place_fill(struct place_index *index, struct place_item *const *items, size_t count)
{
    BUG(index->root != NULL);
    struct place_item *top = NULL, *below;
    for (size_t i = 0; i < count; i++) {
        struct place_item *item = items[i];
        begin(index, item);
        BUG(i > 0 && !is_before(items[i - 1], item));
        for (below = NULL; top != NULL && item->priority > top->priority;)
            below = leave_spine(index, &top, below);
        item->left = below;
        item->right = top;
        top = item;
    }
    for (below = NULL; top != NULL;)
        below = leave_spine(index, &top, below);
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
    (void)drop(index, &index->root, item);
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

/* A search: what all its steps need. */
struct search {
    const struct place_query *q;
    size_t dims;
};

static bool fits(const struct search *s, const struct capacity *have)
{
    const struct capacity *need = s->q->need;
    for (size_t i = 0; i < s->dims; i++)
        if (need->v[i] > have->v[i])
            return false;
    return need->features == 0 || (need->features & ~have->features) == 0;
}

static bool passes(const struct search *s, const struct place_item *item)
{
    return s->q->end_us <= item->until_us && fits(s, &item->free) && item != s->q->avoid &&
           (s->q->may == NULL || s->q->may(item, s->q->arg));
}

static struct place_item *find_fullest(struct place_item *t, const struct search *s)
{
    if (t == NULL || s->q->end_us > t->longest_us || !fits(s, &t->most))
        return NULL;
    if (t->cpu >= s->q->need->v[CAPACITY_CPU]) {
        struct place_item *found = find_fullest(t->left, s);
        if (found != NULL)
            return found;
        if (passes(s, t))
            return t;
    }
    return find_fullest(t->right, s);
}

static struct place_item *find_emptiest(struct place_item *t, const struct search *s)
{
    if (t == NULL || s->q->end_us > t->longest_us || !fits(s, &t->most))
        return NULL;
    struct place_item *found = find_emptiest(t->right, s);
    if (found != NULL)
        return found;
    if (passes(s, t))
        return t;
    return find_emptiest(t->left, s);
}

/* The branch that may know a later one first. */
static int64_t find_longest(const struct place_item *t, const struct search *s, int64_t best_us)
{
    if (t == NULL || t->longest_us <= best_us || !fits(s, &t->most))
        return best_us;
    if (t->until_us > best_us && fits(s, &t->free))
        best_us = t->until_us;
    bool left = t->left != NULL && (t->right == NULL || t->left->longest_us > t->right->longest_us);
    best_us = find_longest(left ? t->left : t->right, s, best_us);
    return find_longest(left ? t->right : t->left, s, best_us);
}

/* Does anybody here have any of it? */
static bool is_known(const struct place_index *index, const struct capacity *need)
{
    for (size_t i = index->dims; i < CAPACITY_DIMS; i++)
        if (need->v[i] > 0)
            return false;
    return true;
}

int64_t place_longest_us(const struct place_index *index, const struct capacity *need)
{
    const struct search s = {&(struct place_query){.need = need}, index->dims};
    return is_known(index, need) ? find_longest(index->root, &s, INT64_MIN) : INT64_MIN;
}

struct place_item *place_search(const struct place_index *index, const struct place_query *q)
{
    const struct search s = {q, index->dims};
    if (!is_known(index, q->need))
        return NULL;
    return (q->spread ? find_emptiest : find_fullest)(index->root, &s);
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

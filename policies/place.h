/*
 * place - which node takes a task: of the nodes it fits on the one with the least free cpu (pack), or the one with the
 * most (spread); ties by name.
 *
 * The index keeps nodes ordered by (free cpu, name) in a tree whose branches know the most that any node below them has
 * free of each resource, and how long it stays open, so that a search passes over branches where nothing can fit: a
 * decision costs the depth of the tree, not the number of nodes. The tree's shape comes from the names alone and never
 * shows in an answer.
 * Ownership: the caller owns the items; an item stays where it is while it is in an index, and is in one index at most.
 * Purity:    pure.
 */
#ifndef REEVE_POLICIES_PLACE_H
#define REEVE_POLICIES_PLACE_H

#include "policies/capacity.h"

struct place_item {
    /* of the index: what a way down its tree looks at lies together */
    struct place_item *left, *right;
    uint64_t cpu;         /* where it stands: free cpu, the first eight bytes of its name, the name */
    uint64_t head;
    int64_t longest_us;
    uint32_t priority;    /* 0 = not known yet, as head */
    bool in_index;
    struct capacity most;
    /* of the caller */
    struct capacity free; /* change it only through place_set() while in_index */
    const char *name;     /* always the same */
    int64_t until_us;     /* what is put there must be over by then; changed like `free` */
};
struct place_index {
    struct place_item *root;
    size_t count;
    size_t dims;          /* resources beyond these nobody here ever had any of */
};

/* The order of the index, < 0: a is tried first. */
int place_compare(const struct place_item *a, const struct place_item *b);

void place_add(struct place_index *index, struct place_item *item);
/* All at once, into an empty index: as many steps as items. They come in the order that pack takes them in: by free cpu
 * and name. */
void place_fill(struct place_index *index, struct place_item *const *items, size_t count);
/* Every item, in that order. */
void place_each(const struct place_index *index, void (*fn)(void *arg, struct place_item *item), void *arg);
void place_remove(struct place_index *index, struct place_item *item); /* no-op when it isn't in */
void place_set(struct place_index *index, struct place_item *item, const struct capacity *free);

struct place_query {
    const struct capacity *need;
    int64_t end_us;                 /* it is over by then */
    bool spread;                    /* the emptiest node instead: the most free cpu, ties by name, last first */
    const struct place_item *avoid; /* NULL: none */
    bool (*may)(const struct place_item *item, const void *arg); /* NULL: each; else asked last */
    const void *arg;
};
/* NULL: it fits nowhere. */
struct place_item *place_search(const struct place_index *index, const struct place_query *q);
/* When the last of those with room closes; INT64_MIN: none has any. */
int64_t place_longest_us(const struct place_index *index, const struct capacity *need);
/* The fullest node with room, other than `avoid` (NULL = any). */
struct place_item *place_find(const struct place_index *index, const struct capacity *need,
                              const struct place_item *avoid);
/* The items from the most free cpu down, until fn says that it has seen enough (true). */
bool place_from_most(const struct place_index *index, bool (*fn)(const struct place_item *item, void *arg), void *arg);
/* The same for a task that is over by `end_us`. */
struct place_item *place_find_until(const struct place_index *index, const struct capacity *need,
                                    const struct place_item *avoid, int64_t end_us);

#endif

#include "scheduler/core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool pool_is(const void *object, const void *key)
{
    return strcmp(((const struct pool *)object)->text, key) == 0;
}

struct pool *pool_find(const struct core *c, const char *where)
{
    return table_find(&c->pools.by_text, key_text(KEY_START, where), where);
}

bool pools_fit(const struct core *c, size_t more)
{
    return c->pools.count - c->pools.idle + more <= POOLS_MAX && c->pools.nodes + c->nodes_count <= POOL_NODES_MAX;
}

bool pool_fits(const struct core *c, const char *where)
{
    return pools_fit(c, 1) || pool_find(c, where) != NULL;
}

static bool belongs(const struct pool *p, const struct node *n)
{
    bool value = p->label == NULL || str_same(node_label(n, p->label), p->value);
    return value && (p->any || where_matches(&p->parsed, n->name, &n->labels));
}

/* ---- what they have free ---------------------------------------------------------------------------- */

static void catch_up(struct pool_node *m)
{
    place_remove(&m->pool->open, &m->open);
    m->open.free = m->node->open.free;
    m->open.until_us = m->node->open.until_us;
    if (m->node->open.in_index)
        place_add(&m->pool->open, &m->open);
}

static void up_to_date(struct pool *p)
{
    while (p->stale != NULL) {
        struct pool_node *m = p->stale;
        p->stale = m->stale_next;
        m->stale = false;
        catch_up(m);
    }
}

struct node *pool_node_of(const struct place_item *item)
{
    return ((const struct pool_node *)(const void *)((const char *)item - offsetof(struct pool_node, open)))->node;
}

static const struct pool_node *member(const struct pool *p, const struct node *n)
{
    for (const struct pool_node *m = n->pools; m != NULL; m = m->next)
        if (m->pool == p)
            return m;
    return NULL;
}

struct node *pool_search(struct pool *p, struct place_query q, const struct node *avoid)
{
    const struct pool_node *m = avoid != NULL ? member(p, avoid) : NULL;
    q.avoid = m != NULL ? &m->open : NULL;
    up_to_date(p);
    struct place_item *found = place_search(&p->open, &q);
    return found != NULL ? pool_node_of(found) : NULL;
}

int64_t pool_longest_us(struct pool *p, const struct capacity *need)
{
    up_to_date(p);
    return place_longest_us(&p->open, need);
}

/* ---- which nodes ------------------------------------------------------------------------------------ */

static size_t slot_of(const struct pool *p, const struct node *n)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(p->nodes[middle]->name, n->name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool pool_has(const struct pool *p, const struct node *n)
{
    size_t at = slot_of(p, n);
    return at < p->count && p->nodes[at] == n;
}

static void list_node(struct pool *p, struct node *n)
{
    size_t at = slot_of(p, n);
    p->nodes = core_room(p->nodes, p->count, &p->size, 8, sizeof(struct node *));
    memmove(&p->nodes[at + 1], &p->nodes[at], (p->count - at) * sizeof(struct node *));
    p->nodes[at] = n;
    p->count++;
}

static void unlist_node(struct pool *p, const struct node *n)
{
    size_t at = slot_of(p, n);
    p->count--;
    memmove(&p->nodes[at], &p->nodes[at + 1], (p->count - at) * sizeof(struct node *));
}

static struct pool_node *enter(struct core *c, struct pool *p, struct node *n)
{
    if (!belongs(p, n))
        return NULL;
    struct pool_node *m = core_alloc(sizeof *m);
    m->open.name = n->name;
    m->open.free = n->open.free;
    m->open.until_us = n->open.until_us;
    m->node = n;
    m->pool = p;
    m->next = n->pools;
    n->pools = m;
    list_node(p, n);
    c->pools.nodes++;
    return m;
}

void pools_touch(struct node *n)
{
    for (struct pool_node *m = n->pools; m != NULL; m = m->next) {
        if (m->stale)
            continue;
        m->stale = true;
        m->stale_next = m->pool->stale;
        m->pool->stale = m;
    }
}

void pools_enter(struct core *c, struct node *n)
{
    for (struct pool *p = c->pools.first; p != NULL; p = p->next)
        (void)enter(c, p, n);
    pools_touch(n);
}

static void leave(struct core *c, struct pool_node *m)
{
    place_remove(&m->pool->open, &m->open);
    unlist_node(m->pool, m->node);
    c->pools.nodes--;
    free(m);
}

void pools_leave(struct core *c, struct node *n)
{
    for (struct pool_node *m = n->pools, *next; m != NULL; m = next) {
        next = m->next;
        up_to_date(m->pool); /* it is noted nowhere any more */
        leave(c, m);
    }
    n->pools = NULL;
}

/* ---- pools ------------------------------------------------------------------------------------------ */

struct filling {
    struct pool *pool;
    struct place_item **items;
    size_t count;
};

/* A pool that was just made is the first of those that a node is in. */
static void fill_item(void *arg, struct place_item *open)
{
    struct filling *f = arg;
    const struct node *n = open_node(open);
    if (n->pools == NULL || n->pools->pool != f->pool)
        return;
    f->items[f->count++] = &n->pools->open;
}

static struct pool *new_pool(const char *text, const char *where)
{
    struct pool *p = core_alloc(sizeof *p);
    struct err err = {0};
    int rc = where != NULL ? where_parse(where, &p->parsed, &err) : 0;
    BUG(rc < 0);
    p->any = where == NULL;
    p->text = core_text(text);
    p->hash = key_text(KEY_START, text);
    return p;
}

/* Its nodes are found, and where it is found itself. */
static struct pool *fill(struct core *c, struct pool *p)
{
    for (size_t i = 0; i < c->nodes_count; i++)
        (void)enter(c, p, c->nodes[i]);
    struct filling f = {p, core_alloc((p->count + 1) * sizeof(struct place_item *)), 0};
    place_each(&c->open, fill_item, &f);
    place_fill(&p->open, f.items, f.count);
    free(f.items);
    p->next = c->pools.first;
    if (p->next != NULL)
        p->next->prev = p;
    c->pools.first = p;
    c->pools.count++;
    c->pools.idle++;
    c->pools.by_text.is = pool_is;
    table_put(&c->pools.by_text, p->hash, p);
    return p;
}

static void unlink_nodes(struct core *c, struct pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct pool_node **at = &p->nodes[i]->pools, *m;
        while ((*at)->pool != p)
            at = &(*at)->next;
        m = *at;
        *at = m->next;
        free(m);
    }
    c->pools.nodes -= p->count;
    free(p->nodes);
}

static void drop(struct core *c, struct pool *p)
{
    unlink_nodes(c, p);
    table_remove(&c->pools.by_text, p->hash, p);
    *(p->prev != NULL ? &p->prev->next : &c->pools.first) = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    c->pools.count--;
    c->pools.idle--;
    free(p->text);
    free(p->label);
    free(p->value);
    free(p);
}

/* The newest come first. */
static void drop_an_idle_one(struct core *c)
{
    struct pool *oldest = NULL;
    for (struct pool *p = c->pools.first; p != NULL; p = p->next)
        oldest = p->refs == 0 ? p : oldest;
    drop(c, oldest);
}

struct pool *pool_get(struct core *c, const char *where)
{
    struct pool *p = pool_find(c, where);
    if (p == NULL)
        p = fill(c, new_pool(where, where));
    c->pools.idle -= p->refs++ == 0;
    return p;
}

/* No text of a `where` has such a sign in it. */
#define PART_MARK "\n"

/* As long as it is: a part of another is told from it by its last letter. */
static char *part_text(const char *where, const char *label, const char *value)
{
    size_t size = strlen(label) + strlen(value) + strlen(where) + sizeof PART_MARK PART_MARK;
    char *text = core_alloc(size);
    snprintf(text, size, "%s" PART_MARK "%s" PART_MARK "%s", label, value, where);
    return text;
}

struct pool *pool_get_part(struct core *c, const char *where, const char *label, const char *value)
{
    char *text = part_text(where != NULL ? where : "", label, value);
    struct pool *p = pool_find(c, text);
    if (p == NULL) {
        p = new_pool(text, where);
        p->label = core_text(label);
        p->value = core_text(value);
        (void)fill(c, p);
    }
    free(text);
    c->pools.idle -= p->refs++ == 0;
    return p;
}

void pool_put(struct core *c, struct pool *p)
{
    if (--p->refs > 0)
        return;
    c->pools.idle++;
    while (c->pools.idle > POOLS_IDLE_MAX)
        drop_an_idle_one(c);
}

void pools_fini(struct core *c)
{
    while (c->pools.first != NULL) {
        c->pools.idle += c->pools.first->refs > 0; /* its shapes are gone */
        drop(c, c->pools.first);
    }
    table_fini(&c->pools.by_text);
}

/* ---- a recount -------------------------------------------------------------------------------------- */

int pools_verify(const struct core *c, struct err *err)
{
    size_t nodes = 0;
    for (struct pool *p = c->pools.first; p != NULL; p = p->next) {
        size_t open = 0, here = 0;
        up_to_date(p);
        for (size_t i = 0; i < c->nodes_count; i++) {
            const struct node *n = c->nodes[i];
            const struct pool_node *m = member(p, n);
            if ((m != NULL) != pool_has(p, n))
                return err_set(err, -EUCLEAN, "node %s: the pool '%.80s' lists it wrong", n->name, p->text);
            if ((m != NULL) != belongs(p, n))
                return err_set(err, -EUCLEAN, "node %s: in the pool '%.80s' or not, against its labels", n->name,
                               p->text);
            if (m != NULL && (m->open.in_index != n->open.in_index ||
                              memcmp(&m->open.free, &n->open.free, sizeof n->open.free) != 0))
                return err_set(err, -EUCLEAN, "node %s: the pool '%.80s' knows it otherwise", n->name, p->text);
            here += m != NULL;
            open += m != NULL && m->open.in_index;
        }
        if (open != p->open.count || here != p->count)
            return err_set(err, -EUCLEAN, "the pool '%.80s' counts its nodes wrong", p->text);
        nodes += p->count;
    }
    return nodes == c->pools.nodes ? 0 : err_set(err, -EUCLEAN, "the pools count their nodes wrong");
}

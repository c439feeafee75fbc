#include "scheduler/core/topology.h"

#include <string.h>

#include "scheduler/core/state.h"

struct topology *topology_new(const char *label)
{
    struct topology *t = core_alloc(sizeof *t);
    t->label = core_text(label);
    t->made = UINT64_MAX;
    return t;
}

void topology_free(struct topology *t)
{
    if (t == NULL)
        return;
    free(t->label);
    free(t->nodes);
    free(t->groups);
    free(t);
}

const char *node_label(const struct node *n, const char *label)
{
    return strcmp(label, WHERE_NODE) == 0 ? n->name : pairs_get(&n->labels, label);
}

struct labelled {
    const char *value;
    struct node *node;
};

static int by_value(const void *a, const void *b)
{
    const struct labelled *x = a, *y = b;
    int order = strcmp(x->value, y->value);
    return order != 0 ? order : strcmp(x->node->name, y->node->name);
}

static void make(const struct core *c, const struct shape *s, struct topology *t)
{
    struct node *const *nodes = s->pool != NULL ? s->pool->nodes : c->nodes;
    size_t all = s->pool != NULL ? s->pool->count : c->nodes_count, count = 0;
    struct labelled *v = core_alloc((all + 1) * sizeof v[0]);
    for (size_t i = 0; i < all; i++) {
        const char *value = node_label(nodes[i], t->label);
        if (value != NULL && (s->pool != NULL || shape_suits(s, nodes[i])))
            v[count++] = (struct labelled){value, nodes[i]};
    }
    if (count > 1)
        qsort(v, count, sizeof v[0], by_value);
    t->nodes = core_grow(t->nodes, (count + 1) * sizeof t->nodes[0]);
    t->groups = core_grow(t->groups, (count + 1) * sizeof t->groups[0]);
    t->count = 0;
    for (size_t i = 0; i < count; i++) {
        t->nodes[i] = v[i].node;
        if (i == 0 || strcmp(v[i - 1].value, v[i].value) != 0)
            t->groups[t->count++] = (struct group){v[i].value, &t->nodes[i], 0};
        t->groups[t->count - 1].count++;
    }
    t->made = c->joins;
    free(v);
}

const struct topology *topology_made(const struct core *c, const struct shape *s, struct topology *t)
{
    if (t->made != c->joins)
        make(c, s, t);
    return t;
}

const struct topology *topology_of(const struct core *c, const struct shape *s)
{
    return topology_made(c, s, s->within);
}

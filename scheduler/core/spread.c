#include "scheduler/core/spread.h"

#include <errno.h>
#include <string.h>

struct spread *spread_new(const char *label)
{
    struct spread *s = core_alloc(sizeof *s);
    s->groups = topology_new(label);
    s->made = UINT64_MAX;
    return s;
}

static void put_pools(struct core *c, struct pool **pools, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pool_put(c, pools[i]);
    free(pools);
}

void spread_free(struct core *c, struct spread *s)
{
    if (s == NULL)
        return;
    put_pools(c, s->pools, s->count);
    topology_free(s->groups);
    free(s);
}

/* A value that only lost nodes have has no room, and is no value until one of them is back. */
static bool is_there(const struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (!g->nodes[i]->lost)
            return true;
    return false;
}

size_t spread_values(const struct core *c, const struct shape *s, const char *label)
{
    struct topology *groups = topology_new(label);
    const struct topology *t = topology_made(c, s, groups);
    size_t values = 0;
    for (size_t i = 0; i < t->count; i++)
        values += is_there(&t->groups[i]);
    topology_free(groups);
    return values;
}

/* The new ones are there before the old ones go: most are the same. */
static void make(struct core *c, const struct shape *s)
{
    struct spread *over = s->over;
    const struct topology *t = topology_made(c, s, over->groups);
    struct pool **before = over->pools;
    size_t count = over->count;
    over->count = 0;
    over->pools = core_alloc((MIN(t->count, (size_t)SPREAD_VALUES_MAX) + 1) * sizeof(struct pool *));
    for (size_t i = 0; i < t->count && over->count < SPREAD_VALUES_MAX; i++)
        if (is_there(&t->groups[i]))
            over->pools[over->count++] = pool_get_part(c, s->where, t->label, t->groups[i].value);
    put_pools(c, before, count);
    over->made = c->joins;
}

/* SIZE_MAX: in none of them. */
static size_t pool_of(const struct spread *s, const struct node *n)
{
    const char *value = node_label(n, s->groups->label);
    size_t low = 0, high = s->count;
    while (value != NULL && low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(s->pools[middle]->value, value);
        if (order == 0)
            return middle;
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return SIZE_MAX;
}

/* Of tasks that live: the turn has thought of none yet. */
static void count_live(const struct job *j, uint32_t *live)
{
    for (uint32_t i = 0; i < j->tasks_count; i++) {
        size_t at = j->tasks[i]->node != NULL ? pool_of(j->shape->over, j->tasks[i]->node) : SIZE_MAX;
        if (at != SIZE_MAX)
            live[at]++;
    }
}

void spread_begin(struct core *c, struct job *j)
{
    struct spread *over = j->shape->over;
    if (over == NULL)
        return;
    if (over->made != c->joins)
        make(c, j->shape);
    if (j->aside->spread != NULL && j->aside->spread->made == over->made)
        return;
    free(j->aside->spread);
    struct spread_counts *k = core_alloc(sizeof *k + over->count * sizeof k->live[0]);
    k->made = over->made;
    count_live(j, k->live);
    job_aside(j)->spread = k;
}

/* NULL: not counted, or by the nodes' values as they were; nobody asks before it is counted anew. */
static struct spread_counts *counts_of(const struct core *c, const struct job *j)
{
    struct spread_counts *k = j->shape->over != NULL ? j->aside->spread : NULL;
    return k != NULL && k->made == c->joins ? k : NULL;
}

void spread_note(const struct core *c, const struct job *j, const struct node *n, bool more)
{
    struct spread_counts *k = counts_of(c, j);
    size_t at = k != NULL ? pool_of(j->shape->over, n) : SIZE_MAX;
    if (at == SIZE_MAX)
        return;
    BUG(!more && k->live[at] == 0);
    k->live[at] += more ? 1 : (uint32_t)-1;
}

struct pool *spread_next(const struct core *c, const struct job *j, struct spread_walk *w)
{
    const struct spread_counts *k = j != NULL ? counts_of(c, j) : NULL;
    size_t best = SIZE_MAX;
    if (k == NULL)
        return NULL;
    for (size_t i = 0; i < j->shape->over->count; i++) {
        bool ahead = !w->began || k->live[i] > w->live || (k->live[i] == w->live && i > w->at);
        if (ahead && (best == SIZE_MAX || k->live[i] < k->live[best]))
            best = i;
    }
    if (best == SIZE_MAX)
        return NULL;
    *w = (struct spread_walk){true, k->live[best], best};
    return j->shape->over->pools[best];
}

int spread_verify(const struct core *c, const struct job *j, struct err *err)
{
    const struct spread_counts *k = j->finished ? NULL : counts_of(c, j);
    if (k == NULL)
        return 0;
    uint32_t live[SPREAD_VALUES_MAX] = {0};
    count_live(j, live);
    if (memcmp(live, k->live, j->shape->over->count * sizeof live[0]) == 0)
        return 0;
    return err_set(err, -EUCLEAN, "job %llu: its tasks are spread otherwise than was counted",
                   (unsigned long long)j->id);
}

/* The cell at a glance: what there is and who has it, each tenant beside what would be fair, and what it waits for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/ledger.h"
#include "quotas/ledger_names.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/claims.h"

#define TOP_ROWS_DEFAULT 100
#define BLOCKED_LOOK_MAX 256 /* shapes that are looked through for a tenant's own */
#define PPM UINT64_C(1000000)

__extension__ typedef unsigned __int128 wide;

/* A tenant of the walk; parents come before their children. */
struct standing {
    struct tenant *tenant;
    size_t parent;             /* in the row; its own place: none */
    uint64_t fair_ppm, share_ppm;
    uint64_t running, queued;  /* of all below it, too */
    uint64_t queued_below;
    uint64_t weights;          /* of those directly below that take part, and of its own jobs */
    size_t dim;                /* the resource of which it has the greatest part */
};
struct standings {
    const struct core *core;
    int64_t utc_us;
    struct standing *v;
    size_t count;
};

static uint64_t share_of(const struct core *c, const struct capacity *used, size_t *ret_dim)
{
    uint64_t most = 0;
    *ret_dim = CAPACITY_CPU;
    for (size_t i = 0; i < CAPACITY_DIMS; i++) {
        uint64_t ppm = c->total.v[i] > 0 ? (uint64_t)((wide)used->v[i] * PPM / c->total.v[i]) : 0;
        if (ppm > most) {
            most = ppm;
            *ret_dim = i;
        }
    }
    return most;
}

static void add(void *arg, struct tenant *t)
{
    struct standings *all = arg;
    struct tenant_view view = {0};
    bool known = ledger_tenant(all->core->ledger, t->path, all->utc_us, &view);
    struct standing *s = &all->v[all->count];
    *s = (struct standing){.tenant = t, .running = known ? view.running : 0, .queued = known ? view.queued : 0};
    s->share_ppm = share_of(all->core, &t->whole.used, &s->dim);
    t->top_row = all->count++;
    s->parent = t->parent != NULL ? t->parent->top_row : t->top_row;
}

static bool takes_part(const struct standing *s)
{
    return s->running > 0 || s->queued > 0;
}

/* What would be fair: the parent's part, divided by weight among those who use or want something. */
static void weigh(struct standings *all)
{
    struct standing *v = all->v;
    for (size_t i = 0; i < all->count; i++)
        if (v[i].parent != i && takes_part(&v[i])) {
            v[v[i].parent].weights += v[i].tenant->weight;
            v[v[i].parent].queued_below += v[i].queued;
        }
    for (size_t i = 0; i < all->count; i++) {
        struct standing *s = &v[i], *up = &v[s->parent];
        s->fair_ppm = i == s->parent ? PPM
                      : takes_part(s) ? up->fair_ppm * s->tenant->weight / MAX(up->weights, (uint64_t)1)
                                      : 0;
        size_t dim;
        bool own = s->queued > s->queued_below || share_of(all->core, &s->tenant->own.used, &dim) > 0;
        s->weights += own ? 1 : 0;
    }
}

/* Siblings together, who has most first; each row of siblings after its parent's. */
static int compare(const void *a, const void *b)
{
    const struct standing *x = *(const struct standing *const *)a, *y = *(const struct standing *const *)b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    if (x->share_ppm != y->share_ppm)
        return x->share_ppm > y->share_ppm ? -1 : 1;
    return strcmp(x->tenant->path, y->tenant->path);
}

/* ---- what it waits for ------------------------------------------------------------------------------ */

static const struct job *first_of(const struct shape *s)
{
    const struct entry *e = queue_first(s);
    return e != NULL ? entry_job(e) : NULL;
}

/* The next of a tenant's own jobs: who may be asked, or who waits for its limit or for one above. NULL: none is known.
 * */
static const struct job *next_job(const struct tenant *t)
{
    const struct shape *ready = heap_top(&t->shapes);
    if (ready != NULL)
        return first_of(ready);
    size_t looked = 0;
    for (const struct tenant *at = t; at != NULL; at = at->parent)
        for (const struct shape *s = at->blocked_shapes; s != NULL && looked++ < BLOCKED_LOOK_MAX; s = s->blocked_next)
            if (s->tenant == t)
                return first_of(s);
    return NULL;
}

/* ---- the answer ------------------------------------------------------------------------------------- */

static void fill_row(const struct standings *all, const struct standing *s, struct top_tenant *row)
{
    const struct tenant *t = s->tenant;
    const struct job *j = s->queued > s->queued_below ? next_job(t) : NULL;
    *row = (struct top_tenant){
        .path = core_text(t->path),
        .weight = t->weight,
        .fair_ppm = s->fair_ppm,
        .share_ppm = s->share_ppm,
        .running = s->running,
        .queued = s->queued,
        .resource = s->share_ppm > 0 ? core_text(capacity_name(&all->core->names, s->dim)) : NULL,
        .why = j != NULL ? explain_first(all->core, j, all->utc_us) : NULL,
    };
}

struct pick {
    const struct standings *all;
    const struct standing **sorted; /* as compare() has it */
    bool (*may_see)(void *arg, const char *tenant);
    void *arg;
    const char *top;
    size_t rows;
    struct top_reply *ret;
};

static int pick(struct pick *p, const struct standing *s)
{
    const char *path = s->tenant->path;
    if (!takes_part(s) || !tenant_path_is_below(path, p->top) || !p->may_see(p->arg, path))
        return 0;
    if (p->ret->tenants.count >= p->rows) {
        p->ret->left_out++;
        return 0;
    }
    struct top_tenant *row = list_add(&p->ret->tenants, sizeof *row);
    if (row == NULL)
        return -ENOMEM;
    fill_row(p->all, s, row);
    return 0;
}

static size_t first_child(const struct pick *p, size_t parent)
{
    size_t low = 0, high = p->all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->sorted[middle]->parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A tenant, then all below it, as deep as paths may be. */
static int pick_tree(struct pick *p, const struct standing *s)
{
    size_t at = (size_t)(s - p->all->v);
    int rc = pick(p, s);
    for (size_t i = first_child(p, at); rc == 0 && i < p->all->count && p->sorted[i]->parent == at; i++)
        if (p->sorted[i] != s)
            rc = pick_tree(p, p->sorted[i]);
    return rc;
}

static int fill_tenants(struct standings *all, struct pick *p)
{
    p->all = all;
    p->sorted = core_alloc((all->count + 1) * sizeof *p->sorted);
    for (size_t i = 0; i < all->count; i++)
        p->sorted[i] = &all->v[i];
    qsort(p->sorted, all->count, sizeof *p->sorted, compare);
    int rc = all->count > 0 ? pick_tree(p, &all->v[0]) : 0; /* the root is the first */
    free(p->sorted);
    return rc;
}

/* Scratch lies in memory and is placed as such: of what is used of that, so much is scratch. */
static int fill_scratch(const struct core *c, int64_t utc_us, struct top_reply *ret)
{
    struct tenant_view root = {0};
    bool any = ledger_tenant(c->ledger, c->root->path, utc_us, &root) && root.used.scratch_bytes > 0;
    return any ? counts_set(&ret->used, "scratch", root.used.scratch_bytes) : 0;
}

static int fill_cell(const struct core *c, int64_t utc_us, struct top_reply *ret)
{
    struct core_stats stats;
    int rc = 0;
    core_stats(c, &stats);
    ret->jobs = stats.jobs;
    ret->queued = stats.queued;
    ret->live = stats.starting + stats.running + stats.unreachable;
    ret->decided = stats.decisions_total;
    ret->placed = stats.placed_total;
    ret->ended = stats.ended_total;
    for (size_t i = 0; rc == 0 && i < c->nodes_count; i++) {
        const char *state = node_state(c->nodes[i], utc_us);
        rc = counts_set(&ret->nodes, state, counts_get(&ret->nodes, state) + 1);
    }
    for (size_t i = 0; rc == 0 && i < CAPACITY_DIMS; i++) {
        const char *name = capacity_name(&c->names, i);
        if (name == NULL || c->total.v[i] == 0)
            continue;
        rc = counts_set(&ret->total, name, c->total.v[i]);
        rc = rc < 0 ? rc : counts_set(&ret->used, name, c->root->whole.used.v[i]);
    }
    return rc < 0 ? rc : fill_scratch(c, utc_us, ret);
}

int core_top(const struct core *c, const struct top_call *call, bool (*may_see)(void *arg, const char *tenant),
             void *arg, struct core_now now, struct top_reply *ret)
{
    *ret = (struct top_reply){0};
    struct standings all = {c, core_utc(c, now), core_alloc((c->tenants.count + 1) * sizeof(struct standing)), 0};
    struct pick p = {.may_see = may_see,
                     .arg = arg,
                     .top = call->tenant != NULL ? call->tenant : TENANT_ROOT,
                     .rows = MIN(call->rows == 0 ? TOP_ROWS_DEFAULT : call->rows, TOP_ROWS_MAX),
                     .ret = ret};
    tenants_each(c, add, &all);
    weigh(&all);
    int rc = fill_cell(c, all.utc_us, ret);
    rc = rc < 0 ? rc : fill_tenants(&all, &p);
    free(all.v);
    if (rc < 0)
        fields_clear(&top_reply_fields, ret);
    return rc;
}

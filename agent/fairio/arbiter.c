#include "agent/fairio/arbiter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>


/* Each beside what the queue has under the same number. */
struct tenant {
    char *name; /* NULL: free */
    fq_id id;
    uint32_t streams;
    struct fq_share has; /* what its weight comes to, and what is reserved of the disk: the queue's */
    bool wants;         /* it is among those that want the disk */
    int64_t wanted_ns;  /* when it was last seen to */
    bool owes;          /* it has no stream any more */
    int64_t left_ns;    /* since then */
    struct io_meter moved, direct;
};
struct job {
    fq_id id; /* 0: free */
    uint32_t tenant, streams;
    uint64_t number;
};
struct stream {
    fq_id id; /* 0: free */
    uint32_t job, out;
    bool closed;
    arbiter_go go;
    void *owner;
    uint64_t token;
};

struct arbiter {
    struct fairq *queue;
    struct fairq_setup with;
    struct tenant *tenants;
    struct job *jobs;
    struct stream *streams;
    int64_t ticked_ns;
    struct io_sums books;
    struct share_tree tree;
    struct share_want *wants; /* who wants the disk */
    size_t wants_count;
    bool weigh;              /* they are others than at the last weighing */
    int64_t weigh_ns;        /* not before */
    int64_t swept_ns;
    uint32_t owing;          /* tenants that are there for what they owe */
};

/* ---- birth ---- */

int arbiter_new(struct arbiter **ret, const struct fairq_setup *setup, int64_t now_ns)
{
    struct arbiter *a = calloc(1, sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    int rc = fairq_new(&a->queue, setup, now_ns);
    if (rc == 0) {
        a->with = *setup;
        a->ticked_ns = now_ns;
        a->tenants = calloc(setup->tenants_max, sizeof *a->tenants);
        a->jobs = calloc(setup->jobs_max, sizeof *a->jobs);
        a->streams = calloc(setup->streams_max, sizeof *a->streams);
        a->wants = calloc(setup->tenants_max, sizeof *a->wants);
        rc = a->tenants == NULL || a->jobs == NULL || a->streams == NULL || a->wants == NULL ? -ENOMEM : 0;
    }
    if (rc < 0) {
        arbiter_free(a);
        return rc;
    }
    *ret = a;
    return 0;
}

void arbiter_free(struct arbiter *a)
{
    if (a == NULL)
        return;
    for (uint32_t i = 0; a->tenants != NULL && i < a->with.tenants_max; i++)
        free(a->tenants[i].name);
    free(a->tenants);
    free(a->jobs);
    free(a->streams);
    free(a->wants);
    share_tree_fini(&a->tree);
    fairq_free(a->queue);
    free(a);
}

/* ---- who is there ---- */

/* Tenants are few and looked for when a stream opens, not when bytes move. */
static struct tenant *find_tenant(const struct arbiter *a, const char *name)
{
    for (uint32_t i = 0; i < a->with.tenants_max; i++)
        if (a->tenants[i].name != NULL && strcmp(a->tenants[i].name, name) == 0)
            return &a->tenants[i];
    return NULL;
}

static struct job *find_job(const struct arbiter *a, const struct tenant *t, uint64_t number)
{
    for (uint32_t i = 0; i < a->with.jobs_max; i++)
        if (a->jobs[i].id != 0 && &a->tenants[a->jobs[i].tenant] == t && a->jobs[i].number == number)
            return &a->jobs[i];
    return NULL;
}

static struct stream *find_stream(const struct arbiter *a, arbiter_id id)
{
    uint32_t i = fq_index(id);
    return id != 0 && i < a->with.streams_max && a->streams[i].id == id ? &a->streams[i] : NULL;
}

/* A tenant comes at its weight beside one at the default: until the next weighing. */
static struct fq_share first_share(const struct disk_share *share)
{
    return (struct fq_share){.weight = MIN(share->weight * (FQ_WEIGHT_MAX / (2 * IO_WEIGHT_DEFAULT)), FQ_WEIGHT_MAX)};
}

static void unwant(struct arbiter *a, const struct tenant *t)
{
    size_t kept = 0;
    for (size_t i = 0; t->wants && i < a->wants_count; i++)
        if (&a->tenants[a->wants[i].index] != t)
            a->wants[kept++] = a->wants[i];
    a->weigh |= t->wants;
    a->wants_count = t->wants ? kept : a->wants_count;
}

/* The time is the last pump's: the next is never far. */
static bool still_owes(struct arbiter *a, struct tenant *t)
{
    struct fq_view v;
    int rc = fairq_view(a->queue, t->id, &v);
    BUG(rc < 0);
    if (v.ahead_ns < ARBITER_OWES_NS || (t->owes && a->ticked_ns - t->left_ns >= FQ_DEBT_NS))
        return false;
    if (!t->owes)
        t->left_ns = a->ticked_ns;
    a->owing += !t->owes;
    t->owes = true;
    return true;
}

static void leave_tenant(struct arbiter *a, struct tenant *t)
{
    if (t->streams > 0 || still_owes(a, t))
        return;
    a->owing -= t->owes;
    unwant(a, t);
    int rc = fairq_tenant_drop(a->queue, t->id);
    BUG(rc < 0);
    free(t->name);
    *t = (struct tenant){0};
}

/* Who has work comes before who owes. */
static bool forgive_one(struct arbiter *a)
{
    for (uint32_t i = 0; a->owing > 0 && i < a->with.tenants_max; i++)
        if (a->tenants[i].owes) {
            a->tenants[i].left_ns = INT64_MIN / 2;
            leave_tenant(a, &a->tenants[i]);
            return true;
        }
    return false;
}

static int take_tenant(struct arbiter *a, const char *name, struct tenant **ret)
{
    *ret = find_tenant(a, name);
    if (*ret != NULL) {
        a->owing -= (*ret)->owes;
        (*ret)->owes = false;
        return 0;
    }
    if (strlen(name) >= ARBITER_NAME_MAX)
        return -ENAMETOOLONG;
    char *copy = strdup(name);
    fq_id id = 0;
    struct tenant new = {.name = copy, .has = first_share(share_tree_get(&a->tree, name))};
    uint32_t cap = share_tree_cap(&a->tree, name);
    int rc = copy == NULL ? -ENOMEM : fairq_tenant_add(a->queue, &new.has, cap, &id);
    if (rc == -ENOSPC && forgive_one(a))
        rc = fairq_tenant_add(a->queue, &new.has, cap, &id);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    *ret = &a->tenants[fq_index(id)];
    new.id = id;
    **ret = new;
    return 0;
}

static int take_job(struct arbiter *a, struct tenant *t, uint64_t number, struct job **ret)
{
    *ret = find_job(a, t, number);
    if (*ret != NULL)
        return 0;
    fq_id id = 0;
    int rc = fairq_job_add(a->queue, t->id, &id);
    if (rc < 0)
        return rc;
    *ret = &a->jobs[fq_index(id)];
    **ret = (struct job){.id = id, .tenant = (uint32_t)(t - a->tenants), .number = number};
    return 0;
}

static void leave_job(struct arbiter *a, struct job *j)
{
    if (j->streams > 0)
        return;
    int rc = fairq_job_drop(a->queue, j->id);
    BUG(rc < 0);
    *j = (struct job){0};
}

/* ---- what they have ---- */

static bool is_valid(const struct disk_share *s)
{
    return s->weight >= 1 && s->weight <= IO_WEIGHT_MAX && s->reserved_ppm <= PPM && fairq_limits_are_valid(&s->limits);
}

static int take_caps(struct arbiter *a, const struct share_tree *tree, int64_t now_ns)
{
    struct fq_cap *caps = calloc((size_t)tree->caps + 1, sizeof *caps);
    if (caps == NULL)
        return -ENOMEM;
    share_tree_caps(tree, &a->tree, caps);
    int rc = fairq_caps(a->queue, caps, tree->caps, now_ns);
    free(caps);
    return rc;
}

static void set(struct arbiter *a, const struct tenant *t, int64_t now_ns)
{
    int rc = fairq_tenant_set(a->queue, t->id, &t->has, share_tree_cap(&a->tree, t->name), now_ns);
    BUG(rc < 0);
}

int arbiter_shares(struct arbiter *a, const struct share_given *rows, size_t count, int64_t now_ns)
{
    struct share_tree tree = {0};
    for (size_t i = 0; i < count; i++)
        if (!is_valid(&rows[i].share))
            return -EINVAL;
    int rc = share_tree_set(&tree, rows, count);
    if (rc == 0 && share_tree_reserved_ppm(&tree) > ARBITER_RESERVED_MAX_PPM)
        rc = -ERANGE;
    rc = rc < 0 ? rc : take_caps(a, &tree, now_ns);
    if (rc < 0) {
        share_tree_fini(&tree);
        return rc;
    }
    share_tree_fini(&a->tree);
    a->tree = tree;
    for (uint32_t i = 0; i < a->with.tenants_max; i++)
        if (a->tenants[i].name != NULL)
            set(a, &a->tenants[i], now_ns);
    a->weigh = true;
    a->weigh_ns = now_ns;
    return 0;
}

static void want(struct arbiter *a, struct tenant *t, int64_t now_ns)
{
    t->wanted_ns = now_ns;
    if (t->wants)
        return;
    t->wants = true;
    a->wants[a->wants_count++].index = (uint32_t)(t - a->tenants);
    a->weigh = true;
}

static struct fq_view view_of(const struct arbiter *a, const struct tenant *t)
{
    struct fq_view v;
    int rc = fairq_view(a->queue, t->id, &v);
    BUG(rc < 0);
    return v;
}

/* Who is stuck takes nothing: what it would have is had by who is beside it in the tree. */
static bool is_over(const struct arbiter *a, struct tenant *t, int64_t now_ns)
{
    struct fq_view v = view_of(a, t);
    if (v.standing != FQ_IDLE || v.in_flight_ns + v.late_ns > 0)
        t->wanted_ns = now_ns;
    return v.standing == FQ_STUCK || now_ns - t->wanted_ns >= FQ_CONTENDED_NS;
}

/* Its operations came back: it goes on with what waited meanwhile. */
static bool is_free_again(const struct arbiter *a, const struct tenant *t)
{
    if (t->wants)
        return false;
    struct fq_view v = view_of(a, t);
    return v.standing != FQ_IDLE && v.standing != FQ_STUCK;
}

static void leave_wants(struct arbiter *a, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->wants_count; i++) {
        struct tenant *t = &a->tenants[a->wants[i].index];
        t->wants = !is_over(a, t, now_ns);
        if (t->wants)
            a->wants[kept++] = a->wants[i];
    }
    a->weigh |= kept < a->wants_count;
    a->wants_count = kept;
    a->swept_ns = now_ns;
    for (uint32_t i = 0; a->owing > 0 && i < a->with.tenants_max; i++)
        if (a->tenants[i].owes)
            leave_tenant(a, &a->tenants[i]);
}

/* Who comes is weighed at once; only many who come and go all the time wait for each other. */
static void weigh(struct arbiter *a, int64_t now_ns)
{
    if (now_ns - a->swept_ns >= WINDOW_TICK_NS)
        leave_wants(a, now_ns);
    if (!a->weigh || now_ns < a->weigh_ns)
        return;
    for (size_t i = 0; i < a->wants_count; i++)
        a->wants[i].path = a->tenants[a->wants[i].index].name;
    share_tree_weigh(&a->tree, a->wants, a->wants_count);
    for (size_t i = 0; i < a->wants_count; i++) {
        struct tenant *t = &a->tenants[a->wants[i].index];
        const struct fq_share *has = &a->wants[i].has;
        if (t->has.weight == has->weight && t->has.reserved_ppm == has->reserved_ppm)
            continue;
        t->has = *has;
        set(a, t, now_ns);
    }
    a->weigh = false;
    a->weigh_ns = now_ns + (int64_t)a->wants_count * ARBITER_WEIGH_NS;
}

/* ---- streams ---- */

int arbiter_open(struct arbiter *a, const struct arbiter_stream *s, arbiter_id *ret)
{
    struct tenant *t;
    struct job *j;
    fq_id id = 0;
    int rc = take_tenant(a, s->tenant, &t);
    if (rc < 0)
        return rc;
    rc = take_job(a, t, s->job, &j);
    if (rc < 0) {
        leave_tenant(a, t);
        return rc;
    }
    rc = fairq_stream_add(a->queue, j->id, s->out_max, &id);
    if (rc < 0) {
        leave_job(a, j);
        leave_tenant(a, t);
        return rc;
    }
    t->streams++;
    j->streams++;
    a->streams[fq_index(id)] = (struct stream){.id = id, .job = (uint32_t)(j - a->jobs), .go = s->go,
                                               .owner = s->owner, .token = s->token};
    *ret = id;
    return 0;
}

static void leave_stream(struct arbiter *a, struct stream *s)
{
    if (!s->closed || s->out > 0)
        return;
    struct job *j = &a->jobs[s->job];
    struct tenant *t = &a->tenants[j->tenant];
    int rc = fairq_stream_drop(a->queue, s->id);
    BUG(rc < 0);
    *s = (struct stream){0};
    j->streams--;
    t->streams--;
    leave_job(a, j);
    leave_tenant(a, t);
}

void arbiter_close(struct arbiter *a, arbiter_id stream)
{
    struct stream *s = find_stream(a, stream);
    if (s == NULL)
        return;
    s->closed = true;
    fairq_stream_clear(a->queue, s->id);
    leave_stream(a, s);
}

void arbiter_forget(struct arbiter *a, arbiter_id stream)
{
    fairq_stream_clear(a->queue, stream);
}

int arbiter_post(struct arbiter *a, arbiter_id stream, const struct fq_request *r, int64_t now_ns)
{
    const struct stream *s = find_stream(a, stream);
    if (s == NULL || s->closed)
        return -ENOENT;
    int rc = fairq_post(a->queue, stream, r, now_ns);
    struct tenant *t = &a->tenants[a->jobs[s->job].tenant];
    if (rc == 0 && view_of(a, t).standing != FQ_STUCK)
        want(a, t, now_ns);
    return rc;
}

static void meter(struct io_meter *m, enum io_dir dir, uint64_t ops, uint64_t bytes)
{
    m->ops[dir] += ops;
    m->bytes[dir] += bytes;
}

void arbiter_done(struct arbiter *a, const struct fq_grant *grant, uint64_t moved_bytes, int64_t now_ns)
{
    if (!fairq_done(a->queue, grant->id, moved_bytes, now_ns))
        return;
    struct stream *s = find_stream(a, grant->stream);
    struct tenant *t = &a->tenants[a->jobs[s->job].tenant];
    t->wanted_ns = now_ns;
    if (is_free_again(a, t))
        want(a, t, now_ns);
    meter(&t->moved, grant->dir, 1, MIN(moved_bytes, grant->bytes));
    s->out--;
    leave_stream(a, s);
}

void arbiter_late(struct arbiter *a, const struct fq_grant *grant, uint64_t moved_bytes, int64_t now_ns)
{
    struct stream *s = find_stream(a, grant->stream);
    moved_bytes = MIN(moved_bytes, grant->bytes);
    if (s == NULL || moved_bytes == 0)
        return;
    struct tenant *t = &a->tenants[a->jobs[s->job].tenant];
    /* The operation itself was counted, and its base charged, when it was answered with nothing. */
    const struct fq_taken taken = {io_cost_of_many(&a->with.cost, grant->dir, false, 0, moved_bytes), 0, moved_bytes};
    meter(&t->moved, grant->dir, 0, moved_bytes);
    fairq_charge(a->queue, t->id, &taken, now_ns);
}

void arbiter_direct(struct arbiter *a, const char *tenant, enum io_dir dir, uint64_t ops, uint64_t bytes,
                    int64_t now_ns)
{
    struct tenant *t = find_tenant(a, tenant);
    if (t == NULL)
        return;
    meter(&t->direct, dir, ops, bytes);
    const struct fq_taken taken = {io_cost_of_many(&a->with.cost, dir, false, ops, bytes), ops, bytes};
    fairq_charge(a->queue, t->id, &taken, now_ns);
}

/* ---- turns ---- */

unsigned arbiter_pump(struct arbiter *a, int64_t now_ns)
{
    struct fq_grant g;
    unsigned given = 0;
    fairq_tick(a->queue, now_ns); /* each time: a newcomer narrows the window at once */
    a->ticked_ns = now_ns;
    weigh(a, now_ns);
    for (; fairq_next(a->queue, now_ns, &g); given++) {
        struct stream *s = find_stream(a, g.stream);
        s->out++;
        s->go(s->owner, s->token, &g);
    }
    return given;
}

int64_t arbiter_wake_ns(const struct arbiter *a)
{
    int64_t tick = fairq_is_busy(a->queue) ? a->ticked_ns + WINDOW_TICK_NS : INT64_MAX;
    if (a->owing > 0 && !fairq_is_busy(a->queue))
        tick = a->ticked_ns + FQ_DEBT_NS / 10;
    return MIN(tick, fairq_wake_ns(a->queue));
}

/* ---- what is seen ---- */

void arbiter_standing(const struct arbiter *a, const char *tenant, struct arbiter_standing *ret)
{
    struct share_want *all = calloc((size_t)a->with.tenants_max + 1, sizeof *all);
    uint32_t count = 0;
    *ret = (struct arbiter_standing){share_tree_limits(&a->tree, tenant), FQ_WEIGHT_MAX, 1};
    if (all == NULL)
        return; /* as if it were alone */
    all[count++].path = tenant;
    for (uint32_t i = 0; i < a->with.tenants_max; i++)
        if (a->tenants[i].name != NULL && strcmp(a->tenants[i].name, tenant) != 0)
            all[count++].path = a->tenants[i].name;
    share_tree_weigh(&a->tree, all, count);
    for (uint32_t i = 0; i < count; i++)
        if (all[i].path == tenant)
            ret->part_ppm = all[i].has.weight;
    ret->tenants = count;
    free(all);
}

bool arbiter_next_view(const struct arbiter *a, uint32_t *at, struct arbiter_view *ret)
{
    while (*at < a->with.tenants_max && a->tenants[*at].name == NULL)
        ++*at;
    if (*at >= a->with.tenants_max)
        return false;
    const struct tenant *t = &a->tenants[(*at)++];
    *ret = (struct arbiter_view){.tenant = t->name, .share = *share_tree_get(&a->tree, t->name),
                                 .part_ppm = t->wants ? t->has.weight : 0,
                                 .moved = t->moved, .direct = t->direct};
    ret->queue = view_of(a, t);
    ret->held_by = ret->queue.standing == FQ_LIMITED ? share_tree_cap_of(&a->tree, ret->queue.cap) : NULL;
    return true;
}

struct io_sums *arbiter_books(struct arbiter *a)
{
    return &a->books;
}

const struct fairq *arbiter_queue(const struct arbiter *a)
{
    return a->queue;
}

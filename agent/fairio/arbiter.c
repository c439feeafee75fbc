#include "agent/fairio/arbiter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct fq_share arbiter_share_default = {.weight = 100};

/* Each beside what the queue has under the same number. */
struct tenant {
    char *name; /* NULL: free */
    fq_id id;
    uint32_t streams;
    bool kept; /* a share was set: it stays without streams */
    struct fq_share share;
    struct io_meter moved, direct;
};
struct job {
    fq_id id; /* 0: free */
    uint32_t tenant, streams;
    uint64_t number;
    struct io_meter moved;
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
        rc = a->tenants == NULL || a->jobs == NULL || a->streams == NULL ? -ENOMEM : 0;
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

static int take_tenant(struct arbiter *a, const char *name, struct tenant **ret)
{
    *ret = find_tenant(a, name);
    if (*ret != NULL)
        return 0;
    if (strlen(name) >= ARBITER_NAME_MAX)
        return -ENAMETOOLONG;
    char *copy = strdup(name);
    fq_id id = 0;
    int rc = copy == NULL ? -ENOMEM : fairq_tenant_add(a->queue, &arbiter_share_default, &id);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    *ret = &a->tenants[fq_index(id)];
    **ret = (struct tenant){.name = copy, .id = id, .share = arbiter_share_default};
    return 0;
}

static void leave_tenant(struct arbiter *a, struct tenant *t)
{
    if (t->streams > 0 || t->kept)
        return;
    int rc = fairq_tenant_drop(a->queue, t->id);
    BUG(rc < 0);
    free(t->name);
    *t = (struct tenant){0};
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

static uint64_t reserved_by_others(const struct arbiter *a, const struct tenant *t)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < a->with.tenants_max; i++)
        if (a->tenants[i].name != NULL && &a->tenants[i] != t)
            sum += a->tenants[i].share.reserved_ppm;
    return sum;
}

int arbiter_share(struct arbiter *a, const char *tenant, const struct fq_share *share, int64_t now_ns)
{
    struct tenant *t;
    int rc = take_tenant(a, tenant, &t);
    if (rc < 0)
        return rc;
    bool fits = share->reserved_ppm + reserved_by_others(a, t) <= ARBITER_RESERVED_MAX_PPM;
    rc = fits ? fairq_tenant_set(a->queue, t->id, share, now_ns) : -ERANGE;
    if (rc < 0) {
        leave_tenant(a, t);
        return rc;
    }
    t->share = *share;
    t->kept = true;
    return 0;
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
    return fairq_post(a->queue, stream, r, now_ns);
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
    struct job *j = &a->jobs[s->job];
    moved_bytes = MIN(moved_bytes, grant->bytes);
    meter(&j->moved, grant->dir, 1, moved_bytes);
    meter(&a->tenants[j->tenant].moved, grant->dir, 1, moved_bytes);
    s->out--;
    leave_stream(a, s);
}

void arbiter_direct(struct arbiter *a, const char *tenant, enum io_dir dir, uint64_t ops, uint64_t bytes)
{
    struct tenant *t = find_tenant(a, tenant);
    if (t == NULL)
        return;
    meter(&t->direct, dir, ops, bytes);
    fairq_charge(a->queue, t->id, io_cost_of_many(&a->with.cost, dir, false, ops, bytes));
}

/* ---- turns ---- */

unsigned arbiter_pump(struct arbiter *a, int64_t now_ns)
{
    struct fq_grant g;
    unsigned given = 0;
    fairq_tick(a->queue, now_ns); /* each time: a newcomer narrows the window at once */
    a->ticked_ns = now_ns;
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
    return MIN(tick, fairq_wake_ns(a->queue));
}

/* ---- what is seen ---- */

int arbiter_job_meter(const struct arbiter *a, const char *tenant, uint64_t job, struct io_meter *ret)
{
    const struct tenant *t = find_tenant(a, tenant);
    const struct job *j = t == NULL ? NULL : find_job(a, t, job);
    if (j == NULL)
        return -ENOENT;
    *ret = j->moved;
    return 0;
}

bool arbiter_next_view(const struct arbiter *a, uint32_t *at, struct arbiter_view *ret)
{
    while (*at < a->with.tenants_max && a->tenants[*at].name == NULL)
        ++*at;
    if (*at >= a->with.tenants_max)
        return false;
    const struct tenant *t = &a->tenants[(*at)++];
    *ret = (struct arbiter_view){.tenant = t->name, .share = t->share, .moved = t->moved, .direct = t->direct};
    int rc = fairq_view(a->queue, t->id, &ret->queue);
    BUG(rc < 0);
    return true;
}

const struct fairq *arbiter_queue(const struct arbiter *a)
{
    return a->queue;
}

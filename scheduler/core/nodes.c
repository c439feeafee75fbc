#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/money.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/windows.h"

#include <errno.h>
#include <string.h>

#define LATE_US 1000000 /* a renewal planned later than this is planned anew */

static bool node_is(const void *object, const void *key)
{
    return strcmp(((const struct node *)object)->name, key) == 0;
}

struct node *node_find(const struct core *c, const char *name)
{
    return name != NULL ? table_find(&c->nodes_by_name, key_text(KEY_START, name), name) : NULL;
}

static void seen_unlink(struct core *c, struct node *n)
{
    if (n->seen_prev != NULL)
        n->seen_prev->seen_next = n->seen_next;
    else
        c->seen_first = n->seen_next;
    if (n->seen_next != NULL)
        n->seen_next->seen_prev = n->seen_prev;
    else
        c->seen_last = n->seen_prev;
}

/* Last, but for those that were seen later: a node that has just joined said hello a commit ago. */
static void seen_insert(struct core *c, struct node *n)
{
    struct node *after = c->seen_last;
    while (after != NULL && after->seen_boot_us > n->seen_boot_us)
        after = after->seen_prev;
    n->seen_prev = after;
    n->seen_next = after != NULL ? after->seen_next : c->seen_first;
    *(after != NULL ? &after->seen_next : &c->seen_first) = n;
    *(n->seen_next != NULL ? &n->seen_next->seen_prev : &c->seen_last) = n;
}

struct node *node_add(struct core *c, const char *name)
{
    struct node *n = core_alloc(sizeof *n);
    n->name = core_text(name);
    n->open.name = n->size.name = n->name;
    n->open.until_us = n->size.until_us = INT64_MAX;
    c->nodes = core_room(c->nodes, c->nodes_count, &c->nodes_size, 16, sizeof(struct node *));
    size_t at = c->nodes_count;
    while (at > 0 && strcmp(c->nodes[at - 1]->name, name) > 0)
        at--;
    memmove(&c->nodes[at + 1], &c->nodes[at], (c->nodes_count - at) * sizeof(struct node *));
    c->nodes[at] = n;
    c->nodes_count++;
    c->nodes_by_name.is = node_is;
    table_put(&c->nodes_by_name, key_text(KEY_START, name), n);
    n->seen_boot_us = c->hello_boot_us;
    seen_insert(c, n);
    return n;
}

static void clear_labels(struct node *n)
{
    for (size_t i = 0; i < n->labels.count; i++) {
        free(n->labels.v[i].key);
        free(n->labels.v[i].value);
    }
    free(n->labels.v);
}

static void node_free(struct node *n)
{
    fields_clear(&resources_fields, &n->capacity);
    clear_labels(n);
    core_clear_strs(&n->features);
    free(n->name);
    free(n->boot_id);
    free(n->version);
    free(n->drain_reason);
    free(n->lost_reason);
    backfill_fini(&n->profile);
    free(n->windows);
    quarantine_free(n);
    free(n);
}

void nodes_fini(struct core *c)
{
    for (size_t i = 0; i < c->nodes_count; i++)
        node_free(c->nodes[i]);
    free(c->nodes);
}

/* ---- contact: soft ---------------------------------------------------------------------------------- */

void node_trouble(struct core *c, struct node *n)
{
    if (n->troubled)
        return;
    core_stir(c);
    n->troubled = true;
    n->troubled_next = c->troubled;
    c->troubled = n;
}

void node_seen(struct core *c, struct node *n, struct core_now now)
{
    n->seen_boot_us = now.boot_us;
    n->seen_utc_us = now.utc_us;
    seen_unlink(c, n);
    seen_insert(c, n);
    if (n->silent && n->tasks != NULL)
        node_trouble(c, n);
    if (n->silent || !n->heard) {
        n->silent = false;
        n->heard = true;
        node_refresh(c, n);
        reserve_node_changed(c, n);
    }
}

void core_node_seen(struct core *c, const char *node, struct core_now now)
{
    struct node *n = node_find(c, node);
    if (n != NULL)
        node_seen(c, n, now);
}

/* No clock of a node makes a job run longer than our own clocks allow: the wall clock since it started, or, when that
 * was set back, the time since the node first spoke of it. */
static uint64_t run_bound_us(const struct task *t, struct core_now now)
{
    uint64_t since_us = now.boot_us - MIN(t->first_boot_us, now.boot_us);
    uint64_t by_boot_us = t->first_boot_us == 0 ? 0 : t->first_run_us + since_us + since_us / CLOCK_DRIFT_PARTS;
    return MAX(by_boot_us, task_wall_us(t, now)) + LATE_US;
}

void core_attempt_seen(struct core *c, const char *node, struct attempt_id id, uint64_t run_us, struct core_now now)
{
    struct task *t = task_of(c, id);
    if (run_us == 0 || t == NULL || t->state != TASK_RUNNING || strcmp(t->node->name, node) != 0)
        return; /* 0: its agent doesn't know yet */
    now.utc_us = core_utc(c, now);
    t->run_us = MIN(run_us, run_bound_us(t, now));
    t->run_boot_us = now.boot_us;
    if (t->first_boot_us == 0) {
        t->first_run_us = t->run_us;
        t->first_boot_us = now.boot_us;
    }
    t->resuming &= t->run_us <= t->settled_us;
    if (t->paused)
        return;
    int64_t due_utc_us = now.utc_us + ((int64_t)t->paid_us - (int64_t)t->run_us) - renewal_lead_us(c);
    if (t->timer.at != HEAP_NOWHERE && t->timer.due_utc_us > due_utc_us + LATE_US)
        timer_set(c, &t->timer, due_utc_us);
}

void core_attempt_staging(struct core *c, const char *node, struct attempt_id id, const struct stage_view *staging)
{
    struct task *t = task_of(c, id);
    if (t == NULL || t->state != TASK_RUNNING || strcmp(t->node->name, node) != 0)
        return;
    if (!staging->present) {
        free(TAKE_PTR(t->staging));
        return;
    }
    t->staging = t->staging != NULL ? t->staging : malloc(sizeof *t->staging);
    if (t->staging != NULL)
        *t->staging = *staging;
}

void core_attempt_told(struct core *c, const char *node, struct attempt_id id, const struct usage *usage)
{
    struct task *t = task_of(c, id);
    if (t == NULL || t->state != TASK_RUNNING || strcmp(t->node->name, node) != 0)
        return;
    t->told = t->told != NULL ? t->told : malloc(sizeof *t->told);
    if (t->told != NULL)
        *t->told = *usage;
}

void core_attempt_used(struct core *c, const char *node, struct attempt_id id, struct use_point used)
{
    struct task *t = task_of(c, id);
    used.run_us = t != NULL ? MIN(used.run_us, t->run_us) : 0;
    if (used.run_us == 0 || t->state != TASK_RUNNING || strcmp(t->node->name, node) != 0)
        return;
    struct measure moved = t->use.io_bytes;
    used.io_bytes = io_believed(&used);
    if (used.cpu_us == 0 && used.mem_peak_bytes == 0 && !is_measured(used.io_bytes))
        t->uncounted_us = used.run_us;
    else if (used.run_us >= t->use.run_us)
        t->use = used;
    if (measured(t->use.io_bytes) < measured(moved))
        t->use.io_bytes = moved; /* a count doesn't fall */
    if (task_io_is_out(t) && t->io_out_utc_us == 0)
        t->io_out_utc_us = c->turn_utc_us;
    if (measured(t->use.io_bytes) > measured(moved) && task_io_is_due(c, t) && !t->paused)
        timer_set(c, &t->timer, c->turn_utc_us);
}

uint64_t node_silent_us(const struct node *n, struct core_now now)
{
    return now.boot_us > n->seen_boot_us ? now.boot_us - n->seen_boot_us : 0;
}

static void count_from_now(struct core *c, struct node *n, struct core_now now)
{
    n->seen_boot_us = now.boot_us;
    seen_unlink(c, n);
    seen_insert(c, n);
}

uint64_t nodes_look(struct core *c, struct core_now now)
{
    /* What was before this scheduler began is unknown: every node counts as seen when it began. */
    for (size_t i = 0; i < c->nodes_count && !c->began; i++)
        if (!c->nodes[i]->heard)
            count_from_now(c, c->nodes[i], now);
    c->began = true;
    uint64_t patience_us = c->limits.silent_ms * 1000;
    for (struct node *n = c->seen_first, *next; n != NULL; n = next) {
        next = n->seen_next;
        if (n->seen_boot_us == 0)
            count_from_now(c, n, now); /* its fact came, its hello didn't */
        if (node_silent_us(n, now) <= patience_us)
            return n->seen_boot_us + patience_us + 1;
        if (n->silent)
            continue;
        n->silent = true;
        node_refresh(c, n);
        node_trouble(c, n);
    }
    return UINT64_MAX;
}

/* ---- capacity --------------------------------------------------------------------------------------- */

const char *node_state(const struct node *n, int64_t utc_us)
{
    if (n->lost)
        return "lost";
    if (n->silent || !n->heard)
        return "unreachable";
    if (n->drained)
        return "drained";
    if (n->quarantined)
        return "quarantined";
    return windows_close_utc_us(n) <= utc_us ? "closed" : "up";
}

bool node_is_usable(const struct node *n)
{
    return n->heard && !n->silent && !n->drained && !n->lost && n->cores_wanted == 0 &&
           !quarantine_keeps_out(n);
}

void node_reindex(struct core *c, struct node *n)
{
    struct capacity free = n->total;
    capacity_take(&free, &n->used);
    place_remove(&c->open, &n->open);
    n->open.free = free;
    n->open.until_us = windows_close_utc_us(n);
    if (node_is_usable(n) && n->reserved == 0)
        place_add(&c->open, &n->open);
    pools_touch(n);
}

void node_refresh(struct core *c, struct node *n)
{
    node_reindex(c, n);
    core_stir(c);
    c->room++;
}

void node_use(struct core *c, struct node *n, const struct capacity *need, bool more)
{
    (more ? capacity_add : capacity_take)(&n->used, need);
    struct capacity free = n->total;
    capacity_take(&free, &n->used);
    place_set(&c->open, &n->open, &free);
    c->room += !more;
    pools_touch(n);
}

void node_take_task(struct node *n, struct task *t)
{
    t->node = n;
    t->node_prev = NULL;
    t->node_next = n->tasks;
    if (n->tasks != NULL)
        n->tasks->node_prev = t;
    n->tasks = t;
    n->live++;
}

void node_leave_task(struct task *t)
{
    struct node *n = t->node;
    if (t->node_prev != NULL)
        t->node_prev->node_next = t->node_next;
    else
        n->tasks = t->node_next;
    if (t->node_next != NULL)
        t->node_next->node_prev = t->node_prev;
    t->node = NULL;
    t->node_prev = t->node_next = NULL;
    n->live--;
}

/* ---- facts ------------------------------------------------------------------------------------------ */

static int joined_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_node *j = &f->joined;
    if (j->node == NULL || j->boot_id == NULL)
        return err_set(err, -EPROTO, "node.joined without a name or a boot id");
    if (!capacity_names_fit(&c->names, &j->capacity))
        return err_set(err, -EPROTO, "node.joined: %s brings more generic resources than a cell has room for",
                       j->node);
    if (!capacity_features_fit(&c->names, &j->features))
        return err_set(err, -EPROTO, "node.joined: %s brings more features than a cell has room for", j->node);
    return 0;
}

static void count_total(struct core *c, const struct capacity *total, bool more)
{
    (more ? capacity_add : capacity_take)(&c->total, total);
    c->total.v[CAPACITY_ATTEMPTS] = UINT64_MAX; /* whatever is used of it is no share */
}

/* What ran under another boot of the node is dead: decide() ends it. A cancelled attempt keeps its
 * cancellation. */
static void new_boot(struct core *c, struct node *n)
{
    for (struct task *t = n->tasks; t != NULL; t = t->node_next) {
        if (t->stopping == END_NONE)
            t->stopping = END_NODE_LOST;
        t->missing = true;
        timer_stop(c, &t->timer);
    }
    if (n->tasks != NULL)
        node_trouble(c, n);
}

static bool node_has_feature(const struct node *n, enum node_feature feature)
{
    bool has = false;
    for (size_t i = 0; i < n->features.count; i++)
        has |= strcmp(n->features.v[i], names_get(&node_feature_names, feature)) == 0;
    return has;
}

struct node *node_join(struct core *c, const struct fact_node *j)
{
    struct node *n = node_find(c, j->node);
    bool is_new = n == NULL;
    if (is_new)
        n = node_add(c, j->node);
    if (!is_new && !n->lost)
        count_total(c, &n->total, false);
    if (!is_new && strcmp(n->boot_id, j->boot_id) != 0)
        new_boot(c, n);
    place_remove(&c->sizes, &n->size);
    size_t names = c->names.count + c->names.features_count;
    bool added = capacity_names_add(&c->names, &j->capacity) && capacity_features_add(&c->names, &j->features);
    BUG(!added);
    if (c->names.count + c->names.features_count > names)
        shapes_refresh(c); /* who waits for it is asked for from now on */
    fields_clear(&resources_fields, &n->capacity);
    core_copy_resources(&j->capacity, &n->capacity);
    core_clear_strs(&n->features);
    core_copy_strs(&j->features, &n->features);
    n->counts_io = node_has_feature(n, FEATURE_IO_BYTES);
    capacity_of(&c->names, &n->capacity, &n->total);
    n->max_attempts = j->max_attempts;
    n->total.v[CAPACITY_ATTEMPTS] = n->max_attempts != 0 ? n->max_attempts : CAPACITY_ANY_NUMBER;
    capacity_features(&c->names, &n->features, &n->total.features);
    free(n->boot_id);
    free(n->version);
    n->boot_id = core_text(j->boot_id);
    n->version = core_text(j->version);
    struct pairs labels = {0};
    for (size_t i = 0; i < j->labels.count; i++) {
        int rc = pairs_set(&labels, j->labels.v[i].key, j->labels.v[i].value);
        BUG(rc < 0);
    }
    pools_leave(c, n);
    clear_labels(n);
    n->labels = labels;
    c->joins++;
    pools_enter(c, n);
    windows_of_node(c, n);
    n->lost = false;
    n->silent = false;
    n->hello = MAX(n->hello, j->hello);
    n->heard |= c->began; /* while it runs, a node joins by saying hello; a replay says nothing about now */
    free(n->lost_reason);
    n->lost_reason = NULL;
    n->size.free = n->total;
    place_add(&c->sizes, &n->size);
    count_total(c, &n->total, true);
    node_refresh(c, n);
    reserve_node_changed(c, n);
    return n;
}

static void joined_apply(struct core *c, const struct fact *f)
{
    (void)node_join(c, &f->joined);
    claims_rebuild(c);
}
const struct fact_rule rule_joined = {joined_check, joined_apply};

static int node_known(const struct core *c, const char *name, const char *what, struct err *err)
{
    if (node_find(c, name) == NULL)
        return err_set(err, -EPROTO, "%s: no node '%s'", what, name != NULL ? name : "");
    return 0;
}

static int lost_check(const struct core *c, const struct fact *f, struct err *err)
{
    int rc = node_known(c, f->lost.node, "node.lost", err);
    if (rc == 0 && node_find(c, f->lost.node)->tasks != NULL)
        return err_set(err, -EPROTO, "node.lost: %s still has live attempts", f->lost.node);
    return rc;
}

void node_lose(struct core *c, struct node *n, const char *reason)
{
    if (!n->lost)
        count_total(c, &n->total, false);
    n->lost = true;
    free(n->lost_reason);
    n->lost_reason = core_text(reason);
    place_remove(&c->sizes, &n->size);
    node_refresh(c, n);
}

static void lost_apply(struct core *c, const struct fact *f)
{
    node_lose(c, node_find(c, f->lost.node), f->lost.reason);
    claims_rebuild(c);
}
const struct fact_rule rule_lost = {lost_check, lost_apply};

static int drained_check(const struct core *c, const struct fact *f, struct err *err)
{
    return node_known(c, f->drained.node, "node.drained", err);
}

static void drained_apply(struct core *c, const struct fact *f)
{
    struct node *n = node_find(c, f->drained.node);
    n->drained = f->drained.drained;
    free(n->drain_reason);
    n->drain_reason = n->drained ? core_text(f->drained.reason) : NULL;
    node_refresh(c, n);
    reserve_node_changed(c, n);
}
const struct fact_rule rule_drained = {drained_check, drained_apply};

#include "scheduler/core/windows.h"

#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve.h"

/* ---- which nodes ------------------------------------------------------------------------------------ */

static bool is_named(const struct fact_window *w, const char *node)
{
    for (size_t i = 0; i < w->nodes.count; i++)
        if (strcmp(w->nodes.v[i], node) == 0)
            return true;
    return false;
}

bool window_closes(const struct fact_window *w, const struct where *parsed, const struct node *n)
{
    if (w->where != NULL)
        return where_matches(parsed, n->name, &n->labels);
    return w->cell || is_named(w, n->name);
}

static bool closes(const struct window *w, const struct node *n)
{
    return window_closes(&w->as, &w->where, n);
}

static bool is_before(const struct window *a, const struct window *b)
{
    return a->as.from_utc_us != b->as.from_utc_us ? a->as.from_utc_us < b->as.from_utc_us
                                                  : a->as.window < b->as.window;
}

static void list(struct node *n, struct window *w)
{
    size_t at = n->windows_count++;
    n->windows = core_grow(n->windows, n->windows_count * sizeof n->windows[0]);
    for (; at > 0 && is_before(w, n->windows[at - 1]); at--)
        n->windows[at] = n->windows[at - 1];
    n->windows[at] = w;
    w->told = false;
}

static bool unlist(struct node *n, const struct window *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->windows_count; i++)
        if (n->windows[i] != w)
            n->windows[kept++] = n->windows[i];
    bool was = kept < n->windows_count;
    n->windows_count = kept;
    return was;
}

static void changed(struct core *c, struct node *n)
{
    n->profile_turn = 0;
    node_refresh(c, n);
    reserve_node_changed(c, n);
}

static void enter(struct core *c, struct window *w)
{
    for (size_t i = 0; i < c->nodes_count; i++)
        if (closes(w, c->nodes[i])) {
            list(c->nodes[i], w);
            changed(c, c->nodes[i]);
        }
}

static void leave(struct core *c, const struct window *w)
{
    for (size_t i = 0; i < c->nodes_count; i++)
        if (unlist(c->nodes[i], w))
            changed(c, c->nodes[i]);
}

void windows_of_node(struct core *c, struct node *n)
{
    n->windows_count = 0;
    for (size_t i = 0; i < c->windows_count; i++)
        if (closes(c->windows[i], n))
            list(n, c->windows[i]);
}

int64_t windows_close_utc_us(const struct node *n)
{
    return n->windows_count > 0 ? n->windows[0]->as.from_utc_us : INT64_MAX;
}

void windows_close(const struct node *n, struct backfill *b)
{
    for (uint32_t i = 0; i < n->windows_count; i++)
        backfill_close(b, n->windows[i]->as.from_utc_us, n->windows[i]->as.to_utc_us);
}

/* ---- facts ------------------------------------------------------------------------------------------ */

/* Where it stands, or would. */
static size_t slot_of(const struct core *c, uint64_t number)
{
    size_t at = 0;
    while (at < c->windows_count && c->windows[at]->as.window < number)
        at++;
    return at;
}

struct window *window_find(const struct core *c, uint64_t number)
{
    size_t at = slot_of(c, number);
    return at < c->windows_count && c->windows[at]->as.window == number ? c->windows[at] : NULL;
}

static int check_one(const struct fact_window *w, struct err *err)
{
    struct where parsed;
    int ways = (w->nodes.count > 0) + (w->where != NULL) + w->cell;
    if (w->window == 0 || ways != 1 || w->from_utc_us >= w->to_utc_us || w->at_begin >= WINDOW_BEGIN_COUNT)
        return err_set(err, -EPROTO, "window.set: window %llu closes nothing, or never",
                       (unsigned long long)w->window);
    return w->where != NULL && where_parse(w->where, &parsed, err) < 0 ? -EPROTO : 0;
}

static int set_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_window *w = &f->window;
    if (window_find(c, w->window) == NULL && w->window <= c->last_window)
        return err_set(err, -EPROTO, "window.set: window %llu is over", (unsigned long long)w->window);
    return check_one(w, err);
}

static void window_free(struct window *w)
{
    fields_clear(&window_fields, &w->as);
    free(w);
}

static struct window *window_add(struct core *c, uint64_t number)
{
    size_t at = slot_of(c, number);
    struct window *w = core_alloc(sizeof *w);
    c->windows = core_grow(c->windows, (c->windows_count + 1) * sizeof c->windows[0]);
    memmove(&c->windows[at + 1], &c->windows[at], (c->windows_count - at) * sizeof c->windows[0]);
    c->windows[at] = w;
    c->windows_count++;
    c->last_window = MAX(c->last_window, number);
    return w;
}

static void window_put(struct core *c, const struct fact_window *as)
{
    struct window *w = window_find(c, as->window);
    struct err err;
    if (w != NULL)
        leave(c, w);
    else
        w = window_add(c, as->window);
    fields_clear(&window_fields, &w->as);
    int rc = fields_copy(&window_fields, as, &w->as);
    BUG(rc < 0);
    rc = w->as.where != NULL ? where_parse(w->as.where, &w->where, &err) : 0;
    BUG(rc < 0);
    enter(c, w);
}

static void set_apply(struct core *c, const struct fact *f)
{
    window_put(c, &f->window);
}
const struct fact_rule rule_window_set = {set_check, set_apply};

static int dropped_check(const struct core *c, const struct fact *f, struct err *err)
{
    if (window_find(c, f->window_dropped.window) == NULL)
        return err_set(err, -EPROTO, "window.dropped: no window %llu",
                       (unsigned long long)f->window_dropped.window);
    return 0;
}

static void dropped_apply(struct core *c, const struct fact *f)
{
    size_t at = slot_of(c, f->window_dropped.window);
    struct window *w = c->windows[at];
    leave(c, w);
    c->windows_count--;
    memmove(&c->windows[at], &c->windows[at + 1], (c->windows_count - at) * sizeof c->windows[0]);
    window_free(w);
}
const struct fact_rule rule_window_dropped = {dropped_check, dropped_apply};

void windows_fini(struct core *c)
{
    for (size_t i = 0; i < c->windows_count; i++)
        window_free(c->windows[i]);
    free(c->windows);
}

/* ---- what runs -------------------------------------------------------------------------------------- */

static bool is_told_to_stop(const struct window *w, const struct task *t)
{
    return w->as.at_begin == WINDOW_STOPS || t->job->shape->preemptible;
}

int64_t windows_stop_utc_us(const struct node *n, const struct task *t)
{
    for (uint32_t i = 0; i < n->windows_count; i++)
        if (is_told_to_stop(n->windows[i], t))
            return n->windows[i]->as.from_utc_us;
    return INT64_MAX;
}

/* By its limit, without anybody's doing: the keeper is at it. */
static bool ends_by_itself(const struct task *t, int64_t utc_us)
{
    uint64_t limit_us = t->job->shape->limit_us;
    return limit_us != 0 && t->started_utc_us != 0 && !t->paused &&
           backfill_after(task_clock_utc_us(t), (int64_t)limit_us) <= utc_us;
}

static void stop(struct core *c, struct plan *p, const struct window *w, const struct task *t)
{
    struct fact *f = plan_add(p, FACT_ATTEMPT_STOPPING);
    f->stopping = (struct fact_stopping){
        task_id(t), END_MAINTENANCE, text_of("window %llu", (unsigned long long)w->as.window)};
    flight_begin(c, f);
}

/* true: somebody is still to be told, or may yet be. */
static bool tell_node(struct core *c, struct plan *p, const struct window *w, struct node *n)
{
    bool again = false;
    for (struct task *t = n->tasks; t != NULL; t = t->node_next) {
        if (t->stopping != END_NONE || !is_told_to_stop(w, t) || ends_by_itself(t, p->now.utc_us))
            continue;
        again = true;
        if (p->count < p->max && !t->in_flight)
            stop(c, p, w, t);
    }
    return again;
}

static bool is_closed_by(const struct node *n, const struct window *w)
{
    for (uint32_t i = 0; i < n->windows_count; i++)
        if (n->windows[i] == w)
            return true;
    return false;
}

static void tell(struct core *c, struct plan *p, struct window *w)
{
    bool again = false;
    for (size_t i = 0; i < c->nodes_count; i++)
        if (is_closed_by(c->nodes[i], w))
            again |= tell_node(c, p, w, c->nodes[i]);
    w->told = !again;
}

static void say_over(struct core *c, struct plan *p, const struct window *w)
{
    struct fact *f = plan_add(p, FACT_WINDOW_DROPPED);
    f->window_dropped = (struct fact_window_dropped){w->as.window, core_text("reeved"), core_text("over")};
    flight_begin(c, f);
}

void decide_windows(struct core *c, struct plan *p)
{
    int64_t early_us = forecast_stop_us(c, END_MAINTENANCE);
    for (size_t i = 0; i < c->windows_count; i++) {
        struct window *w = c->windows[i];
        bool over = w->as.to_utc_us <= p->now.utc_us;
        if (over && p->count < p->max)
            say_over(c, p, w);
        if (!over)
            plan_wake_at(p, w->as.to_utc_us);
        if (w->as.from_utc_us - early_us > p->now.utc_us)
            plan_wake_at(p, w->as.from_utc_us - early_us);
        else if (!over && !w->told)
            tell(c, p, w);
    }
}

/* ---- why not ---------------------------------------------------------------------------------------- */

struct window_block windows_block_of(const struct core *c, const struct shape *s, const struct node *n, int64_t utc_us)
{
    int64_t tail_us = (int64_t)(c->limits.grace_ms + c->limits.kill_ms) * 1000;
    int64_t left_us = n->open.until_us - utc_us - tail_us;
    int64_t clear_us = forecast_clear_utc_us(c, s, utc_us) - utc_us;
    return (struct window_block){n, &n->windows[0]->as, left_us > 0 ? (uint64_t)left_us / 1000 : 0,
                                 (uint64_t)(clear_us - (s->limit_us != 0 ? tail_us : 0)) / 1000};
}

const struct node *windows_block(const struct core *c, const struct shape *s, int64_t utc_us)
{
    const struct node *best = NULL, *own = NULL;
    int64_t start_utc_us;
    (void)reserve_promised(c, s, &start_utc_us, &own);
    int64_t clear_utc_us = forecast_clear_utc_us(c, s, utc_us);
    for (size_t i = 0; i < c->nodes_count && c->windows_count > 0; i++) {
        const struct node *n = c->nodes[i];
        bool free_for_it = n->open.in_index || (n == own && node_is_usable(n));
        if (free_for_it && n->open.until_us < clear_utc_us && capacity_fits(&s->need, &n->open.free) &&
            (best == NULL || n->open.until_us > best->open.until_us) && shape_suits(s, n))
            best = n;
    }
    return best;
}

/* ---- as a whole ------------------------------------------------------------------------------------- */

void windows_snapshot(const struct core *c, struct fact_snapshot_cell *to)
{
    to->last_window = c->last_window;
    for (size_t i = 0; i < c->windows_count; i++) {
        struct fact_window *copy = list_add(&to->windows, sizeof *copy);
        BUG(copy == NULL);
        int rc = fields_copy(&window_fields, &c->windows[i]->as, copy);
        BUG(rc < 0);
    }
}

int windows_check_snapshot(const struct fact_snapshot_cell *from, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < from->windows.count; i++)
        rc = check_one(&((const struct fact_window *)from->windows.v)[i], err);
    return rc;
}

void windows_restore(struct core *c, const struct fact_snapshot_cell *from)
{
    for (size_t i = 0; i < from->windows.count; i++)
        window_put(c, &((const struct fact_window *)from->windows.v)[i]);
    c->last_window = MAX(c->last_window, from->last_window);
}

uint64_t windows_hash(const struct core *c, uint64_t hash)
{
    if (c->last_window == 0)
        return hash; /* as before there were any */
    for (size_t i = 0; i < c->windows_count; i++)
        hash = hash_fields(hash, &window_fields, &c->windows[i]->as);
    return hash_u64(hash, c->last_window);
}

int windows_verify(const struct core *c, struct err *err)
{
    for (size_t i = 0; i < c->nodes_count; i++) {
        const struct node *n = c->nodes[i];
        uint32_t count = 0;
        for (size_t k = 0; k < c->windows_count; k++) {
            bool listed = is_closed_by(n, c->windows[k]);
            count += listed;
            if (listed != closes(c->windows[k], n))
                return err_set(err, -EUCLEAN, "node %s: window %llu closes it, or not, against its names and labels",
                               n->name, (unsigned long long)c->windows[k]->as.window);
        }
        for (uint32_t k = 1; k < n->windows_count; k++)
            if (!is_before(n->windows[k - 1], n->windows[k]))
                return err_set(err, -EUCLEAN, "node %s: its windows are out of order", n->name);
        if (count != n->windows_count || n->open.until_us != windows_close_utc_us(n))
            return err_set(err, -EUCLEAN, "node %s: the placement index knows its windows otherwise", n->name);
    }
    return 0;
}

/* Questions of admins about maintenance windows: one is planned, changed, taken back; which there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/windows.h"

static int refused(struct refusal *refusal, const char *where, const char *hint, const char *text)
{
    refusal_from(refusal, "bad_request", where, hint, "%s", text);
    return CORE_REFUSED;
}

static int check_nodes(const struct core *c, const struct window_call *call, struct refusal *refusal)
{
    struct where parsed;
    struct err err = {0};
    if ((call->nodes.count > 0) + (call->where != NULL) + call->cell != 1)
        return refused(refusal, "nodes", NULL, "a window closes nodes by name, or by `where`, or the whole cell");
    if (call->where != NULL && where_parse(call->where, &parsed, &err) < 0)
        return refused(refusal, "where", NULL, err_text(&err));
    for (size_t i = 0; i < call->nodes.count; i++)
        if (node_find(c, call->nodes.v[i]) == NULL) {
            refusal_from(refusal, "not_found", "nodes", NULL, "there is no node '%s'", call->nodes.v[i]);
            return CORE_REFUSED;
        }
    return CORE_FACT;
}

static int check_times(const struct window_call *call, int64_t from_utc_us, int64_t utc_us, struct refusal *refusal)
{
    if (call->to_utc_us <= utc_us)
        return refused(refusal, "until", NULL, "it would be over already");
    if (call->to_utc_us <= from_utc_us)
        return refused(refusal, "until", NULL, "it ends before it begins");
    if (call->to_utc_us - from_utc_us > WINDOW_LONGEST_US)
        return refused(refusal, "until", "drain nodes that are gone for so long",
                       "a window is at most 366 days long");
    return CORE_FACT;
}

static int not_there(uint64_t number, struct refusal *refusal)
{
    refusal_from(refusal, "not_found", "window", "reeve window list shows those there are",
                 "there is no window %llu, or it is over", (unsigned long long)number);
    return CORE_REFUSED;
}

/* ---- what it closes --------------------------------------------------------------------------------- */

static bool may_run_then(const struct core *c, const struct task *t, int64_t from_utc_us)
{
    uint64_t limit_us = t->job->shape->limit_us;
    int64_t begin_utc_us = t->started_utc_us != 0 ? task_clock_utc_us(t) : t->placed_utc_us;
    int64_t longest_us = (int64_t)(core_longest_us(c, limit_us) + c->limits.kill_ms * 1000);
    return limit_us == 0 || t->paused || backfill_after(begin_utc_us, longest_us) > from_utc_us;
}

static void count(const struct core *c, const struct fact_window *w, uint32_t *ret_nodes, uint32_t *ret_running)
{
    struct where parsed;
    int rc = w->where != NULL ? where_parse(w->where, &parsed, &(struct err){0}) : 0;
    BUG(rc < 0);
    *ret_nodes = *ret_running = 0;
    for (size_t i = 0; i < c->nodes_count; i++) {
        const struct node *n = c->nodes[i];
        if (n->lost || !window_closes(w, &parsed, n))
            continue;
        ++*ret_nodes;
        for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
            *ret_running += may_run_then(c, t, w->from_utc_us);
    }
}

/* ---- questions -------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each name once: the same nodes are the same window. */
static void copy_nodes(const struct strs *from, struct strs *to)
{
    core_copy_strs(from, to);
    if (to->count > 1)
        qsort(to->v, to->count, sizeof to->v[0], by_text);
    size_t kept = 0;
    for (size_t i = 0; i < to->count; i++)
        if (kept > 0 && strcmp(to->v[kept - 1], to->v[i]) == 0)
            free(to->v[i]);
        else
            to->v[kept++] = to->v[i];
    to->count = kept;
}

static void fill(const struct window_call *call, uint64_t number, int64_t from_utc_us, const char *who,
                 struct fact_window *w)
{
    *w = (struct fact_window){.window = number,
                              .where = core_text(call->where),
                              .cell = call->cell,
                              .from_utc_us = from_utc_us,
                              .to_utc_us = call->to_utc_us,
                              .at_begin = call->at_begin,
                              .reason = core_text(call->reason),
                              .who = core_text(who)};
    copy_nodes(&call->nodes, &w->nodes);
}

/* Who planned it doesn't count. */
static bool is_the_same(const struct fact_window *a, const struct fact_window *b)
{
    struct fact_window other = *b; /* borrowed */
    other.who = a->who;
    return fields_equal(&window_fields, a, &other);
}

/* Of one that wasn't told its number, and may be asked for again because its answer was lost. */
static const struct window *find_same(const struct core *c, struct fact_window *w)
{
    uint64_t number = w->window;
    for (size_t i = 0; i < c->windows_count; i++) {
        w->window = c->windows[i]->as.window;
        if (is_the_same(w, &c->windows[i]->as))
            return c->windows[i];
    }
    w->window = number;
    return NULL;
}

int core_check_window(struct core *c, const struct window_call *call, const char *who, struct core_now now,
                      struct fact *ret, struct window_reply *reply, struct refusal *refusal)
{
    int64_t utc_us = core_utc(c, now);
    const struct window *old = window_find(c, call->window);
    *ret = (struct fact){0};
    if (c->windows_in_flight > 0)
        return CORE_LATER;
    if (call->window != 0 && old == NULL)
        return not_there(call->window, refusal);
    int64_t from_utc_us = call->from_utc_us != 0 ? call->from_utc_us : utc_us;
    int rc = check_nodes(c, call, refusal);
    if (rc == CORE_FACT)
        rc = check_times(call, from_utc_us, utc_us, refusal);
    if (rc != CORE_FACT)
        return rc;
    *ret = (struct fact){.kind = FACT_WINDOW_SET, .at_utc_us = utc_us};
    fill(call, old != NULL ? call->window : c->last_window + 1, from_utc_us, who, &ret->window);
    bool known = old != NULL ? is_the_same(&ret->window, &old->as) : find_same(c, &ret->window) != NULL;
    reply->window = ret->window.window;
    count(c, &ret->window, &reply->nodes, &reply->running);
    if (!known && old == NULL && c->windows_count >= WINDOWS_MAX) {
        refusal_from(refusal, "windows_full", NULL, "take back those that are no longer needed",
                     "%d windows are planned, and there is room for no more", WINDOWS_MAX);
        rc = CORE_REFUSED;
    }
    if (known || rc == CORE_REFUSED)
        fact_clear(ret);
    else
        flight_begin(c, ret);
    return rc;
}

int core_check_window_drop(struct core *c, const struct window_drop_call *call, const char *who, struct core_now now,
                           struct fact *ret, struct refusal *refusal)
{
    *ret = (struct fact){0};
    if (c->windows_in_flight > 0)
        return CORE_LATER;
    if (window_find(c, call->window) == NULL)
        return not_there(call->window, refusal);
    *ret = (struct fact){.kind = FACT_WINDOW_DROPPED, .at_utc_us = core_utc(c, now)};
    ret->window_dropped = (struct fact_window_dropped){call->window, core_text(who), core_text(call->reason)};
    flight_begin(c, ret);
    return CORE_FACT;
}

static int by_begin(const void *a, const void *b)
{
    const struct fact_window *x = &((const struct window_row *)a)->window, *y = &((const struct window_row *)b)->window;
    if (x->from_utc_us != y->from_utc_us)
        return x->from_utc_us < y->from_utc_us ? -1 : 1;
    return x->window < y->window ? -1 : x->window > y->window;
}

int core_windows(const struct core *c, struct core_now now, struct windows_reply *ret)
{
    *ret = (struct windows_reply){0};
    for (size_t i = 0; i < c->windows_count; i++) {
        const struct fact_window *w = &c->windows[i]->as;
        struct window_row *row = list_add(&ret->windows, sizeof *row);
        if (row == NULL || fields_copy(&window_fields, w, &row->window) < 0) {
            fields_clear(&windows_reply_fields, ret);
            return -ENOMEM;
        }
        row->open = w->from_utc_us <= core_utc(c, now);
        count(c, w, &row->nodes, &row->running);
    }
    if (ret->windows.count > 1)
        qsort(ret->windows.v, ret->windows.count, sizeof(struct window_row), by_begin);
    return 0;
}

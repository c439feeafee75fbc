#include <stdio.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "policies/backfill.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/windows.h"

/* ---- what it lacks ---------------------------------------------------------------------------------- */

/* Of cores, what goes on there comes first: nothing new starts before (paused.c). */
static uint64_t cores_wanted(const struct node *n)
{
    uint64_t milli = 0;
    for (const struct task *t = n->cores_wanted > 0 ? n->tasks : NULL; t != NULL; t = t->node_next)
        milli += t->wants_cores ? t->job->shape->need.v[CAPACITY_CPU] : 0;
    return milli;
}

static void lack(struct capacity *room, const struct capacity *need, const struct capacity *have)
{
    for (size_t dim = 0; dim < CAPACITY_DIMS; dim++)
        if (need->v[dim] > have->v[dim])
            room->v[dim] = MAX(room->v[dim], need->v[dim] - have->v[dim]);
}

/* Beside what is promised to others there: so long it could run, and so much is missing for all of its run. */
static void lack_beside(struct question *q, const struct shape *s, struct node *n, struct node_lacks *l)
{
    const struct plan asked = explain_plan(q);
    const struct backfill *b = reserve_profile(q->core, &asked, n, s);
    struct backfill_ask ask = forecast_ask(q->core, s);
    int64_t at_us = explain_at(q), end_us = backfill_after(at_us, ask.run_us);
    l->beside_us = INT64_MAX;
    for (size_t i = 0; i < b->count && b->v[i].from_us < end_us; i++) {
        if (capacity_fits(&s->need, &b->v[i].free))
            continue;
        lack(&l->room, &s->need, &b->v[i].free);
        l->beside_us = MIN(l->beside_us, MAX(b->v[i].from_us - at_us, 0));
    }
    l->kept = l->beside_us != INT64_MAX && capacity_fits(&s->need, &n->open.free);
}

/* A task of the job that ends makes room for another. */
static void lack_one_less(const struct shape *s, struct capacity *room)
{
    for (size_t dim = 0; dim < CAPACITY_DIMS; dim++)
        room->v[dim] -= MIN(room->v[dim], s->need.v[dim]);
}

void explain_lacks(struct question *q, const struct shape *s, struct node *n, struct node_lacks *ret)
{
    *ret = (struct node_lacks){.node = n};
    struct capacity need = s->need;
    ret->silent = n->silent || !n->heard;
    ret->out = n->drained || quarantine_keeps_out(n);
    ret->closes = windows_close_utc_us(n) < forecast_clear_utc_us(q->core, s, explain_at(q));
    ret->capped = !q->capped && !node_may_take(NULL, q->job, s, n);
    ret->wanted_milli = cores_wanted(n);
    need.v[CAPACITY_CPU] += ret->wanted_milli;
    lack(&ret->room, &need, &n->open.free);
    if (n->reserved > 0 && !ret->silent && !ret->out && ret->wanted_milli == 0)
        lack_beside(q, s, n, ret);
    if (ret->capped || q->capped)
        lack_one_less(s, &ret->room);
    for (size_t dim = 0; dim < CAPACITY_DIMS; dim++)
        ret->lacks_room |= ret->room.v[dim] > 0 && !ret->kept;
}

uint32_t explain_lacks_rank(const struct node_lacks *l)
{
    return (uint32_t)l->silent << 5 | (uint32_t)l->out << 4 | (uint32_t)l->lacks_room << 3 | (uint32_t)l->kept << 2 |
           (uint32_t)l->closes << 1 | (uint32_t)l->capped;
}

/* ---- words ------------------------------------------------------------------------------------------ */

static struct blocker *placement_at(struct question *q, const struct node *n, const char *resource)
{
    char where[300];
    snprintf(where, sizeof where, "node %.255s", n->name);
    return explain_add(q, "placement", where, resource);
}

static const char *resource_of(const struct question *q, size_t dim)
{
    return dim == CAPACITY_ATTEMPTS ? "attempts" : capacity_name(&q->core->names, dim);
}

static void change_room(struct question *q, const struct node_lacks *l)
{
    char amount[48];
    for (size_t dim = 0; dim < CAPACITY_DIMS; dim++)
        if (l->room.v[dim] > 0) {
            const char *resource = resource_of(q, dim);
            explain_change(q, text_of("%s free on %s grows by %s", resource, l->node->name,
                                      admit_amount(resource, l->room.v[dim], amount)));
        }
}

static void say_full(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    const struct capacity *have = &l->node->open.free;
    size_t dim = CAPACITY_CPU;
    while (dim + 1 < CAPACITY_DIMS && l->room.v[dim] == 0)
        dim++;
    const char *resource = resource_of(q, dim);
    char need[48], free_text[48];
    struct blocker *b = placement_at(q, l->node, resource);
    b->limit = (int64_t)l->node->total.v[dim];
    b->used = (int64_t)l->node->used.v[dim];
    b->free = (int64_t)have->v[dim];
    b->need = (int64_t)s->need.v[dim];
    b->short_by = (int64_t)l->room.v[dim];
    b->text = text_of("placement: no node%s has room now; nearest is %s with %s %s free, needs %s",
                      s->where != NULL ? " of those that match `where`" : "", l->node->name,
                      admit_amount(resource, have->v[dim], free_text), resource,
                      admit_amount(resource, s->need.v[dim], need));
}

/* Something paused goes on there first. */
static void say_wanted(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    char first[48], need[48], free_text[48];
    const struct node *n = l->node;
    uint64_t have = n->open.free.v[CAPACITY_CPU];
    struct blocker *b = placement_at(q, n, "cpu");
    b->limit = (int64_t)n->total.v[CAPACITY_CPU];
    b->used = (int64_t)n->used.v[CAPACITY_CPU];
    b->free = (int64_t)have;
    b->need = (int64_t)s->need.v[CAPACITY_CPU];
    b->short_by = (int64_t)l->room.v[CAPACITY_CPU];
    b->text = text_of("placement: nearest is %.60s, which is kept for what was paused there and goes on as soon as it "
                      "has its cores: %s, and %s are free; then needs %s",
                      n->name, admit_amount("cpu", l->wanted_milli, first), admit_amount("cpu", have, free_text),
                      admit_amount("cpu", s->need.v[CAPACITY_CPU], need));
}

void explain_window_words(const struct fact_window *w, int64_t utc_us, char *out, size_t size)
{
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    const char *reason = w->reason != NULL && w->reason[0] != '\0' ? w->reason : NULL;
    bool closed = w->from_utc_us <= utc_us;
    snprintf(out, size, "%s%s until %s%s%.200s (window %llu)", closed ? "is closed" : "closes at ",
             closed ? "" : format_second(w->from_utc_us, from), format_second(w->to_utc_us, to),
             reason != NULL ? " for: " : "", reason != NULL ? reason : "", (unsigned long long)w->window);
}

/* A limit of so much, as people write one: a long one in minutes. */
static uint64_t round_ms(uint64_t ms)
{
    uint64_t unit_ms = ms > 600000 ? 60000 : 1000;
    return ms / unit_ms * unit_ms;
}

uint64_t explain_limit_before(const struct question *q, int64_t begin_utc_us)
{
    int64_t tail_us = (int64_t)(q->core->limits.grace_ms + q->core->limits.kill_ms) * 1000;
    int64_t left_us = begin_utc_us - explain_at(q) - tail_us;
    return left_us > 0 ? round_ms((uint64_t)left_us / 1000) : 0;
}

/* All windows that it would run into. */
static void change_windows(struct question *q, const struct node *n, int64_t clear_utc_us)
{
    for (uint32_t i = 0; i < n->windows_count && n->windows[i]->as.from_utc_us < clear_utc_us; i++)
        explain_change(q, text_of("window %llu ends", (unsigned long long)n->windows[i]->as.window));
}

bool explain_may_limit(const struct question *q, uint64_t limit_ms)
{
    return limit_ms > 0 && q->job->live == 0;
}

static void say_closes(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    char when[400], left[PARSE_TEXT_MAX], need[PARSE_TEXT_MAX];
    struct window_block block = windows_block_of(q->core, s, l->node, explain_at(q));
    uint64_t limit_ms = round_ms(block.left_ms);
    explain_window_words(block.window, q->utc_us, when, sizeof when);
    format_duration(limit_ms, left);
    struct blocker *b = placement_at(q, l->node, "time_limit");
    b->free = (int64_t)block.left_ms;
    b->need = (int64_t)block.needs_ms;
    b->short_by = b->need - b->free;
    b->text = text_of("placement: %.60s %s, but %s: %s are left before, needs %s", l->node->name,
                      explain_lacks_rank(l) < 4 ? "has room now" : "comes nearest", when, left,
                      format_duration(block.needs_ms / 1000 * 1000, need));
    if (explain_may_limit(q, limit_ms))
        explain_limit(q, limit_ms);
    else
        change_windows(q, l->node, forecast_clear_utc_us(q->core, s, explain_at(q)));
}

/* It would fit there now, if what may run so long delayed nobody. */
static void say_kept(struct question *q, const struct node_lacks *l)
{
    int64_t beside_utc_us = backfill_after(explain_at(q), l->beside_us);
    /* What is preempted without a limit meets a window; with one it has to be over before. */
    uint64_t limit_ms = explain_limit_before(q, MIN(beside_utc_us, windows_close_utc_us(l->node)));
    placement_at(q, l->node, NULL)->text = text_of(
        "placement: %s has room now, but it is kept for jobs that go first, and this one may run beyond their start",
        l->node->name);
    if (explain_may_limit(q, limit_ms))
        explain_limit(q, limit_ms);
    else
        change_room(q, l);
}

static void say_capped(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    struct blocker *b = placement_at(q, l->node, "tasks");
    b->limit = b->used = s->per_node;
    b->need = b->short_by = 1;
    b->text = text_of("placement: every node with room has %u task%s of this job, as many as per_node allows",
                      s->per_node, s->per_node == 1 ? "" : "s");
    explain_change(q, text_of("a task of job %llu on %s ends", (unsigned long long)q->job->id, l->node->name));
}

/* Nobody is to use it: one that is drained as well as quarantined is taken back from both. */
static void say_out(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    const struct node *n = l->node;
    char when[PARSE_TEXT_MAX], why[400];
    if (n->drained)
        snprintf(why, sizeof why, "is drained%s%.200s", n->drain_reason != NULL ? ": " : "",
                 n->drain_reason != NULL ? n->drain_reason : "");
    else
        snprintf(why, sizeof why, "until %s, as %.200s", format_second(n->quarantine_until_utc_us, when),
                 n->quarantine_reason != NULL ? n->quarantine_reason : "what ran there failed");
    placement_at(q, n, NULL)->text = text_of(
        "placement: every node that is large enough%s is drained, silent or quarantined: %.60s %s",
        s->where != NULL ? " and matches `where`" : "", n->name, why);
    explain_change(q, text_of("an admin takes %.60s back: reeve undrain %.60s%s", n->name, n->name,
                              n->drained && n->quarantined ? ", twice" : ""));
}

static void say_silent(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    placement_at(q, l->node, NULL)->text = text_of(
        "placement: every node that is large enough%s is drained, silent or quarantined: nothing is heard of %.60s",
        s->where != NULL ? " and matches `where`" : "", l->node->name);
    explain_change(q, text_of("%.60s is heard of again", l->node->name));
}

void explain_lacks_say(struct question *q, const struct shape *s, const struct node_lacks *l)
{
    if (l->silent)
        say_silent(q, s, l);
    if (l->out)
        say_out(q, s, l);
    if (l->capped)
        say_capped(q, s, l);
    if (l->closes)
        say_closes(q, s, l);
    if (l->kept)
        say_kept(q, l);
    if (l->wanted_milli > 0)
        say_wanted(q, s, l);
    else if (l->lacks_room)
        say_full(q, s, l);
    if (l->lacks_room)
        change_room(q, l);
}

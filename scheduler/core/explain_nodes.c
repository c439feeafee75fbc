#include <stdio.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/windows.h"

static void never_blocker(struct question *q, const struct admit_answer *a)
{
    struct blocker *b = explain_add(q, "never", a->where, NULL);
    b->text = text_of("can never run as things are: %s", a->message);
    if (a->hint[0] != '\0')
        explain_change(q, text_of("%s", a->hint));
}

static bool ever_fits(struct question *q, const struct shape *s)
{
    struct admit_answer answer = {0};
    bool fits = nodes_admit(q->core, s, &answer);
    if (!fits)
        never_blocker(q, &answer);
    return fits;
}

struct search {
    const struct shape *shape;
    const struct capacity *need;
    const struct node *found;
};

static bool could_hold(const struct place_item *item, void *arg)
{
    struct search *s = arg;
    const struct node *n = open_node(item);
    if (capacity_fits(s->need, &n->total) && shape_suits(s->shape, n))
        s->found = n;
    return s->found != NULL;
}

/* The node that comes nearest: the most free cpu among those that could hold it when empty. */
static const struct node *nearest(const struct core *c, const struct shape *s, const struct capacity *need)
{
    struct search best = {s, need, NULL};
    (void)place_from_most(&c->open, could_hold, &best);
    const struct node *kept = reserve_freest(c, s, need);
    if (best.found == NULL)
        return kept;
    bool freer = kept != NULL && kept->open.free.v[CAPACITY_CPU] > best.found->open.free.v[CAPACITY_CPU];
    return freer ? kept : best.found;
}

static const char *resource_of(const struct question *q, size_t dim)
{
    return dim == CAPACITY_ATTEMPTS ? "attempts" : capacity_name(&q->core->names, dim);
}

/* Of everything that it lacks there. */
static void change_room(struct question *q, const struct node *n, const struct capacity *need)
{
    char lack[48];
    for (size_t dim = 0; dim < CAPACITY_DIMS; dim++)
        if (need->v[dim] > n->open.free.v[dim]) {
            const char *resource = resource_of(q, dim);
            admit_amount(resource, need->v[dim] - n->open.free.v[dim], lack);
            explain_change(q, text_of("%s free on %s grows by %s", resource, n->name, lack));
        }
}

static void full_blocker(struct question *q, const struct shape *s, const struct node *n, const struct capacity *need)
{
    const struct capacity *have = &n->open.free;
    size_t dim = CAPACITY_CPU;
    while (dim + 1 < CAPACITY_DIMS && need->v[dim] <= have->v[dim])
        dim++;
    const char *resource = resource_of(q, dim);
    char where[300], need_text[48], have_text[48];
    snprintf(where, sizeof where, "node %.255s", n->name);
    struct blocker *b = explain_add(q, "placement", where, resource);
    b->limit = (int64_t)n->total.v[dim];
    b->used = (int64_t)n->used.v[dim];
    b->free = (int64_t)have->v[dim];
    b->need = (int64_t)need->v[dim];
    b->short_by = b->need - b->free;
    b->text = text_of("placement: no node%s has room now; nearest is %s with %s %s free, needs %s",
                      s->where != NULL ? " of those that match `where`" : "", n->name,
                      admit_amount(resource, have->v[dim], have_text), resource,
                      admit_amount(resource, need->v[dim], need_text));
    change_room(q, n, need);
}

/* "closes at ... until ... for: firmware (window 2)" */
static void window_words(const struct fact_window *w, int64_t utc_us, char *out, size_t size)
{
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    const char *reason = w->reason != NULL && w->reason[0] != '\0' ? w->reason : NULL;
    bool closed = w->from_utc_us <= utc_us;
    snprintf(out, size, "%s%s until %s%s%.200s (window %llu)", closed ? "is closed" : "closes at ",
             closed ? "" : format_second(w->from_utc_us, from), format_second(w->to_utc_us, to),
             reason != NULL ? " for: " : "", reason != NULL ? reason : "", (unsigned long long)w->window);
}

/* It would fit there now, were it sure to end before the node closes. */
static void closing_blocker(struct question *q, const struct window_block *b)
{
    char where[300], when[400], left[PARSE_TEXT_MAX], need[PARSE_TEXT_MAX];
    uint64_t round_ms = b->left_ms > 600000 ? 60000 : 1000, limit_ms = b->left_ms / round_ms * round_ms;
    snprintf(where, sizeof where, "node %.255s", b->node->name);
    window_words(b->window, q->utc_us, when, sizeof when);
    format_duration(limit_ms, left);
    struct blocker *k = explain_add(q, "placement", where, "time_limit");
    k->free = (int64_t)b->left_ms;
    k->need = (int64_t)b->needs_ms;
    k->short_by = k->need - k->free;
    k->text = text_of("placement: %.60s has room now, but %s: %s are left before, needs %s", b->node->name, when, left,
                      format_duration(b->needs_ms / 1000 * 1000, need));
    explain_change(q, limit_ms > 0 ? text_of("time_limit <= %s", left)
                                   : text_of("window %llu ends", (unsigned long long)b->window->window));
}

/* It would fit there now, if what may run so long delayed nobody. */
static void kept_blocker(struct question *q, const struct node *n)
{
    char where[300];
    snprintf(where, sizeof where, "node %.255s", n->name);
    explain_add(q, "placement", where, NULL)->text = text_of(
        "placement: %s has room now, but it is kept for jobs that go first, and this one may run beyond their start",
        n->name);
}

#define WAITS_MAX 400

/* "waits for 3 preempted attempts on n1 and 2 more nodes to end"; 0 of them: "". */
static uint32_t waits_words(const struct core *c, const struct shape *s, const struct node **ret_node,
                            char out[WAITS_MAX])
{
    char more[40] = "";
    size_t nodes;
    uint32_t count = preempt_waits(c, s, ret_node, &nodes);
    out[0] = '\0';
    if (nodes > 1)
        snprintf(more, sizeof more, " and %zu more node%s", nodes - 1, nodes == 2 ? "" : "s");
    if (count > 0)
        snprintf(out, WAITS_MAX, "waits for %u preempted attempt%s on %.255s%s to end", count, count == 1 ? "" : "s",
                 (*ret_node)->name, more);
    return count;
}

/* It has been decided who goes for it. */
static bool victims_blocker(struct question *q, const struct shape *s)
{
    char where[300], waits[WAITS_MAX];
    const struct node *n;
    if (waits_words(q->core, s, &n, waits) == 0)
        return false;
    snprintf(where, sizeof where, "node %.255s", n->name);
    explain_add(q, "placement", where, NULL)->text = text_of("placement: %s", waits);
    return true;
}

/* There is room for some of it, or none, but not for all. */
static void gang_blocker(struct question *q, const struct shape *s, const struct capacity *need, uint32_t members,
                         uint32_t found)
{
    const struct node *n;
    char waits[WAITS_MAX];
    const char *then = waits_words(q->core, s, &n, waits) > 0 ? "; " : "";
    char cpu[48], memory[48];
    uint32_t lack = members - found;
    struct blocker *b = explain_add(q, "placement", "cell", "tasks");
    b->free = found;
    b->need = members;
    b->short_by = lack;
    char within[JOB_LABEL_MAX + 32] = "", cap[40] = "";
    if (s->within != NULL && !s->within_or_any)
        snprintf(within, sizeof within, " within one %s", s->within->label);
    if (s->per_node != 0)
        snprintf(cap, sizeof cap, ", at most %u on a node", s->per_node);
    b->text = text_of("placement: %s%s%u of the %u tasks that start together find room now%s%s%s, short %u", waits,
                      then, found, members, within, s->where != NULL ? " on nodes that match `where`" : "", cap, lack);
    explain_change(q, text_of("room for %u more of its tasks%s%s, each with %s cpu and %s memory, scratch included",
                              lack, within, cap, admit_amount("cpu", need->v[CAPACITY_CPU], cpu),
                              admit_amount("memory", need->v[CAPACITY_MEM], memory)));
}

/* Where it would fit there are as many of its job as the job allows. */
static void per_node_blocker(struct question *q, const struct shape *s)
{
    struct blocker *b = explain_add(q, "placement", "cell", "tasks");
    b->limit = b->used = s->per_node;
    b->need = b->short_by = 1;
    b->text = text_of("placement: every node with room has %u task%s of this job, as many as per_node allows",
                      s->per_node, s->per_node == 1 ? "" : "s");
    explain_change(q, text_of("room for it on a node with fewer than %u of its tasks", s->per_node));
}

/* A node that would be large enough, and is left alone for what failed there. */
static bool quarantine_blocker(struct question *q, const struct shape *s, const struct capacity *need)
{
    char where[300], when[PARSE_TEXT_MAX];
    const struct node *n = NULL;
    for (size_t i = 0; i < q->core->nodes_count && n == NULL; i++) {
        const struct node *one = q->core->nodes[i];
        bool fits = one->quarantined && !one->drained && !one->lost && capacity_fits(need, &one->total);
        n = fits && shape_suits(s, one) ? one : NULL;
    }
    if (n == NULL)
        return false;
    snprintf(where, sizeof where, "node %.255s", n->name);
    explain_add(q, "placement", where, NULL)->text =
        text_of("placement: every node that is large enough is drained, silent or quarantined: %.60s until %s, as "
                "%.200s",
                n->name, format_second(n->quarantine_until_utc_us, when),
                n->quarantine_reason != NULL ? n->quarantine_reason : "what ran there failed");
    explain_change(q, text_of("an admin takes %.60s back: reeve undrain %.60s", n->name, n->name));
    return true;
}

void explain_nodes(struct question *q, const struct shape *s, uint32_t members)
{
    const struct core *c = q->core;
    struct shape known = *s; /* with what it needs, as nodes know it by now */
    struct plan now = {.now = {q->utc_us, 0}};
    if (c->nodes_count == 0) {
        explain_add(q, "placement", "cell", NULL)->text = text_of("placement: no node has joined yet");
        return;
    }
    if (!ever_fits(q, s))
        return;
    if (!shape_need(c, s, &known.need)) {
        explain_add(q, "placement", "cell", NULL)->text =
            text_of("placement: needs a resource or a limit that no node has");
        return;
    }
    if (members > 1) {
        uint32_t found = gang_would_find(c, q->utc_us, q->job, s->placeable ? s : &known, members);
        if (found < members)
            gang_blocker(q, s, &known.need, members, found);
        else
            (void)victims_blocker(q, s);
        return;
    }
    if (victims_blocker(q, s) || choose_node(c, &now, q->job, s->placeable ? s : &known, NULL) != NULL)
        return;
    if (s->per_node != 0 && choose_node(c, &now, NULL, s->placeable ? s : &known, NULL) != NULL) {
        per_node_blocker(q, s);
        return;
    }
    struct window_block block;
    if (windows_block(c, s->placeable ? s : &known, q->utc_us, &block)) {
        closing_blocker(q, &block);
        return;
    }
    const struct node *n = nearest(c, s, &known.need);
    if (n != NULL && capacity_fits(&known.need, &n->open.free))
        kept_blocker(q, n);
    else if (n != NULL)
        full_blocker(q, s, n, &known.need);
    else if (!quarantine_blocker(q, s, &known.need))
        explain_add(q, "placement", "cell", NULL)->text =
            text_of("placement: every node that is large enough%s is drained or silent",
                    s->where != NULL ? " and matches `where`" : "");
}

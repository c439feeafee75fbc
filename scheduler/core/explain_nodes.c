#include <stdio.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/windows.h"

static struct blocker *cell_blocker(struct question *q, char *text)
{
    struct blocker *b = explain_add(q, "placement", "cell", NULL);
    b->text = text;
    return b;
}

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

/* ---- which node is meant ----------------------------------------------------------------------------- */

struct search {
    const struct shape *shape;
    int64_t clear_utc_us;
    const struct node *found;
};

static bool could_hold(const struct shape *s, const struct node *n)
{
    return capacity_fits(&s->need, &n->total) && shape_suits(s, n);
}

static bool could_hold_open(const struct place_item *item, void *arg)
{
    struct search *s = arg;
    const struct node *n = open_node(item);
    if (could_hold(s->shape, n) && s->clear_utc_us <= item->until_us)
        s->found = n;
    return s->found != NULL;
}

/* The node that comes nearest: one that has room and is kept for others, else the most free cpu among those that could
 * hold it when empty. */
static const struct node *freest(const struct core *c, const struct shape *s, int64_t utc_us)
{
    struct search best = {s, forecast_clear_utc_us(c, s, utc_us), NULL};
    (void)place_from_most(&c->open, could_hold_open, &best);
    const struct node *kept = reserve_freest(c, s, &s->need);
    if (best.found == NULL)
        return kept;
    bool nearer = kept != NULL && (capacity_fits(&s->need, &kept->open.free) ||
                                   kept->open.free.v[CAPACITY_CPU] > best.found->open.free.v[CAPACITY_CPU]);
    return nearer ? kept : best.found;
}

/* None takes anything new: of those that could hold it when empty the one of which least has to be otherwise. */
static bool least_wrong(struct question *q, const struct shape *s, struct node_lacks *ret)
{
    bool found = false;
    for (size_t i = 0; i < q->core->nodes_count; i++) {
        struct node_lacks l;
        struct node *n = q->core->nodes[i];
        if (n->lost || !could_hold(s, n))
            continue;
        explain_lacks(q, s, n, &l);
        if (!found || explain_lacks_rank(&l) < explain_lacks_rank(ret))
            *ret = l;
        found = true;
    }
    return found;
}

/* Room where only its job's own cap, or a window, keeps it away comes first: it is there now. */
static const struct node *nearest(struct question *q, const struct shape *s)
{
    const struct core *c = q->core;
    const struct plan now = explain_plan(q);
    const struct node *n = s->per_node != 0 ? choose_node(c, &now, NULL, s, NULL) : NULL;
    n = n != NULL ? n : windows_block(c, s, explain_at(q));
    return n != NULL ? n : freest(c, s, explain_at(q));
}

/* ---- what blocks there ------------------------------------------------------------------------------- */

#define WHO_MAX 400

/* "3 preempted attempts on n1 and 2 more nodes"; 0 of them: "". */
static uint32_t who_goes(const struct core *c, const struct shape *s, const struct node **ret_node, char out[WHO_MAX])
{
    char more[40] = "";
    size_t nodes;
    uint32_t count = preempt_waits(c, s, ret_node, &nodes);
    out[0] = '\0';
    if (nodes > 1)
        snprintf(more, sizeof more, " and %zu more node%s", nodes - 1, nodes == 2 ? "" : "s");
    if (count > 0)
        snprintf(out, WHO_MAX, "%u preempted attempt%s on %.255s%s", count, count == 1 ? "" : "s", (*ret_node)->name,
                 more);
    return count;
}

/* It has been decided who goes for it. */
static bool victims_blocker(struct question *q, const struct shape *s)
{
    char where[300], who[WHO_MAX];
    const struct node *n;
    uint32_t count = who_goes(q->core, s, &n, who);
    if (count == 0)
        return false;
    snprintf(where, sizeof where, "node %.255s", n->name);
    explain_add(q, "placement", where, NULL)->text = text_of("placement: waits for %s to end", who);
    explain_change(q, text_of("the %s end%s", who, count == 1 ? "s" : ""));
    return true;
}

/* "2 cpu and 1 gpu and 4Gi memory": what a task takes of a node. */
static const char *need_words(const struct resources *r, char *out, size_t size)
{
    char amount[48];
    int n = snprintf(out, size, "%s cpu", admit_amount("cpu", r->cpu_milli, amount));
    for (size_t i = 0; i < r->generic.count && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, " and %llu %s", (unsigned long long)r->generic.v[i].value,
                      r->generic.v[i].name);
    if (n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, " and %s memory",
                 admit_amount("memory", r->mem_bytes + r->scratch_bytes, amount));
    return out;
}

/* Room for so many more; group NULL: wherever, or nobody knows in which. */
static void change_gang(struct question *q, const struct shape *s, uint32_t lack, const struct group *group)
{
    char each[400], where[300] = "", cap[40] = "";
    bool within = s->within != NULL && !s->within_or_any;
    if (within && group != NULL)
        snprintf(where, sizeof where, " where %s = %.200s", s->within->label, group->value);
    else if (within)
        snprintf(where, sizeof where, " within one %s", s->within->label);
    if (s->per_node != 0)
        snprintf(cap, sizeof cap, ", at most %u on a node", s->per_node);
    explain_change(q, text_of("room for %u more of its tasks%s%s, each with %s, scratch included", lack, where, cap,
                              need_words(&s->resources, each, sizeof each)));
}

#define WINDOWS_LOOKED_AT 16 /* that are looked at for a gang */

/* For how many there would be room with that time limit. */
static struct gang_found found_with_limit(struct question *q, const struct shape *s, uint32_t members,
                                          uint64_t limit_ms)
{
    struct shape *shorter = (struct shape *)(uintptr_t)s; /* its own promise stays its own */
    uint64_t limit_us = s->limit_us;
    shorter->limit_us = limit_ms * 1000;
    struct gang_found found = gang_would_find(q->core, explain_at(q), q->job, shorter, members);
    shorter->limit_us = limit_us;
    return found;
}

static bool is_shorter(const struct shape *s, uint64_t limit_ms)
{
    return limit_ms > 0 && (s->limit_us == 0 || limit_ms * 1000 < s->limit_us);
}

/* With a time limit that is over before a window begins all of them find room: the longest such. false: with none. */
static bool gang_limit(struct question *q, const struct shape *s, uint32_t members)
{
    const struct fact_window *of = NULL;
    uint64_t best_ms = 0;
    char when[400], limit[PARSE_TEXT_MAX];
    for (size_t i = 0; i < MIN(q->core->windows_count, (size_t)WINDOWS_LOOKED_AT); i++) {
        const struct fact_window *w = &q->core->windows[i]->as;
        uint64_t limit_ms = explain_limit_before(q, w->from_utc_us);
        if (limit_ms <= best_ms || !explain_may_limit(q, limit_ms) || !is_shorter(s, limit_ms) ||
            found_with_limit(q, s, members, limit_ms).tasks < members)
            continue;
        of = w;
        best_ms = limit_ms;
    }
    if (of == NULL)
        return false;
    explain_window_words(of, q->utc_us, when, sizeof when);
    struct blocker *b = explain_add(q, "placement", "cell", "time_limit");
    b->free = (int64_t)best_ms;
    b->text = text_of("placement: there is room for the %u tasks that start together, but it %s: %s are left before",
                      members, when, format_duration(best_ms, limit));
    explain_limit(q, best_ms);
    return true;
}

/* Whatever room is made, a closed cell is closed: windows of all nodes that it would run into. With a time limit that
 * is over before them there may be room for more. */
static void closed_cell(struct question *q, const struct shape *s, uint32_t members, struct gang_found *found)
{
    int64_t clear_utc_us = forecast_clear_utc_us(q->core, s, explain_at(q)), begin_utc_us = INT64_MAX;
    for (size_t i = 0; i < q->core->windows_count; i++)
        if (q->core->windows[i]->as.cell)
            begin_utc_us = MIN(begin_utc_us, q->core->windows[i]->as.from_utc_us);
    if (begin_utc_us >= clear_utc_us)
        return;
    uint64_t limit_ms = explain_limit_before(q, begin_utc_us);
    bool limits = explain_may_limit(q, limit_ms);
    if (limits) {
        explain_limit(q, limit_ms);
        *found = found_with_limit(q, s, members, limit_ms);
    }
    for (size_t i = 0; i < q->core->windows_count; i++) {
        const struct fact_window *w = &q->core->windows[i]->as;
        char when[400];
        if (!w->cell || w->from_utc_us >= clear_utc_us)
            continue;
        explain_window_words(w, q->utc_us, when, sizeof when);
        explain_add(q, "placement", "cell", "time_limit")->text = text_of("placement: the cell %s", when);
        if (!limits)
            explain_change(q, text_of("window %llu ends", (unsigned long long)w->window));
    }
}

/* There is room for some of it, or none, but not for all. */
static void gang_blocker(struct question *q, const struct shape *s, uint32_t members, uint32_t most,
                         const struct gang_found *found)
{
    const struct node *n;
    char who[WHO_MAX];
    bool waits = who_goes(q->core, s, &n, who) > 0;
    uint32_t free = found->tasks + (s->within == NULL ? q->ending : 0), lack = members - MIN(free, members);
    char within[JOB_LABEL_MAX + 32] = "", cap[40] = "", upto[16] = "";
    struct blocker *b = explain_add(q, "placement", "cell", "tasks");
    b->free = found->tasks;
    b->need = members;
    b->short_by = lack;
    if (s->within != NULL && !s->within_or_any)
        snprintf(within, sizeof within, " within one %s", s->within->label);
    if (s->per_node != 0)
        snprintf(cap, sizeof cap, ", at most %u on a node", s->per_node);
    if (most > members)
        snprintf(upto, sizeof upto, " to %u", most);
    b->text = text_of("placement: %s%s%s%u of the %u%s tasks that start together find room now%s%s%s, short %u",
                      waits ? "waits for " : "", who, waits ? " to end; " : "", found->tasks, members, upto, within,
                      s->where != NULL ? " on nodes that match `where`" : "", cap, lack);
    change_gang(q, s, lack, found->group);
}

static void no_nodes(struct question *q, const struct shape *s, uint32_t members)
{
    char each[400];
    cell_blocker(q, text_of("placement: no node has joined yet"));
    if (members > 1)
        change_gang(q, s, members, NULL);
    else
        explain_change(q, text_of("a node joins with %s", need_words(&s->resources, each, sizeof each)));
}

/* Its job has as many as it may have: one of them ends first. Where that is doesn't matter as long as there is room
 * anyway; else it is where least has to be otherwise besides. */
static void one_less(struct question *q, const struct shape *s, bool room)
{
    const struct job *j = q->job;
    struct node_lacks best = {0};
    for (uint32_t i = 0; i < j->tasks_count && !room; i++) {
        struct node_lacks l;
        if (!task_state_is_live(j->tasks[i]->state))
            continue;
        explain_lacks(q, s, j->tasks[i]->node, &l);
        if (best.node == NULL || explain_lacks_rank(&l) < explain_lacks_rank(&best))
            best = l;
    }
    explain_change(q, text_of("a task of job %llu%s%.60s ends", (unsigned long long)j->id,
                              best.node != NULL ? " on " : "", best.node != NULL ? best.node->name : ""));
    if (best.node != NULL)
        explain_lacks_say(q, s, &best);
}

static bool has_room(struct question *q, const struct shape *s)
{
    const struct plan now = explain_plan(q);
    return choose_node(q->core, &now, q->job, s, NULL) != NULL;
}

/* false: no node could ever hold it. */
static bool lacks_least(struct question *q, const struct shape *s, struct node_lacks *ret)
{
    const struct node *n = nearest(q, s);
    if (n == NULL)
        return least_wrong(q, s, ret);
    explain_lacks(q, s, (struct node *)(uintptr_t)n, ret); /* profiles are made in it */
    return true;
}

static void task_alone(struct question *q, const struct shape *s)
{
    struct node_lacks lacks;
    if (victims_blocker(q, s))
        return;
    bool room = has_room(q, s);
    if (q->capped)
        one_less(q, s, room);
    else if (!room && lacks_least(q, s, &lacks))
        explain_lacks_say(q, s, &lacks);
    else if (!room)
        cell_blocker(q, text_of("placement: no node is left that is large enough%s",
                                s->where != NULL ? " and matches `where`" : ""));
}

void explain_per_node(struct question *q, const struct shape *s)
{
    struct node_lacks lacks;
    if (s->per_node == 0 || q->capped || !s->placeable || has_room(q, s) || !lacks_least(q, s, &lacks))
        return;
    q->ending = lacks.capped;
}

void explain_nodes(struct question *q, const struct shape *s, uint32_t members, uint32_t most)
{
    const struct core *c = q->core;
    struct shape known = *s; /* with what it needs, as nodes know it by now */
    if (c->nodes_count == 0) {
        no_nodes(q, s, members);
        return;
    }
    if (!ever_fits(q, s))
        return;
    if (!shape_need(c, s, &known.need)) {
        cell_blocker(q, text_of("placement: needs a resource or a limit that no node has"));
        return;
    }
    const struct shape *asked = s->placeable ? s : &known;
    if (members == 1) {
        task_alone(q, asked);
        return;
    }
    struct gang_found found = gang_would_find(c, explain_at(q), q->job, asked, members);
    if (found.tasks >= members)
        (void)victims_blocker(q, asked);
    else if (s->within == NULL && found.tasks + q->ending >= members)
        return;
    else if (!gang_limit(q, asked, members)) {
        closed_cell(q, asked, members, &found);
        gang_blocker(q, asked, members, most, &found);
    }
}

/* Clients: a key before anything is sent, and the same call again until it is answered. */
#include <stdio.h>

#include "tests/sim/fault_world.h"

#define AGAIN_US 2000000

const char *const world_wheres[WORLD_WHERES] = {NULL, "zone==a", "zone in (b, c) && exists boot",
                                                "!(boot >= 2) || zone == a"};

bool world_suits(const struct world *w, uint32_t where, size_t node)
{
    bool is_a = node % 2 == 0;
    switch (where) {
    case 1: return is_a;
    case 2: return !is_a;
    case 3: return is_a || w->nodes[node].boot < 2;
    default: return true;
    }
}

static void come(struct world *w, size_t i)
{
    int64_t gap_us = w->scene.gap_us > 0 ? w->scene.gap_us : 1900000;
    if (i < w->jobs_want)
        event_at(w, w->now_us + (int64_t)choose(w->choices, 20) * (gap_us / 19), EVENT_CLIENT)->token = i;
}

void client_begin(struct world *w)
{
    come(w, 0);
}

/* Money for a few seconds of it, for half of the jobs of some tenants. */
static int64_t own_budget(struct choices *c, const struct client_job *j)
{
    if (choose(c, 4) != 3)
        return 0;
    return (int64_t)(j->cpu_milli * j->tasks * (10 + choose(c, 40)));
}

/* One of the last that it knows: also of somebody else, or over, or not as long as itself. */
static void wait_for(struct world *w, size_t i, struct client_job *j)
{
    struct choices *c = w->choices;
    if (w->scene.quiet || w->scene.tenants > 0 || i == 0 || choose(c, 4) != 3)
        return;
    const struct client_job *of = &w->jobs[i - 1 - choose(c, MIN(i, (size_t)6))];
    j->after = of->acked ? of->job : 0;
    j->after_on = (uint32_t)choose(c, AFTER_ON_COUNT);
    j->after_tasks = j->tasks > 1 ? (uint32_t)choose(c, AFTER_TASKS_COUNT) : AFTER_ALL;
    if (choose(c, 4) != 0) /* else refused */
        j->tenant = of->tenant;
    j->where = of->where; /* what no node suits any more neither of them waits for */
    if (j->after_tasks == AFTER_SAME && choose(c, 4) != 0)
        j->tasks = MIN(j->tasks, of->tasks);
}

/* Of one in five arrays: pairs that any single node could hold, and any tenant's quota, or four that may begin with as
 * few. It costs no choice. */
static void make_gangs(struct client_job *j)
{
    if (j->tasks == 1 || j->mem_bytes != 3 * (GIB / 2))
        return;
    j->gang_min = j->lease == LEASE_FAST ? 1 + j->retries % 2 : 2;
    j->gang = j->lease == LEASE_FAST ? 4 : 2;
    j->tasks = (j->tasks + j->gang - 1) / j->gang * j->gang;
    j->cpu_milli = MIN(j->cpu_milli, (uint64_t)1500);
    j->cap = j->cap != 0 ? MAX(j->cap, j->gang_min) : 0;
}

/* One on a node, where that can always be. */
static void make_caps(const struct world *w, struct client_job *j)
{
    bool may = j->gang == 0 || (j->where == 0 && w->nodes_count >= 3);
    j->per_node = j->tasks > 1 && j->priority == 2 ? (may ? 1 : 2) : 0;
    j->within = j->gang != 0 && j->per_node != 1 && j->priority >= 1;
    j->spread = j->tasks > 1 && !j->within && j->priority != 1;
}

static void think_of(struct world *w, size_t i)
{
    struct client_job *j = &w->jobs[i];
    struct choices *c = w->choices;
    uint32_t tenants = w->scene.tenants > 0 ? (uint32_t)w->scene.tenants : WORLD_TENANTS;
    *j = (struct client_job){.there = true, .tenant = (uint32_t)choose(c, tenants)};
    snprintf(j->key, sizeof j->key, "key-%zu", i);
    j->cpu_milli = 500 * (1 + choose(c, 6));
    j->mem_bytes = GIB / 2 * (1 + choose(c, 5));
    j->limit_us = choose(c, 2) * (uint64_t)SECOND * (5 + choose(c, 60));
    j->lease = (uint32_t)choose(c, 2) == 0 ? LEASE_PATIENT : LEASE_FAST;
    j->loss = (uint32_t)choose(c, NODE_LOSS_COUNT);
    j->retries = (uint32_t)choose(c, 3);
    j->tasks = !w->scene.quiet && choose(c, 4) == 3 ? 2 + (uint32_t)choose(c, 5) : 1;
    j->cap = choose(c, 2) == 1 ? (uint32_t)choose(c, 3) : 0;
    j->priority = (int32_t)choose(c, 3);
    j->budget_micros = w->scene.quiet ? 0 : own_budget(c, j);
    j->where = !w->scene.quiet && choose(c, 3) == 2 ? 1 + (uint32_t)choose(c, WORLD_WHERES - 1) : 0;
    wait_for(w, i, j);
    if (!w->scene.quiet && w->scene.tenants == 0 && choose(c, 8) == 7) {
        j->start_by_s = choose(c, 2) * (1 + choose(c, 60));
        j->finish_by_s = choose(c, 2) * (1 + choose(c, 120));
    }
    make_gangs(j);
    make_caps(w, j);
    w->jobs_count = MAX(w->jobs_count, i + 1);
    come(w, i + 1);
}

void client_answer(struct world *w, struct wish *wish)
{
    if (wish->kind == WISH_CANCEL && wish->refusal[0] == '\0' && !wish->partial)
        w->jobs[wish->client].cancelled = true; /* whether they hear of it or not */
    if (wish->kind == WISH_CANCEL || fault(w, FAULT_CLIENT_LOSS))
        return;
    struct event *e = event_at(w, w->now_us + delay_us(w), EVENT_CLIENT_REPLY);
    e->token = wish->client;
    e->writer = wish->refusal[0] == '\0' ? wish->answer_job : 0;
}

static void answered(struct world *w, const struct event *e)
{
    struct client_job *j = &w->jobs[e->token];
    if (e->writer == 0) {
        j->there = j->acked; /* refused: it is not a job */
        return;
    }
    if (j->acked && j->job != e->writer)
        broken(w, "key %s is job %llu, and then job %llu", j->key, (unsigned long long)j->job,
               (unsigned long long)e->writer);
    j->acked = true;
    j->job = e->writer;
    idset_put(&w->told, (struct attempt_id){.job = j->job}, e->token);
}

void client_event(struct world *w, struct event *e)
{
    struct client_job *j = &w->jobs[e->token];
    if (e->kind == EVENT_CLIENT_REPLY) {
        answered(w, e);
        return;
    }
    if (j->key[0] == '\0')
        think_of(w, e->token);
    bool may_cancel = j->acked && !j->cancelled && w->rates[FAULT_CANCEL] > 0 && !w->healing;
    if (!j->there || (j->acked && !may_cancel))
        return;
    event_at(w, w->now_us + AGAIN_US + (int64_t)choose(w->choices, 8) * 250000, EVENT_CLIENT)->token = e->token;
    bool cancels = may_cancel && fault(w, FAULT_CANCEL);
    if ((j->acked && !cancels) || fault(w, FAULT_CLIENT_LOSS))
        return;
    sched_wish(w, w->active,
               (struct wish){.kind = cancels ? WISH_CANCEL : WISH_SUBMIT, .client = e->token, .job = j->job});
}

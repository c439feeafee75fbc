#include "scheduler/core/gang.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"

/* After so long a silence nothing of it runs any more: the node's own timer has ended the lease, and killing
 * took its time. Counted by our clock, which may run fast while the node's runs slow. */
static uint64_t dead_after_us(const struct core *c, uint32_t lease)
{
    uint64_t lease_us = (lease == LEASE_FAST ? c->limits.lease_fast_ms : c->limits.lease_patient_ms) * 1000;
    return lease_us + lease_us / CLOCK_DRIFT_PARTS + (c->limits.kill_ms + c->limits.fence_ms) * 1000;
}

/* Unless another end has to be in force first. */
static void end_attempt(struct core *c, struct plan *p, struct task *t, uint32_t cause)
{
    struct exit_record record = {
        .cause = cause,
        .started_utc_us = t->started_utc_us,
        .run_us = MIN(task_run_us(t, p->now), t->paid_us), /* it stops there whatever happens */
    };
    if (gang_is_undecided(t, &record))
        return;
    settle_end(c, t, &record, p->now.utc_us, &p->facts[p->count]);
    flight_begin(c, &p->facts[p->count]);
    p->count++;
}

static void say_unreachable(struct core *c, struct plan *p, struct task *t)
{
    struct fact *f = plan_add(p, FACT_ATTEMPT_UNREACHABLE);
    f->unreachable = (struct fact_attempt){task_id(t), core_text(t->node->name)};
    flight_begin(c, f);
}

static void say_reached(struct core *c, struct plan *p, struct task *t)
{
    struct fact *f = plan_add(p, FACT_ATTEMPT_REACHED);
    f->reached = (struct fact_attempt){task_id(t), core_text(t->node->name)};
    flight_begin(c, f);
}

/* What is to be said about one attempt, there being room to say it. true: look at it again. */
static bool look_at(struct core *c, struct plan *p, struct task *t)
{
    const struct node *n = t->node;
    if (t->in_flight)
        return true;
    if (t->stopping == END_NODE_LOST || t->missing) {
        end_attempt(c, p, t, t->stopping == END_NODE_LOST ? END_NODE_LOST : END_KEEPER_LOST);
        return true;
    }
    if (!n->silent) {
        /* One that never said it runs may not be there at all: it is reached when it says so. */
        if (t->state == TASK_UNREACHABLE && t->started_utc_us != 0)
            say_reached(c, p, t);
        return false;
    }
    uint64_t dead_us = dead_after_us(c, t->job->lease);
    bool dead = node_silent_us(n, p->now) > dead_us;
    if (t->state != TASK_UNREACHABLE)
        say_unreachable(c, p, t);
    else if (dead)
        end_attempt(c, p, t, END_NODE_LOST);
    p->next_boot_us = MIN(p->next_boot_us, dead ? p->now.boot_us : n->seen_boot_us + dead_us + 1);
    return true;
}

static bool look_at_empty(struct core *c, struct plan *p, struct node *n)
{
    if (!n->silent || n->lost || n->in_flight)
        return n->in_flight;
    uint64_t lost_us = dead_after_us(c, LEASE_PATIENT);
    if (node_silent_us(n, p->now) <= lost_us) {
        p->next_boot_us = MIN(p->next_boot_us, n->seen_boot_us + lost_us + 1);
        return true;
    }
    struct fact *f = plan_add(p, FACT_NODE_LOST);
    f->lost = (struct fact_node_lost){core_text(n->name), core_text("silent for longer than any lease")};
    flight_begin(c, f);
    return true;
}

static bool look_at_node(struct core *c, struct plan *p, struct node *n)
{
    bool again = false;
    for (struct task *t = n->tasks; t != NULL; t = t->node_next) {
        if (p->count == p->max)
            return true;
        again |= look_at(c, p, t);
    }
    if (n->tasks != NULL)
        return again;
    return p->count == p->max || look_at_empty(c, p, n);
}

void decide_nodes(struct core *c, struct plan *p)
{
    struct node *n = c->troubled;
    c->troubled = NULL;
    for (struct node *next; n != NULL; n = next) {
        next = n->troubled_next;
        n->troubled = false;
        n->troubled_next = NULL;
        if (look_at_node(c, p, n))
            node_trouble(c, n);
    }
}

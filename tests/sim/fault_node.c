/* Nodes: agents, their connections, orders, launches and reboots: agent/attempts.h as a model. */
#include <stdio.h>

#include "tests/sim/fault_world.h"

#define SILENCE 5 /* beats without an answer: another connection */

/* ---- up: to the scheduler ---- */
static void to_sched(struct world *w, size_t number, struct message *m)
{
    struct node *n = &w->nodes[number];
    int64_t at_us = w->now_us + delay_us(w);
    if (n->stalled_up_us > w->now_us)
        at_us = MAX(at_us, n->stalled_up_us + (int64_t)choose(w->choices, 8) * 100000);
    n->last_up_us = at_us = m->kind == MESSAGE_HELLO ? at_us : MAX(at_us, n->last_up_us);
    struct event *e = event_at(w, at_us, EVENT_TO_SCHED);
    m->conn = n->conn;
    m->sent_boot_us = keeper_boot_us(w, n);
    e->node = number;
    e->sched = n->conn_sched;
    e->token = n->conn_life; /* another process knows nothing of this connection */
    e->message = m;
}

static void state_of(const struct attempt_here *a, struct attempt_state *ret)
{
    struct attempt_state s = {.id = a->id, .ended = a->ended, .started_utc_us = a->started_utc_us};
    int rc = fields_copy(&exit_record_fields, &a->record, &s.record);
    MUST_NOT(rc < 0);
    *ret = s;
}

static void say_hello(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    struct message *m = message_new(w, MESSAGE_HELLO);
    char boot[32];
    snprintf(boot, sizeof boot, "boot-%llu", (unsigned long long)n->boot);
    int rc = str_set(&m->hello.node, n->name) | str_set(&m->hello.boot_id, boot);
    MUST_NOT(rc < 0);
    m->hello.capacity = (struct resources){.cpu_milli = NODE_CORES * 1000, .mem_bytes = NODE_CORES * GIB};
    rc = pairs_set(&m->hello.labels, "zone", number % 2 == 0 ? "a" : "b") |
         pairs_set(&m->hello.labels, "boot", strrchr(boot, '-') + 1) |
         pairs_set(&m->hello.labels, "shelf", n->hellos / 3 % 2 == 0 ? "low" : "high"); /* with attempts there */
    MUST_NOT(rc < 0);
    rc = world_counts_io(n->name) ? strs_add(&m->hello.features, "io_bytes") : 0;
    MUST_NOT(rc < 0);
    m->hello.term_seen = n->term_seen;
    m->hello.number = ++n->hellos; /* on its disk */
    if (number % 2 == 0) /* others take any number; what one takes changes now and then, with attempts there */
        m->hello.max_attempts = 2 + (uint32_t)(n->hellos / 4 % 2);
    for (size_t i = 0; i < n->count; i++)
        if (!n->attempts[i].over) {
            struct attempt_state *s = list_add(&m->hello.attempts, sizeof *s);
            MUST_NOT(s == NULL);
            state_of(&n->attempts[i], s);
        }
    n->conn = ++w->conns;
    n->conn_sched = w->active;
    n->conn_life = w->sched[w->active].life;
    n->greeted = false;
    n->answered_us = w->now_us;
    n->last_up_us = 0;
    to_sched(w, number, m);
    n->last_up_us = w->now_us;
}

static void tell_due(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    for (size_t i = 0; i < n->count; i++) {
        struct attempt_here *a = &n->attempts[i];
        bool due = !a->over && !a->tell_under_way &&
                   ((a->ended && !a->end_told) || (a->proc == PROC_ALIVE && !a->running_told));
        if (!due)
            continue;
        struct message *m = message_new(w, MESSAGE_STATE);
        state_of(a, &m->state);
        a->tell_under_way = true;
        to_sched(w, number, m);
    }
}

static void unlink_node(struct world *w, size_t number, int64_t pause_us)
{
    struct node *n = &w->nodes[number];
    n->conn = 0;
    n->greeted = false;
    for (size_t i = 0; i < n->count; i++)
        n->attempts[i].tell_under_way = false;
    event_at(w, w->now_us + pause_us, EVENT_NODE_CONNECT)->node = number;
}

static void beat(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    if (n->conn != 0 && w->now_us - n->answered_us > SILENCE * w->scene.beat_us)
        unlink_node(w, number, 50000 + (int64_t)choose(w->choices, 16) * 100000);
    if (!n->greeted)
        return;
    struct message *m = message_new(w, MESSAGE_BEAT);
    if (m->beats.size < n->count) {
        m->beats.size = n->size;
        m->beats.v = realloc(m->beats.v, n->size * sizeof m->beats.v[0]);
        MUST_NOT(m->beats.v == NULL);
    }
    for (size_t i = 0; i < n->count; i++)
        if (n->attempts[i].proc == PROC_ALIVE)
            m->beats.v[m->beats.count++] = (struct attempt_beat){
                .id = n->attempts[i].id, .run_us = keeper_run_us(w, n, &n->attempts[i]),
                .usage.io_bytes = keeper_io_told(w, n, &n->attempts[i], keeper_run_us(w, n, &n->attempts[i])),
                .suspends = n->attempts[i].suspends, .stands = n->attempts[i].stood};
    to_sched(w, number, m);
    tell_due(w, number);
}

/* ---- down: from the scheduler ---- */
void to_node(struct world *w, size_t number, struct message *m)
{
    struct node *n = &w->nodes[number];
    int64_t at_us = w->now_us + delay_us(w);
    if (n->stalled_down_us > w->now_us)
        at_us = MAX(at_us, n->stalled_down_us + (int64_t)choose(w->choices, 8) * 100000);
    n->last_down_us = at_us = MAX(at_us, n->last_down_us);
    struct event *e = event_at(w, at_us, EVENT_TO_NODE);
    e->node = number;
    e->message = m;
}

static void contact(struct world *w, struct node *n, uint64_t sent_boot_us)
{
    n->answered_us = w->now_us;
    n->contact_boot_us = MAX(n->contact_boot_us, sent_boot_us);
    for (size_t i = 0; i < n->count; i++)
        n->attempts[i].lease_from_boot_us = MAX(n->attempts[i].lease_from_boot_us, sent_boot_us);
}

static void ordered(struct world *w, size_t number, const struct message *m)
{
    struct node *n = &w->nodes[number];
    struct attempt_here *a = keeper_find(n, m->id);
    if (a != NULL) { /* it is asked again: the scheduler doesn't know */
        a->running_told = false;
        a->end_told = a->over;
    }
    if (a != NULL || idset_find(&n->over, m->id) != NULL)
        return;
    a = keeper_add(n, m->id);
    a->paid_us = m->run.paid_us;
    a->io_paid = m->run.io_paid_bytes;
    a->io_per_us = (const uint64_t[]){0, 0, 20, 200}[(m->id.job + m->id.task) % 4];
    a->limit_us = m->run.spec.time_limit_ms * 1000;
    a->cpu_milli = m->run.spec.resources.cpu_milli;
    a->mem_bytes = m->run.spec.resources.mem_bytes;
    a->lease_us = (m->run.spec.lease == LEASE_FAST ? w->limits.lease_fast_ms : w->limits.lease_patient_ms) * 1000;
    a->lease_from_boot_us = n->contact_boot_us;
    a->needs_us = SECOND / 4 + choose(w->choices, 120) * (uint64_t)SECOND / 2;
    if (a->limit_us != 0) /* SIGTERM at the limit; the grace is paid for, too */
        a->limit_us += choose(w->choices, 2) * w->limits.grace_ms * 1000;
    struct event *e = event_at(w, w->now_us + 1000 + (int64_t)choose(w->choices, 8) * 20000, EVENT_LAUNCHED);
    e->node = number;
    e->token = n->boot;
    e->message = message_new(w, MESSAGE_PAID); /* nothing but an id */
    e->message->id = m->id;
}

/* An order to stop what was not yet launched is its end. */
static void stopped(struct world *w, size_t number, const struct message *m)
{
    struct attempt_here *a = keeper_find(&w->nodes[number], m->id);
    if (a == NULL || a->ended)
        return;
    if (a->proc == PROC_ALIVE)
        keeper_kill_soon(w, number, a, m->cause);
    else
        keeper_end(w, &w->nodes[number], a, m->cause, 0);
}

static void forgotten(struct world *w, size_t number, const struct message *m)
{
    struct attempt_here *a = keeper_find(&w->nodes[number], m->id);
    if (a == NULL)
        return;
    if (a->proc == PROC_ALIVE)
        keeper_kill_soon(w, number, a, END_CANCELLED);
    else if (!a->ended)
        keeper_end(w, &w->nodes[number], a, END_CANCELLED, 0);
    a->over = a->end_told = true;
}

static void greeted(struct world *w, size_t number, const struct message *m)
{
    w->nodes[number].greeted = true;
    contact(w, &w->nodes[number], m->sent_boot_us);
    tell_due(w, number);
}

static void beat_answered(struct world *w, size_t number, const struct message *m)
{
    contact(w, &w->nodes[number], m->sent_boot_us);
}

static void state_answered(struct world *w, size_t number, const struct message *m)
{
    struct attempt_here *a = keeper_find(&w->nodes[number], m->id);
    if (a == NULL)
        return;
    a->tell_under_way = false;
    a->running_told = true;
    if (m->cause != 0 && a->ended)
        a->end_told = a->over = true;
}

static void unavailable(struct world *w, size_t number, const struct message *m)
{
    struct attempt_here *a = keeper_find(&w->nodes[number], m->id);
    if (a != NULL)
        a->tell_under_way = false;
}

static void paid(struct world *w, size_t number, const struct message *m)
{
    struct attempt_here *a = keeper_find(&w->nodes[number], m->id);
    if (a == NULL || a->over)
        return;
    if (m->suspends < a->suspends || (m->suspends == a->suspends && m->paid_us < a->paid_us))
        return;
    if (m->suspends > a->suspends || m->paid_us > a->paid_us || measured_bound(m->io_paid) > measured_bound(a->io_paid))
        a->io_paid = m->io_paid;
    a->suspends = m->suspends;
    bool goes_on = a->stood && a->suspends % 2 == 0 && m->paid_us > a->paid_us;
    if (goes_on)
        a->started_boot_us += keeper_boot_us(w, &w->nodes[number]) - a->stood_boot_us;
    if (!a->stood || goes_on)
        a->paid_us = MAX(a->paid_us, m->paid_us);
    a->stood &= !goes_on;
    keeper_stand(w, &w->nodes[number], a);
    keeper_look_at(w, number, w->now_us, m->id);
}

static const struct {
    const char *word;
    void (*hear)(struct world *w, size_t number, const struct message *m);
} down[] = {
    [MESSAGE_HELLO_ANSWER] = {"hello answered", greeted}, [MESSAGE_BEAT_ANSWER] = {NULL, beat_answered},
    [MESSAGE_STATE_ANSWER] = {"state answered", state_answered}, [MESSAGE_UNAVAILABLE] = {"unavailable", unavailable},
    [MESSAGE_RUN] = {"run", ordered}, [MESSAGE_PAID] = {"paid", paid}, [MESSAGE_STOP] = {"stop", stopped},
    [MESSAGE_FORGET] = {"forget", forgotten},
};

/* From when the latest counts: an agent that begins anew knows of no contact, its attempts do. */
static uint64_t node_last_lease(const struct node *n)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n->count; i++)
        last = MAX(last, n->attempts[i].lease_from_boot_us);
    return last;
}

static void received(struct world *w, size_t number, struct message *m)
{
    struct node *n = &w->nodes[number];
    if (!n->agent_up || m->conn != n->conn || m->term < n->term_seen)
        return;
    n->term_seen = m->term;
    if (down[m->kind].word != NULL)
        trace(w, "sched -> %s: %s conn %llu %llu.%u.%u", n->name, down[m->kind].word, (unsigned long long)m->conn,
              ID(m->id));
    uint64_t asked_boot_us = MAX(node_last_lease(n), MAX(n->contact_boot_us, m->sent_boot_us));
    down[m->kind].hear(w, number, m);
    check_leases(w, n, asked_boot_us);
    keeper_sweep(n);
}

/* ---- launches ---- */
static struct attempt_here *older_alive(struct node *n, struct attempt_id id)
{
    for (size_t i = 0; i < n->count; i++) {
        struct attempt_here *a = &n->attempts[i];
        if (a->id.job == id.job && a->id.task == id.task && a->id.epoch < id.epoch && a->proc == PROC_ALIVE)
            return a;
    }
    return NULL;
}

static void launched(struct world *w, size_t number, struct event *e)
{
    struct node *n = &w->nodes[number];
    struct attempt_here *a = keeper_find(n, e->message->id);
    if (e->token != n->boot || a == NULL || a->ended || a->over || a->proc != PROC_NONE)
        return;
    if (n->agent_up && fault(w, FAULT_AGENT_CRASH)) /* between the order and the launch */
        node_crash(w, number);
    struct attempt_here *older = older_alive(n, a->id);
    uint64_t used = a->cpu_milli;
    for (size_t i = 0; i < n->count; i++)
        used += n->attempts[i].proc == PROC_ALIVE && !n->attempts[i].stood ? n->attempts[i].cpu_milli : 0;
    if (older != NULL || !n->agent_up || (used > NODE_CORES * 1000 && n->greeted)) {
        if (older != NULL)
            keeper_kill_soon(w, number, older, END_CANCELLED);
        struct event *again = event_at(w, w->now_us + 100000, EVENT_LAUNCHED);
        again->node = number;
        again->token = e->token;
        again->message = e->message;
        e->message = NULL;
        return;
    }
    /* An order whose lease is over already is not begun. */
    if (keeper_boot_us(w, n) >= a->lease_from_boot_us + a->lease_us) {
        keeper_end(w, n, a, END_LEASE, 0);
        return;
    }
    if (w->now_us < n->black_hole_us || fault(w, FAULT_LAUNCH_FAILS)) {
        keeper_end(w, n, a, END_LAUNCH_FAILED, 0);
        return;
    }
    trace(w, "%s: launches %llu.%u.%u", n->name, ID(a->id));
    check_launch(w, number, a);
    keeper_begin(w, n, a);
    if (n->greeted)
        tell_due(w, number);
    if (fault(w, FAULT_KEEPER_DIES)) /* the kernel kills the rest with it */
        keeper_kill_soon(w, number, a, END_KEEPER_LOST);
    keeper_looks(w, number, a);
}

/* ---- birth, crash, reboot ---- */
void node_init(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    snprintf(n->name, sizeof n->name, "n%zu", number + 1);
    n->boot = 1;
    n->drift_ppm = (int64_t)choose(w->choices, 9) * 100 - 400;
    int64_t late_us = w->scene.quiet || choose(w->choices, 4) < 3 ? 0 : (int64_t)choose(w->choices, 40) * SECOND;
    event_at(w, late_us + (int64_t)choose(w->choices, 20) * 100000, EVENT_NODE_START)->node = number;
}

static void start_later(struct world *w, size_t number, int64_t us)
{
    struct node *n = &w->nodes[number];
    n->agent_up = false;
    n->conn = 0;
    n->greeted = false;
    n->life++;
    for (size_t i = 0; i < n->count; i++)
        n->attempts[i].tell_under_way = false;
    struct event *e = event_at(w, w->now_us + us, EVENT_NODE_START);
    e->node = number;
    e->token = n->life;
}

void node_crash(struct world *w, size_t number)
{
    int64_t more_us = fault(w, FAULT_AGENT_LONG_AWAY) ? (int64_t)choose(w->choices, 40) * SECOND : 0;
    start_later(w, number, more_us + 100000 + (int64_t)choose(w->choices, 32) * 100000);
}

static void end_all(struct world *w, struct node *n)
{
    for (size_t i = 0; i < n->count; i++)
        if (!n->attempts[i].ended)
            keeper_end(w, n, &n->attempts[i], END_NODE_LOST, 0);
}


void node_leave(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    end_all(w, n);
    n->count = 0;
    n->gone = true;
    n->agent_up = false;
    n->conn = 0;
    n->greeted = false;
    n->life++;
}

static void boot(struct world *w, struct node *n)
{
    n->boot++;
    n->boot_began_us = w->now_us;
    n->contact_boot_us = 0;
    end_all(w, n);
}

/* With another boot, or under the same. It takes a minute: what it said before has arrived by then. Its hellos begin at
 * the seconds of the wall clock: far above. */
void node_wipe(struct world *w, size_t number)
{
    struct node *n = &w->nodes[number];
    end_all(w, n);
    n->count = 0;
    idset_fini(&n->over);
    n->term_seen = 0;
    n->hellos += 1000;
    if (choose(w->choices, 2) == 0)
        boot(w, n);
    start_later(w, number, (50 + (int64_t)choose(w->choices, 16)) * SECOND);
}

void node_reboot(struct world *w, size_t number)
{
    boot(w, &w->nodes[number]);
    start_later(w, number, 2 * SECOND + (int64_t)choose(w->choices, 64) * 200000);
}

static void beat_later(struct world *w, size_t number)
{
    struct event *e = event_at(w, w->now_us + w->scene.beat_us, EVENT_NODE_BEAT);
    e->node = number;
    e->token = w->nodes[number].life;
}

static void on_start(struct world *w, struct event *e)
{
    struct node *n = &w->nodes[e->node];
    if (n->agent_up || e->token != n->life)
        return;
    n->agent_up = true;
    event_at(w, w->now_us, EVENT_NODE_CONNECT)->node = e->node;
    beat_later(w, e->node);
}

static void on_connect(struct world *w, struct event *e)
{
    if (!w->nodes[e->node].agent_up || w->nodes[e->node].conn != 0)
        return;
    if (w->sched[w->active].up)
        say_hello(w, e->node);
    else
        event_at(w, w->now_us + SECOND / 4, EVENT_NODE_CONNECT)->node = e->node;
}

static void on_beat(struct world *w, struct event *e)
{
    const struct node *n = &w->nodes[e->node];
    if (!n->agent_up || e->token != n->life)
        return;
    beat(w, e->node);
    beat_later(w, e->node);
}

static void on_message(struct world *w, struct event *e)
{
    received(w, e->node, e->message);
}

static void on_proc(struct world *w, struct event *e)
{
    struct node *n = &w->nodes[e->node];
    struct attempt_here *a = keeper_find(n, e->message->id);
    if (a == NULL || e->token != n->boot)
        return;
    keeper_looks(w, e->node, a);
    if (a->ended && n->greeted)
        tell_due(w, e->node);
    keeper_sweep(n);
}

static void on_launched(struct world *w, struct event *e)
{
    launched(w, e->node, e);
}

void node_event(struct world *w, struct event *e)
{
    static void (*const handlers[EVENT_KIND_COUNT])(struct world *, struct event *) = {
        [EVENT_NODE_START] = on_start, [EVENT_NODE_CONNECT] = on_connect, [EVENT_NODE_BEAT] = on_beat,
        [EVENT_TO_NODE] = on_message,  [EVENT_LAUNCHED] = on_launched,    [EVENT_PROC] = on_proc,
    };
    handlers[e->kind](w, e);
}

/* What a scheduler tells agents and clients, once it is safe: scheduler/effects.c and agents.c as a model. */
#include "tests/sim/fault_world.h"

void send_down(struct world *w, struct sched *s, size_t n, struct message *m)
{
    m->term = s->term;
    m->conn = s->conn[n];
    to_node(w, n, m);
}

size_t node_number(const struct world *w, const char *name)
{
    size_t n = 0; /* "n1" is the first */
    for (const char *digit = name + 1; *digit >= '0' && *digit <= '9'; digit++)
        n = n * 10 + (size_t)(*digit - '0');
    n--;
    return n < w->nodes_count && strcmp(w->nodes[n].name, name) == 0 ? n : w->nodes_count;
}

struct paid_max {
    uint64_t us;
    struct measure io_bytes; /* absent: no bound */
};
static const struct paid_max all_paid = {.us = UINT64_MAX};

static void duty(struct world *w, struct sched *s, size_t n, struct attempt_id id, bool has_it, struct paid_max max)
{
    struct run_call run = {0};
    uint64_t paid_us = 0;
    uint32_t cause = END_NONE;
    enum agent_duty what = core_duty(s->core, id, has_it, &run, &paid_us, &cause);
    static const enum message_kind kinds[] = {[DUTY_RUN] = MESSAGE_RUN, [DUTY_PAID] = MESSAGE_PAID,
                                              [DUTY_STOP] = MESSAGE_STOP, [DUTY_FORGET] = MESSAGE_FORGET};
    struct message *m = message_new(w, kinds[what]);
    m->id = id;
    m->paid_us = MIN(paid_us, max.us);
    m->cause = cause;
    m->suspends = core_paid(s->core, id, 0, false).suspends;
    m->io_paid = core_paid(s->core, id, 0, false).io_paid_bytes;
    if (what == DUTY_RUN) {
        m->run = run;
        m->run.paid_us = MIN(run.paid_us, max.us);
        m->run.io_paid_bytes = measure_fewer(run.io_paid_bytes, max.io_bytes);
        run = (struct run_call){0};
    }
    fields_clear(&run_call_fields, &run);
    send_down(w, s, n, m);
}

static void tell(struct world *w, struct sched *s, size_t n, struct attempt_id id, bool has_it, struct paid_max max)
{
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause = END_NONE;
    if (n >= w->nodes_count || s->conn[n] == 0)
        return;
    duty(w, s, n, id, has_it, max);
    if (has_it)
        return;
    if (core_duty(s->core, id, true, &run, &paid_us, &cause) == DUTY_STOP || core_is_suspended(s->core, id))
        duty(w, s, n, id, true, max);
    fields_clear(&run_call_fields, &run);
}

static void tell_where_it_is(struct world *w, struct sched *s, struct attempt_id id)
{
    bool ended = true;
    struct attempt_id found = id;
    const char *node = core_attempt_node(s->core, &found, &ended);
    if (node != NULL)
        tell(w, s, node_number(w, node), id, true, all_paid);
}

static void effect_placed(struct world *w, struct sched *s, const struct fact *f)
{
    struct fact room;
    for (size_t i = 0; i < fact_placements(f); i++) {
        const struct fact_placed *p = &fact_placement(f, i, &room)->placed;
        idset_put(&w->intents, p->id, 1);
        tell(w, s, node_number(w, p->node), p->id, false, (struct paid_max){p->paid_us, p->io_paid_bytes});
    }
}

static void effect_renewed(struct world *w, struct sched *s, const struct fact *f)
{
    bool ended = true;
    struct attempt_id id = f->renewed.id;
    const char *node = core_attempt_node(s->core, &id, &ended);
    size_t n = node == NULL || ended ? w->nodes_count : node_number(w, node);
    if (n >= w->nodes_count || s->conn[n] == 0)
        return;
    struct message *m = message_new(w, MESSAGE_PAID);
    m->id = f->renewed.id;
    m->paid_us = f->renewed.paid_us;
    m->suspends = f->renewed.suspends;
    m->io_paid = f->renewed.io_paid_bytes;
    send_down(w, s, n, m);
}

struct telling {
    struct world *w;
    struct sched *s;
};

static void tell_one(void *arg, struct attempt_id id)
{
    const struct telling *t = arg;
    tell_where_it_is(t->w, t->s, id);
}

static void effect_stopping(struct world *w, struct sched *s, const struct fact *f)
{
    tell_where_it_is(w, s, f->stopping.id);
    core_each_taken_along(s->core, f, tell_one, &(struct telling){w, s});
}

static void effect_suspended(struct world *w, struct sched *s, const struct fact *f)
{
    tell_where_it_is(w, s, f->suspended.id);
}

static void effect_reached(struct world *w, struct sched *s, const struct fact *f)
{
    tell(w, s, node_number(w, f->reached.node), f->reached.id, true, all_paid);
}

static void effect_ended(struct world *w, struct sched *s, const struct fact *f)
{
    uint32_t cause = f->ended.record.cause;
    w->ended++;
    core_each_taken_along(s->core, f, tell_one, &(struct telling){w, s});
    if (cause == END_NODE_LOST || cause == END_KEEPER_LOST || cause == END_LEASE)
        tell(w, s, node_number(w, f->ended.node), f->ended.id, true, all_paid);
}

void effect_of(struct world *w, struct sched *s, const struct fact *f)
{
    static void (*const effects[FACT_KIND_COUNT])(struct world *, struct sched *, const struct fact *) = {
        [FACT_ATTEMPT_PLACED] = effect_placed,     [FACT_HOLD_RENEWED] = effect_renewed,
        [FACT_ATTEMPT_STOPPING] = effect_stopping, [FACT_ATTEMPT_REACHED] = effect_reached,
        [FACT_ATTEMPT_ENDED] = effect_ended,       [FACT_GANG_PLACED] = effect_placed,
        [FACT_ATTEMPT_SUSPENDED] = effect_suspended,
    };
    if (effects[f->kind] != NULL)
        effects[f->kind](w, s, f);
}

static bool is_listed(const struct hello_call *call, struct attempt_id id)
{
    const struct attempt_state *v = call->attempts.v;
    for (size_t i = 0; i < call->attempts.count; i++)
        if (attempt_id_equal(v[i].id, id))
            return true;
    return false;
}

/* Is its placement in the file, but not yet safe? Then its own effect will tell. */
static bool placement_pending(struct world *w, const struct sched *s, struct attempt_id id)
{
    for (size_t i = s->effected; i < s->file.count; i++) {
        struct fact room;
        const struct fact *f = entry_read(w, &s->file.v[i], &room);
        struct fact one;
        bool is = false;
        for (size_t k = 0; k < fact_placements(f); k++)
            is |= attempt_id_equal(fact_placement(f, k, &one)->placed.id, id);
        fact_clear(&room);
        if (is)
            return true;
    }
    return false;
}

struct reconcile {
    struct world *w;
    struct sched *s;
    size_t node;
    const struct hello_call *hello;
};

static void reconcile_live(void *arg, struct attempt_id id)
{
    struct reconcile *x = arg;
    if (!placement_pending(x->w, x->s, id))
        tell(x->w, x->s, x->node, id, is_listed(x->hello, id), all_paid);
}

static void settle_hello(struct world *w, struct sched *s, struct wish *wish)
{
    size_t n = wish->node;
    if (w->nodes[n].conn != wish->message->conn && choose(w->choices, 2) == 0)
        return; /* the agent's end of it is closed, and that was heard */
    s->conn[n] = wish->message->conn;
    struct message *m = message_new(w, MESSAGE_HELLO_ANSWER);
    m->sent_boot_us = wish->message->sent_boot_us;
    send_down(w, s, n, m);
    struct reconcile x = {w, s, n, &wish->message->hello};
    core_each_attempt(s->core, w->nodes[n].name, reconcile_live, &x);
    const struct attempt_state *v = x.hello->attempts.v;
    for (size_t i = 0; i < x.hello->attempts.count; i++) {
        struct attempt_id id = v[i].id;
        bool ended = true;
        if (core_attempt_node(s->core, &id, &ended) == NULL || ended) {
            tell(w, s, n, v[i].id, true, all_paid);
        } else if (v[i].ended || v[i].started_utc_us != 0) {
            struct wish report = {.kind = WISH_STATE, .node = n, .message = message_new(w, MESSAGE_STATE)};
            int rc = fields_copy(&attempt_state_fields, &v[i], &report.message->state);
            MUST_NOT(rc < 0);
            sched_wish(w, (size_t)(s - w->sched), report);
        }
    }
}

void effect_settle(struct world *w, struct sched *s, struct wish *wish)
{
    if (wish->kind == WISH_HELLO && wish->refusal[0] == '\0') {
        settle_hello(w, s, wish);
    } else if (wish->kind == WISH_STATE && wish->message->conn != 0 && s->conn[wish->node] == wish->message->conn) {
        struct message *m = message_new(w, wish->refusal[0] == '\0' ? MESSAGE_STATE_ANSWER : MESSAGE_UNAVAILABLE);
        m->id = wish->message->state.id;
        m->cause = wish->message->state.ended;
        send_down(w, s, wish->node, m);
    } else if (wish->kind == WISH_SUBMIT || wish->kind == WISH_CANCEL) {
        client_answer(w, wish);
    }
}

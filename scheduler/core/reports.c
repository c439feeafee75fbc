#include <string.h>

#include "policies/retry.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"

/* ---- node.hello ------------------------------------------------------------------------------------- */

static const char *capacity_problem(const struct core *c, const struct hello_call *call)
{
    const struct resources *r = &call->capacity;
    if (r->cpu_milli == 0 || r->cpu_milli > CPU_MILLI_MAX)
        return "its number of cpus is out of range";
    if (r->mem_bytes == 0 || r->mem_bytes > MEM_BYTES_MAX || r->scratch_bytes > MEM_BYTES_MAX)
        return "its memory is out of range";
    if (call->max_attempts > NODE_ATTEMPTS_MAX)
        return "the number of attempts that it takes is out of range";
    if (!capacity_features_fit(&c->names, &call->features))
        return "a cell has room for 64 kinds of limits and devices, and it brings another";
    if (!capacity_names_fit(&c->names, r))
        return "a cell has room for 12 kinds of generic resources, and it brings another";
    for (size_t i = 0; i < r->generic.count; i++)
        if (r->generic.v[i].value > GENERIC_MAX)
            return "a generic resource is out of range";
    return NULL;
}

static bool pairs_equal(const struct pairs *a, const struct pairs *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->v[i].key, b->v[i].key) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
            return false;
    return true;
}

static bool strs_equal(const struct strs *a, const struct strs *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; i < a->count && equal; i++)
        equal = strcmp(a->v[i], b->v[i]) == 0;
    return equal;
}

static bool text_equal(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool is_listed(const struct hello_call *call, struct attempt_id id)
{
    for (size_t i = 0; i < call->attempts.count; i++)
        if (attempt_id_equal(((const struct attempt_state *)call->attempts.v)[i].id, id))
            return true;
    return false;
}

/* One that had begun to run and that its node no longer has is gone; one that was to stop won't be begun again. */
static void note_missing(struct core *c, struct node *n, const struct hello_call *call)
{
    for (struct task *t = n->tasks; t != NULL; t = t->node_next)
        t->missing = (t->started_utc_us != 0 || t->stopping != END_NONE) && !is_listed(call, task_id(t));
    if (n->tasks != NULL)
        node_trouble(c, n);
}

static void joined_fact(const struct hello_call *call, int64_t utc_us, struct fact *f)
{
    *f = (struct fact){.kind = FACT_NODE_JOINED, .at_utc_us = utc_us};
    f->joined = (struct fact_node){.node = core_text(call->node),
                                   .boot_id = core_text(call->boot_id),
                                   .version = core_text(call->version),
                                   .hello = call->number,
                                   .max_attempts = call->max_attempts};
    core_copy_resources(&call->capacity, &f->joined.capacity);
    core_copy_strs(&call->features, &f->joined.features);
    for (size_t i = 0; i < call->labels.count; i++) {
        int rc = pairs_set(&f->joined.labels, call->labels.v[i].key, call->labels.v[i].value);
        BUG(rc < 0);
    }
}

int core_check_hello(struct core *c, const struct hello_call *call, struct core_now now, struct fact *ret,
                     struct refusal *refusal)
{
    *ret = (struct fact){0};
    if (call->node == NULL || call->boot_id == NULL || call->node[0] == '\0' || call->boot_id[0] == '\0') {
        refusal_from(refusal, "bad_request", "node", NULL, "a node says its name and its boot id");
        return CORE_REFUSED;
    }
    struct node *n = node_find(c, call->node);
    if (n != NULL && n->in_flight)
        return CORE_LATER;
    if (n != NULL && call->number != 0 && call->number <= n->hello) {
        /* It was under way while its node said hello again: what it lists is long over. */
        refusal_from(refusal, "state", "number", NULL, "node %s has said hello since, this one comes late", call->node);
        return CORE_REFUSED;
    }
    const char *problem = capacity_problem(c, call);
    if (problem != NULL) {
        refusal_from(refusal, "bad_request", "capacity", NULL, "node %s: %s", call->node, problem);
        return CORE_REFUSED;
    }
    if (n != NULL) {
        node_seen(c, n, now);
        n->hello = MAX(n->hello, call->number);
        if (strcmp(n->boot_id, call->boot_id) == 0)
            note_missing(c, n, call);
        if (!n->lost && strcmp(n->boot_id, call->boot_id) == 0 && text_equal(n->version, call->version) &&
            fields_equal(&resources_fields, &n->capacity, &call->capacity) && n->max_attempts == call->max_attempts &&
            pairs_equal(&n->labels, &call->labels) && strs_equal(&n->features, &call->features))
            return CORE_FACT;
    }
    c->hello_boot_us = now.boot_us; /* a node that isn't there yet was seen now, not when this is committed */
    joined_fact(call, core_utc(c, now), ret);
    flight_begin(c, ret);
    return CORE_FACT;
}

/* ---- attempt.state ---------------------------------------------------------------------------------- */

/* The live attempt that a node speaks of; NULL when it isn't, or isn't there. */
static struct task *reported(struct core *c, const char *node, struct attempt_id id)
{
    struct task *t = task_of(c, id);
    if (t != NULL && task_state_is_live(t->state) && node != NULL && strcmp(t->node->name, node) == 0)
        return t;
    c->stale_total++;
    return NULL;
}

int core_check_running(struct core *c, const char *node, const struct attempt_state *state, struct core_now now,
                       struct fact *ret)
{
    *ret = (struct fact){0};
    struct task *t = reported(c, node, state->id);
    if (t == NULL)
        return CORE_FACT;
    if (t->in_flight)
        return CORE_LATER;
    if (task_state_next(t->state, TASK_EV_RUNNING, 0) < 0)
        return CORE_FACT; /* known */
    int64_t utc_us = core_utc(c, now);
    *ret = (struct fact){.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = utc_us};
    /* The node's clock is for people; what is paid begins no earlier than the placement and not in the future. */
    ret->running = (struct fact_running){task_id(t), MIN(MAX(state->started_utc_us, t->placed_utc_us), utc_us)};
    flight_begin(c, ret);
    return CORE_FACT;
}

static void copy_record(const struct exit_record *from, struct exit_record *to)
{
    int rc = fields_copy(&exit_record_fields, from, to);
    BUG(rc < 0);
    if (to->cause == END_NONE || to->cause >= END_CAUSE_COUNT)
        to->cause = END_KEEPER_LOST; /* an end without a cause: nobody was there to see it */
}

int core_check_ended(struct core *c, const char *node, const struct attempt_state *state, struct core_now now,
                     struct fact *ret)
{
    *ret = (struct fact){0};
    struct task *t = reported(c, node, state->id);
    if (t == NULL)
        return CORE_FACT;
    if (t->in_flight || gang_is_undecided(t, &state->record))
        return CORE_LATER;
    struct exit_record record;
    copy_record(&state->record, &record);
    settle_end(c, t, &record, core_utc(c, now), ret);
    flight_begin(c, ret);
    return CORE_FACT;
}

/* ---- node.drain ------------------------------------------------------------------------------------- */

int core_check_drain(struct core *c, const struct drain_call *call, const char *who, struct core_now now,
                     struct fact *ret, struct refusal *refusal)
{
    *ret = (struct fact){0};
    struct node *n = node_find(c, call->node);
    if (n == NULL) {
        refusal_from(refusal, "not_found", "node", NULL, "there is no node '%s'",
                     call->node != NULL ? call->node : "");
        return CORE_REFUSED;
    }
    if (n->in_flight)
        return CORE_LATER;
    if (n->quarantined && !n->drained && !call->drain) {
        quarantine_fact(n, false, who, core_utc(c, now), ret);
        flight_begin(c, ret);
        return CORE_FACT;
    }
    if (n->drained == call->drain && (!call->drain || text_equal(n->drain_reason, call->reason)))
        return CORE_FACT;
    *ret = (struct fact){.kind = FACT_NODE_DRAINED, .at_utc_us = core_utc(c, now)};
    ret->drained =
        (struct fact_drained){core_text(n->name), call->drain, core_text(call->reason), core_text(who)};
    flight_begin(c, ret);
    return CORE_FACT;
}

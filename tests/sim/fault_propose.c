/* What somebody wants of the scheduler, as facts of its core: scheduler/api*.c and turn.c's inbox as a model. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/fault_world.h"

#define ROOM_LEAST 8 /* facts that one wish may come to at a time */

void wish_free(struct world *w, struct wish *wish)
{
    if (wish == NULL)
        return;
    message_free(w, wish->message);
    free(wish);
}

void wish_put(struct wish ***v, size_t *count, size_t *size, struct wish *wish)
{
    if (*count == *size) {
        *size = *size == 0 ? 16 : *size * 2;
        *v = realloc(*v, *size * sizeof **v);
        MUST_NOT(*v == NULL);
    }
    (*v)[(*count)++] = wish;
}

/* ---- the policy ---- */
/* Two variants: an admin goes to and fro between them. No limit ever falls below what one job may ask for. */
static const struct world_row {
    const char *path;
    int64_t budget[2];           /* 0 = none */
    uint64_t cpu[2], running[2], queued[2];
} tenants[WORLD_TENANTS] = {
    {"acme", {INT64_C(1) << 40, INT64_C(1) << 41}, {9000, 6000}, {0, 0}, {0, 0}},
    {"acme/etl", {0, 0}, {0, 0}, {5, 3}, {0, 0}},
    [WORLD_POOR] = {"poor", {60000, 150000}, {0, 0}, {0, 0}, {0, 0}},
    {"globex", {0, 0}, {0, 0}, {0, 0}, {0, 0}},
    {"globex/ml", {INT64_C(1) << 40, INT64_C(1) << 40}, {3000, 4000}, {0, 2}, {20, 30}},
    {"acme/etl/night", {INT64_C(1) << 40, INT64_C(1) << 40}, {5000, 3000}, {0, 0}, {0, 0}},
};

void world_tenant(const struct world *w, uint32_t number, char out[32])
{
    if (w->scene.tenants > 0)
        snprintf(out, 32, "t%u", number + 1);
    else
        snprintf(out, 32, "%s", tenants[number].path);
}

static void add_tenant(const struct world *w, struct policy_file *p, uint32_t number, uint32_t variant)
{
    char path[32];
    struct tenant_rule *rule = list_add(&p->tenants, sizeof *rule);
    world_tenant(w, number, path);
    int rc = str_set(&rule->path, path);
    MUST_NOT(rc < 0);
    if (w->scene.tenants > 0) {
        rule->budget = (struct budget_rule){.present = true, .limit_micros = INT64_C(1) << 44};
        return;
    }
    const struct world_row *row = &tenants[number];
    rule->quota.max.cpu_milli = row->cpu[variant];
    rule->quota.max_running = row->running[variant];
    rule->quota.max_queued = row->queued[variant];
    rule->budget = (struct budget_rule){.present = row->budget[variant] > 0, .limit_micros = row->budget[variant]};
}

/* Who has one, globex, takes back what others have borrowed; the cell as a whole lends without end. */
static void add_guarantee(struct policy_file *p, uint32_t variant)
{
    ((struct tenant_rule *)p->tenants.v)[3].quota.guaranteed.cpu_milli = variant == 0 ? 8000 : 4000;
    struct tenant_rule *rule = list_add(&p->tenants, sizeof *rule);
    int rc = str_set(&rule->path, TENANT_ROOT);
    MUST_NOT(rc < 0);
    rule->quota.guaranteed.cpu_milli = 1000000;
}

static int check_policy(struct world *w, struct sched *s, uint32_t variant, struct fact *out, struct refusal *refusal)
{
    struct apply_call call = {0};
    struct apply_reply reply = {0};
    struct price_version *v = list_add(&call.policy.prices, sizeof *v);
    MUST_NOT(v == NULL);
    int rc = counts_set(&v->per_hour, "cpu", WORLD_PER_CPU_HOUR) | counts_set(&v->per_gib, RESOURCE_IO, WORLD_PER_GIB);
    MUST_NOT(rc < 0);
    for (uint32_t i = 0; i < (w->scene.tenants > 0 ? w->scene.tenants : WORLD_TENANTS); i++)
        add_tenant(w, &call.policy, i, variant);
    if (w->scene.tenants == 0)
        add_guarantee(&call.policy, variant);
    call.policy.preempt = (struct preempt_rule){.reclaim = variant % 2 ? RECLAIM_ANY : RECLAIM_PREEMPTIBLE,
                                                .min_run_ms = WORLD_MIN_RUN_MS};
    int answer = core_check_policy(s->core, &call, "root", 0, sched_now(w, s), out, &reply, refusal);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&apply_call_fields, &call);
    return answer;
}

void propose_first_policy(struct world *w, struct sched *s)
{
    struct refusal refusal = {0};
    struct fact f = {0};
    int answer = check_policy(w, s, 0, &f, &refusal);
    MUST_NOT(answer != CORE_FACT || f.kind != FACT_POLICY_SET);
    batch_add(w, s, &f, NULL);
}

/* ---- wishes ---- */
struct proposing {
    struct world *w;
    struct sched *s;
    struct wish *wish;
    struct core_now now;
    struct fact *out;
    size_t max, count;
    struct refusal refusal;
};

static int want_hello(struct proposing *p)
{
    int answer = core_check_hello(p->s->core, &p->wish->message->hello, p->now, p->out, &p->refusal);
    if (answer == CORE_FACT)
        p->s->heard_us[p->wish->node] = p->w->now_us;
    return answer;
}

static int want_state(struct proposing *p)
{
    const struct attempt_state *state = &p->wish->message->state;
    return (state->ended ? core_check_ended : core_check_running)(p->s->core, p->w->nodes[p->wish->node].name, state,
                                                                  p->now, p->out);
}

/* Some jobs want an attempt that ran into its time limit tried again, and no other that failed by itself with 1. */
static int be_picky(struct job_spec *spec)
{
    if (spec->retries == 0 || spec->resources.cpu_milli / 500 % 3 != 0)
        return 0;
    spec->retry = (struct job_retry){.present = true, .pause_ms = 2000, .pause_max_ms = 5000};
    return strs_add(&spec->retry.on, "exit") | strs_add(&spec->retry.on, "time_limit") |
           strs_add(&spec->retry.not_exit_codes, "1");
}

static void set_seconds(char **text, uint64_t seconds)
{
    char said[24];
    if (seconds == 0)
        return;
    snprintf(said, sizeof said, "%" PRIu64 "s", seconds);
    int rc = str_set(text, said);
    MUST_NOT(rc < 0);
}

static int want_submit(struct proposing *p)
{
    static const char *const labels[] = {NULL, "zone", "shelf", "boot"}; /* of nodes: fault_node.c */
    struct client_job *j = &p->w->jobs[p->wish->client];
    struct submit_reply quote = {0};
    char tenant[32];
    world_tenant(p->w, j->tenant, tenant);
    struct submit_call call = {.tenant = tenant, .key = j->key};
    call.spec = (struct job_spec){.resources = {j->cpu_milli, j->mem_bytes, 0, {0}},
                                  .time_limit_ms = j->limit_us / 1000,
                                  .retries = j->retries,
                                  .lease = j->lease,
                                  .on_node_loss = j->loss,
                                  .priority = j->priority,
                                  .preemptible = j->mem_bytes / (GIB / 2) % 2 == 1,
                                  .placement = (uint32_t)(j->cpu_milli / 500 % PLACEMENT_COUNT),
                                  .budget_micros = j->budget_micros};
    if (j->tasks > 1)
        call.spec.array = (struct job_array){true, 0, j->tasks - 1, j->cap};
    call.spec.gang = j->gang;
    call.spec.gang_min = j->gang_min;
    call.spec.per_node = j->per_node;
    int rc = strs_add(&call.spec.command, "/bin/true") | str_set(&call.spec.where, world_wheres[j->where]) |
             str_set(&call.spec.within, j->within ? "zone" : NULL) |
             str_set(&call.spec.spread, labels[j->spread ? 1 + j->retries : 0]) | be_picky(&call.spec);
    MUST_NOT(rc < 0);
    set_seconds(&call.spec.start_by, j->start_by_s);
    set_seconds(&call.spec.finish_by, j->finish_by_s);
    if (j->after != 0) {
        struct job_after *a = list_add(&call.spec.after, sizeof *a);
        MUST_NOT(a == NULL);
        *a = (struct job_after){.job = j->after, .on = j->after_on, .tasks = j->after_tasks};
    }
    int answer = core_check_submit(p->s->core, &call, 0, "root", p->now, p->out, &quote, &p->refusal);
    p->wish->answer_job = quote.job;
    fields_clear(&job_spec_fields, &call.spec);
    fields_clear(&submit_reply_fields, &quote);
    return answer;
}

static int want_cancel(struct proposing *p)
{
    struct cancel_reply reply = {0};
    int answer = core_check_cancel(p->s->core, &(struct job_call){.job = p->wish->job}, "root", p->now, p->out, p->max,
                                   &p->count, &reply, &p->refusal);
    p->wish->partial = p->count == p->max;
    return answer;
}

static int want_release(struct proposing *p)
{
    return core_check_release(p->s->core, &(struct job_call){.job = p->wish->job}, "root", p->now, p->out, &p->refusal);
}

/* Held, released, run again, or of another priority. */
static int want_change(struct proposing *p)
{
    struct core *c = p->s->core;
    struct job_call call = {.job = p->wish->job};
    struct priority_call priority = {p->wish->job, (int32_t)p->wish->variant - 5};
    struct cancel_reply reply;
    switch (p->wish->variant) {
    case 0:
    case 1: return core_check_hold(c, &call, "root", p->now, p->out, &p->refusal);
    case 2: return core_check_release(c, &call, "root", p->now, p->out, &p->refusal);
    case 3:
    case 4: return core_check_requeue(c, &call, "root", p->now, p->out, 1, &p->count, &reply, &p->refusal);
    default: return core_check_priority(c, &priority, "root", p->now, p->out, &p->refusal);
    }
}

static int want_suspend(struct proposing *p)
{
    struct suspend_call call = {.job = p->wish->job};
    struct suspend_reply reply = {0};
    int answer = core_check_suspend(p->s->core, &call, p->wish->variant == 0, "root", p->now, p->out, p->max,
                                    &p->count, &reply, &p->refusal);
    p->wish->partial = p->count == p->max;
    return answer;
}

static int want_drain(struct proposing *p)
{
    struct drain_call call = {.node = p->w->nodes[p->wish->node].name, .drain = p->wish->kind == WISH_DRAIN};
    return core_check_drain(p->s->core, &call, "root", p->now, p->out, &p->refusal);
}

/* Of the variant's bits: 1 which nodes, 3 from when, 3 how long, 1 what of what runs, 1 a change of the first one. */
static int want_window(struct proposing *p)
{
    uint32_t v = p->wish->variant;
    struct windows_reply there;
    struct window_reply reply = {0};
    struct window_call call = {.at_begin = v >> 8 & 1, .cell = v % 4 == 0, .reason = strdup("firmware")};
    MUST_NOT(core_windows(p->s->core, p->now, &there) < 0 || call.reason == NULL);
    MUST_NOT(v % 4 == 1 && str_set(&call.where, "zone == a") < 0);
    MUST_NOT(v % 4 > 1 && strs_add(&call.nodes, p->w->nodes[p->wish->node].name) < 0);
    if (there.windows.count > 0 && (v >> 9 & 1) != 0)
        call.window = ((const struct window_row *)there.windows.v)[0].window.window;
    call.from_utc_us = p->now.utc_us + (int64_t)(v >> 2 & 7) * 7 * SECOND;
    call.to_utc_us = call.from_utc_us + (int64_t)(1 + (v >> 5 & 7)) * 5 * SECOND;
    int answer = core_check_window(p->s->core, &call, "root", p->now, p->out, &reply, &p->refusal);
    fields_clear(&window_call_fields, &call);
    fields_clear(&windows_reply_fields, &there);
    return answer;
}

static int want_reopen(struct proposing *p)
{
    struct windows_reply there;
    MUST_NOT(core_windows(p->s->core, p->now, &there) < 0);
    struct window_drop_call call = {
        .window = there.windows.count > 0 ? ((const struct window_row *)there.windows.v)[0].window.window : 0};
    fields_clear(&windows_reply_fields, &there);
    return core_check_window_drop(p->s->core, &call, "root", p->now, p->out, &p->refusal);
}

static int want_policy(struct proposing *p)
{
    return check_policy(p->w, p->s, p->wish->variant, p->out, &p->refusal);
}

static int (*const wants[WISH_KIND_COUNT])(struct proposing *p) = {
    [WISH_HELLO] = want_hello,     [WISH_STATE] = want_state,   [WISH_SUBMIT] = want_submit,
    [WISH_CANCEL] = want_cancel,   [WISH_DRAIN] = want_drain,   [WISH_UNDRAIN] = want_drain,
    [WISH_SUSPEND] = want_suspend,
    [WISH_WINDOW] = want_window,   [WISH_REOPEN] = want_reopen,
    [WISH_RELEASE] = want_release, [WISH_POLICY] = want_policy, [WISH_CHANGE] = want_change,
};

/* false: something about it is in flight, it waits. */
static bool propose(struct world *w, struct sched *s, struct wish *wish)
{
    struct fact facts[ROOM_LEAST];
    facts[0] = (struct fact){0}; /* what is not proposed isn't looked at, but for the first */
    struct proposing p = {.w = w, .s = s, .wish = wish, .now = sched_now(w, s), .out = facts, .max = COUNT_OF(facts)};
    int answer = wants[wish->kind](&p);
    if (answer == CORE_FACT && wish->kind != WISH_CANCEL && wish->kind != WISH_SUSPEND)
        p.count = facts[0].kind != FACT_NONE;
    if (answer == CORE_REFUSED)
        snprintf(wish->refusal, sizeof wish->refusal, "%.40s", p.refusal.code);
    fields_clear(&refusal_fields, &p.refusal);
    for (size_t i = 0; i < p.count; i++)
        batch_add(w, s, &facts[i], wish);
    if (p.count == 0)
        wish->last_seq = s->file.count; /* as things stand: answered when that is safe */
    return answer != CORE_LATER;
}

static void propose_some(struct world *w, struct sched *s, bool of_nodes)
{
    size_t kept = 0, count = s->inbox_count;
    for (size_t i = 0; i < count; i++) {
        struct wish *wish = s->inbox[i];
        bool of_node = wish->kind == WISH_HELLO || wish->kind == WISH_STATE;
        if (of_node == of_nodes && s->batch_count + ROOM_LEAST <= BATCH_MAX && propose(w, s, wish))
            wish_put(&s->settling, &s->settling_count, &s->settling_size, wish);
        else
            s->inbox[kept++] = wish;
    }
    s->inbox_count = kept;
}

void propose_wishes(struct world *w, struct sched *s)
{
    bool nodes_first = choose(w->choices, 2) == 0;
    propose_some(w, s, nodes_first);
    propose_some(w, s, !nodes_first);
}

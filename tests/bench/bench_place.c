/*
 * What a decision costs by the number of nodes: jobs that go anywhere (the floor), jobs with one of 20 conditions, each
 * of which matches a twentieth of the nodes, and the verdict that none of those has room while all others are empty.
 * Time is decide()'s alone, a placement of the core in memory.
 */
#include <time.h>

#include "tests/scheduler/core/world.h"

#define BATCH 512
#define ROUNDS 40
#define KINDS 20

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As world_commit(), without a journal. */
static void commit(struct world *w, struct fact *f)
{
    core_apply(w->core, ++w->seq, f);
    fact_clear(f);
}

static void join(struct world *w, unsigned i)
{
    char name[16], zone[16], disk[8];
    snprintf(name, sizeof name, "n%05u", i);
    snprintf(zone, sizeof zone, "z%u", i % (KINDS / 2));
    snprintf(disk, sizeof disk, "%s", i / (KINDS / 2) % 2 == 0 ? "ssd" : "hdd");
    struct pair labels[] = {{(char[]){"disk"}, disk}, {(char[]){"zone"}, zone}};
    struct hello_call call = {.node = name, .boot_id = name, .capacity = {.cpu_milli = 64000, .mem_bytes = 256 * GIB},
                              .labels = {labels, COUNT_OF(labels)}};
    struct fact f;
    MUST(core_check_hello(w->core, &call, w->now, &f, &w->refusal) == CORE_FACT);
    commit(w, &f);
    core_node_seen(w->core, name, w->now);
}

static void submit(struct world *w, unsigned i, bool anywhere, uint64_t cores)
{
    char where[64];
    struct job_spec spec = world_spec(cores * 1000, (1 + i % 8) * GIB);
    bool ssd = i / (KINDS / 2) % 2 == 0;
    snprintf(where, sizeof where, "zone == z%u && disk %s ssd", i % (KINDS / 2), ssd ? "==" : "!=");
    MUST(str_set(&spec.where, anywhere ? NULL : where) == 0);
    struct submit_call call = {.tenant = (char[]){"acme"}, .spec = spec};
    struct fact f;
    struct submit_reply quote;
    MUST(core_check_submit(w->core, &call, 0, "root", w->now, &f, &quote, &w->refusal) == CORE_FACT);
    fields_clear(&submit_reply_fields, &quote);
    fields_clear(&job_spec_fields, &spec);
    commit(w, &f);
}

static struct attempt_id live[BATCH];

static size_t decide(struct world *w, double *spent)
{
    static struct fact facts[BATCH];
    size_t placed = 0;
    double begin = seconds();
    size_t count = core_decide(w->core, w->now, facts, BATCH, &w->next_boot_us);
    *spent += seconds() - begin;
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_ATTEMPT_PLACED)
            live[placed++] = facts[i].placed.id;
        commit(w, &facts[i]);
    }
    return placed;
}

static void end_all(struct world *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct attempt_state state = {.id = live[i], .ended = true, .record = {.cause = END_EXIT, .run_us = 1000000}};
        bool ended;
        const char *node = core_attempt_node(w->core, &state.id, &ended);
        struct fact f;
        MUST(core_check_ended(w->core, node, &state, w->now, &f) == CORE_FACT && f.kind == FACT_ATTEMPT_ENDED);
        commit(w, &f);
    }
}

static double placing_us(struct world *w, bool anywhere)
{
    double spent = 0;
    size_t placed = 0;
    for (unsigned round = 0; round <= ROUNDS; round++) {
        for (unsigned i = 0; i < BATCH - 8; i++)
            submit(w, round * BATCH + i, anywhere, 1);
        spent *= round > 1; /* the first makes the pools */
        placed *= round > 1;
        size_t n = decide(w, &spent);
        placed += n;
        end_all(w, n);
    }
    return spent * 1e6 / (double)placed;
}

/* The nodes of one kind are full, with a job waiting that only they could take. */
static double refusing_us(struct world *w, unsigned nodes)
{
    double spent = 0;
    for (unsigned i = 0; i < nodes / KINDS + 1; i++)
        submit(w, 0, false, 33);
    while (decide(w, &spent) > 0)
        continue;
    spent = 0;
    for (unsigned round = 0; round < 1000; round++)
        MUST(decide(w, &spent) == 0);
    return spent * 1e6 / 1000;
}

static void measure(unsigned nodes)
{
    struct world w;
    struct policy_file p = {0};
    struct core_limits limits = core_limits_default;
    limits.finished_max = 1000;
    world_init(&w, &limits);
    world_price(&p, 0, 40000, 5000);
    (void)world_rule(&p, "acme");
    MUST(world_apply(&w, &p) == CORE_FACT);
    for (unsigned i = 0; i < nodes; i++)
        join(&w, i);
    double floor = placing_us(&w, true), where = placing_us(&w, false);
    printf("place_anywhere_%u %.2f us\n", nodes, floor);
    printf("place_where_%u %.2f us\n", nodes, where);
    printf("place_where_over_anywhere_%u %.2f x\n", nodes, where / floor);
    printf("place_where_nothing_fits_%u %.2f us\n", nodes, refusing_us(&w, nodes));
    double begin = seconds();
    struct job_spec spec = world_spec(1000, GIB);
    MUST(str_set(&spec.where, "zone != mars") == 0);
    (void)world_submit(&w, "acme", spec);
    printf("place_new_condition_%u %.0f us\n", nodes, (seconds() - begin) * 1e6);
    struct err err = {0};
    MUST(core_verify(w.core, &err) == 0);
    world_fini(&w);
}

int main(void)
{
    measure(1000);
    measure(10000);
    return 0;
}

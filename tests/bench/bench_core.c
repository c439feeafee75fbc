/*
 * The core alone, in memory: 1,000 nodes, 100,000 queued jobs of 200 tenants in three levels and 40 shapes.
 * What is measured is the whole way of a task: decide, bytes, apply, end, apply; and what a queued job costs in
 * memory.
 */
#include <malloc.h>
#include <time.h>

#include "tests/scheduler/core/world.h"

#define NODES 1000
#define JOBS 100000
#define TENANTS 200
#define ROUNDS 400
#define BATCH 512

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double heap_mib(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd) / (1024 * 1024);
}

static double pss_mib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Pss: %lu", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return (double)kib / 1024;
}

static void tenant_path(unsigned i, char out[32])
{
    snprintf(out, 32, "org%u/team%u/t%u", i % 5, i % 40, i);
}

static void set_policy(struct world *w)
{
    struct policy_file p = {.currency = strdup("EUR")};
    char path[32];
    world_price(&p, 0, 40000, 5000);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "org%u", i);
        world_rule(&p, path)->budget =
            (struct budget_rule){.present = true, .limit_micros = INT64_C(1) << 45, .period = PERIOD_MONTH};
    }
    for (unsigned i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "org%u/team%u", i % 5, i);
        (void)world_rule(&p, path);
    }
    for (unsigned i = 0; i < TENANTS; i++) {
        tenant_path(i, path);
        world_rule(&p, path)->weight = 1 + i % 3;
    }
    MUST(world_apply(w, &p) == CORE_FACT);
}

/* As world_commit(), without a journal that would be measured as memory. */
static void commit(struct world *w, struct fact *f)
{
    core_apply(w->core, ++w->seq, f);
    fact_clear(f);
}

static void submit(struct world *w, unsigned i)
{
    char path[32], key[40];
    tenant_path(i % TENANTS, path);
    snprintf(key, sizeof key, "1f8b6a52-7d0c-4c7e-9a40-%012u", i);
    struct job_spec spec = world_spec(1000 + i % 4 * 1000, (1 + i % 10) * GIB);
    spec.time_limit_ms = 3600000;
    MUST(strs_add(&spec.command, "--input") == 0 && strs_add(&spec.command, "/data/part-00017.parquet") == 0);
    MUST(pairs_set(&spec.labels, "pipeline", "nightly") == 0);
    struct submit_call call = {.tenant = path, .key = key, .spec = spec};
    struct fact f;
    struct submit_reply quote;
    MUST(core_check_submit(w->core, &call, 0, "root", w->now, &f, &quote, &w->refusal) == CORE_FACT);
    fields_clear(&submit_reply_fields, &quote);
    fields_clear(&job_spec_fields, &spec);
    commit(w, &f);
}

static struct attempt_id live[NODES * 64];
static size_t live_count;

static size_t decide(struct world *w, double *spent)
{
    static struct fact facts[BATCH];
    double begin = seconds();
    size_t count = core_decide(w->core, w->now, facts, BATCH, &w->next_boot_us);
    *spent += seconds() - begin;
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_ATTEMPT_PLACED)
            live[live_count++] = facts[i].placed.id;
        commit(w, &facts[i]);
    }
    return count;
}

static void end_some(struct world *w, size_t count)
{
    for (; count > 0 && live_count > 0; count--) {
        size_t at = (size_t)(w->seq * 2654435761u % live_count);
        struct attempt_state state = {
            .id = live[at], .ended = true, .record = {.cause = END_EXIT, .run_us = 1000000}};
        bool ended;
        const char *node = core_attempt_node(w->core, &state.id, &ended);
        struct fact f;
        live[at] = live[--live_count];
        MUST(core_check_ended(w->core, node, &state, w->now, &f) == CORE_FACT && f.kind == FACT_ATTEMPT_ENDED);
        commit(w, &f);
    }
}

int main(void)
{
    struct world w;
    struct core_limits limits = core_limits_default;
    limits.finished_max = 1000;
    world_init(&w, &limits);
    set_policy(&w);
    char name[16];
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "n%04u", i);
        struct hello_call call = {
            .node = name, .boot_id = "b", .capacity = {.cpu_milli = 64000, .mem_bytes = 256 * GIB}};
        struct fact f;
        MUST(core_check_hello(w.core, &call, w.now, &f, &w.refusal) == CORE_FACT);
        commit(&w, &f);
        core_node_seen(w.core, name, w.now);
    }
    double before = heap_mib(), begin = seconds();
    for (unsigned i = 0; i < JOBS; i++)
        submit(&w, i);
    printf("core_submit_per_s %.0f 1/s\n", JOBS / (seconds() - begin));
    printf("core_queued_jobs_heap %.1f MiB\n", heap_mib() - before);
    printf("core_queued_jobs_pss %.1f MiB\n", pss_mib());

    double spent = 0;
    unsigned next = JOBS;
    size_t placed;
    while ((placed = decide(&w, &spent)) == BATCH)
        for (size_t i = 0; i < placed; i++)
            submit(&w, next++); /* the queue stays as long as it is */
    size_t decisions = 0;
    double turns = 0;
    spent = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        end_some(&w, 500);
        double at = seconds();
        size_t n = decide(&w, &spent);
        turns += seconds() - at;
        decisions += n;
        for (size_t i = 0; i < n; i++)
            submit(&w, next++);
    }
    printf("core_decide_per_s %.0f 1/s\n", (double)decisions / spent);
    printf("core_decide_apply_per_s %.0f 1/s\n", (double)decisions / turns);
    while (decide(&w, &spent) > 0) {
    }
    spent = 0;
    for (unsigned round = 0; round < 1000; round++)
        MUST(decide(&w, &spent) == 0);
    printf("core_decide_nothing_fits %.1f us\n", spent * 1e6 / 1000);
    struct err err = {0};
    MUST(core_verify(w.core, &err) == 0);
    world_fini(&w);
    return 0;
}

/*
 * The core alone, in memory: 10,000 nodes, 1,000 tenants in three levels, 40 demands, and a queue of 1,000, 10,000,
 * 100,000 and 1,000,000 jobs (BENCH_JOBS=N: that one alone). The cell is full; each round some attempts end, their
 * places are decided anew and the queue is filled up again. A decision and a turn are what core_decide() takes; the
 * floor of a decision is its fact written and read as bytes, which every decision must pay somewhere.
 */
#include <jemalloc/jemalloc.h>
#include <time.h>

#include "base/alike.h"
#include "tests/scheduler/core/world.h"

#define NODES 10000
#define TENANTS 1000
#define ORGS 5
#define TEAMS 40
#define BATCH 512
#ifndef ROUNDS
#define ROUNDS 400
#endif
#define ENDS_MAX 128

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double heap_bytes(void)
{
    uint64_t epoch = 1;
    size_t bytes = 0, len = sizeof bytes;
    MUST(mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) == 0); /* figures are as of the last one */
    MUST(mallctl("stats.allocated", &bytes, &len, NULL, 0) == 0);
    return (double)bytes;
}

static void tenant_path(unsigned i, char out[32])
{
    snprintf(out, 32, "org%u/team%u/t%u", i % ORGS, i % TEAMS, i);
}

/* max_running of each tenant; 0 = no limit. */
static void set_policy(struct world *w, unsigned max_running)
{
    struct policy_file p = {.currency = strdup("EUR")};
    char path[32];
    world_price(&p, 0, 40000, 5000);
    for (unsigned i = 0; i < ORGS; i++) {
        snprintf(path, sizeof path, "org%u", i);
        world_rule(&p, path)->budget =
            (struct budget_rule){.present = true, .limit_micros = INT64_C(1) << 50, .period = PERIOD_MONTH};
    }
    for (unsigned i = 0; i < TEAMS; i++) {
        snprintf(path, sizeof path, "org%u/team%u", i % ORGS, i);
        (void)world_rule(&p, path);
    }
    for (unsigned i = 0; i < TENANTS; i++) {
        tenant_path(i, path);
        struct tenant_rule *rule = world_rule(&p, path);
        rule->weight = 1 + i % 3;
        rule->quota.max_running = max_running;
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
    unsigned kind = i / TENANTS;
    struct job_spec spec = world_spec(1000 + kind % 4 * 1000, (1 + kind % 10) * GIB);
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

static size_t decide(struct world *w, double *ret_spent)
{
    static struct fact facts[BATCH];
    double begin = seconds();
    size_t count = core_decide(w->core, w->now, facts, BATCH, &w->next_boot_us);
    *ret_spent = seconds() - begin;
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

static void add_nodes(struct world *w)
{
    char name[16];
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "n%05u", i);
        struct hello_call call = {
            .node = name, .boot_id = "b", .capacity = {.cpu_milli = 64000, .mem_bytes = 256 * GIB}};
        struct fact f;
        MUST(core_check_hello(w->core, &call, w->now, &f, &w->refusal) == CORE_FACT);
        commit(w, &f);
        core_node_seen(w->core, name, w->now);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What every decision has to pay: its fact as bytes and back. */
static double floor_per_s(struct world *w)
{
    static struct fact facts[BATCH];
    end_some(w, ENDS_MAX);
    size_t count = core_decide(w->core, w->now, facts, BATCH, &w->next_boot_us), rounds = 20;
    double begin = seconds();
    for (size_t i = 0; i < rounds * count; i++) {
        struct buf bytes = {0};
        struct fact read = {0};
        struct err err = {0};
        fact_encode(&facts[i % count], &bytes);
        MUST(fact_decode((const uint8_t *)bytes.data, bytes.len, &read, &err) == 0);
        fact_clear(&read);
        buf_fini(&bytes);
    }
    double spent = seconds() - begin;
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_ATTEMPT_PLACED)
            live[live_count++] = facts[i].placed.id;
        commit(w, &facts[i]);
    }
    return (double)(rounds * count) / spent;
}

static int add_size(void *arg, const struct fact *f)
{
    struct list *to = arg;
    struct buf bytes = {0};
    fact_encode(f, &bytes);
    struct bytes *entry = list_add(to, sizeof *entry);
    size_t len = bytes.len;
    *entry = (struct bytes){(uint8_t *)buf_take(&bytes), len};
    return 0;
}

/* A snapshot's facts, read and checked as from its file into an empty core. */
static void recover(struct world *w, unsigned jobs)
{
    struct list journal = {0};
    struct arena arena = {0};
    struct alike alike = {0};
    struct err err = {0};
    struct core *to;
    MUST(core_new(&to, &core_limits_default, &err) == 0);
    MUST(core_snapshot(w->core, add_size, &journal) == 0);
    double begin = seconds();
    for (size_t i = 0; i < journal.count; i++) {
        struct bytes *b = &((struct bytes *)journal.v)[i];
        struct fact f = {0};
        arena_reset(&arena);
        MUST(fact_decode_in(&arena, &alike, b->data, b->len, &f, &err) == 0);
        MUST(core_replay(to, 0, &f, &err) == 0);
        free(b->data);
    }
    printf("core_recover_%u %.2f s\n", jobs, seconds() - begin);
    alike_fini(&alike);
    arena_fini(&arena);
    free(journal.v);
    core_free(to);
}

static void bench(unsigned jobs)
{
    struct world w;
    struct core_limits limits = core_limits_default;
    limits.finished_max = 1000;
    limits.jobs_max = 4000000;
    live_count = 0;
    world_init(&w, &limits);
    set_policy(&w, 0);
    add_nodes(&w);
    unsigned next = 0;
    double spent;
    for (size_t placed = BATCH; placed > 0;) { /* the cell fills up with what never ends */
        while (next < live_count + BATCH)
            submit(&w, next++);
        placed = decide(&w, &spent);
    }
    unsigned waiting = next - (unsigned)live_count;
    double before = heap_bytes(), begin = seconds();
    for (; waiting < jobs; waiting++)
        submit(&w, next++);
    if (jobs >= 10000) {
        printf("core_submit_per_s_%u %.0f 1/s\n", jobs, (jobs - 1000) / (seconds() - begin));
        printf("core_queued_job_%u %.0f bytes\n", jobs, (heap_bytes() - before) / (jobs - 1000));
    }
    static double turns[ROUNDS];
    struct core_stats before_rounds, stats;
    core_stats(w.core, &before_rounds);
    size_t decisions = 0;
    double all = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        end_some(&w, 1 + round % ENDS_MAX);
        size_t n = decide(&w, &turns[round]);
        all += turns[round];
        decisions += n;
        for (size_t i = 0; i < n; i++)
            submit(&w, next++);
    }
    qsort(turns, ROUNDS, sizeof turns[0], by_size);
    printf("core_decide_per_s_%u %.0f 1/s\n", jobs, (double)decisions / all);
    core_stats(w.core, &stats);
    printf("core_tries_per_decision_%u %.2f\n", jobs,
           (double)(stats.decisions_total - before_rounds.decisions_total) / (double)decisions);
    printf("core_turn_p50_%u %.3f ms\n", jobs, turns[ROUNDS / 2] * 1e3);
    printf("core_turn_p99_%u %.3f ms\n", jobs, turns[ROUNDS * 99 / 100] * 1e3);
    while (decide(&w, &spent) > 0) {
    }
    begin = seconds();
    for (unsigned round = 0; round < 100; round++)
        MUST(decide(&w, &spent) == 0);
    printf("core_turn_nothing_fits_%u %.1f us\n", jobs, (seconds() - begin) * 1e4);
    printf("core_decide_floor_%u %.0f 1/s\n", jobs, floor_per_s(&w));
    recover(&w, jobs);
    struct err err = {0};
    MUST(core_verify(w.core, &err) == 0);
    world_fini(&w);
}

/* Room for all, but every tenant at its quota with much waiting: what a turn costs in which one of them may go on. */
static void bench_quota(void)
{
    struct world w;
    world_init(&w, NULL);
    live_count = 0;
    set_policy(&w, 20);
    add_nodes(&w);
    double spent, all = 0;
    unsigned next = 0;
    size_t decisions = 0;
    for (; next < 60 * TENANTS; next++)
        submit(&w, next);
    while (decide(&w, &spent) > 0) {
    }
    static double turns[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        end_some(&w, 1 + round % ENDS_MAX);
        decisions += decide(&w, &turns[round]);
        all += turns[round];
    }
    qsort(turns, ROUNDS, sizeof turns[0], by_size);
    printf("core_quota_decide_per_s %.0f 1/s\n", (double)decisions / all);
    printf("core_quota_turn_p99 %.3f ms\n", turns[ROUNDS * 99 / 100] * 1e3);
    world_fini(&w);
}

int main(void)
{
    const char *only = getenv("BENCH_JOBS");
    static const unsigned sizes[] = {1000, 10000, 100000, 1000000};
    for (size_t i = 0; only == NULL && i < COUNT_OF(sizes); i++)
        bench(sizes[i]);
    if (only == NULL || strcmp(only, "quota") == 0) {
        bench_quota();
        return 0;
    }
    if (only != NULL)
        bench((unsigned)strtoul(only, NULL, 10));
    return 0;
}

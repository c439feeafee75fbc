/*
 * How far reportd is behind the journal while jobs are journaled at a steady rate: another process writes a job's four
 * entries to Redis' stream, so many jobs a second in ticks of 10 ms, each tick durable at once; the follower takes them
 * into the books as in production. A tick's lag is from the moment it was durable to the one its last entry was in a
 * committed batch. Floor: a follower that only reads the same stream and keeps nothing.
 * REEVE_BENCH_SECONDS: how long; default 20. REEVE_BENCH_RATE: jobs a second; default 5,000.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "quotas/reports/follow.h"
#include "quotas/store/store_sync.h"
#include "tests/bench/measure.h"
#include "tests/quotas/facts.h"
#include "tests/quotas/store/redis_server.h"

#define TICK_US 10000
#define TICKS_MAX 60000
#define ENTRIES 4 /* of a job */
#define READ_MAX 1000

/* Written by the writer alone, read by the follower. */
struct shared {
    uint64_t ticks;                /* how many are durable */
    double durable_us[TICKS_MAX];
};

struct bench {
    struct redis_server redis;
    struct shared *shared;
    uint64_t jobs_a_tick, ticks;
    /* the follower */
    uint64_t cursor, seen, behind_most; /* ticks seen; entries */
    double *lag_ms;
    struct loop *loop;
    struct timer *timer;
    struct store_sync *sync;       /* the floor's */
};

static void check(int rc, const struct err *err)
{
    if (rc < 0) {
        fprintf(stderr, "bench_lag: %s\n", err_text(err));
        exit(EXIT_FAILURE);
    }
}

/* ---- the writer ------------------------------------------------------------------------------------------------- */
static void add_entry(struct store_sync *s, uint64_t seq, struct fact *fact)
{
    struct buf bytes = {0};
    struct err err = {0};
    fact_encode(fact, &bytes);
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, "j", "");
    store_call_argf(&s->call, "%" PRIu64 "-0", seq);
    store_call_arg(&s->call, "d");
    store_call_argn(&s->call, bytes.data, bytes.len);
    must(store_call_end(&s->call, "XADD", NULL, false));
    check(store_sync_send(s, &err), &err);
    buf_fini(&bytes);
    fact_clear(fact);
}

static void add_job(struct store_sync *s, uint64_t seq, uint64_t job)
{
    static const char *const resources[] = {"cpu", "memory", "scratch"};
    struct attempt_id id = {job, 0, 1};
    char text[32];
    struct fact submit = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = AT_NOVEMBER, .submitted = {.job = job, .uid = 1}};
    snprintf(text, sizeof text, "t%" PRIu64, job % 50);
    set_text(&submit.submitted.tenant, text);
    set_text(&submit.submitted.user, "alice");
    snprintf(text, sizeof text, "k%" PRIu64, job);
    set_text(&submit.submitted.key, text);
    struct fact placed = {.kind = FACT_ATTEMPT_PLACED, .at_utc_us = AT_NOVEMBER, .placed = {id, .hold_micros = 3000}};
    set_text(&placed.placed.node, "n1");
    must(strs_add(&placed.placed.accounts, "/@total"));
    struct fact running = {.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = AT_NOVEMBER, .running = {id, AT_NOVEMBER}};
    struct fact end = fact_end(AT_NOVEMBER + 1000000, id, 3000, NEXT_FINAL, true);
    end.ended.record.run_us = 1000000;
    for (size_t i = 0; i < COUNT_OF(resources); i++) {
        struct charge *c = list_add(&end.ended.charges, sizeof *c);
        *c = (struct charge){.amount = 1000, .run_us = 1000000, .micros = 1000, .price_version = 1, .price = 40000};
        set_text(&c->resource, resources[i]);
    }
    struct fact *const facts[ENTRIES] = {&submit, &placed, &running, &end};
    for (size_t i = 0; i < ENTRIES; i++)
        add_entry(s, seq + i, facts[i]);
}

static void durable(struct store_sync *s, uint64_t seq)
{
    struct err err = {0};
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, "c", "");
    store_call_arg(&s->call, "seq");
    store_call_argf(&s->call, "%" PRIu64, seq);
    store_call_arg(&s->call, "durable");
    store_call_argf(&s->call, "%" PRIu64, seq);
    must(store_call_end(&s->call, "HSET", NULL, false));
    check(store_sync_send(s, &err), &err);
    check(store_sync_drain(s, 0, "write", &err), &err);
}

static void write_all(struct bench *b)
{
    struct store_sync *s = NULL;
    struct err err = {0};
    uint64_t seq = 0, job = 0;
    check(store_sync_open(&s, b->redis.url, "bench", &err), &err);
    double begin = now_us();
    for (uint64_t tick = 0; tick < b->ticks; tick++) {
        for (uint64_t i = 0; i < b->jobs_a_tick; i++, seq += ENTRIES)
            add_job(s, seq + 1, ++job);
        durable(s, seq);
        b->shared->durable_us[tick] = now_us();
        __atomic_store_n(&b->shared->ticks, tick + 1, __ATOMIC_RELEASE);
        double wait_us = begin + (double)(tick + 1) * TICK_US - now_us();
        struct timespec pause = {.tv_nsec = wait_us > 0 ? (long)(wait_us * 1e3) : 0};
        nanosleep(&pause, NULL); /* the rate */
    }
    double us = now_us() - begin;
    fprintf(stderr, "journaled %.0f jobs a second\n", (double)job / (us / 1e6));
    store_sync_close(s);
}

/* ---- the follower ------------------------------------------------------------------------------------------------ */
/* Everything up to `seq` is safe. */
static void on_archived(void *arg, uint64_t seq)
{
    struct bench *b = arg;
    uint64_t there = __atomic_load_n(&b->shared->ticks, __ATOMIC_ACQUIRE), each = b->jobs_a_tick * ENTRIES;
    double now = now_us();
    b->cursor = seq;
    b->behind_most = MAX(b->behind_most, there * each > seq ? there * each - seq : 0);
    for (; b->seen < there && (b->seen + 1) * each <= seq; b->seen++)
        b->lag_ms[b->seen] = (now - b->shared->durable_us[b->seen]) / 1e3;
    if (b->seen == b->ticks)
        loop_stop(b->loop);
}

static bool forget(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    (void)refusal, (void)bytes, (void)len;
    *(uint64_t *)arg = seq;
    return true;
}

/* The floor's: as the follower does it, a batch and at once the next, else a pause. */
static void on_timer(void *arg)
{
    struct bench *b = arg;
    struct err err = {0};
    struct store_status status;
    uint64_t cursor = b->cursor;
    check(store_status(b->sync, &status, &err), &err);
    if (cursor < status.durable)
        check(store_read(b->sync, cursor + 1, READ_MAX, forget, &cursor, &err), &err);
    on_archived(b, cursor);
    timer_set_ms(b->timer, cursor < status.durable ? 0 : 20);
}

static void report(const struct bench *b, const char *name)
{
    qsort(b->lag_ms, b->ticks, sizeof *b->lag_ms, by_value);
    printf("%s_p50 %.1f ms\n%s_p99 %.1f ms\n%s_worst %.1f ms\n%s_entries_most %" PRIu64 " entries\n", name,
           b->lag_ms[b->ticks / 2], name, b->lag_ms[b->ticks * 99 / 100], name, b->lag_ms[b->ticks - 1], name,
           b->behind_most);
}

static void fresh(struct bench *b)
{
    struct store_sync *s = NULL;
    struct err err = {0};
    b->redis = redis_start(true);
    check(store_sync_open(&s, b->redis.url, "bench", &err), &err);
    check(store_load_library(s, &err), &err);
    check(store_take_term(s, "bench", 1, &err), &err);
    store_sync_close(s);
    b->shared->ticks = b->cursor = b->seen = b->behind_most = 0;
    check(loop_new(&b->loop, &err), &err);
}

static void measure(struct bench *b, const char *name, bool books)
{
    char folder[] = "/var/tmp/reeve-bench-XXXXXX", database[96];
    struct err err = {0};
    struct book *book = NULL;
    struct follow *follow = NULL;
    fresh(b);
    struct link link = {.url = b->redis.url, .cell = "bench"};
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(database, sizeof database, "%s/reeve.sqlite", folder);
    if (books) {
        check(book_open(&book, database, "bench", &err), &err);
        check(follow_new(&follow, b->loop, book, &link, on_archived, b, &err), &err);
    } else {
        check(store_sync_open(&b->sync, b->redis.url, "bench", &err), &err);
        must(timer_new(&b->timer, b->loop, on_timer, b));
        timer_set_ms(b->timer, 0);
    }
    fflush(stdout);
    pid_t writer = fork();
    if (writer == 0) {
        write_all(b);
        _exit(EXIT_SUCCESS);
    }
    check(loop_run(b->loop, &err), &err);
    waitpid(writer, NULL, 0);
    report(b, name);
    follow_free(follow);
    book_close(book);
    link_fini(&link);
    timer_free(b->timer);
    store_sync_close(b->sync);
    b->timer = NULL;
    b->sync = NULL;
    loop_free(b->loop);
    redis_stop(&b->redis);
    check(dir_remove(folder, &err), &err);
}

int main(void)
{
    const char *seconds = getenv("REEVE_BENCH_SECONDS"), *rate = getenv("REEVE_BENCH_RATE");
    struct bench b = {.ticks = (seconds != NULL ? strtoull(seconds, NULL, 10) : 20) * 1000000 / TICK_US};
    b.jobs_a_tick = (rate != NULL ? strtoull(rate, NULL, 10) : 5000) * TICK_US / 1000000;
    if (b.ticks == 0 || b.ticks > TICKS_MAX || b.jobs_a_tick == 0)
        return EXIT_FAILURE;
    b.lag_ms = calloc(b.ticks, sizeof *b.lag_ms);
    b.shared = mmap(NULL, sizeof *b.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b.lag_ms == NULL || b.shared == MAP_FAILED)
        abort();
    test_top_make();
    measure(&b, "lag_floor", false);
    measure(&b, "lag", true);
    test_top_remove();
    free(b.lag_ms);
    return EXIT_SUCCESS;
}

/*
 * The commit function on a private redis-server (UNIX socket, AOF everysec), with its floor in the same run: a bare
 * FCALL that writes one stream entry of the same size. Three levels of tenants, two budgets and the total, three
 * quotas.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "quotas/store/store_sync.h"
#include "tests/quotas/facts.h"
#include "tests/quotas/store/redis_server.h"

#define RUNS 3

struct call_row {
    struct fact fact;
    struct buf bytes;
};

struct bench {
    struct redis_server redis;
    struct store_sync *s;
    struct ledger *ledger;
    uint64_t seq, next_job;
};

static void check(int rc, const struct err *err)
{
    if (rc < 0) {
        fprintf(stderr, "bench_store: %s\n", err_text(err));
        exit(EXIT_FAILURE);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void start(struct bench *b)
{
    struct err err = {0};
    *b = (struct bench){.redis = redis_start(true), .next_job = 1};
    check(store_sync_open(&b->s, b->redis.url, "bench", &err), &err);
    check(store_load_library(b->s, &err), &err);
    check(store_take_term(b->s, "bench", 1, &err), &err);
    (void)redisSetTimeout(b->s->redis, (struct timeval){30, 0}); /* neighbours may be loud */
    check(ledger_new(&b->ledger, &err), &err);
}

static void rows_clear(struct call_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fact_clear(&rows[i].fact);
        buf_fini(&rows[i].bytes);
    }
    free(rows);
}

/* CPU time that redis-server has used: says what a call costs also when neighbours take the cores. */
static double redis_cpu(const struct bench *b)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(b->redis.pid, &clock) == 0) {
        clock_gettime(clock, &used);
    }
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Sends every row, up to `each` in one call and `window` in flight, and reads strictly; gives the seconds. */
static double run_each(struct bench *b, const struct call_row *rows, size_t count, size_t window, size_t each)
{
    struct err err = {0};
    struct store_entry entries[STORE_RUN_MAX];
    struct store_result results[STORE_RUN_MAX];
    size_t runs[64], sent = 0, calls_sent = 0, calls_done = 0;
    double begin = seconds();
    for (size_t done = 0; done < count;) {
        while (sent < count && sent - done < window && calls_sent - calls_done < COUNT_OF(runs)) {
            size_t n = MIN(MIN(count - sent, window - (sent - done)), each);
            size_t *ret = &runs[calls_sent++ % COUNT_OF(runs)];
            for (size_t i = 0; i < n; i++) {
                const struct call_row *row = &rows[sent + i];
                entries[i] = (struct store_entry){b->seq + 1 + i, (const uint8_t *)row->bytes.data, row->bytes.len,
                                                  &row->fact};
            }
            struct store_head head = {b->s->prefix, "bench", 1, b->seq, ""};
            check(store_call_build(&b->s->call, &head, entries, n, ret), &err);
            check(store_sync_send(b->s, &err), &err);
            sent += *ret;
            b->seq += *ret;
        }
        CLEANUP(store_reply_free) redisReply *r = NULL;
        size_t n = runs[calls_done++ % COUNT_OF(runs)];
        check(store_sync_reply(b->s, &r, &err), &err);
        check(store_reply_results(r, results, n, &err), &err);
        for (size_t i = 0; i < n; i++) {
            if (results[i].outcome != STORE_OK) {
                fprintf(stderr, "bench_store: outcome %u %s %s\n", results[i].outcome, results[i].refusal,
                        results[i].detail);
                exit(EXIT_FAILURE);
            }
        }
        done += n;
    }
    return seconds() - begin;
}

static double run(struct bench *b, const struct call_row *rows, size_t count, size_t window)
{
    return run_each(b, rows, count, window, 1);
}

/* The very words of the commits, up to `each` in one call, given to a function that reads and writes the same fields
 * and decides nothing. */
static double run_same_keys(struct bench *b, const struct call_row *rows, size_t count, size_t window, size_t each,
                            const char *function)
{
    struct err err = {0};
    struct store_entry entries[STORE_RUN_MAX];
    double begin = seconds();
    for (size_t sent = 0, n = 0; sent < count; sent += n) {
        n = MIN(count - sent, each);
        for (size_t i = 0; i < n; i++) {
            const struct call_row *row = &rows[sent + i];
            entries[i] = (struct store_entry){b->seq + 1 + i, (const uint8_t *)row->bytes.data, row->bytes.len,
                                              &row->fact};
        }
        struct store_head head = {b->s->prefix, "bench", 1, b->seq, ""};
        check(store_call_build(&b->s->call, &head, entries, n, &n), &err);
        b->s->call.argv[1] = function;
        b->s->call.lens[1] = strlen(function);
        check(store_sync_drain(b->s, window / each - 1, "bare", &err), &err);
        check(store_sync_send(b->s, &err), &err);
    }
    check(store_sync_drain(b->s, 0, "bare", &err), &err);
    return seconds() - begin;
}

static double run_bare(struct bench *b, const struct call_row *rows, size_t count, size_t window)
{
    struct err err = {0};
    double begin = seconds();
    size_t sent = 0;
    for (size_t done = 0; done < count; done++) {
        for (; sent < count && sent - done < window; sent++) {
            store_call_begin(&b->s->call);
            store_call_key(&b->s->call, "bare", "", "");
            store_call_argn(&b->s->call, rows[sent].bytes.data, rows[sent].bytes.len);
            check(store_call_end(&b->s->call, "FCALL", "bare", true), &err);
            check(store_sync_send(b->s, &err), &err);
        }
        check(store_sync_drain(b->s, b->s->due - 1, "bare", &err), &err);
    }
    return seconds() - begin;
}

static void take(struct bench *b, struct call_row *row, struct fact fact)
{
    row->fact = fact;
    fact_encode(&row->fact, &row->bytes);
    ledger_apply(b->ledger, &row->fact);
}

/* What all the holds are on. */
static void open_budgets(struct bench *b)
{
    struct fact hold = fact_place(b->ledger, AT_NOVEMBER, (struct attempt_id){1, 0, 1}, "acme/etl", false, 0), opening;
    while (ledger_opening_for(b->ledger, &hold, &opening)) {
        struct call_row *row = calloc(1, sizeof *row);
        take(b, row, opening);
        (void)run(b, row, 1, 1);
        rows_clear(row, 1);
    }
    fact_clear(&hold);
}

static void set_policy(struct bench *b)
{
    struct call_row *row = calloc(1, sizeof *row);
    struct fact f = fact_policy(AT_NOVEMBER);
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->quota.max.cpu_milli = CPU_MILLI_MAX;
    acme->quota.max_running = 1000000;
    acme->quota.max_queued = 10000000;
    acme->budget = (struct budget_rule){.present = true, .limit_micros = MONEY_MICROS_MAX, .period = PERIOD_MONTH};
    struct tenant_rule *etl = fact_tenant(&f, "acme/etl");
    etl->quota.max.mem_bytes = MEM_BYTES_MAX;
    etl->budget = (struct budget_rule){.present = true, .limit_micros = MONEY_MICROS_MAX, .period = PERIOD_DAY};
    take(b, row, f);
    (void)run(b, row, 1, 1);
    rows_clear(row, 1);
    open_budgets(b);
}

static struct call_row *submissions(struct bench *b, size_t count, uint32_t tasks)
{
    struct call_row *rows = calloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        char key[48];
        snprintf(key, sizeof key, "8d2b6c1e-%020" PRIu64, b->next_job);
        take(b, &rows[i], fact_submit(b->ledger, AT_NOVEMBER, b->next_job++, "acme/etl", key, tasks, 0));
    }
    return rows;
}

/* place, end, place, end … in an order that keeps 32 attempts live. */
static struct call_row *pairs(struct bench *b, size_t count)
{
    struct call_row *submit = submissions(b, 1, (uint32_t)count);
    (void)run(b, submit, 1, 1);
    uint64_t job = submit[0].fact.submitted.job;
    rows_clear(submit, 1);
    struct call_row *rows = calloc(2 * count, sizeof *rows);
    size_t at = 0;
    for (size_t i = 0; i < count + 32; i++) {
        if (i < count) {
            struct attempt_id id = {job, (uint32_t)i, 1};
            take(b, &rows[at++], fact_place(b->ledger, AT_NOVEMBER, id, "acme/etl", false, 1000));
        }
        if (i >= 32) {
            struct attempt_id id = {job, (uint32_t)(i - 32), 1};
            take(b, &rows[at++], fact_end(AT_NOVEMBER, id, 700, NEXT_FINAL, i - 32 == count - 1));
        }
    }
    return rows;
}

/* `count` attempts, each placed; then each renewed once. The ends are left to the end of the bench. */
static struct call_row *renewals(struct bench *b, size_t count)
{
    struct call_row *rows = calloc(count, sizeof *rows), *before = submissions(b, 1, (uint32_t)count);
    (void)run(b, before, 1, 1);
    uint64_t job = before[0].fact.submitted.job;
    rows_clear(before, 1);
    before = calloc(count, sizeof *before);
    for (size_t i = 0; i < count; i++)
        take(b, &before[i], fact_place(b->ledger, AT_NOVEMBER, (struct attempt_id){job, (uint32_t)i, 1}, "acme/etl",
                                       false, 1000));
    (void)run(b, before, count, 32);
    rows_clear(before, count);
    for (size_t i = 0; i < count; i++)
        take(b, &rows[i], fact_renew(b->ledger, AT_NOVEMBER, (struct attempt_id){job, (uint32_t)i, 1}, "acme/etl",
                                     false, 700, 1000));
    return rows;
}

static double highest(const double *values)
{
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        best = values[i] > best ? values[i] : best;
    }
    return best;
}

static void print_best(const char *name, size_t window, const double *per_second)
{
    printf("%s_%zu %.0f per_s\n", name, window, highest(per_second));
    fflush(stdout);
}

/* The best of several runs, and the CPU time of redis-server that one of them cost. */
static void print_pair(const char *name, size_t window, const double *per_second, const double *per_cpu_second)
{
    print_best(name, window, per_second);
    printf("%s_redis_cpu_%zu %.1f us\n", name, window, 1e6 / highest(per_cpu_second));
    fflush(stdout);
}

/* A few of the same kind, measured one after the other. */
struct measured {
    double per_second[RUNS], per_cpu_second[RUNS];
};

static void measure(struct bench *b, struct measured *m, int i, const struct call_row *rows, size_t count,
                    size_t window, size_t each)
{
    double cpu = redis_cpu(b);
    m->per_second[i] = (double)count / run_each(b, rows, count, window, each);
    m->per_cpu_second[i] = (double)count / (redis_cpu(b) - cpu);
}

static void measure_bare(struct bench *b, struct measured *m, int i, const struct call_row *rows, size_t count,
                         size_t window, size_t each, const char *function)
{
    double cpu = redis_cpu(b);
    m->per_second[i] = (double)count / run_same_keys(b, rows, count, window, each, function);
    m->per_cpu_second[i] = (double)count / (redis_cpu(b) - cpu);
}

static void print_measured(const char *name, size_t window, const struct measured *m)
{
    print_pair(name, window, m->per_second, m->per_cpu_second);
}

/* In processor time of Redis: what neighbours take of the cores doesn't count. */
static void print_ratio(const char *name, size_t window, const struct measured *m, const struct measured *floor)
{
    printf("%s_%zu %.2f ratio\n", name, window, highest(m->per_cpu_second) / highest(floor->per_cpu_second));
    fflush(stdout);
}

/* Pairs count as two. alone: a call for each entry, which is what came before runs, and what an idle cell does. */
static void bench_window(struct bench *b, size_t window, size_t count)
{
    static struct measured bare, submit, ends, alone, same;
    for (int i = 0; i < RUNS; i++) { /* interleaved: a noisy neighbour hits all alike */
        struct call_row *rows = submissions(b, count, 1);
        double cpu = redis_cpu(b);
        bare.per_second[i] = (double)count / run_bare(b, rows, count, window);
        bare.per_cpu_second[i] = (double)count / (redis_cpu(b) - cpu);
        measure(b, &submit, i, rows, count, window, 1);
        rows_clear(rows, count);
        rows = pairs(b, count);
        measure(b, &alone, i, rows, 2 * count, window, 1);
        rows_clear(rows, 2 * count);
        rows = pairs(b, count);
        measure(b, &ends, i, rows, 2 * count, window, window);
        measure_bare(b, &same, i, rows, 2 * count, window, 1, "bare_same");
        rows_clear(rows, 2 * count);
    }
    print_measured("store_bare_fcall", window, &bare);
    print_measured("store_submit", window, &submit);
    print_measured("store_place_or_end", window, &ends);
    print_measured("store_place_or_end_alone", window, &alone);
    print_measured("store_place_or_end_same_keys", window, &same);
    print_ratio("store_place_or_end_of_same_keys", window, &ends, &same);
    print_ratio("store_place_or_end_alone_of_same_keys", window, &alone, &same);
}

/* 100 in flight: what a beat of a busy cell brings at once. */
static void bench_renew(struct bench *b)
{
    enum { COUNT = 20000, WINDOW = 100 };
    static struct measured renew, alone, same;
    for (int i = 0; i < RUNS; i++) {
        struct call_row *rows = renewals(b, COUNT);
        measure(b, &alone, i, rows, COUNT, WINDOW, 1);
        rows_clear(rows, COUNT);
        rows = renewals(b, COUNT);
        measure(b, &renew, i, rows, COUNT, WINDOW, WINDOW);
        measure_bare(b, &same, i, rows, COUNT, WINDOW, WINDOW, "bare_renewals");
        rows_clear(rows, COUNT);
    }
    print_measured("store_renew", WINDOW, &renew);
    print_measured("store_renew_alone", WINDOW, &alone);
    print_measured("store_renew_same_keys", WINDOW, &same);
    print_ratio("store_renew_of_same_keys", WINDOW, &renew, &same);
}

/* What the scheduler's side alone costs: making the words, and the model. */
static void bench_words(struct bench *b)
{
    enum { COUNT = 20000 };
    struct err err = {0};
    struct call_row *rows = pairs(b, COUNT);
    double words[RUNS];
    size_t n;
    for (int i = 0; i < RUNS; i++) {
        double begin = seconds();
        for (size_t k = 0; k < 2 * COUNT; k++) {
            struct store_entry e = {k + 1, (const uint8_t *)rows[k].bytes.data, rows[k].bytes.len, &rows[k].fact};
            struct store_head head = {b->s->prefix, "bench", 1, k, ""};
            check(store_call_build(&b->s->call, &head, &e, 1, &n), &err);
        }
        words[i] = 2 * COUNT / (seconds() - begin);
    }
    print_best("store_call_words", 1, words);
    rows_clear(rows, 2 * COUNT);
}

/* bare: one stream entry. bare_same: every field that a commit would read and write is read and written, by as many
 * calls, and its hold is made or removed; but for the names of the fields nothing is unpacked, asked or counted. */
static const char bare_functions[] =
    "#!lua name=bare\n"
    "local function fields_of(hold)\n"
    "  local _, _, times, at = struct.unpack('<i8i8I1', hold)\n"
    "  local _, _, _, _, _, generics, size, from = struct.unpack('<i8i8i8I1I1I1I2', hold, at + 16 * times)\n"
    "  at = from + 8 * generics\n"
    "  local f = cmsgpack.unpack(hold:sub(at, at + size - 1))\n"
    "  for _, field in ipairs(cmsgpack.unpack(hold:sub(at + size))) do f[#f + 1] = field end\n"
    "  return f\n"
    "end\n"
    "redis.register_function('bare', function(k, a) return redis.call('XADD', k[1], '*', 'd', a[1]) end)\n"
    "redis.register_function('bare_same', function(k, a)\n"
    "  local hold = redis.call('HGET', k[3], a[8])\n"
    "  local f = fields_of(hold or a[9])\n"
    "  local v = redis.call('HMGET', k[1], 'writer', 'term', 'seq', unpack(f))\n"
    "  local w = {}\n"
    "  for i = 1, #f do w[2 * i - 1], w[2 * i] = f[i], v[i + 3] end\n"
    "  redis.call('XADD', 'bare:j', '*', 'd', a[7])\n"
    "  redis.call('HSET', k[1], 'seq', v[3], 'durable', a[4], unpack(w))\n"
    "  if hold then redis.call('HDEL', k[3], a[8]) else redis.call('HSET', k[3], a[8], a[9]) end\n"
    "end)\n"
    "redis.register_function('bare_renewals', function(k, a)\n"
    "  local ids, f, w = {}, {'writer', 'term', 'seq'}, {}\n"
    "  for _, field in ipairs(cmsgpack.unpack(table.remove(a, 9))) do f[#f + 1] = field end\n" /* all on the same */
    "  for i = 8, #a, 3 do ids[#ids + 1] = a[i] end\n"
    "  local holds, v = redis.call('HMGET', k[3], unpack(ids)), redis.call('HMGET', k[1], unpack(f))\n"
    "  for i = 7, #a, 3 do redis.call('XADD', 'bare:j', '*', 'd', a[i]) end\n"
    "  for i = 4, #f do w[2 * i - 7], w[2 * i - 6] = f[i], v[i] end\n"
    "  redis.call('HSET', k[1], 'seq', v[3], 'durable', a[4], unpack(w))\n"
    "  w = {}\n"
    "  for i = 1, #ids do w[2 * i - 1], w[2 * i] = ids[i], holds[i] end\n"
    "  redis.call('HSET', k[3], unpack(w))\n"
    "end)\n";

int main(void)
{
    static struct bench b;
    struct err err = {0};
    test_top_make();
    start(&b);
    CLEANUP(store_reply_free) redisReply *r = NULL;
    const char *const bare[] = {"FUNCTION", "LOAD", bare_functions, NULL};
    check(store_sync_words(b.s, bare), &err);
    check(store_sync_call(b.s, &r, &err), &err);
    set_policy(&b);
    bench_window(&b, 1, 3000);
    bench_window(&b, 32, 20000);
    bench_renew(&b);
    bench_words(&b);
    ledger_free(b.ledger);
    store_sync_close(b.s);
    redis_stop(&b.redis);
    test_top_remove();
    return EXIT_SUCCESS;
}

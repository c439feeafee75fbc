/*
 * Runs: many entries in one call. Each is decided on its own, in its turn; a run that was sent again is done once; what
 * is left of a run after a crash is all of it or nothing. The model is the C ledger.
 */
#include <fcntl.h>
#include <sched.h>

#include "base/io/fd.h"
#include "tests/quotas/store/store_program.h"
#include "tests/run.h"

enum { ROWS_MAX = 256, TASKS = 60, NEAR_BYTES = 40, STRIDE = 97 };

struct row {
    struct fact fact;
    struct buf bytes;
    char code[24]; /* what the model says to it; "" = done */
};

static struct redis_server redis;
static struct store_sync *s;
static struct ledger *model;
static struct row rows[ROWS_MAX + 1]; /* by seq */
static uint64_t seq, told;           /* of the last row; of the last that Redis was told */

static void add(struct fact fact)
{
    struct ledger_blocker blocker;
    struct row *row = &rows[++seq];
    ck_assert_uint_le(seq, ROWS_MAX);
    *row = (struct row){.fact = fact};
    fact_encode(&row->fact, &row->bytes);
    enum ledger_verdict verdict = ledger_check(model, &row->fact, &blocker);
    if (verdict == LEDGER_FITS) {
        ledger_apply(model, &row->fact);
    } else {
        snprintf(row->code, sizeof row->code, "%s", names_get(&ledger_verdict_names, verdict));
    }
}

static struct store_entry entry_of(uint64_t at)
{
    return (struct store_entry){at, (const uint8_t *)rows[at].bytes.data, rows[at].bytes.len, &rows[at].fact};
}

/* Rows [from, to] in one call. */
static void send_as(const char *writer, uint64_t term, uint64_t from, uint64_t to)
{
    struct err err = {0};
    struct store_entry entries[STORE_RUN_MAX];
    struct store_head head = {s->prefix, writer, term, 0, ""};
    size_t n;
    for (uint64_t at = from; at <= to; at++) {
        entries[at - from] = entry_of(at);
    }
    ck_assert_int_eq(store_call_build(&s->call, &head, entries, to - from + 1, &n), 0);
    ck_assert_uint_eq(n, to - from + 1);
    ck_assert_msg(store_sync_send(s, &err) == 0, "%s", err_text(&err));
}

static void send_run(const char *writer, uint64_t from, uint64_t to)
{
    send_as(writer, 1, from, to);
}

static void hear(size_t count, struct store_result *results)
{
    struct err err = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_msg(store_sync_reply(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_reply_results(r, results, count, &err) == 0, "%s", err_text(&err));
}

/* The rest of the rows, in one call; each answer is the model's. */
static void tell_run(void)
{
    struct store_result results[STORE_RUN_MAX];
    send_run("w", told + 1, seq);
    hear(seq - told, results);
    for (uint64_t at = told + 1; at <= seq; at++) {
        const struct store_result *r = &results[at - told - 1];
        ck_assert_msg(strcmp(r->refusal, rows[at].code) == 0, "seq %" PRIu64 ": '%s' at '%s', the model '%s'", at,
                      r->refusal, r->detail, rows[at].code);
    }
    told = seq;
}

static void tell_alone(struct fact fact)
{
    add(fact);
    tell_run();
}

static void same(void)
{
    struct list accounts = {0};
    struct err err = {0};
    ck_assert_uint_eq(status_of(s).seq, told);
    ck_assert_msg(store_accounts(s, &accounts, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_gt(accounts.count, 0);
    for (size_t i = 0; i < accounts.count; i++) {
        const struct store_account *a = &((const struct store_account *)accounts.v)[i];
        struct account_view v;
        ck_assert_msg(ledger_account(model, a->name, &v), "%s", a->name);
        ck_assert_msg(a->spent_micros == v.spent_micros && a->held_micros == v.held_micros,
                      "%s: spent %" PRId64 " held %" PRId64 ", the model %" PRId64 " %" PRId64, a->name,
                      a->spent_micros, a->held_micros, v.spent_micros, v.held_micros);
    }
    store_accounts_clear(&accounts);
}

static struct attempt_id task(uint32_t index)
{
    return (struct attempt_id){1, index, 1};
}

static struct fact renewal(uint32_t index, int64_t spent, int64_t hold)
{
    return fact_renew(model, AT_NOVEMBER, task(index), "acme/etl", false, spent, hold);
}

/* TASKS attempts, each holds 100; the month has `left` beyond that. */
static void start(bool aof, int64_t left)
{
    redis = redis_start(aof);
    s = sync_ready(&redis);
    seq = told = 0;
    ck_assert_int_eq(ledger_new(&model, NULL), 0);
    struct fact policy = fact_policy(AT_NOVEMBER);
    fact_tenant(&policy, "acme")->budget =
        (struct budget_rule){.present = true, .limit_micros = 100 * TASKS + left, .period = PERIOD_MONTH};
    fact_tenant(&policy, "acme/etl");
    tell_alone(policy);
    tell_alone(fact_submit(model, AT_NOVEMBER, 1, "acme/etl", "k", TASKS, 0));
    struct fact first = fact_place(model, AT_NOVEMBER, task(0), "acme/etl", false, 100), opening;
    while (ledger_opening_for(model, &first, &opening)) {
        tell_alone(opening);
    }
    add(first);
    for (uint32_t i = 1; i < TASKS; i++) {
        add(fact_place(model, AT_NOVEMBER, task(i), "acme/etl", false, 100));
    }
    tell_run();
    same();
}

static void stop(void)
{
    for (uint64_t at = 1; at <= seq; at++) {
        fact_clear(&rows[at].fact);
        buf_fini(&rows[at].bytes);
    }
    ledger_free(model);
    store_sync_close(s);
    redis_stop(&redis);
}

struct journal {
    uint64_t next;
    size_t refused;
};

static bool entry(void *arg, uint64_t at, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct journal *j = arg;
    ck_assert_uint_eq(at, j->next++);
    ck_assert_str_eq(refusal ? refusal : "", rows[at].code);
    ck_assert_uint_eq(len, rows[at].bytes.len);
    ck_assert_mem_eq(bytes, rows[at].bytes.data, len);
    j->refused += refusal != NULL;
    return true;
}

/* Each row has its entry, with its answer. */
static size_t refused_in_the_journal(void)
{
    struct err err = {0};
    struct journal j = {.next = 1};
    ck_assert_msg(store_read(s, 1, SIZE_MAX, entry, &j, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(j.next, told + 1);
    return j.refused;
}

START_TEST(a_renewal_without_money_is_refused_alone)
{
    start(false, 50);
    for (uint32_t i = 0; i < TASKS; i++) {
        int64_t hold = i == 4 ? 200 : i == 7 ? 150 : i == 9 ? 101 : i == 20 ? 0 : 100;
        add(renewal(i, i == 30 ? 101 : 0, hold));
    }
    uint64_t first = seq - TASKS + 1;
    ck_assert_str_eq(rows[first + 4].code, "budget"); /* 50 are left */
    ck_assert_str_eq(rows[first + 7].code, "");       /* these */
    ck_assert_str_eq(rows[first + 9].code, "budget"); /* none now */
    ck_assert_str_eq(rows[first + 20].code, "");      /* gives 100 back */
    ck_assert_str_eq(rows[first + 30].code, "overrun");
    tell_run();
    same();
    ck_assert_uint_eq(refused_in_the_journal(), 3);
    add(renewal(9, 0, 200)); /* what one gave back in a run another has in the next */
    add(fact_end(AT_NOVEMBER, task(20), 0, NEXT_FINAL, false));
    add(renewal(20, 0, 10)); /* over in this very run */
    add(renewal(4, 60, 100));
    ck_assert_str_eq(rows[seq - 3].code, "");
    ck_assert_str_eq(rows[seq - 1].code, "no_hold");
    tell_run();
    same();
    stop();
}
END_TEST

/* Nobody heard the answer: the connection went with it. Redis is asked how far it is. */
static void lose_the_answer(void)
{
    struct store_sync *other = sync_open(&redis);
    for (int done = 0; done == 0;) {
        ck_assert_int_eq(redisBufferWrite(s->redis, &done), REDIS_OK);
    }
    while (status_of(other).seq < seq) {
        sched_yield();
    }
    store_sync_close(other);
    store_sync_drop(s);
}

START_TEST(a_run_sent_again_is_done_once)
{
    struct store_result results[STORE_RUN_MAX];
    start(false, 2000);
    uint64_t first = told + 1;
    for (uint32_t i = 0; i < TASKS; i++) {
        add(renewal(i, 10, i == 5 ? 100000 : 100));
    }
    send_run("w", first, seq);
    lose_the_answer();
    send_run("w", first, seq);
    hear(TASKS, results);
    for (size_t i = 0; i < TASKS; i++) {
        ck_assert_uint_eq(results[i].outcome, STORE_DUP);
    }
    told = seq;
    same();
    /* The second half again, and what comes behind it. */
    for (uint32_t i = 0; i < 10; i++) {
        add(renewal(i, 20, 100));
    }
    send_run("w", told - 9, seq);
    hear(20, results);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(results[i].outcome, i < 10 ? STORE_DUP : STORE_OK);
    }
    told = seq;
    same();
    ck_assert_uint_eq(refused_in_the_journal(), 1);
    stop();
}
END_TEST

START_TEST(behind_a_gap_or_without_the_fence_nothing_is_done)
{
    struct store_result results[STORE_RUN_MAX];
    start(false, 2000);
    for (uint32_t i = 0; i < 10; i++) {
        add(renewal(i, 10, 100));
    }
    send_run("w", told + 2, seq);
    hear(9, results);
    for (size_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(results[i].outcome, STORE_GAP);
    }
    send_run("other", told + 1, seq);
    hear(10, results);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_uint_eq(results[i].outcome, STORE_FENCED);
    }
    ck_assert_uint_eq(status_of(s).seq, told);
    ck_assert_uint_eq(refused_in_the_journal(), 0);
    tell_run();
    same();
    stop();
}
END_TEST

static void replay(uint64_t to)
{
    struct err err = {0};
    struct store_entry entries[ROWS_MAX];
    const char *refusals[ROWS_MAX];
    for (uint64_t at = 1; at <= to; at++) {
        entries[at - 1] = entry_of(at);
        refusals[at - 1] = rows[at].code[0] ? rows[at].code : NULL;
    }
    ck_assert_msg(store_replay(s, "w", 2, entries, refusals, to, &err) == 0, "%s", err_text(&err));
}

START_TEST(a_replay_of_runs_comes_to_the_same)
{
    struct err err = {0};
    start(false, 2000);
    for (uint32_t i = 0; i < TASKS; i++) {
        add(renewal(i, 10, i % 7 == 5 ? 100000 : 100));
    }
    tell_run();
    ck_assert_int_eq(store_wipe(s, &err), 0);
    ck_assert_int_eq(store_take_term(s, "w", 2, &err), 0);
    replay(seq - 25); /* in the middle of what was a run */
    replay(seq);      /* most of it is there already */
    same();
    ck_assert_uint_eq(refused_in_the_journal(), TASKS / 7);
    stop();
}
END_TEST

/* The journal's file may have more in it than the counters take: then all that is behind it stays undone. */
START_TEST(a_replay_stops_at_what_contradicts)
{
    struct err err = {0};
    struct store_entry entries[ROWS_MAX];
    start(false, 2000);
    for (uint32_t i = 0; i < 20; i++) {
        add(renewal(i, i == 10 ? 101 : 10, 100));
    }
    for (uint64_t at = told + 1; at <= seq; at++) {
        entries[at - told - 1] = entry_of(at);
    }
    ck_assert_int_eq(store_replay(s, "w", 1, entries, NULL, 20, &err), -EUCLEAN);
    ck_assert_uint_eq(status_of(s).seq, told + 10);
    stop();
}
END_TEST

/* ---- the fence --------------------------------------------------------------------------------------------- */

START_TEST(of_64_writers_only_the_owner_writes)
{
    enum { WRITERS = 64, EACH = 200 };
    struct err err = {0};
    redis = redis_start(false);
    s = sync_ready(&redis);
    ck_assert_int_eq(store_take_term(s, "w7", 2, &err), 0);
    int out[2];
    ck_assert_int_eq(pipe(out), 0);
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            char name[16];
            unsigned char wrote[2] = {(unsigned char)w, 0};
            snprintf(name, sizeof name, "w%d", w);
            if (store_sync_open(&s, redis.url, "test", NULL) < 0) {
                _exit(1);
            }
            rows[1].fact = (struct fact){.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 0, 1}}};
            fact_encode(&rows[1].fact, &rows[1].bytes);
            for (uint64_t at = 1; at <= EACH; at++) {
                struct store_result r;
                rows[at] = rows[1];
                send_as(name, 2, at, at);
                hear(1, &r);
                wrote[1] = (unsigned char)(wrote[1] + (r.outcome == STORE_OK));
                if (r.outcome != STORE_OK && r.outcome != STORE_FENCED) {
                    _exit(1);
                }
            }
            _exit(write(out[1], wrote, 2) == 2 ? 0 : 1);
        }
    }
    close(out[1]);
    unsigned char wrote[2];
    size_t heard = 0;
    while (read(out[0], wrote, 2) == 2) {
        ck_assert_uint_eq(wrote[1], wrote[0] == 7 ? EACH : 0);
        heard++;
    }
    close(out[0]);
    for (int w = 0; w < WRITERS; w++) {
        int status;
        ck_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ck_assert_uint_eq(heard, WRITERS);
    ck_assert_uint_eq(status_of(s).seq, EACH);
    store_sync_close(s);
    redis_stop(&redis);
}
END_TEST

/* ---- cut ---- */
static void put_file(const char *path, const struct buf *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, bytes->data, len), 0);
    close(fd);
}

/* REEVE_TORN_ALL: at every byte. */
START_TEST(a_run_that_was_cut_is_not_there)
{
    char path[160];
    CLEANUP(buf_fini) struct buf before = {0}, after = {0};
    start(true, 2000);
    snprintf(path, sizeof path, "%s/appendonlydir/appendonly.aof.1.incr.aof", redis.dir);
    ck_assert_int_eq(file_read(path, 16 << 20, &before, NULL), 0);
    uint64_t first = told;
    for (uint32_t i = 0; i < 10; i++) {
        add(renewal(i, 10, i == 5 ? 100000 : 100));
    }
    tell_run();
    redis_kill(&redis);
    ck_assert_int_eq(file_read(path, 16 << 20, &after, NULL), 0);
    ck_assert_uint_gt(after.len, before.len + 1000);
    for (size_t len = before.len; len <= after.len; len++) {
        if (getenv("REEVE_TORN_ALL") == NULL && after.len - len > NEAR_BYTES && len % STRIDE != 0) {
            continue;
        }
        put_file(path, &after, len);
        redis_run(&redis);
        ck_assert_msg(status_of(s).seq == (len < after.len ? first : told), "cut at %zu of %zu", len, after.len);
        redis_kill(&redis);
    }
    redis_run(&redis);
    same();
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quotas/store/run");
    TCase *t = tcase_create("run");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_renewal_without_money_is_refused_alone);
    tcase_add_test(t, a_run_sent_again_is_done_once);
    tcase_add_test(t, behind_a_gap_or_without_the_fence_nothing_is_done);
    tcase_add_test(t, a_replay_of_runs_comes_to_the_same);
    tcase_add_test(t, a_replay_stops_at_what_contradicts);
    tcase_add_test(t, of_64_writers_only_the_owner_writes);
    tcase_add_test(t, a_run_that_was_cut_is_not_there);
    suite_add_tcase(suite, t);
    test_top_make();
    int rc = run_suite(suite);
    test_top_remove();
    return rc;
}

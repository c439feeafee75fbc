/*
 * 64 submitters at once on one tree of three levels: what is admitted is exactly what the tightest level allows, no
 * more and no less, at every level, for every kind of limit. The same harness is put to a submitter that checks first
 * and increments then, as two steps: it must be caught.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quotas/store/store_sync.h"
#include "tests/quotas/facts.h"
#include "tests/quotas/store/redis_server.h"
#include "tests/run.h"

#define SUBMITTERS 64
#define TASKS 40
#define LEVELS 3

enum kind { BUDGET, CORES, BORROW, RUNNING, STARTS };
static const char *const paths[LEVELS] = {"/", "a", "a/x"};
static const struct row {
    const char *what;
    enum kind kind;
    uint64_t limits[LEVELS]; /* BORROW: guaranteed at each level, nothing to borrow elsewhere */
    uint64_t each;
    uint64_t fits; /* attempts */
} rows[] = {
    {"a budget is tightest at the root", BUDGET, {730, 5000, 4000}, 50, 14},
    {"a budget is tightest in the middle", BUDGET, {5000, 730, 4000}, 50, 14},
    {"a budget is tightest at the leaf", BUDGET, {5000, 4000, 730}, 50, 14},
    {"cores are tightest at the root", CORES, {9999, 12000, 11000}, 1000, 9},
    {"cores are tightest in the middle", CORES, {12000, 9999, 11000}, 1000, 9},
    {"cores are tightest at the leaf", CORES, {12000, 11000, 9999}, 1000, 9},
    {"running attempts", RUNNING, {40, 17, 30}, 1, 17},
    {"guarantees of all levels together", BORROW, {4000, 3000, 4500}, 1000, 11},
    {"starts of a minute", STARTS, {40, 30, 23}, 1, 23},
};

struct race {
    struct redis_server redis;
    struct store_sync *s;
    struct ledger *model;
    const struct row *row;
    uint64_t seq;
};

static const char *const codes[] = {[BUDGET] = "budget", [CORES] = "quota", [BORROW] = "borrow", [RUNNING] = "quota",
                                    [STARTS] = "rate"};

/* ---- one call ------------------------------------------------------------------------------------------------ */

static struct store_result call(struct store_sync *s, uint64_t seq, const struct fact *fact, const char *mode)
{
    struct err err = {0};
    struct store_result result = {0};
    CLEANUP(buf_fini) struct buf bytes = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    fact_encode(fact, &bytes);
    struct store_entry e = {seq, (const uint8_t *)bytes.data, bytes.len, fact};
    struct store_head head = {s->prefix, "w", 1, 0, mode};
    size_t n;
    if (store_call_build(&s->call, &head, &e, 1, &n) < 0 || store_sync_call(s, &r, &err) < 0 ||
        store_reply_results(r, &result, 1, &err) < 0) {
        fprintf(stderr, "%s\n", err_text(&err));
        abort();
    }
    return result;
}

static void numbers_of(struct store_sync *s, const char *field, int64_t *numbers, size_t count)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    struct err err = {0};
    if (store_sync_words(s, (const char *const[]){"HGET", "reeve3:{test}:c", field, NULL}) < 0 ||
        store_sync_call(s, &r, &err) < 0) {
        abort();
    }
    if (r->type == REDIS_REPLY_STRING && !store_numbers_read(r->str, r->len, numbers, count)) {
        abort();
    }
}

static uint64_t last_seq(struct store_sync *s)
{
    struct store_status status;
    struct err err = {0};
    int rc;
    while ((rc = store_status(s, &status, &err)) == -ETIMEDOUT) { /* this machine has much to do */
        continue;
    }
    if (rc < 0) {
        abort();
    }
    return status.seq;
}

/* Others write, too: whoever comes too late with a seq takes the next one. */
static struct store_result commit(struct store_sync *s, uint64_t *seq, const struct fact *fact, const char *mode)
{
    struct store_result r = call(s, *seq + 1, fact, mode);
    while (r.outcome == STORE_DUP || r.outcome == STORE_GAP) {
        *seq = last_seq(s);
        r = call(s, *seq + 1, fact, mode);
    }
    ++*seq;
    return r;
}

/* ---- the tree ------------------------------------------------------------------------------------------------ */

static void both(struct race *b, struct fact fact)
{
    struct store_result r = call(b->s, ++b->seq, &fact, "");
    ck_assert_msg(r.outcome == STORE_OK, "%s at %s", r.refusal, r.detail);
    ledger_apply(b->model, &fact);
    fact_clear(&fact);
}

static void limit(struct tenant_rule *rule, enum kind kind, uint64_t amount)
{
    switch (kind) {
    case BUDGET:
        rule->budget = (struct budget_rule){.present = true, .limit_micros = (int64_t)amount, .period = PERIOD_YEAR};
        break;
    case CORES: rule->quota.max.cpu_milli = amount; break;
    case BORROW: rule->quota.guaranteed.cpu_milli = amount; break;
    case RUNNING: rule->quota.max_running = amount; break;
    case STARTS: rule->quota.starts_per_minute = (uint32_t)amount; break;
    }
}

static struct fact attempt(const struct race *b, struct attempt_id id)
{
    const struct row *row = b->row;
    struct fact f = fact_place(b->model, AT_NOVEMBER, id, "a/x", false, row->kind == BUDGET ? (int64_t)row->each : 0);
    if (row->kind == CORES || row->kind == BORROW) {
        f.placed.resources.cpu_milli = row->each;
    }
    return f;
}

static void race_start(struct race *b, const struct row *row)
{
    struct err err = {0};
    *b = (struct race){.redis = redis_start(false), .row = row};
    ck_assert_msg(store_sync_open(&b->s, b->redis.url, "test", &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_load_library(b->s, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_take_term(b->s, "w", 1, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(ledger_new(&b->model, NULL), 0);
    struct fact policy = fact_policy(AT_NOVEMBER);
    for (size_t i = 0; i < LEVELS; i++) {
        limit(fact_tenant(&policy, paths[i]), row->kind, row->limits[i]);
    }
    both(b, policy);
    for (uint64_t job = 1; job <= SUBMITTERS; job++) {
        char key[16];
        snprintf(key, sizeof key, "k%" PRIu64, job);
        both(b, fact_submit(b->model, AT_NOVEMBER, job, "a/x", key, TASKS, 0));
    }
    struct fact hold = attempt(b, (struct attempt_id){1, 0, 1}), opening;
    while (ledger_opening_for(b->model, &hold, &opening)) {
        both(b, opening);
    }
    fact_clear(&hold);
}

static void race_stop(struct race *b)
{
    ledger_free(b->model);
    store_sync_close(b->s);
    redis_stop(&b->redis);
}

/* ---- a submitter --------------------------------------------------------------------------------------------- */

/* What a careless submitter would ask, by reading alone. */
static bool seems_to_fit(struct store_sync *s, const struct row *row)
{
    static const char *const accounts[LEVELS] = {"a:/@2026", "a:a@2026", "a:a/x@2026"};
    int64_t each = (int64_t)row->each, left = 0;
    bool fits = true;
    for (size_t i = LEVELS; i-- > 0;) {
        char field[32];
        int64_t t[STORE_T_COUNT] = {0}, q[STORE_Q_COUNT] = {0};
        int64_t a[STORE_A_COUNT] = {(int64_t)row->limits[i]};
        snprintf(field, sizeof field, "t:%s", paths[i]);
        numbers_of(s, field, t, STORE_T_COUNT);
        snprintf(field, sizeof field, "q:%s", paths[i]);
        numbers_of(s, field, q, STORE_Q_COUNT);
        numbers_of(s, accounts[i], a, STORE_A_COUNT);
        left = q[STORE_S_HAVE] - t[STORE_T_CPU];
        fits = fits && (row->kind != BUDGET || a[STORE_A_LIMIT] - a[STORE_A_SPENT] - a[STORE_A_HELD] >= each) &&
               (row->kind != CORES || t[STORE_T_CPU] + each <= t[STORE_T_LIMIT_CPU]) &&
               (row->kind != RUNNING || t[STORE_T_RUNNING] < t[STORE_T_LIMIT_RUNNING]) &&
               (row->kind != STARTS || q[STORE_Q_STARTS + STORE_R_PARTS] >= INT64_C(60000000));
    }
    return fits && (row->kind != BORROW || left >= each); /* the root's */
}

static bool at_the_start(int ready, int go)
{
    char byte = 0;
    return write(ready, &byte, 1) == 1 && read(go, &byte, 1) == 0;
}

/* Exits with what was admitted; 255: something else was wrong. */
_Noreturn static void submitter(const struct race *b, uint64_t job, bool careless, int ready, int go)
{
    struct store_sync *s = NULL;
    uint64_t seq = b->seq;
    if (store_sync_open(&s, b->redis.url, "test", NULL) < 0) {
        _exit(255);
    }
    for (uint32_t task = 0; task < TASKS; task++) {
        struct fact f = attempt(b, (struct attempt_id){job, task, 1});
        bool fits = !careless || seems_to_fit(s, b->row);
        if (task == 0 && !at_the_start(ready, go)) {
            _exit(255);
        }
        struct store_result r = {.outcome = STORE_REFUSED};
        snprintf(r.refusal, sizeof r.refusal, "%s", codes[b->row->kind]);
        if (fits) {
            r = commit(s, &seq, &f, careless ? "!" : "");
        }
        fact_clear(&f);
        if (r.outcome != STORE_OK) {
            bool expected = r.outcome == STORE_REFUSED && strcmp(r.refusal, codes[b->row->kind]) == 0;
            _exit(expected ? (int)task : 255);
        }
    }
    _exit(TASKS);
}

static uint64_t run_race(struct race *b, bool careless)
{
    int ready[2], go[2];
    uint64_t admitted = 0;
    ck_assert(pipe(ready) == 0 && pipe(go) == 0);
    for (uint64_t job = 1; job <= SUBMITTERS; job++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            close(go[1]);
            submitter(b, job, careless, ready[1], go[0]);
        }
    }
    close(ready[1]);
    char byte;
    for (int i = 0; i < SUBMITTERS; i++) {
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    }
    close(go[1]); /* all of them stand at the start: go */
    for (int i = 0; i < SUBMITTERS; i++) {
        int status;
        ck_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 255);
        admitted += (uint64_t)WEXITSTATUS(status);
    }
    close(ready[0]);
    close(go[0]);
    return admitted;
}

/* The one question for both: is what Redis counts exactly what fits, at every level? */
static bool is_exact(struct race *b, uint64_t admitted)
{
    bool exact = admitted == b->row->fits;
    for (size_t i = 0; i < LEVELS; i++) {
        int64_t t[STORE_T_COUNT] = {0};
        char field[32];
        snprintf(field, sizeof field, "t:%s", paths[i]);
        numbers_of(b->s, field, t, STORE_T_COUNT);
        ck_assert_int_eq(t[STORE_T_RUNNING], (int64_t)admitted);
        ck_assert_int_eq(t[STORE_T_QUEUED], SUBMITTERS * TASKS - (int64_t)admitted);
    }
    return exact;
}

START_TEST(of_64_submitters_exactly_as_much_is_admitted_as_fits)
{
    struct race b;
    race_start(&b, &rows[_i]);
    uint64_t admitted = run_race(&b, false);
    ck_assert_msg(is_exact(&b, admitted), "%s: %" PRIu64 " admitted, %" PRIu64 " fit", rows[_i].what, admitted,
                  rows[_i].fits);
    race_stop(&b);
}
END_TEST

START_TEST(who_checks_first_and_increments_then_is_caught)
{
    struct race b;
    race_start(&b, &rows[_i]);
    uint64_t admitted = run_race(&b, true);
    ck_assert_msg(!is_exact(&b, admitted) && admitted > rows[_i].fits, "%s: the harness can't tell", rows[_i].what);
    race_stop(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/store/race");
    TCase *t = tcase_create("race");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, of_64_submitters_exactly_as_much_is_admitted_as_fits, 0, COUNT_OF(rows));
    tcase_add_loop_test(t, who_checks_first_and_increments_then_is_caught, 0, COUNT_OF(rows));
    suite_add_tcase(s, t);
    test_top_make();
    int rc = run_suite(s);
    test_top_remove();
    return rc;
}

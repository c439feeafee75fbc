/*
 * Each operation sent one to five times, in any order inside its window, replies thrown away with the connection they
 * were due on: Redis ends where each operation was done once, in its turn. The once-only model is the ledger.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quotas/store/store_sync.h"
#include "scheduler/recount_compare.h"
#include "tests/quotas/random_ops.h"
#include "tests/quotas/store/redis_server.h"

enum { WINDOW_MAX = 16, COPIES_MAX = 5, OPERATIONS = 3000, COMPARE_EVERY = 300, KEYS_MAX = 2048 };

struct op {
    struct fact fact;
    struct buf bytes;
    char code[24]; /* what the model says to it; "" = done */
};

struct once {
    struct redis_server redis;
    struct store_sync *s;
    struct recount_books books;
    struct ops_world w;
    uint64_t seq; /* of the last operation of the model */
    struct op window[WINDOW_MAX];
    size_t count, longest;
    uint64_t sent, lost, refused;
    struct { char name[128], hash[STORE_BODY_HASH_MAX]; } keys[KEYS_MAX];
    size_t keys_count;
};

static struct once the;

/* ---- the model: each once ---- */
static const char *key_verdict(const struct fact *f)
{
    char name[128], hash[STORE_BODY_HASH_MAX];
    if (f->kind != FACT_JOB_SUBMITTED) {
        return NULL;
    }
    snprintf(name, sizeof name, "%s:%s", f->submitted.tenant, f->submitted.key);
    ck_assert_int_eq(store_body_hash(&f->submitted.spec, hash), 0);
    for (size_t i = 0; i < the.keys_count; i++) {
        if (strcmp(the.keys[i].name, name) == 0) {
            return strcmp(the.keys[i].hash, hash) == 0 ? "key_exists" : "key_conflict";
        }
    }
    return NULL;
}

static void key_note(const struct fact *f)
{
    ck_assert_uint_lt(the.keys_count, KEYS_MAX);
    snprintf(the.keys[the.keys_count].name, sizeof the.keys[0].name, "%s:%s", f->submitted.tenant, f->submitted.key);
    ck_assert_int_eq(store_body_hash(&f->submitted.spec, the.keys[the.keys_count++].hash), 0);
}

static void model_take(struct op *op, struct fact fact)
{
    struct ledger_blocker blocker;
    const char *code = key_verdict(&fact);
    enum ledger_verdict verdict = ledger_check(the.books.ledger, &fact, &blocker);
    if (code == NULL) {
        code = verdict == LEDGER_FITS ? "" : names_get(&ledger_verdict_names, verdict);
    }
    *op = (struct op){.fact = fact};
    fact_encode(&fact, &op->bytes);
    snprintf(op->code, sizeof op->code, "%s", code);
    the.seq++;
    the.refused += code[0] != '\0';
    if (code[0] != '\0') {
        return;
    }
    ledger_apply(the.books.ledger, &fact);
    ops_admitted(&the.w, &fact);
    if (fact.kind == FACT_JOB_SUBMITTED) {
        key_note(&fact);
    }
}

static void window_draw(void)
{
    size_t size = 1 + random_below(&the.w.seed, WINDOW_MAX);
    for (the.count = 0; the.count < size;) {
        struct fact f = ops_next(&the.w, the.books.ledger);
        /* The keys here know of no moves; test_commit's do. */
        if (f.kind != FACT_TENANT_MOVED && ops_is_fair(&the.w, &f)) {
            model_take(&the.window[the.count++], f);
        } else {
            fact_clear(&f);
        }
    }
}

static void window_clear(void)
{
    for (size_t i = 0; i < the.count; i++) {
        fact_clear(&the.window[i].fact);
        buf_fini(&the.window[i].bytes);
    }
}

/* ---- Redis: often, late, unheard ---- */
/* One call of operation i and, by chance, of some behind it; gives how many. */
static size_t send(size_t i)
{
    struct err err = {0};
    struct store_entry e[WINDOW_MAX];
    size_t count = 1 + random_below(&the.w.seed, the.count - i), n;
    for (size_t k = 0; k < count; k++) {
        const struct op *op = &the.window[i + k];
        e[k] = (struct store_entry){the.seq - the.count + 1 + i + k, (const uint8_t *)op->bytes.data, op->bytes.len,
                                    &op->fact};
    }
    struct store_head head = {the.s->prefix, "w", 1, e[0].seq - 1, ""};
    ck_assert_int_eq(store_call_build(&the.s->call, &head, e, count, &n), 0);
    ck_assert_msg(store_sync_send(the.s, &err) == 0, "%s", err_text(&err));
    the.sent += n;
    the.longest = MAX(the.longest, n);
    return n;
}

/* An answer to a copy is what the operation came to, or says that it is not its turn. */
static void hear(size_t i, size_t count)
{
    struct err err = {0};
    struct store_result r[WINDOW_MAX];
    CLEANUP(store_reply_free) redisReply *reply = NULL;
    ck_assert_msg(store_sync_reply(the.s, &reply, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_reply_results(reply, r, count, &err) == 0, "%s", err_text(&err));
    for (size_t k = 0; k < count; k++) {
        ck_assert_uint_ne(r[k].outcome, STORE_FENCED);
        if (r[k].outcome == STORE_OK || r[k].outcome == STORE_REFUSED) {
            ck_assert_str_eq(r[k].refusal, the.window[i + k].code);
        }
    }
}

static uint64_t redis_seq(void)
{
    struct store_status status;
    struct err err = {0};
    if (store_status(the.s, &status, &err) < 0) { /* the first call after a break finds the connection dead */
        ck_assert_msg(store_status(the.s, &status, &err) == 0, "%s", err_text(&err));
    }
    return status.seq;
}

/* The connection breaks, with the replies that were due; what was written to it may or may not be done. */
static void lose(void)
{
    int done = the.s->due == 0 || random_below(&the.w.seed, 4) == 0;
    while (done == 0) {
        ck_assert_int_eq(redisBufferWrite(the.s->redis, &done), REDIS_OK);
    }
    the.lost += the.s->due;
    store_sync_drop(the.s);
}

/* All copies of all operations, shuffled; somewhere the connection may break, and the replies that were due with it. */
static void deliver_shuffled(void)
{
    size_t order[WINDOW_MAX * COPIES_MAX], runs[WINDOW_MAX * COPIES_MAX], n = 0;
    for (size_t i = 0; i < the.count; i++) {
        for (uint64_t copies = 1 + random_below(&the.w.seed, COPIES_MAX); copies > 0; copies--) {
            order[n++] = i;
        }
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(&the.w.seed, i), x = order[i - 1];
        order[i - 1] = order[k];
        order[k] = x;
    }
    size_t breaks = random_below(&the.w.seed, 3) == 0 ? random_below(&the.w.seed, n) : n;
    for (size_t i = 0; i < breaks; i++) {
        runs[i] = send(order[i]);
    }
    if (breaks < n) {
        lose();
        return;
    }
    for (size_t i = 0; i < n; i++) {
        hear(order[i], runs[i]);
    }
}

/* What a writer does that doesn't know: it asks how far Redis is and sends the rest again. */
static void deliver_rest(void)
{
    uint64_t base = the.seq - the.count;
    for (uint64_t at = redis_seq(); at < the.seq; at = redis_seq()) {
        for (uint64_t seq = at + 1; seq <= the.seq; seq++) {
            for (uint64_t copies = 1 + random_below(&the.w.seed, 2); copies > 0; copies--) {
                (void)send((size_t)(seq - base - 1));
            }
        }
        if (random_below(&the.w.seed, 4) == 0) {
            lose();
        } else {
            struct err err = {0};
            ck_assert_msg(store_sync_drain(the.s, 0, "again", &err) == 0, "%s", err_text(&err));
        }
    }
}

/* ---- the same ---- */
static void same(void)
{
    struct store_names names = {0};
    struct list parts = {0};
    struct err err = {0};
    ck_assert_uint_eq(redis_seq(), the.seq);
    ck_assert_msg(store_names(the.s, &names, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_parts(the.s, &names, &parts, &err) == 0, "%s", err_text(&err));
    the.books.at_utc_us = the.w.at;
    recount_names(&the.books, the.seq, &names);
    for (size_t i = 0; i < parts.count; i++) {
        recount_part(&the.books, &((struct store_part *)parts.v)[i]);
    }
    ck_assert_msg(the.books.reply.differences_total == 0, "%s", the.books.reply.differences.v[0]);
    ck_assert_msg(ledger_verify(the.books.ledger, &err) == 0, "%s", err_text(&err));
    store_names_clear(&names);
    store_parts_clear(&parts);
}

/* The stream has each operation once, with the model's answer. */
struct entries {
    uint64_t next, refused;
};

static bool entry(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct entries *e = arg;
    (void)bytes, (void)len;
    ck_assert_uint_eq(seq, e->next++);
    e->refused += refusal != NULL && refusal[0] != '\0';
    return true;
}

START_TEST(often_late_and_unheard_is_once)
{
    struct err err = {0};
    struct entries e = {.next = 1};
    the.redis = redis_start(false);
    ck_assert_msg(store_sync_open(&the.s, the.redis.url, "test", &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_load_library(the.s, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_take_term(the.s, "w", 1, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(recount_books_init(&the.books, NULL), 0);
    the.w = (struct ops_world){.seed = random_seed("once"), .at = AT_NOVEMBER, .next_job = 1};
    for (uint64_t compared = 0; the.seq < OPERATIONS;) {
        window_draw();
        deliver_shuffled();
        deliver_rest();
        window_clear();
        if (the.seq - compared >= COMPARE_EVERY) {
            same();
            compared = the.seq;
        }
    }
    same();
    ck_assert_msg(store_read(the.s, 1, SIZE_MAX, entry, &e, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(e.next, the.seq + 1);
    ck_assert_uint_eq(e.refused, the.refused);
    ck_assert_uint_gt(the.sent, 2 * the.seq); /* it was often, */
    ck_assert_uint_gt(the.lost, the.seq / 4); /* and unheard, */
    ck_assert_uint_ge(the.longest, WINDOW_MAX / 4); /* many in one call */
    fact_clear(&the.w.waiting);
    recount_books_fini(&the.books);
    store_sync_close(the.s);
    redis_stop(&the.redis);
}
END_TEST

int main(void)
{
    test_top_make();
    Suite *suite = suite_create("store/once");
    TCase *t = tcase_create("once");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, often_late_and_unheard_is_once);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_top_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * store_program - what the tests of the store have in common: a program around an asynchronous store, a blocking
 * connection that is ready for commits, raw commands.
 */
#ifndef REEVE_TESTS_QUOTAS_STORE_STORE_PROGRAM_H
#define REEVE_TESTS_QUOTAS_STORE_STORE_PROGRAM_H

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quotas/store/store_sync.h"
#include "tests/ask_store.h"
#include "tests/quotas/random_ops.h"
#include "tests/quotas/store/redis_server.h"

/* ---- a program around a store -------------------------------------------------------------------------------- */

struct program {
    struct loop *loop;
    struct store *store;
    struct timer *patience;
    int ups, downs, batches;
    bool late;
    char why[256];
    struct store_result results[256];
    size_t count;
    void (*then)(struct program *p); /* called in every handler */
};

static inline void seen(struct program *p)
{
    if (p->then) {
        p->then(p);
    }
    loop_stop(p->loop);
}

static inline void on_up(void *arg)
{
    struct program *p = arg;
    p->ups++;
    seen(p);
}

static inline void on_down(void *arg, const char *why)
{
    struct program *p = arg;
    p->downs++;
    snprintf(p->why, sizeof p->why, "%s", why);
    seen(p);
}

static inline void on_committed(void *arg, const struct store_result *results, size_t count)
{
    struct program *p = arg;
    ck_assert_uint_le(count, COUNT_OF(p->results));
    p->batches++;
    p->count = count;
    for (size_t i = 0; i < count; i++) {
        p->results[i] = results[i];
    }
    seen(p);
}

static inline void on_patience(void *arg)
{
    struct program *p = arg;
    p->late = true;
    loop_stop(p->loop);
}

static inline void program_start(struct program *p, const char *url)
{
    struct err err = {0};
    static const struct store_handlers handlers = {on_up, on_down, on_committed};
    ck_assert_msg(loop_new(&p->loop, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(timer_new(&p->patience, p->loop, on_patience, p), 0);
    ck_assert_msg(store_open(&p->store, p->loop, url, "test", &handlers, p, &err) == 0, "%s", err_text(&err));
}

/* Runs until a handler was called; false when none is within `ms`. */
static inline bool program_run(struct program *p, uint64_t ms)
{
    p->late = false;
    timer_set_ms(p->patience, ms);
    ck_assert_int_eq(loop_run(p->loop, NULL), 0);
    timer_cancel(p->patience);
    return !p->late;
}

static inline void until_up(struct program *p)
{
    int ups = p->ups;
    while (p->ups == ups) {
        ck_assert_msg(program_run(p, 5000), "it never comes up: %s", p->why);
    }
    ck_assert(store_is_up(p->store));
}

static inline void program_stop(struct program *p)
{
    store_close(p->store);
    timer_free(p->patience);
    loop_free(p->loop);
}

/* A batch of facts that touch no counters, seqs from `seq` on. */
static inline int commit_notes(struct program *p, uint64_t term, uint64_t seq, size_t count)
{
    static const struct fact note = {.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 0, 1}}};
    CLEANUP(buf_fini) struct buf bytes = {0};
    struct store_entry entries[256];
    fact_encode(&note, &bytes);
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct store_entry){seq + i, (const uint8_t *)bytes.data, bytes.len, &note};
    }
    return store_commit(p->store, "w", term, seq - 1, entries, count);
}

static inline struct store_sync *sync_open(const struct redis_server *r)
{
    struct store_sync *s = NULL;
    ASK_STORE(store_sync_open(&s, r->url, "test", NULL));
    return s;
}

static inline struct store_sync *sync_ready(const struct redis_server *r)
{
    struct err err = {0};
    struct store_sync *s = sync_open(r);
    ASK_STORE(store_load_library(s, NULL));
    ck_assert_msg(store_take_term(s, "w", 1, &err) == 0, "%s", err_text(&err));
    return s;
}

static inline struct store_status status_of(struct store_sync *s)
{
    struct store_status status;
    if (store_status(s, &status, NULL) < 0) { /* the first call after a break finds the connection dead */
        ASK_STORE(store_status(s, &status, NULL));
    }
    return status;
}

/* ---- raw commands ---------------------------------------------------------------------------------------------- */

static inline void command(struct store_sync *s, const char *const *words)
{
    struct err err = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, words), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s", r->str);
}
#define COMMAND(s, ...) command(s, (const char *const[]){__VA_ARGS__, NULL})

static inline char *number_of(struct store_sync *s, const char *const *words)
{
    struct err err = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, words), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    char text[64] = "nil";
    if (r->type == REDIS_REPLY_INTEGER) {
        snprintf(text, sizeof text, "%lld", r->integer);
    } else if (r->type == REDIS_REPLY_STRING) {
        snprintf(text, sizeof text, "%s", r->str);
    }
    return strdup(text);
}

static inline void number_is(struct store_sync *s, const char *const *words, const char *want)
{
    char *got = number_of(s, words);
    ck_assert_str_eq(got, want);
    free(got);
}
#define NUMBER_IS(s, want, ...) number_is(s, (const char *const[]){__VA_ARGS__, NULL}, want)

static inline void counter_is(struct store_sync *s, const char *field, size_t index, int64_t want)
{
    struct err err = {0};
    int64_t numbers[STORE_Q_COUNT];
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, (const char *const[]){"HGET", "reeve3:{test}:c", field, NULL}), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(r->type == REDIS_REPLY_STRING && store_numbers_read(r->str, r->len, numbers, index + 1), "%s", field);
    ck_assert_msg(numbers[index] == want, "%s: %" PRId64, field, numbers[index]);
}

#endif

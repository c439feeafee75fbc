/*
 * store - the asynchronous side: one connection that keeps itself up, and one batch on it at a time.
 *
 *           retry timer               replies as expected
 *   DOWN -----------------> CONNECTING > AUTH > LIBRARY > (VERSION > LOAD) > META > UP, batch after batch
 *    ^                          |         |        |            |              |    |
 *    +--------------------------+---------+--------+------------+--------------+----+
 *         anything else: a deadline, a lost connection, a reply that isn't one   (lose, then on_post)
 *
 * Two rules against hiredis 0.14's traps: it is never freed inside one of its callbacks, and no handler of ours runs
 * inside one. Callbacks only note what happened; on_post(), a timer of zero, frees, reports and goes on. A context that
 * isn't s->redis any more is a dead one: its last callbacks (replies of NULL) are ignored.
 */
#include "quotas/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "quotas/store/store_call.h"
#include "quotas/store/store_conn.h"
#include "quotas/store/store_reader.h"

#define BACKOFF_FIRST_MS 20
#define BACKOFF_MAX_MS 1000

enum state { DOWN, CONNECTING, AUTH, LIBRARY, VERSION, LOAD, META, UP };

struct store {
    struct loop *loop;
    struct store_url url;
    char *password;
    char prefix[STORE_PREFIX_MAX];
    struct store_handlers handlers;
    void *arg;

    redisAsyncContext *redis;
    struct store_reader reader;
    uint32_t state; /* enum state */
    struct timer *deadline, *retry, *post;
    uint64_t backoff_ms, random;

    /* What callbacks noted for on_post(). */
    bool lost, became_up, batch_done;
    char why[192];
    bool told_down; /* on_down was the last to be called, with this reason */
    char told_why[192];

    struct store_call call;
    bool batch_out, note_out;
    struct store_result *results;
    uint16_t *runs; /* how many entries each call of the batch has */
    size_t results_size, count, answered, calls_answered;

    bool in_handler, closing;
};

/* ---- losing the connection --------------------------------------------------------------------------------- */

static void lose(struct store *s, const char *why)
{
    if (s->lost) {
        return;
    }
    s->lost = true;
    snprintf(s->why, sizeof s->why, "%s", why && why[0] ? why : "closed by Redis");
    timer_cancel(s->deadline);
    timer_set_us(s->post, 0);
}

static void on_deadline(void *arg)
{
    struct store *s = arg;
    char why[64];
    snprintf(why, sizeof why, "no answer within %d ms", STORE_DEADLINE_MS);
    lose(s, why);
}

/* xorshift; its seed is the clock: all it has to do is to keep two schedulers from retrying in step. */
static uint64_t jitter(struct store *s, uint64_t below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random % below;
}

/* Not inside a hiredis callback. */
static void drop(struct store *s)
{
    redisAsyncContext *redis = TAKE_PTR(s->redis);
    if (redis) {
        redisAsyncFree(redis);
    }
    s->state = DOWN;
    s->lost = false;
    s->became_up = false;
    s->note_out = false;
    timer_cancel(s->deadline);
    timer_set_ms(s->retry, s->backoff_ms / 2 + jitter(s, s->backoff_ms / 2 + 1));
    s->backoff_ms = MIN(s->backoff_ms * 2, (uint64_t)BACKOFF_MAX_MS);
}

static int send_words(struct store *s, redisCallbackFn *fn, size_t argc, const char **argv, const size_t *lens)
{
    if (redisAsyncCommandArgv(s->redis, fn, s, (int)argc, argv, lens) != REDIS_OK) {
        return -ENOTCONN;
    }
    s->reader.due++;
    return 0;
}

/* ---- coming up --------------------------------------------------------------------------------------------- */

static void on_step(redisAsyncContext *c, void *reply, void *arg);

static void step(struct store *s, enum state next, const char *const *words)
{
    size_t count = 0, lens[8];
    const char *argv[8];
    for (; words[count] && count < COUNT_OF(argv); count++) {
        argv[count] = words[count];
        lens[count] = strlen(words[count]);
    }
    s->state = next;
    timer_set_ms(s->deadline, STORE_DEADLINE_MS);
    if (send_words(s, on_step, count, argv, lens) < 0) {
        lose(s, "a command could not be queued");
    }
}

static void ask_library(struct store *s)
{
    step(s, LIBRARY, (const char *const[]){"FUNCTION", "LIST", "LIBRARYNAME", STORE_LIBRARY_NAME, "WITHCODE", NULL});
}

static void ask_meta(struct store *s)
{
    char cell[STORE_PREFIX_MAX + 8];
    snprintf(cell, sizeof cell, "%sc", s->prefix);
    step(s, META, (const char *const[]){"HMGET", cell, "schema", "library", NULL});
}

static void load_library(struct store *s)
{
    size_t len;
    const char *text = store_library_text(&len);
    const char *argv[] = {"FUNCTION", "LOAD", "REPLACE", text};
    const size_t lens[] = {8, 4, 7, len};
    s->state = LOAD;
    timer_set_ms(s->deadline, STORE_DEADLINE_MS);
    if (send_words(s, on_step, COUNT_OF(argv), argv, lens) < 0) {
        lose(s, "a command could not be queued");
    }
}

static int library_answered(struct store *s, const redisReply *r, struct err *err)
{
    enum store_library_state library;
    int rc = store_reply_library(r, &library, err);
    if (rc < 0) {
        return rc;
    }
    if (library == STORE_LIBRARY_SAME) {
        ask_meta(s);
    } else if (library == STORE_LIBRARY_ABSENT) {
        load_library(s);
    } else {
        step(s, VERSION, (const char *const[]){"FCALL_RO", "reeve_library", "0", NULL});
    }
    return 0;
}

/* nil, or a number that this program knows. */
static bool is_known(const redisReply *r, uint64_t least, uint64_t most)
{
    uint64_t value;
    return r->type == REDIS_REPLY_NIL || (store_reply_u64(r, UINT64_MAX, &value) && value >= least && value <= most);
}

static int meta_answered(struct store *s, const redisReply *r, struct err *err)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2) {
        return store_reply_wrong(r, "HMGET", err);
    }
    if (!is_known(r->element[0], STORE_SCHEMA, STORE_SCHEMA) || !is_known(r->element[1], 1, STORE_LIBRARY)) {
        return err_set(err, -EPROTONOSUPPORT, "Redis holds a schema that this program doesn't know (it knows %d)",
                       STORE_SCHEMA);
    }
    timer_cancel(s->deadline);
    s->state = UP;
    s->became_up = true;
    timer_set_us(s->post, 0);
    return 0;
}

static int advance(struct store *s, const redisReply *r, struct err *err)
{
    int rc = 0;
    switch ((enum state)s->state) {
    case CONNECTING:
        if (s->password) {
            step(s, AUTH, (const char *const[]){"AUTH", s->password, NULL});
        } else {
            ask_library(s);
        }
        return 0;
    case AUTH:
        if (!store_reply_is(r, "OK")) {
            return store_reply_wrong(r, "AUTH", err);
        }
        ask_library(s);
        return 0;
    case LIBRARY: return library_answered(s, r, err);
    case VERSION:
        rc = store_reply_version(r, err);
        if (rc == 0) {
            load_library(s);
        }
        return rc;
    case LOAD:
        if (!store_reply_is(r, STORE_LIBRARY_NAME)) {
            return store_reply_wrong(r, "FUNCTION LOAD", err);
        }
        ask_meta(s);
        return 0;
    case META: return meta_answered(s, r, err);
    case DOWN:
    case UP: break;
    }
    return err_set(err, -EPROTO, "a reply that nobody waits for");
}

/* A reply to one of our commands: false when there is nothing to read. */
static bool is_answer(struct store *s, const redisAsyncContext *c, const void *reply)
{
    if (c != s->redis || s->lost) {
        return false;
    }
    if (!reply) {
        lose(s, store_reader_why(&s->reader, c->errstr));
        return false;
    }
    s->reader.due--;
    return true;
}

static void on_step(redisAsyncContext *c, void *reply, void *arg)
{
    struct store *s = arg;
    struct err err = {0};
    if (is_answer(s, c, reply) && advance(s, reply, &err) < 0) {
        lose(s, err_text(&err));
    }
}

static void on_connect(const redisAsyncContext *c, int status)
{
    struct store *s = c->data;
    struct err err = {0};
    if (c != s->redis) {
        return;
    }
    if (status != REDIS_OK) {
        s->redis = NULL; /* hiredis frees it when we return */
        lose(s, c->c.errstr);
    } else if (!s->lost && advance(s, NULL, &err) < 0) {
        lose(s, err_text(&err));
    }
}

static void on_disconnect(const redisAsyncContext *c, int status)
{
    struct store *s = c->data;
    (void)status;
    if (c == s->redis) {
        s->redis = NULL; /* hiredis frees it when we return */
        lose(s, store_reader_why(&s->reader, c->errstr));
    }
}

static void on_retry(void *arg)
{
    struct store *s = arg;
    redisAsyncContext *c =
        s->url.is_unix ? redisAsyncConnectUnix(s->url.where) : redisAsyncConnect(s->url.where, s->url.port);
    s->state = CONNECTING;
    s->redis = c;
    if (!c || c->err != 0) {
        lose(s, c ? c->errstr : "out of memory");
        return;
    }
    (void)fcntl(c->c.fd, F_SETFD, FD_CLOEXEC);
    store_reader_guard(&s->reader, &c->c);
    c->data = s;
    if (redisLibeventAttach(c, loop_base(s->loop)) != REDIS_OK ||
        redisAsyncSetConnectCallback(c, on_connect) != REDIS_OK ||
        redisAsyncSetDisconnectCallback(c, on_disconnect) != REDIS_OK) {
        lose(s, "the connection could not be watched");
        return;
    }
    timer_set_ms(s->deadline, STORE_DEADLINE_MS);
}

/* ---- batches ----------------------------------------------------------------------------------------------- */

static void batch_finish(struct store *s)
{
    timer_cancel(s->deadline);
    s->backoff_ms = BACKOFF_FIRST_MS;
    s->batch_done = true;
    timer_set_us(s->post, 0);
}

static void on_result(redisAsyncContext *c, void *reply, void *arg)
{
    struct store *s = arg;
    struct err err = {0};
    if (!is_answer(s, c, reply)) {
        return;
    }
    BUG(!s->batch_out || s->answered >= s->count);
    size_t run = s->runs[s->calls_answered++];
    if (store_reply_results(reply, &s->results[s->answered], run, &err) < 0) {
        lose(s, err_text(&err));
    } else if ((s->answered += run) == s->count) {
        batch_finish(s);
    }
}

static int results_reserve(struct store *s, size_t count)
{
    size_t size = MAX(count, (size_t)64);
    if (count <= s->results_size && s->results) {
        return 0;
    }
    struct store_result *results = realloc(s->results, size * sizeof *results);
    s->results = results ? results : s->results;
    uint16_t *runs = realloc(s->runs, size * sizeof *runs);
    s->runs = runs ? runs : s->runs;
    if (!results || !runs) {
        return -ENOMEM;
    }
    s->results_size = size;
    return 0;
}

int store_commit(struct store *s, const char *writer, uint64_t term, uint64_t durable,
                 const struct store_entry *entries, size_t count)
{
    struct store_head head = {s->prefix, writer, term, durable, ""};
    if (!store_is_up(s)) {
        return -ENOTCONN;
    }
    if (s->batch_out) {
        return -EBUSY;
    }
    int rc = results_reserve(s, count);
    for (size_t i = 0, calls = 0, n = 0; rc == 0 && i < count; i += n) {
        rc = store_call_build(&s->call, &head, &entries[i], count - i, &n);
        rc = rc < 0 ? rc : send_words(s, on_result, s->call.argc, s->call.argv, s->call.lens);
        s->runs[calls++] = (uint16_t)n;
    }
    if (rc < 0) {
        /* Nothing has left yet: the loop writes. The connection goes with what was queued on it. */
        lose(s, "a batch could not be made");
        return rc;
    }
    s->batch_out = true;
    s->count = count;
    s->answered = s->calls_answered = 0;
    if (count == 0) {
        batch_finish(s);
    } else {
        timer_set_ms(s->deadline, STORE_DEADLINE_MS);
    }
    return 0;
}

static void on_noted(redisAsyncContext *c, void *reply, void *arg)
{
    struct store *s = arg;
    if (is_answer(s, c, reply)) {
        s->note_out = false;
        if (!store_reply_is(reply, "ok")) {
            lose(s, "the term may be over");
        }
    }
}

void store_note_durable(struct store *s, uint64_t term, uint64_t durable)
{
    /* One at a time: while one is out the next commit carries the news. */
    if (!store_is_up(s) || s->note_out) {
        return;
    }
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, "c", "");
    store_call_argf(&s->call, "%" PRIu64, term);
    store_call_argf(&s->call, "%" PRIu64, durable);
    if (store_call_end(&s->call, "FCALL", "reeve_durable", true) == 0 &&
        send_words(s, on_noted, s->call.argc, s->call.argv, s->call.lens) == 0) {
        s->note_out = true;
    }
}

/* ---- the one place that frees and reports --------------------------------------------------------------------- */

/* The handler may commit again at once: the results it reads are no longer the store's. */
static void report_batch(struct store *s)
{
    struct store_result *results = TAKE_PTR(s->results);
    size_t count = s->count;
    s->batch_out = false;
    s->batch_done = false;
    s->handlers.on_committed(s->arg, results, count);
    if (s->results) {
        free(results);
    } else {
        s->results = results;
    }
}

static void report_down(struct store *s)
{
    if (s->told_down && strcmp(s->why, s->told_why) == 0) {
        return; /* still down for the same reason */
    }
    s->told_down = true;
    memcpy(s->told_why, s->why, sizeof s->told_why);
    s->handlers.on_down(s->arg, s->told_why);
}

static void store_free(struct store *s)
{
    timer_free(s->deadline);
    timer_free(s->retry);
    timer_free(s->post);
    store_call_fini(&s->call);
    free(s->results);
    free(s->runs);
    free(s->password);
    free(s);
}

static void on_post(void *arg)
{
    struct store *s = arg;
    bool was_lost = s->lost;
    s->in_handler = true;
    if (was_lost) {
        drop(s);
        /* An answer that came may be believed; but the rule is one for the whole batch, simple to hold. */
        for (size_t i = 0; s->batch_out && !s->batch_done && i < s->count; i++) {
            s->results[i] = (struct store_result){.outcome = STORE_UNKNOWN};
        }
        s->batch_done = s->batch_out;
    }
    if (s->became_up) {
        s->became_up = false;
        s->told_down = false;
        s->handlers.on_up(s->arg);
    }
    if (!s->closing && s->batch_done) {
        report_batch(s);
    }
    if (!s->closing && was_lost) {
        report_down(s);
    }
    s->in_handler = false;
    if (s->closing) {
        store_free(s);
    }
}

/* ---- life -------------------------------------------------------------------------------------------------- */

int store_open(struct store **ret, struct loop *loop, const char *url, const char *cell,
               const struct store_handlers *handlers, void *arg, struct err *err)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        return err_set(err, -ENOMEM, "store: out of memory");
    }
    s->loop = loop;
    s->handlers = *handlers;
    s->arg = arg;
    s->backoff_ms = BACKOFF_FIRST_MS;
    s->random = clock_boot_us() | 1;
    int rc = store_url_parse(url, &s->url, err);
    rc = rc < 0 ? rc : store_prefix(cell, s->prefix, err);
    rc = rc < 0 ? rc : store_password(&s->password, err);
    if (rc == 0 && (timer_new(&s->deadline, loop, on_deadline, s) < 0 || timer_new(&s->retry, loop, on_retry, s) < 0 ||
                    timer_new(&s->post, loop, on_post, s) < 0)) {
        rc = err_set(err, -ENOMEM, "store: out of memory");
    }
    if (rc < 0) {
        store_free(s);
        return rc;
    }
    store_ignore_sigpipe();
    timer_set_us(s->retry, 0); /* callbacks come from the loop, never from in here */
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s || s->closing) {
        return;
    }
    drop(s);
    timer_cancel(s->retry);
    timer_cancel(s->post);
    s->closing = true;
    if (!s->in_handler) {
        store_free(s);
    }
}

bool store_is_up(const struct store *s)
{
    return s->state == UP && !s->lost && !s->closing;
}

/* The connection: coming up, deadlines, lost and lying servers; the blocking calls; seeding. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "quotas/store/store_sync.h"
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

static void seen(struct program *p)
{
    if (p->then) {
        p->then(p);
    }
    loop_stop(p->loop);
}

static void on_up(void *arg)
{
    struct program *p = arg;
    p->ups++;
    seen(p);
}

static void on_down(void *arg, const char *why)
{
    struct program *p = arg;
    p->downs++;
    snprintf(p->why, sizeof p->why, "%s", why);
    seen(p);
}

static void on_committed(void *arg, const struct store_result *results, size_t count)
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

static void on_patience(void *arg)
{
    struct program *p = arg;
    p->late = true;
    loop_stop(p->loop);
}

static void program_start(struct program *p, const char *url)
{
    struct err err = {0};
    static const struct store_handlers handlers = {on_up, on_down, on_committed};
    ck_assert_msg(loop_new(&p->loop, &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(timer_new(&p->patience, p->loop, on_patience, p), 0);
    ck_assert_msg(store_open(&p->store, p->loop, url, "test", &handlers, p, &err) == 0, "%s", err_text(&err));
}

/* Runs until a handler was called; false when none is within `ms`. */
static bool program_run(struct program *p, uint64_t ms)
{
    p->late = false;
    timer_set_ms(p->patience, ms);
    ck_assert_int_eq(loop_run(p->loop, NULL), 0);
    timer_cancel(p->patience);
    return !p->late;
}

static void until_up(struct program *p)
{
    int ups = p->ups;
    while (p->ups == ups) {
        ck_assert_msg(program_run(p, 5000), "it never comes up: %s", p->why);
    }
    ck_assert(store_is_up(p->store));
}

static void program_stop(struct program *p)
{
    store_close(p->store);
    timer_free(p->patience);
    loop_free(p->loop);
}

/* A batch of facts that touch no counters, seqs from `seq` on. */
static int commit_notes(struct program *p, uint64_t term, uint64_t seq, size_t count)
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

static struct store_sync *sync_open(const struct redis_server *r)
{
    struct err err = {0};
    struct store_sync *s = NULL;
    ck_assert_msg(store_sync_open(&s, r->url, "test", &err) == 0, "%s", err_text(&err));
    return s;
}

static struct store_sync *sync_ready(const struct redis_server *r)
{
    struct err err = {0};
    struct store_sync *s = sync_open(r);
    ck_assert_msg(store_load_library(s, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_take_term(s, "w", 1, &err) == 0, "%s", err_text(&err));
    return s;
}

static struct store_status status_of(struct store_sync *s)
{
    struct store_status status;
    struct err err = {0};
    if (store_status(s, &status, &err) < 0) { /* the first call after a break finds the connection dead */
        ck_assert_msg(store_status(s, &status, &err) == 0, "%s", err_text(&err));
    }
    return status;
}

/* ---- the asynchronous connection ------------------------------------------------------------------------------- */

START_TEST(a_batch_is_answered_entry_by_entry)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    program_start(&p, r.url);
    until_up(&p);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 200), 0);
    ck_assert_int_eq(commit_notes(&p, 1, 201, 1), -EBUSY);
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.count, 200);
    for (size_t i = 0; i < p.count; i++) {
        ck_assert_uint_eq(p.results[i].outcome, STORE_OK);
    }
    ck_assert_int_eq(commit_notes(&p, 1, 200, 3), 0);
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.results[0].outcome, STORE_DUP);
    ck_assert_uint_eq(p.results[1].outcome, STORE_OK);
    ck_assert_int_eq(commit_notes(&p, 1, 500, 1), 0);
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.results[0].outcome, STORE_GAP);
    ck_assert_int_eq(commit_notes(&p, 2, 203, 1), 0);
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.results[0].outcome, STORE_FENCED);
    ck_assert_int_eq(commit_notes(&p, 1, 203, 0), 0); /* an empty batch is answered too */
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.count, 0);
    store_note_durable(p.store, 1, 202);
    ck_assert_int_eq(commit_notes(&p, 1, 203, 1), 0);
    ck_assert(program_run(&p, 5000));
    struct store_status status = status_of(s);
    ck_assert_uint_eq(status.seq, 203);
    ck_assert_uint_eq(status.durable, 202);
    ck_assert_uint_eq(status.first_seq, 1);
    ck_assert_int_eq(p.downs, 0);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_stopped_redis_makes_the_batch_unknown_within_the_deadline)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    struct timespec before, after;
    program_start(&p, r.url);
    until_up(&p);
    kill(r.pid, SIGSTOP);
    clock_gettime(CLOCK_MONOTONIC, &before);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 32), 0);
    while (p.batches == 0 || p.downs == 0) {
        ck_assert(program_run(&p, 5000));
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    ck_assert_int_ge(ms, STORE_DEADLINE_MS - 1);
    ck_assert_uint_eq(p.count, 32);
    for (size_t i = 0; i < p.count; i++) {
        ck_assert_uint_eq(p.results[i].outcome, STORE_UNKNOWN);
    }
    ck_assert(!store_is_up(p.store));
    ck_assert_int_eq(commit_notes(&p, 1, 1, 1), -ENOTCONN);
    struct store_status status;
    struct err err = {0};
    ck_assert_int_eq(store_status(s, &status, &err), -ETIMEDOUT); /* the blocking side has the same deadline */
    /* Still stopped: it stays down, says so once, and the loop lives. */
    int downs = p.downs;
    ck_assert(!program_run(&p, 600) || p.downs == downs + 1);
    kill(r.pid, SIGCONT);
    until_up(&p);
    /* What was unknown is asked: the bytes lay in the socket, so all was written. The same seqs again are dups. */
    ck_assert_uint_eq(status_of(s).seq, 32);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 33), 0);
    ck_assert(program_run(&p, 5000));
    ck_assert_uint_eq(p.results[31].outcome, STORE_DUP);
    ck_assert_uint_eq(p.results[32].outcome, STORE_OK);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_killed_redis_is_found_again_by_itself)
{
    struct redis_server r = redis_start(true);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    program_start(&p, r.url);
    until_up(&p);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 8), 0);
    ck_assert(program_run(&p, 5000));
    ck_assert_int_eq(commit_notes(&p, 1, 9, 8), 0);
    redis_kill(&r);
    while (p.batches < 2 || p.downs == 0) {
        ck_assert(program_run(&p, 5000));
    }
    ck_assert_uint_eq(p.results[0].outcome, STORE_UNKNOWN);
    redis_run(&r);
    until_up(&p);
    ck_assert_uint_ge(status_of(s).seq, 8);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_redis_that_is_not_there_yet_is_waited_for_and_named_once)
{
    struct redis_server r = redis_start(false);
    struct program p = {0};
    redis_kill(&r);
    unlink(r.socket);
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_int_eq(p.downs, 1);
    ck_assert_msg(strstr(p.why, "No such file") != NULL, "%s", p.why);
    ck_assert(!program_run(&p, 300)); /* tried again and again, for the same reason: not told */
    redis_run(&r);
    until_up(&p);
    program_stop(&p);
    redis_stop(&r);
}
END_TEST

static void close_it(struct program *p)
{
    if (p->store) {
        store_close(p->store);
        p->store = NULL;
    }
}

START_TEST(it_may_be_closed_inside_its_own_handlers)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program up = {.then = close_it}, batch = {0}, down = {0};
    program_start(&up, r.url);
    ck_assert(program_run(&up, 5000));
    program_stop(&up);
    program_start(&batch, r.url);
    until_up(&batch);
    batch.then = close_it;
    ck_assert_int_eq(commit_notes(&batch, 1, 1, 5), 0);
    ck_assert(program_run(&batch, 5000));
    ck_assert_int_eq(batch.batches, 1);
    program_stop(&batch);
    program_start(&down, r.url);
    until_up(&down);
    down.then = close_it;
    ck_assert_int_eq(commit_notes(&down, 1, 6, 5), 0);
    redis_kill(&r);
    ck_assert(program_run(&down, 5000));
    program_stop(&down);
    /* and with a batch out, from outside */
    redis_run(&r);
    struct program out = {0};
    program_start(&out, r.url);
    until_up(&out);
    ck_assert_int_eq(commit_notes(&out, 1, 1, 5), 0);
    program_stop(&out);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

/* ---- versions -------------------------------------------------------------------------------------------------- */

static void command(struct store_sync *s, const char *const *words)
{
    struct err err = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, words), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s", r->str);
}
#define COMMAND(s, ...) command(s, (const char *const[]){__VA_ARGS__, NULL})

static char *number_of(struct store_sync *s, const char *const *words)
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

static void number_is(struct store_sync *s, const char *const *words, const char *want)
{
    char *got = number_of(s, words);
    ck_assert_str_eq(got, want);
    free(got);
}
#define NUMBER_IS(s, want, ...) number_is(s, (const char *const[]){__VA_ARGS__, NULL}, want)

static void counter_is(struct store_sync *s, const char *field, size_t index, int64_t want)
{
    struct err err = {0};
    int64_t numbers[STORE_T_COUNT];
    CLEANUP(store_reply_free) redisReply *r = NULL;
    ck_assert_int_eq(store_sync_words(s, (const char *const[]){"HGET", "reeve1:{test}:c", field, NULL}), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(r->type == REDIS_REPLY_STRING && store_numbers_read(r->str, r->len, numbers, index + 1), "%s", field);
    ck_assert_msg(numbers[index] == want, "%s: %" PRId64, field, numbers[index]);
}

#define OTHER_LIBRARY(version)                                                                                         \
    "#!lua name=reeve\nredis.register_function{function_name='reeve_library',"                                         \
    "callback=function() return " version " end,flags={'no-writes'}}"

START_TEST(an_older_library_is_replaced_a_newer_or_foreign_one_refused)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_open(&r);
    struct program p = {0};
    struct err err = {0};
    COMMAND(s, "FUNCTION", "LOAD", "REPLACE", OTHER_LIBRARY("2"));
    ck_assert_int_eq(store_load_library(s, &err), -EPROTONOSUPPORT);
    ck_assert_msg(strstr(err_text(&err), "version 2") != NULL, "%s", err_text(&err));
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_int_eq(p.downs, 1);
    ck_assert_msg(strstr(p.why, "version 2") != NULL, "%s", p.why);
    COMMAND(s, "FUNCTION", "LOAD", "REPLACE", "#!lua name=reeve\nredis.register_function('x', function() end)");
    ck_assert_int_eq(store_load_library(s, &err), -EPROTONOSUPPORT);
    COMMAND(s, "FUNCTION", "LOAD", "REPLACE", OTHER_LIBRARY("0"));
    ck_assert_int_eq(store_load_library(s, &err), 0);
    ck_assert_int_eq(store_load_library(s, &err), 0);
    until_up(&p);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(another_schema_is_refused_by_name)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    struct store_status status;
    struct err err = {0};
    COMMAND(s, "HSET", "reeve1:{test}:c", "schema", "9");
    ck_assert_int_eq(store_status(s, &status, &err), -EPROTONOSUPPORT);
    ck_assert_int_eq(store_take_term(s, "w", 5, &err), -EPROTONOSUPPORT);
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_msg(strstr(p.why, "schema") != NULL, "%s", p.why);
    ck_assert(!store_is_up(p.store));
    COMMAND(s, "HSET", "reeve1:{test}:c", "schema", "1", "seq", "12x");
    ck_assert_int_eq(store_status(s, &status, &err), -EBADMSG);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_term_is_taken_only_upwards)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_open(&r);
    struct err err = {0};
    ck_assert(status_of(s).empty);
    ck_assert_int_eq(store_load_library(s, &err), 0);
    ck_assert_int_eq(store_take_term(s, "w", 7, &err), 0);
    ck_assert_int_eq(store_take_term(s, "w", 7, &err), -ESTALE);
    ck_assert_int_eq(store_take_term(s, "v", 6, &err), -ESTALE);
    ck_assert_msg(strstr(err_text(&err), "7") != NULL, "%s", err_text(&err));
    ck_assert_int_eq(store_take_term(s, "v", 8, &err), 0);
    ck_assert_int_eq(store_take_term(s, "", 9, &err), -EINVAL);
    struct store_status status = status_of(s);
    ck_assert_uint_eq(status.term, 8);
    ck_assert_str_eq(status.writer, "v");
    ck_assert_uint_eq(status.seq, 0);
    ck_assert(!status.empty);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static const struct { const char *url, *where; int port; } urls[] = {
    {"unix:/run/redis.sock", "/run/redis.sock", 0}, {"tcp:localhost:6379", "localhost", 6379},
    {"tcp:[::1]:6379", "::1", 6379}, {"tcp:10.0.0.1:1", "10.0.0.1", 1},
    {"unix:", NULL, 0}, {"tcp:host", NULL, 0}, {"tcp:host:0", NULL, 0}, {"tcp:host:65536", NULL, 0},
    {"tcp::6379", NULL, 0}, {"redis://host", NULL, 0}, {"", NULL, 0}, {"tcp:host:6379x", NULL, 0},
};

START_TEST(addresses)
{
    struct store_url url;
    struct err err = {0};
    int rc = store_url_parse(urls[_i].url, &url, &err);
    ck_assert_msg(rc == (urls[_i].where ? 0 : -EINVAL), "'%s'", urls[_i].url);
    if (rc == 0) {
        ck_assert_str_eq(url.where, urls[_i].where);
        ck_assert_int_eq(url.port, urls[_i].port);
    }
}
END_TEST

START_TEST(a_cell_is_a_name)
{
    char prefix[STORE_PREFIX_MAX];
    ck_assert_int_eq(store_prefix("main", prefix, NULL), 0);
    ck_assert_str_eq(prefix, "reeve1:{main}:");
    ck_assert_int_lt(store_prefix("a}b", prefix, NULL), 0);
    ck_assert_int_lt(store_prefix("*", prefix, NULL), 0);
    ck_assert_int_lt(store_prefix("", prefix, NULL), 0);
}
END_TEST

START_TEST(a_password_comes_from_its_file)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_open(&r);
    struct store_sync *refused = NULL;
    struct err err = {0};
    char path[128];
    COMMAND(s, "CONFIG", "SET", "requirepass", "secret");
    snprintf(path, sizeof path, "%s/password", r.dir);
    ck_assert_int_eq(file_write_durable(path, "secret\n", 7, 0600, &err), 0);
    struct store_sync *plain = NULL;
    ck_assert_int_eq(store_sync_open(&plain, r.url, "test", &err), 0);
    struct store_status status;
    ck_assert_int_eq(store_status(plain, &status, &err), -EBADMSG); /* NOAUTH */
    store_sync_close(plain);
    setenv("REEVE_REDIS_PASSWORD_FILE", path, 1);
    struct store_sync *known = sync_open(&r);
    ck_assert(status_of(known).empty);
    store_sync_close(known);
    struct program p = {0};
    program_start(&p, r.url);
    until_up(&p);
    program_stop(&p);
    ck_assert_int_eq(file_write_durable(path, "wrong\n", 6, 0600, &err), 0);
    ck_assert_int_lt(store_sync_open(&refused, r.url, "test", &err), 0);
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_msg(strstr(p.why, "AUTH") != NULL, "%s", p.why);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

/* ---- servers that lie ------------------------------------------------------------------------------------------ */

static const struct { const char *what, *bytes; } lies[] = {
    {"nothing, and the end", ""},
    {"no protocol at all", "HTTP/1.1 400 Bad Request\r\n\r\n"},
    {"half a reply", "*2\r\n$3\r\nab"},
    {"a status where a list belongs", "+OK\r\n+OK\r\n+OK\r\n"},
    {"numbers", ":1\r\n:2\r\n:3\r\n"},
    {"an error", "-ERR no\r\n-ERR no\r\n"},
    {"still loading", "-LOADING Redis is loading the dataset in memory\r\n"},
    {"nil lists", "*-1\r\n*-1\r\n"},
    {"lists of nothing", "*1\r\n*0\r\n"},
    {"a library of nils", "*1\r\n*2\r\n$-1\r\n$-1\r\n"},
    {"an endless list", "*2147483647\r\n"},
    {"a negative length", "$-7\r\n"},
    {"a string of 2 GiB", "$2147483647\r\n"},
    {"deep nesting", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"},
    {"a library absent, its loading refused", "*0\r\n-ERR no\r\n"},
    {"everything well but the schema", "*0\r\n$5\r\nreeve\r\n*2\r\n$1\r\n8\r\n$1\r\n1\r\n"},
};

/* Accepts connections and answers whatever comes with `bytes`, until killed. */
static pid_t liar(const char *path, const char *bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(sock, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(sock, 16), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            char in[65536];
            int c = accept(sock, NULL, NULL);
            ssize_t got = read(c, in, sizeof in);
            got = got > 0 ? write(c, bytes, strlen(bytes)) : got;
            close(c);
        }
    }
    close(sock);
    return pid;
}

START_TEST(a_lying_server_is_a_down_server)
{
    char dir[] = "/tmp/reeve-liar-XXXXXX", path[64], url[80];
    struct store_sync *s = NULL;
    struct store_status status;
    struct err err = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(url, sizeof url, "unix:%s", path);
    pid_t pid = liar(path, lies[_i].bytes);
    struct program p = {0};
    program_start(&p, url);
    ck_assert_msg(program_run(&p, 5000), "%s", lies[_i].what);
    ck_assert_int_eq(p.ups, 0);
    ck_assert_int_eq(p.downs, 1);
    (void)program_run(&p, 100);
    ck_assert_int_eq(p.ups, 0);
    program_stop(&p);
    if (store_sync_open(&s, url, "test", &err) == 0) {
        ck_assert_msg(store_status(s, &status, &err) < 0, "%s", lies[_i].what);
        ck_assert_msg(store_load_library(s, &err) < 0, "%s", lies[_i].what);
        ck_assert_msg(store_take_term(s, "w", 1, &err) < 0, "%s", lies[_i].what);
        ck_assert_msg(store_wipe(s, &err) < 0, "%s", lies[_i].what);
        struct list list = {0};
        ck_assert_msg(store_accounts(s, &list, &err) < 0 || list.count == 0, "%s", lies[_i].what);
        ck_assert_msg(store_tenants(s, &list, &err) < 0 || list.count == 0, "%s", lies[_i].what);
        uint64_t holds;
        int64_t micros;
        ck_assert_msg(store_holds(s, &holds, &micros, &err) < 0, "%s", lies[_i].what);
        store_sync_close(s);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(dir_remove(dir, &err), 0);
}
END_TEST

static const struct { const char *what; int type; const char *first, *second; uint32_t outcome; } replies[] = {
    {"ok is ok", REDIS_REPLY_STRING, "ok", NULL, STORE_OK},
    {"dup is dup", REDIS_REPLY_STRING, "dup", NULL, STORE_DUP},
    {"okay is nothing", REDIS_REPLY_STRING, "okay", NULL, STORE_UNKNOWN},
    {"an error is nothing", REDIS_REPLY_ERROR, "ok", NULL, STORE_UNKNOWN},
    {"a refusal has a code and a place", REDIS_REPLY_ARRAY, "budget", "acme@2026-11", STORE_REFUSED},
    {"a refusal without a code is nothing", REDIS_REPLY_ARRAY, "", "acme", STORE_UNKNOWN},
    {"a code of control characters is nothing", REDIS_REPLY_ARRAY, "bud\nget", "acme", STORE_UNKNOWN},
    {"a code without end is nothing", REDIS_REPLY_ARRAY, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "acme", STORE_UNKNOWN},
};

START_TEST(replies_are_read_strictly)
{
    char first[128], second[128];
    snprintf(first, sizeof first, "%s", replies[_i].first);
    snprintf(second, sizeof second, "%s", replies[_i].second ? replies[_i].second : "");
    redisReply parts[2] = {{.type = REDIS_REPLY_STRING, .str = first, .len = strlen(first)},
                           {.type = REDIS_REPLY_STRING, .str = second, .len = strlen(second)}};
    redisReply *elements[2] = {&parts[0], &parts[1]};
    redisReply r = {.type = replies[_i].type, .str = first, .len = strlen(first)};
    if (replies[_i].type == REDIS_REPLY_ARRAY) {
        r = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 2, .element = elements};
    }
    struct store_result result = {.outcome = STORE_UNKNOWN};
    int rc = store_reply_result(&r, &result, NULL);
    ck_assert_msg((rc == 0) == (replies[_i].outcome != STORE_UNKNOWN), "%s", replies[_i].what);
    ck_assert_msg(result.outcome == replies[_i].outcome, "%s", replies[_i].what);
}
END_TEST

/* ---- keys, trim, wipe, seed ------------------------------------------------------------------------------------ */

static struct store_result write_fact(struct store_sync *s, uint64_t seq, const struct fact *fact)
{
    struct err err = {0};
    struct store_result result = {0};
    CLEANUP(buf_fini) struct buf bytes = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    fact_encode(fact, &bytes);
    struct store_entry e = {seq, (const uint8_t *)bytes.data, bytes.len, fact};
    struct store_head head = {s->prefix, "w", 1, 0, ""};
    ck_assert_int_eq(store_call_build(&s->call, &head, &e), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_reply_result(r, &result, &err) == 0, "%s", err_text(&err));
    return result;
}

static void both(struct store_sync *s, struct ledger *l, uint64_t seq, struct fact fact)
{
    struct store_result r = write_fact(s, seq, &fact);
    ck_assert_msg(r.outcome == STORE_OK, "%s %s", r.refusal, r.detail);
    ledger_apply(l, &fact);
    fact_clear(&fact);
}

START_TEST(an_idempotency_key_outlives_its_job_for_a_day)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct ledger *l = NULL;
    struct attempt_id id = {1, 0, 1};
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact policy = fact_policy(AT_NOVEMBER);
    fact_tenant(&policy, "acme")->quota.max_queued = 1;
    both(s, l, 1, policy);
    struct fact again = fact_submit(l, AT_NOVEMBER, 2, "acme", "k", 1, 0);
    struct fact other = fact_submit(l, AT_NOVEMBER, 3, "acme", "k", 2, 0);
    both(s, l, 2, fact_submit(l, AT_NOVEMBER, 1, "acme", "k", 1, 0));
    NUMBER_IS(s, "-1", "TTL", "reeve1:{test}:i:acme:k");
    /* found also when the queue is full by now */
    struct store_result result = write_fact(s, 3, &again);
    ck_assert_str_eq(result.refusal, "key_exists");
    ck_assert_str_eq(result.detail, "1");
    result = write_fact(s, 4, &other);
    ck_assert_str_eq(result.refusal, "key_conflict");
    ck_assert_str_eq(result.detail, "1");
    both(s, l, 5, fact_place(l, AT_NOVEMBER, id, "acme", false, 5));
    both(s, l, 6, fact_end(AT_NOVEMBER, id, 5, NEXT_FINAL, true));
    NUMBER_IS(s, "86400", "TTL", "reeve1:{test}:i:acme:k");
    NUMBER_IS(s, "0", "HEXISTS", "reeve1:{test}:c", "k:1");
    ck_assert_str_eq(write_fact(s, 7, &again).refusal, "key_exists");
    COMMAND(s, "DEL", "reeve1:{test}:i:acme:k"); /* expired */
    ck_assert_uint_eq(write_fact(s, 8, &again).outcome, STORE_OK);
    fact_clear(&again);
    fact_clear(&other);
    ledger_free(l);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(memory_that_is_full_refuses_before_anything_is_written)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    program_start(&p, r.url);
    until_up(&p);
    COMMAND(s, "CONFIG", "SET", "maxmemory", "1");
    ck_assert_int_eq(commit_notes(&p, 1, 1, 4), 0);
    while (p.downs == 0) {
        ck_assert(program_run(&p, 5000));
    }
    ck_assert_msg(strstr(p.why, "OOM") != NULL, "%s", p.why);
    ck_assert_uint_eq(p.results[0].outcome, STORE_UNKNOWN);
    ck_assert_uint_eq(status_of(s).seq, 0);
    COMMAND(s, "CONFIG", "SET", "maxmemory", "0");
    until_up(&p);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 4), 0);
    int batches = p.batches;
    while (p.batches == batches) {
        ck_assert(program_run(&p, 5000));
    }
    ck_assert_uint_eq(p.results[3].outcome, STORE_OK);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_wipe_takes_only_its_own_cell_and_a_trim_only_what_is_older)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r), *other = NULL;
    struct err err = {0};
    struct fact note = {.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 0, 1}}};
    ck_assert_int_eq(store_sync_open(&other, r.url, "tes", &err), 0);
    ck_assert_int_eq(store_take_term(other, "w", 1, &err), 0);
    for (uint64_t seq = 1; seq <= 300; seq++) {
        ck_assert_uint_eq(write_fact(s, seq, &note).outcome, STORE_OK);
        ck_assert_uint_eq(write_fact(other, seq, &note).outcome, STORE_OK);
    }
    COMMAND(s, "SET", "theirs", "1");
    ck_assert_int_eq(store_trim(s, 100, &err), 0);
    ck_assert_uint_eq(status_of(s).first_seq, 100);
    ck_assert_uint_eq(status_of(s).seq, 300);
    ck_assert_int_eq(store_trim(s, 301, &err), 0);
    ck_assert_uint_eq(status_of(s).first_seq, 301);
    ck_assert_uint_eq(write_fact(s, 301, &note).outcome, STORE_OK);
    ck_assert_int_eq(store_wipe(s, &err), 0);
    ck_assert(status_of(s).empty);
    ck_assert_uint_eq(write_fact(s, 302, &note).outcome, STORE_FENCED); /* without its meta a cell takes nothing */
    ck_assert_uint_eq(status_of(other).seq, 300);
    NUMBER_IS(s, "1", "GET", "theirs");
    NUMBER_IS(s, "3", "DBSIZE"); /* theirs; the other's hash and journal */
    store_sync_close(other);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

static bool snapshot_account(const struct account_view *v, void *arg)
{
    struct snapshot_account *a = list_add(arg, sizeof *a);
    ck_assert_ptr_nonnull(a);
    set_text(&a->name, v->name);
    a->limit_micros = v->limit_micros;
    a->spent_micros = v->spent_micros;
    return true;
}

START_TEST(a_seeded_redis_goes_on_where_the_ledger_stands)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct ledger *l = NULL;
    struct err err = {0};
    struct attempt_id id = {1, 0, 1};
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    /* The state as a journal of facts made it. */
    struct fact snapshot[4] = {fact_policy(AT_NOVEMBER)};
    struct tenant_rule *acme = fact_tenant(&snapshot[0], "acme");
    acme->budget = (struct budget_rule){true, 1000, PERIOD_MONTH};
    must(counts_set(&acme->quota.max.generic, "gpu", 4));
    fact_tenant(&snapshot[0], "acme/ml")->quota.max.cpu_milli = 2000;
    ledger_apply(l, &snapshot[0]);
    struct fact submitted = fact_submit(l, AT_NOVEMBER, 1, "acme/ml", "k", 3, 500);
    must(counts_set(&submitted.submitted.spec.resources.generic, "gpu", 2));
    struct fact placed = fact_place(l, AT_NOVEMBER, id, "acme/ml", true, 100);
    must(counts_set(&placed.placed.resources.generic, "gpu", 2));
    ledger_apply(l, &submitted);
    ledger_apply(l, &placed);
    struct fact renewed = fact_renew(l, AT_NOVEMBER, id, "acme/ml", true, 60, 50);
    ledger_apply(l, &renewed);
    /* The same as a snapshot. */
    snapshot[1].kind = FACT_SNAPSHOT_CELL;
    ledger_each_account(l, snapshot_account, &snapshot[1].snapshot_cell.accounts);
    snapshot[2].kind = FACT_SNAPSHOT_JOB;
    snapshot[2].snapshot_job.submitted = submitted.submitted;
    struct snapshot_task *t = list_add(&snapshot[2].snapshot_job.tasks, sizeof *t);
    *t = (struct snapshot_task){.epoch = 1, .state = TASK_RUNNING, .spent_micros = 60, .hold_micros = 50};
    add_texts(&t->accounts, &renewed.renewed.accounts);
    snapshot[3] = (struct fact){.kind = FACT_SNAPSHOT_JOB};
    snapshot[3].snapshot_job.submitted = fact_submit(l, AT_NOVEMBER, 2, "acme", "done", 1, 0).submitted;
    must(counts_set(&snapshot[3].snapshot_job.ended, "succeeded", 1));

    ck_assert_int_eq(store_seed(s, "w", 1, 40, snapshot, 4, &err), -EEXIST);
    ck_assert_int_eq(store_wipe(s, &err), 0);
    ck_assert_msg(store_seed(s, "w", 1, 40, snapshot, 4, &err) == 0, "%s", err_text(&err));
    struct store_status status = status_of(s);
    ck_assert_uint_eq(status.seq, 40);
    ck_assert_uint_eq(status.durable, 40);
    ck_assert_uint_eq(status.first_seq, 41);
    counter_is(s, "t:acme gpu", STORE_G_USED, 2);
    counter_is(s, "t:acme gpu", STORE_G_LIMIT, 4);
    counter_is(s, "t:/", STORE_T_QUEUED, 2);
    counter_is(s, "t:acme", STORE_T_CHILDREN, 1);
    counter_is(s, "t:acme", STORE_T_BUDGET, 1000);
    counter_is(s, "t:acme/ml", STORE_T_LIMIT_CPU, 2000);
    counter_is(s, "a:job:1", STORE_A_HELD, 50);
    counter_is(s, "a:acme@2026-11", STORE_A_SPENT, 60);
    NUMBER_IS(s, "-1", "TTL", "reeve1:{test}:i:acme/ml:k");
    NUMBER_IS(s, "86400", "TTL", "reeve1:{test}:i:acme:done");
    /* It goes on: the limits hold, the attempt settles, the keys are known. */
    struct fact more = fact_place(l, AT_NOVEMBER, (struct attempt_id){1, 1, 2}, "acme/ml", true, 900);
    ck_assert_str_eq(write_fact(s, 41, &more).refusal, "budget");
    ck_assert_str_eq(write_fact(s, 42, &submitted).refusal, "key_exists");
    struct fact gone = fact_policy(AT_NOVEMBER);
    must(strs_add(&gone.policy.removed, "acme"));
    ck_assert_str_eq(write_fact(s, 43, &gone).refusal, "in_use");
    both(s, l, 44, fact_end(AT_NOVEMBER, id, 110, NEXT_FINAL, false));
    uint64_t holds;
    int64_t micros;
    ck_assert_int_eq(store_holds(s, &holds, &micros, &err), 0);
    ck_assert_uint_eq(holds, 0);
    counter_is(s, "t:acme gpu", STORE_G_USED, 0);
    counter_is(s, "a:/@total", STORE_A_SPENT, 110);
    fact_clear(&gone);
    fact_clear(&more);
    fact_clear(&placed);
    fact_clear(&renewed);
    for (size_t i = 0; i < COUNT_OF(snapshot); i++) {
        fact_clear(&snapshot[i]); /* the submitted one lies in snapshot[2] */
    }
    ledger_free(l);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/store");
    TCase *t = tcase_create("store");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_batch_is_answered_entry_by_entry);
    tcase_add_test(t, a_stopped_redis_makes_the_batch_unknown_within_the_deadline);
    tcase_add_test(t, a_killed_redis_is_found_again_by_itself);
    tcase_add_test(t, a_redis_that_is_not_there_yet_is_waited_for_and_named_once);
    tcase_add_test(t, it_may_be_closed_inside_its_own_handlers);
    tcase_add_test(t, an_older_library_is_replaced_a_newer_or_foreign_one_refused);
    tcase_add_test(t, another_schema_is_refused_by_name);
    tcase_add_test(t, a_term_is_taken_only_upwards);
    tcase_add_loop_test(t, addresses, 0, (int)COUNT_OF(urls));
    tcase_add_test(t, a_cell_is_a_name);
    tcase_add_test(t, a_password_comes_from_its_file);
    tcase_add_loop_test(t, a_lying_server_is_a_down_server, 0, (int)COUNT_OF(lies));
    tcase_add_loop_test(t, replies_are_read_strictly, 0, (int)COUNT_OF(replies));
    tcase_add_test(t, an_idempotency_key_outlives_its_job_for_a_day);
    tcase_add_test(t, memory_that_is_full_refuses_before_anything_is_written);
    tcase_add_test(t, a_wipe_takes_only_its_own_cell_and_a_trim_only_what_is_older);
    tcase_add_test(t, a_seeded_redis_goes_on_where_the_ledger_stands);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

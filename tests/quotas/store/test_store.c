/* The connection: coming up, deadlines, lost and lying servers, other versions. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/quotas/store/store_program.h"
#include "tests/run.h"

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

#define OTHER_LIBRARY(version)                                                                                         \
    "#!lua name=reeve\nredis.register_function{function_name='reeve_library',"                                         \
    "callback=function() return " version " end,flags={'no-writes'}}"

START_TEST(an_older_library_is_replaced_a_newer_or_foreign_one_refused)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_open(&r);
    struct program p = {0};
    struct err err = {0};
    COMMAND(s, "FUNCTION", "LOAD", "REPLACE", OTHER_LIBRARY("99"));
    ck_assert_int_eq(store_load_library(s, &err), -EPROTONOSUPPORT);
    ck_assert_msg(strstr(err_text(&err), "version 99") != NULL, "%s", err_text(&err));
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_int_eq(p.downs, 1);
    ck_assert_msg(strstr(p.why, "version 99") != NULL, "%s", p.why);
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
    COMMAND(s, "HSET", "reeve3:{test}:c", "schema", "9");
    ck_assert_int_eq(store_status(s, &status, &err), -EPROTONOSUPPORT);
    ck_assert_int_eq(store_take_term(s, "w", 5, &err), -EPROTONOSUPPORT);
    program_start(&p, r.url);
    ck_assert(program_run(&p, 5000));
    ck_assert_msg(strstr(p.why, "schema") != NULL, "%s", p.why);
    ck_assert(!store_is_up(p.store));
    COMMAND(s, "HSET", "reeve3:{test}:c", "schema", "3", "seq", "12x");
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
    ck_assert_str_eq(prefix, "reeve3:{main}:");
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
    char dir[64], path[80], url[96];
    struct store_sync *s = NULL;
    struct store_status status;
    struct err err = {0};
    test_dir(dir);
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
    redisReply *element = &r, run = {.type = REDIS_REPLY_ARRAY, .elements = 1, .element = &element};
    int rc = store_reply_results(&run, &result, 1, NULL);
    ck_assert_msg((rc == 0) == (replies[_i].outcome != STORE_UNKNOWN), "%s", replies[_i].what);
    ck_assert_msg(result.outcome == replies[_i].outcome, "%s", replies[_i].what);
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
    suite_add_tcase(s, t);
    test_top_make();
    int rc = run_suite(s);
    test_top_remove();
    return rc;
}

/* Both clients of rpc: the blocking one of the CLI and the asynchronous one of the daemons; also beside a server that
 * is not ours and answers what it likes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/base/io/echo_server.h"
#include "tests/run.h"

static struct scratch scratch;
static struct echo_server server;
static struct rpc_client *client;
static struct refusal refusal;
static struct err err;

static void setup(void)
{
    scratch = scratch_new();
    server = echo_server_start(scratch_path(&scratch, "s"), RPC_LINE_MS, 8);
    ck_assert_msg(rpc_client_open(&client, server.path, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    rpc_client_close(client);
    echo_server_stop(&server);
    scratch_remove(&scratch);
}

static int call(int method, char *text, uint64_t n, uint32_t timeout_ms, struct echo *ret)
{
    struct echo params = {.text = text, .n = n};
    return rpc_client_call(client, &echo_methods[method], &params, timeout_ms, ret, &refusal, &err);
}

static char hello[] = "h\xc3\xa4llo \"quoted\" \n\t\x01";

START_TEST(what_is_sent_comes_back)
{
    for (uint64_t i = 0; i < 100; i++) {
        struct echo e = {0};
        ck_assert_msg(call(ECHO, hello, UINT64_MAX / 2 - i, 5000, &e) == 0, "%s", err.text);
        ck_assert_str_eq(e.text, hello);
        ck_assert_uint_eq(e.n, UINT64_MAX / 2 - i);
        fields_clear(&echo_fields, &e);
    }
}
END_TEST

START_TEST(an_answer_of_megabytes_arrives_whole)
{
    struct echo e = {0};
    ck_assert_msg(call(BIG, NULL, 3000000, 0, &e) == 0, "%s", err.text);
    ck_assert_uint_eq(strlen(e.text), 3000000);
    fields_clear(&echo_fields, &e);
}
END_TEST

static const struct {
    const char *what;
    int method, rc;
    const char *code, *text; /* of the refusal; or of err */
} outcomes[] = {
    {"a refusal brings code, place and hint", REFUSE, 1, "budget", "no"},
    {"unavailable is a refusal that says when", BUSY, 1, "unavailable", "store unavailable"},
    {"a method the server does not have", NOT_HANDLED, -ENOSYS, NULL, "not_handled: no such method: not_handled"},
    {"a server that hangs up", HANG_UP, -ECONNRESET, NULL, "hang_up: wait for the answer: the connection was closed"},
    {"a server that says nothing", SILENT, -ETIMEDOUT, NULL, "silent: wait for the answer: Connection timed out"},
};

START_TEST(outcome)
{
    struct echo e = {0};
    int rc = call(outcomes[_i].method, NULL, 0, outcomes[_i].method == SILENT ? 20 : 5000, &e);
    ck_assert_msg(rc == outcomes[_i].rc, "%s: %d %s", outcomes[_i].what, rc, err.text);
    ck_assert_uint_eq(e.n, 0);
    if (rc < 0) {
        ck_assert_str_eq(err.text, outcomes[_i].text);
        return;
    }
    ck_assert_str_eq(refusal.code, outcomes[_i].code);
    ck_assert_str_eq(refusal.message, outcomes[_i].text);
    if (outcomes[_i].method == BUSY)
        ck_assert_uint_eq(refusal.retry_after_ms, 250);
    fields_clear(&refusal_fields, &refusal);
}
END_TEST

START_TEST(wrong_parameters_are_a_refusal)
{
    static const struct field rows[] = {FIELD_ROW(echo, 1, "txt", FIELD_STR, text, .flags = FIELD_ESCAPED)};
    static const struct fields wrong = FIELDS_TABLE("echo", echo, rows);
    const struct method m = {.name = "echo", .params = &wrong, .result = &echo_fields};
    struct echo params = {.text = hello}, e = {0};
    ck_assert_int_eq(rpc_client_call(client, &m, &params, 5000, &e, &refusal, &err), 1);
    ck_assert_str_eq(refusal.code, "bad_request");
    ck_assert_ptr_nonnull(strstr(refusal.message, "txt"));
    fields_clear(&refusal_fields, &refusal);
}
END_TEST

START_TEST(after_a_timeout_the_late_answer_is_skipped)
{
    struct echo e = {0};
    ck_assert_int_eq(call(LATER, NULL, 0, 20, &e), -ETIMEDOUT);
    ck_assert_int_eq(call(RELEASE, NULL, 0, 5000, NULL), 0); /* now both answers of LATER lie in front */
    ck_assert_msg(call(ECHO, NULL, 42, 5000, &e) == 0, "%s", err.text);
    ck_assert_uint_eq(e.n, 42);
}
END_TEST

START_TEST(nobody_there)
{
    struct rpc_client *c = NULL;
    ck_assert_int_eq(rpc_client_open(&c, scratch_path(&scratch, "none"), &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "none': No such file or directory"));
    ck_assert_ptr_null(c);
}
END_TEST

/* ---- a server that is not ours ---------------------------------------------------------------------------- */

static const struct {
    const char *what, *bytes;
    int rc;
} strange[] = {
    {"an answer that is not JSON", "{\"jsonrpc\n", -EPROTO},
    {"an answer of a wrong shape", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":\"x\"}}\n", -EPROTO},
    {"a result that is no object", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}\n", -EPROTO},
    {"an error that is none", "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}\n", -EPROTO},
    {"the end in the middle of the answer", "{\"jsonrpc\":\"2.0\",\"id\":1,\"res", -ECONNRESET},
    {"somebody else's answer, then the end", "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n", -ECONNRESET},
    {"fields of a later version are skipped", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1,\"later\":[{}]}}\n",
     0},
    {"a notification before the answer is skipped",
     "{\"jsonrpc\":\"2.0\",\"method\":\"hey\"}\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1}}\n", 0},
    {"turned away before it was asked",
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":2,\"message\":\"too many connections\"}}\n", 1},
};

START_TEST(strange_server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/strange", scratch.dir);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    struct rpc_client *c;
    ck_assert_int_eq(rpc_client_open(&c, address.sun_path, &err), 0);
    int peer = accept(listener, NULL, NULL);
    ck_assert_int_eq(fd_write_all(peer, strange[_i].bytes, strlen(strange[_i].bytes)), 0);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    struct echo params = {.n = 1}, e = {0};
    int rc = rpc_client_call(c, &echo_methods[ECHO], &params, 5000, &e, &refusal, &err);
    ck_assert_msg(rc == strange[_i].rc, "%s: %d %s", strange[_i].what, rc, err.text);
    fields_clear(&refusal_fields, &refusal);
    rpc_client_close(c);
    close(peer);
    close(listener);
}
END_TEST

/* ---- the asynchronous client ------------------------------------------------------------------------------ */

static struct loop *loop;
static struct rpc_conn *conn;
static char seen[256];

static void note(const char *what)
{
    strncat(seen, what, sizeof seen - strlen(seen) - 1);
}

static void on_reply(void *arg, const void *result, const struct err *e)
{
    char text[128];
    int value = result != NULL ? (int)((const struct echo *)result)->n : e->code;
    snprintf(text, sizeof text, "%s=%d ", (const char *)arg, value);
    note(text);
    if (strcmp(arg, "last") == 0)
        loop_stop(loop);
}

static char first[] = "first", second[] = "second", last[] = "last";

static void on_open_pipeline(void *arg, struct rpc_conn *c)
{
    (void)arg;
    struct echo params = {.n = 5};
    note("open ");
    ck_assert_int_eq(rpc_call(c, &echo_methods[LATER], &params, on_reply, first), 0);
    ck_assert_int_eq(rpc_call(c, &echo_methods[REFUSE], &params, on_reply, second), 0);
    ck_assert_int_eq(rpc_call(c, &echo_methods[BUSY], &params, on_reply, second), 0);
    ck_assert_int_eq(rpc_notify(c, &echo_methods[RELEASE], NULL), 0);
    ck_assert_int_eq(rpc_call(c, &echo_methods[ECHO], &params, on_reply, last), 0);
}

static void on_open_hang_up(void *arg, struct rpc_conn *c)
{
    (void)arg;
    ck_assert_int_eq(rpc_call(c, &echo_methods[SILENT], NULL, on_reply, first), 0);
    ck_assert_int_eq(rpc_call(c, &echo_methods[HANG_UP], NULL, on_reply, second), 0);
}

static void on_close(void *arg, struct rpc_conn *c, const char *why)
{
    (void)arg;
    ck_assert_ptr_eq(c, conn);
    ck_assert_int_eq(rpc_notify(c, &echo_methods[RELEASE], NULL), -ENOTCONN);
    note(why);
    loop_stop(loop);
}

static void run_with(void (*on_open)(void *arg, struct rpc_conn *c))
{
    const struct rpc_handlers h = {.on_open = on_open, .on_close = on_close};
    ck_assert_int_eq(loop_new(&loop, NULL), 0);
    ck_assert_msg(rpc_connect(&conn, loop, server.path, &h, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(loop_run(loop, &err) == 0, "%s", err.text);
}

START_TEST(calls_in_flight_find_their_replies)
{
    run_with(on_open_pipeline);
    rpc_close(conn);
    loop_free(loop);
    char want[128];
    snprintf(want, sizeof want, "open second=%d second=%d first=7 last=5 ", -EPERM, -EAGAIN);
    ck_assert_str_eq(seen, want);
}
END_TEST

START_TEST(the_end_answers_every_waiting_call_then_says_why)
{
    run_with(on_open_hang_up);
    loop_free(loop);
    char want[128];
    snprintf(want, sizeof want, "first=%d second=%d closed by the peer", -ECONNRESET, -ECONNRESET);
    ck_assert_str_eq(seen, want);
}
END_TEST

START_TEST(closing_ourselves_answers_waiting_calls_and_tells_nobody_else)
{
    const struct rpc_handlers h = {.on_close = on_close};
    ck_assert_int_eq(loop_new(&loop, NULL), 0);
    ck_assert_int_eq(rpc_connect(&conn, loop, server.path, &h, NULL, &err), 0);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(rpc_call(conn, &echo_methods[SILENT], NULL, on_reply, i == 39 ? last : first), 0);
    rpc_close(conn);
    loop_free(loop);
    ck_assert_ptr_nonnull(strstr(seen, "first="));
    ck_assert_ptr_null(strstr(seen, "closed"));
}
END_TEST

START_TEST(connecting_to_nobody_fails_at_once)
{
    const struct rpc_handlers h = {.on_close = on_close};
    ck_assert_int_eq(loop_new(&loop, NULL), 0);
    ck_assert_int_eq(rpc_connect(&conn, loop, scratch_path(&scratch, "none"), &h, NULL, &err), -ENOENT);
    loop_free(loop);
}
END_TEST

START_TEST(a_peer_that_never_reads_fills_up_to_a_refusal)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/deaf", scratch.dir);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    const struct rpc_handlers h = {0};
    ck_assert_int_eq(loop_new(&loop, NULL), 0);
    ck_assert_int_eq(rpc_connect(&conn, loop, address.sun_path, &h, NULL, &err), 0);
    struct echo params = {.text = calloc(1, 1000001)};
    memset(params.text, 'x', 1000000);
    int rc = 0, sent = 0;
    while ((rc = rpc_notify(conn, &echo_methods[ECHO], &params)) == 0 && sent < 100)
        sent++;
    ck_assert_int_eq(rc, -ENOBUFS);
    ck_assert_int_ge(sent, 8);
    ck_assert_int_lt(sent, 20);
    free(params.text);
    rpc_close(conn);
    loop_free(loop);
    close(listener);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("clients");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_sent_comes_back);
    tcase_add_test(t, an_answer_of_megabytes_arrives_whole);
    tcase_add_loop_test(t, outcome, 0, COUNT_OF(outcomes));
    tcase_add_test(t, wrong_parameters_are_a_refusal);
    tcase_add_test(t, after_a_timeout_the_late_answer_is_skipped);
    tcase_add_test(t, nobody_there);
    tcase_add_loop_test(t, strange_server, 0, COUNT_OF(strange));
    tcase_add_test(t, calls_in_flight_find_their_replies);
    tcase_add_test(t, the_end_answers_every_waiting_call_then_says_why);
    tcase_add_test(t, closing_ourselves_answers_waiting_calls_and_tells_nobody_else);
    tcase_add_test(t, connecting_to_nobody_fails_at_once);
    tcase_add_test(t, a_peer_that_never_reads_fills_up_to_a_refusal);
    Suite *s = suite_create("base/io/rpc_client");
    suite_add_tcase(s, t);
    return run_suite(s);
}

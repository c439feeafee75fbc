/* The server side of rpc against well-behaved and hostile peers that speak bytes, not our client. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/base/io/echo_server.h"
#include "tests/run.h"

static struct scratch scratch;
static struct echo_server server;
static int sock = -1;
static char in[9 << 20];

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server.path, strlen(server.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void start(uint32_t line_ms, size_t connections_max)
{
    scratch = scratch_new();
    server = echo_server_start(scratch_path(&scratch, "s"), line_ms, connections_max);
    sock = dial();
    echo_server_expect(&server, "open parent");
}

static void setup(void)
{
    start(RPC_LINE_MS, 8);
}

static void teardown(void)
{
    close_p(&sock);
    echo_server_stop(&server);
    scratch_remove(&scratch);
}

static void put(const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(sock, at, len, MSG_NOSIGNAL);
        if (n < 0)
            return; /* the server has enough of us: what it says is in the socket */
        at += n;
        len -= (size_t)n;
    }
}

static void say(const char *text)
{
    put(text, strlen(text));
}

/* One line of the server's, without its newline; "" at the end. */
static const char *hear(void)
{
    for (size_t at = 0;;) {
        ssize_t n = recv(sock, in + at, MIN(sizeof in - at - 1, (size_t)1 << 16), MSG_PEEK);
        ck_assert_msg(n >= 0 || errno == ECONNRESET, "no answer: %s", strerror(errno));
        char *end = n > 0 ? memchr(in + at, '\n', (size_t)n) : in + at;
        size_t take = end != NULL ? (size_t)(end - (in + at)) + (n > 0) : (size_t)n;
        if (take > 0)
            ck_assert_int_eq(recv(sock, in + at, take, 0), (ssize_t)take);
        at += take;
        if (end != NULL) {
            *end = '\0';
            return in;
        }
    }
}

static void expect(const char *line)
{
    ck_assert_str_eq(hear(), line);
}

#define ALIVE "{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"echo\",\"params\":{\"n\":3}}\n"
#define ALIVE_ANSWER "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"n\":3}}"

/* ---- lines and their answers; after each of them the connection works ------------------------------------- */

static const struct {
    const char *what, *line;
    const char *begin; /* how the answer begins; NULL = there is none */
    const char *holds; /* and what it holds */
} lines[] = {
    {"a call is answered under its id",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"text\":\"hi\",\"n\":5}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"hi\",\"n\":5}}", ""},
    {"an id may be text, and comes back as it was", "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"echo\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":{\"n\":0}}", ""},
    {"spaces and a carriage return are fine", "  {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"} \r",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":0}}", ""},
    {"an empty line is nothing", "", NULL, NULL},
    {"a notification has no answer", "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"n\":1}}", NULL, NULL},
    {"a broken notification has none either", "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"x\":1}}", NULL,
     NULL},
    {"nor has one that only a newer peer knows", "{\"jsonrpc\":\"2.0\",\"method\":\"nope\",\"params\":{\"n\":1}}", NULL,
     NULL},
    {"an answer nobody waits for is dropped", "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}", NULL, NULL},
    {"text that is not JSON is told where", "{\"jsonrpc\":\"2.0\",,}",
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700", "byte 18"},
    {"an unfinished object", "{\"jsonrpc\":\"2.0\"", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700", ""},
    {"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700", ""},
    {"JSON that is no call", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":", "\"code\":-32600"},
    {"a number alone is no call", "42", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32", ""},
    {"an object alone is no call", "{}", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600", ""},
    {"a batch is refused with a sentence", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]",
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"batches are not understood", ""},
    {"an unknown method is named", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no such method: nope\"}}", ""},
    {"a method without handler is unknown", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"not_handled\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601", ""},
    {"an unknown parameter is named", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"txt\":\"a\"}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"", "txt"},
    {"a method without parameters takes none",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"busy\",\"params\":{\"n\":1}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"n:", ""},
    {"a wrong type is named", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"n\":\"many\"}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"n:", ""},
    {"parameters as a list are refused", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}",
     "{\"jsonrpc\":\"2.0\",\"id\":", "\"code\":-326"},
    {"a number beyond its type", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"n\":-1}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"n:", ""},
    {"a refusal has code 1 and its data",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"refuse\",\"params\":{\"text\":\"too dear\"}}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"too dear\",\"data\":{\"code\":\"budget\",",
      "\"hint\":\"ask for less\""},
    {"unavailable has code 2 and when to come again", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"busy\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":2,\"message\":\"store unavailable\",\"data\":{",
      "\"retry_after_ms\":250"},
};

START_TEST(line_and_answer)
{
    say(lines[_i].line);
    say("\n");
    if (lines[_i].begin != NULL) {
        const char *got = hear();
        ck_assert_msg(strncmp(got, lines[_i].begin, strlen(lines[_i].begin)) == 0, "%s: %s", lines[_i].what, got);
        ck_assert_msg(strstr(got, lines[_i].holds) != NULL, "%s: %s", lines[_i].what, got);
    }
    say(ALIVE);
    expect(ALIVE_ANSWER);
}
END_TEST

START_TEST(every_byte_by_itself)
{
    for (int round = 0; round < 3; round++) {
        for (const char *p = ALIVE; *p != '\0'; p++)
            put(p, 1);
        expect(ALIVE_ANSWER);
    }
}
END_TEST

/* ---- many, large, late ------------------------------------------------------------------------------------ */

START_TEST(a_thousand_pipelined_calls_are_answered_in_order)
{
    struct buf text = {0};
    char line[128];
    for (int i = 0; i < 1000; i++)
        buf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"echo\",\"params\":{\"n\":%d}}\n", i, i * i);
    put(text.data, text.len);
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"n\":%d}}", i, i * i);
        expect(line);
    }
    buf_fini(&text);
}
END_TEST

START_TEST(the_longest_line_is_taken)
{
    struct buf text = {0};
    buf_add_str(&text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"n\":4}");
    size_t max = echo_trusts ? RPC_TRUSTED_LINE_MAX : RPC_LINE_MAX;
    while (text.len < max - 1)
        buf_add_str(&text, " ");
    buf_add_str(&text, "}\n");
    ck_assert_uint_eq(text.len, max + 1); /* the newline is not counted */
    put(text.data, text.len);
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":4}}");
    say(ALIVE);
    expect(ALIVE_ANSWER);
    buf_fini(&text);
}
END_TEST

static void send_oversized(bool newline)
{
    size_t max = echo_trusts ? RPC_TRUSTED_LINE_MAX : RPC_LINE_MAX;
    char *endless = malloc(max + 2);
    memset(endless, 'x', max + 1);
    endless[max + 1] = '\n';
    put(endless, max + 1 + newline);
    free(endless);
}

START_TEST(a_longer_line_is_answered_and_closed)
{
    send_oversized(_i == 1);
    expect(echo_trusts ? "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                         "\"message\":\"a line is at most 8388608 bytes\"}}"
                       : "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                         "\"message\":\"a line is at most 1048576 bytes\"}}");
    expect("");
    echo_server_expect(&server, "close it broke the protocol");
}
END_TEST

START_TEST(half_a_line_is_closed_after_its_time)
{
    say("{\"jsonrpc\"");
    expect("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
           "\"message\":\"a started line must be complete within 30 ms\"}}");
    expect("");
    echo_server_expect(&server, "close it broke the protocol");
}
END_TEST

START_TEST(whole_lines_end_the_patience_for_half_ones)
{
    for (int i = 0; i < 20; i++) { /* each leaves a half line, which the next one completes */
        say("{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"echo\",");
        say("\"params\":{\"n\":3}}\n{\"jsonrpc\":\"2.0\",\"id\":99,");
        expect(ALIVE_ANSWER);
        say("\"method\":\"echo\",\"params\":{\"n\":3}}\n");
        expect(ALIVE_ANSWER);
    }
}
END_TEST

START_TEST(who_does_not_read_is_cut_and_others_are_not)
{
    int reader = dial();
    echo_server_expect(&server, "open parent");
    struct buf asked = {0}; /* in one piece: who asks bit by bit is paused instead, when the server sees it in time */
    for (int i = 0; i < 12; i++)
        buf_add_str(&asked, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"n\":1000000}}\n");
    say(buf_text(&asked));
    buf_fini(&asked);
    echo_server_expect(&server, "close it reads its answers too slowly");
    close_p(&sock);
    sock = reader;
    say(ALIVE);
    expect(ALIVE_ANSWER);
}
END_TEST

START_TEST(who_reads_slowly_but_asks_slowly_gets_everything)
{
    for (int i = 0; i < 6; i++)
        say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"n\":1000000}}\n");
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(strlen(hear()),
                          1000000 + strlen("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"\",\"n\":1000000}}"));
    say(ALIVE);
    expect(ALIVE_ANSWER);
}
END_TEST

/* Sends whole lines until the kernel takes no more for a while: the server has stopped reading. How many it sent. */
static int send_until_full(const struct buf *line, int most)
{
    for (int sent = 0; sent < most; sent++) {
        for (size_t at = 0; at < line->len;) {
            ssize_t n = send(sock, line->data + at, line->len - at, MSG_NOSIGNAL | (at == 0 ? MSG_DONTWAIT : 0));
            struct pollfd p = {.fd = sock, .events = POLLOUT};
            if (n < 0 && errno == EAGAIN && at == 0 && poll(&p, 1, 200) == 0)
                return sent;
            ck_assert_msg(n >= 0 || errno == EAGAIN, "cut after %d lines: %s", sent, strerror(errno));
            at += n > 0 ? (size_t)n : 0;
        }
    }
    return most;
}

/* Requests wait in the kernel while answers lie unread: 60 MB of answers never exist at once. */
START_TEST(a_peer_that_pipelines_without_reading_is_paused_not_cut)
{
    struct buf line = {0};
    char text[8192];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_addf(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"text\":\"%s\"}}\n", text);
    int sent = send_until_full(&line, 8000);
    ck_assert_int_lt(sent, 1000);
    for (int i = 0; i < sent; i++)
        ck_assert_uint_gt(strlen(hear()), sizeof text);
    say(ALIVE);
    expect(ALIVE_ANSWER);
    buf_fini(&line);
}
END_TEST

START_TEST(an_answer_may_come_later)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"later\"}\n" ALIVE);
    expect(ALIVE_ANSWER);
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"release\"}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"n\":7}}");
}
END_TEST

START_TEST(an_answer_for_who_has_left_is_dropped)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    echo_server_expect(&server, "later ");
    close_p(&sock);
    echo_server_expect(&server, "close closed by the peer");
    sock = dial(); /* takes the same slot: the ticket must not reach it */
    echo_server_expect(&server, "open parent");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"release\"}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
}
END_TEST

START_TEST(who_only_stops_sending_still_gets_what_it_is_owed)
{
    int other = dial();
    echo_server_expect(&server, "open parent");
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    echo_server_expect(&server, "later ");
    ck_assert_int_eq(shutdown(sock, SHUT_WR), 0);
    int half = sock;
    sock = other;
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"release\"}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    sock = half;
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":7}}");
    hear(); /* the handler's second answer, or the end */
    echo_server_expect(&server, "close closed by the peer");
    close(other);
}
END_TEST

/* ---- the server calls, the server closes ------------------------------------------------------------------ */

START_TEST(the_server_calls_back_and_hears_the_answer)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"call_back\",\"params\":{\"text\":\"a\"}}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"text\":\"a\",\"n\":0}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"b\",\"new_in_N+1\":true}}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"text\":\"b\",\"n\":0}}");
    echo_server_expect(&server, "reply b");
}
END_TEST

static const struct {
    const char *what, *answer, *reply;
} failures[] = {
    {"a refusal reaches the caller with its code",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"m\","
     "\"data\":{\"code\":\"state\",\"message\":\"over\"}}}\n",
     "reply state: over"},
    {"an error without data too", "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}\n",
     "reply no"},
    {"an answer of a wrong shape is a failure", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":\"x\"}}\n", NULL},
    {"an answer with both parts or a foreign error is a failure",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"broken\"}\n", NULL},
    {"the end of the connection answers what waits", NULL, "reply the connection ended: closed by the peer"},
};

START_TEST(failed_call_backs)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"call_back\",\"params\":{\"text\":\"a\"}}\n");
    hear();
    if (failures[_i].answer != NULL)
        say(failures[_i].answer);
    else
        close_p(&sock);
    const char *event = echo_server_event(&server);
    if (failures[_i].reply != NULL)
        ck_assert_str_eq(event, failures[_i].reply);
    else
        ck_assert_msg(strncmp(event, "reply ", 6) == 0, "%s", event);
}
END_TEST

START_TEST(a_handler_may_close_while_lines_wait)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"hang_up\"}\n" ALIVE);
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":0}}"); /* what was answered before still leaves */
    expect("");
}
END_TEST

START_TEST(leaving_in_the_middle_of_an_answer_hurts_nobody)
{
    for (int i = 0; i < 4; i++)
        say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"n\":1000000}}\n");
    char byte;
    ck_assert_int_eq(recv(sock, &byte, 1, 0), 1);
    close_p(&sock);
    const char *event = echo_server_event(&server);
    ck_assert_msg(strncmp(event, "close ", 6) == 0, "%s", event);
    sock = dial();
    say(ALIVE);
    expect(ALIVE_ANSWER);
}
END_TEST

START_TEST(one_connection_too_many_is_told_so)
{
    int others[7];
    for (int i = 0; i < 7; i++) {
        others[i] = dial();
        echo_server_expect(&server, "open parent");
    }
    int first = sock;
    sock = dial();
    const char *got = hear();
    ck_assert_msg(strstr(got, "\"code\":2,\"message\":\"too many connections\"") != NULL, "%s", got);
    expect("");
    close(sock);
    close(others[3]); /* one leaves, one may come */
    echo_server_expect(&server, "close closed by the peer");
    sock = dial();
    say(ALIVE);
    expect(ALIVE_ANSWER);
    for (int i = 0; i < 7; i++)
        if (i != 3)
            close(others[i]);
    close(first);
}
END_TEST

/* As the kernel has it: who we are when we connect. */
static int dial_as(uid_t uid)
{
    ck_assert_int_eq(seteuid(uid), 0);
    int fd = dial();
    ck_assert_int_eq(seteuid(0), 0);
    return fd;
}

static void refused_as(uid_t uid, const char *why)
{
    int first = sock;
    sock = dial_as(uid);
    const char *got = hear();
    ck_assert_msg(strstr(got, why) != NULL, "%s", got);
    expect("");
    close(sock);
    sock = first;
}

/* One user can take neither another's connections nor, with friends, those of whoever looks after the machine. */
START_TEST(connections_are_shared_among_users)
{
    int held[64];
    size_t count = 0;
    ck_assert_int_eq(chmod(server.path, 0666), 0);
    ck_assert_int_eq(chmod(scratch.dir, 0711), 0);
    for (uid_t uid = 70001; uid <= 70003; uid++) {
        for (int i = 0; i < 20; i++) {
            held[count++] = dial_as(uid);
            echo_server_expect(&server, "open parent as another");
        }
        refused_as(uid, "too many connections of this user");
    }
    for (int i = 0; i < 2; i++) { /* with ours 63 of 64: the last one is root's */
        held[count++] = dial_as(70004);
        echo_server_expect(&server, "open parent as another");
    }
    refused_as(70004, "too many connections");
    held[count++] = sock;
    sock = dial();
    say(ALIVE);
    expect(ALIVE_ANSWER);
    while (count > 0)
        close(held[--count]);
}
END_TEST

/* ---- listening -------------------------------------------------------------------------------------------- */

static int try_listen(const char *path, struct err *err)
{
    struct loop *l;
    struct rpc_server *s = NULL;
    ck_assert_int_eq(loop_new(&l, NULL), 0);
    int rc = rpc_listen(&s, l, path, 0600, 4, &echo_table, NULL, err);
    if (rc == 0)
        rpc_server_free(s);
    loop_free(l);
    return rc;
}

START_TEST(a_living_socket_is_not_taken_over)
{
    struct err err = {0};
    ck_assert_int_eq(try_listen(server.path, &err), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(err.text, "another program listens there"));
    say(ALIVE);
    expect(ALIVE_ANSWER);
}
END_TEST

START_TEST(a_dead_socket_is_replaced_a_file_is_not)
{
    struct err err = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/dead", scratch.dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    ck_assert_msg(try_listen(address.sun_path, &err) == 0, "%s", err.text);
    ck_assert_int_eq(access(address.sun_path, F_OK), -1);
    ck_assert_int_eq(file_write_durable(address.sun_path, "x", 1, 0600, NULL), 0);
    ck_assert_int_eq(try_listen(address.sun_path, &err), -EEXIST);
    ck_assert_int_eq(access(address.sun_path, F_OK), 0);
    char far[200];
    memset(far, 'a', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    ck_assert_int_eq(try_listen(far, &err), -ENAMETOOLONG);
}
END_TEST

static void setup_impatient(void)
{
    start(30, 8);
}

static void setup_trusting(void)
{
    echo_trusts = true;
    start(RPC_LINE_MS, 8);
}

static void setup_shared(void)
{
    echo_per_user = 20;
    start(RPC_LINE_MS, 64);
}

static TCase *ordinary(void)
{
    TCase *t = tcase_create("lines");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, line_and_answer, 0, COUNT_OF(lines));
    tcase_add_test(t, every_byte_by_itself);
    tcase_add_test(t, a_thousand_pipelined_calls_are_answered_in_order);
    tcase_add_test(t, the_longest_line_is_taken);
    tcase_add_loop_test(t, a_longer_line_is_answered_and_closed, 0, 2);
    tcase_add_test(t, whole_lines_end_the_patience_for_half_ones);
    tcase_add_test(t, who_does_not_read_is_cut_and_others_are_not);
    tcase_add_test(t, who_reads_slowly_but_asks_slowly_gets_everything);
    tcase_add_test(t, a_peer_that_pipelines_without_reading_is_paused_not_cut);
    tcase_add_test(t, an_answer_may_come_later);
    tcase_add_test(t, an_answer_for_who_has_left_is_dropped);
    tcase_add_test(t, who_only_stops_sending_still_gets_what_it_is_owed);
    tcase_add_test(t, the_server_calls_back_and_hears_the_answer);
    tcase_add_loop_test(t, failed_call_backs, 0, COUNT_OF(failures));
    tcase_add_test(t, a_handler_may_close_while_lines_wait);
    tcase_add_test(t, leaving_in_the_middle_of_an_answer_hurts_nobody);
    tcase_add_test(t, one_connection_too_many_is_told_so);
    tcase_add_test(t, a_living_socket_is_not_taken_over);
    tcase_add_test(t, a_dead_socket_is_replaced_a_file_is_not);
    return t;
}

int main(void)
{
    TCase *impatient = tcase_create("impatient");
    tcase_add_checked_fixture(impatient, setup_impatient, teardown);
    tcase_add_test(impatient, half_a_line_is_closed_after_its_time);
    Suite *s = suite_create("base/io/rpc");
    suite_add_tcase(s, ordinary());
    suite_add_tcase(s, impatient);
    TCase *trusting = tcase_create("trusting");
    tcase_add_checked_fixture(trusting, setup_trusting, teardown);
    tcase_add_test(trusting, the_longest_line_is_taken);
    tcase_add_loop_test(trusting, a_longer_line_is_answered_and_closed, 0, 2);
    suite_add_tcase(s, trusting);
    TCase *shared = tcase_create("shared");
    tcase_add_checked_fixture(shared, setup_shared, teardown);
    if (geteuid() == 0) /* it takes others' names */
        tcase_add_test(shared, connections_are_shared_among_users);
    suite_add_tcase(s, shared);
    return run_suite(s);
}

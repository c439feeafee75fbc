/* The HTTP doors: who gets in, what is streamed, what hostile peers can't do. */
#include "tests/promtool.h"
#include "tests/quotas/reports/served.h"

/* ---- tokens over TCP --------------------------------------------------------------------------------------------- */
enum who { NOBODY, WRONG, LIMITED, FINANCE, BASIC };
static const struct {
    const char *what;
    enum who who;
    const char *path;
    int status;
    const char *has, *has_not; /* in the answer */
} cells[] = {
    {"nothing without a token", NOBODY, "/v1/reports/cost", 401, "WWW-Authenticate: Bearer", "acme"},
    {"not even whether there is such a path", NOBODY, "/nowhere", 401, NULL, "Not Found"},
    {"nor health", NOBODY, "/healthz", 401, NULL, "archived"},
    {"a browser is asked for a password", NOBODY, "/", 401, "WWW-Authenticate: Basic", NULL},
    {"a wrong token", WRONG, "/v1/reports/cost", 401, NULL, "acme"},
    {"a token in the URL is not one", NOBODY, "/v1/reports/cost?token=only-acme", 401, NULL, "acme"},
    {"and is an unknown parameter with a valid one", FINANCE, "/v1/reports/cost?token=x", 400,
     "\"parameter\":\"token\"", NULL},
    {"finance sees all", FINANCE, "/v1/reports/cost", 200, "beta", NULL},
    {"finance sees the page", FINANCE, "/", 200, "&lt;script&gt;&amp;", "<script>"},
    {"also with a browser's password", BASIC, "/", 200, "Cost of test", NULL},
    {"a password opens nothing but the page", BASIC, "/v1/reports/cost", 401, NULL, "acme"},
    {"a tenant's token sees its own", LIMITED, "/v1/reports/cost", 200, "acme", "beta"},
    {"also line by line", LIMITED, "/v1/reports/focus?billing_period=2026-11", 200, ",acme,acme,EUR,", "beta"},
    {"months are everybody's", LIMITED, "/v1/reports/focus/billing-periods", 200, ",Open,Reeve (test),2026-11,",
     "beta"},
    {"on the page too", LIMITED, "/", 200, "acme", "beta"},
    {"not another's", LIMITED, "/v1/reports/cost?tenant=beta", 404, "no such tenant", "beta"},
    {"which looks like none", LIMITED, "/v1/reports/cost?tenant=nope", 404, "no such tenant", "nope"},
    {"not the whole ledger", LIMITED, "/v1/ledger/check", 403, NULL, "beta"},
    {"not what its scope leaves out", LIMITED, "/metrics", 403, NULL, "beta"},
    {"a path that isn't there", FINANCE, "/v2", 404, "/v1/reports/cost", NULL},
    {"a path with dots", FINANCE, "/v1/../metrics", 404, NULL, NULL},
    {"metrics for who may", FINANCE, "/metrics", 200,
     "reeve_cost_total{tenant=\"beta\",resource=\"cpu\",currency=\"EUR\"}", NULL},
    {"budgets without a store: stale, 503, still with a body", FINANCE, "/v1/budgets", 503, "\"stale\":true", NULL},
    {"health says that the store is away", FINANCE, "/healthz", 503, "store_down", NULL},
};

START_TEST(who_may_read_what)
{
    struct served s = serving(4);
    struct buf out = {0};
    char headers[512];
    const char *const forms[] = {[NOBODY] = "", [WRONG] = "Authorization: Bearer nonsense\r\n",
                                 [LIMITED] = "Authorization: Bearer only-acme\r\n", [FINANCE] = "", [BASIC] = ""};
    snprintf(headers, sizeof headers, "%s", forms[cells[_i].who]);
    if (cells[_i].who == FINANCE)
        snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", s.token);
    if (cells[_i].who == BASIC) /* reeve:only-acme */
        snprintf(headers, sizeof headers, "Authorization: Basic cmVldmU6b25seS1hY21l\r\n");
    int status = get(connect_tcp(&s), cells[_i].path, headers, &out);
    ck_assert_msg(status == cells[_i].status, "%s: %d\n%s", cells[_i].what, status, buf_text(&out));
    if (cells[_i].has != NULL)
        ck_assert_msg(strstr(buf_text(&out), cells[_i].has) != NULL, "%s:\n%s", cells[_i].what, buf_text(&out));
    if (cells[_i].has_not != NULL)
        ck_assert_msg(strstr(buf_text(&out), cells[_i].has_not) == NULL, "%s:\n%s", cells[_i].what, buf_text(&out));
    buf_fini(&out);
    served_end(&s);
}
END_TEST

START_TEST(the_same_question_is_answered_once)
{
    struct served s = serving(4);
    struct buf first = {0}, second = {0}, other = {0};
    char headers[256];
    ck_assert_int_eq(get(connect_local(&s), "/v1/reports/cost", "", &first), 200);
    const char *tag = strstr(buf_text(&first), "ETag: ");
    ck_assert_ptr_nonnull(tag);
    snprintf(headers, sizeof headers, "If-None-Match: %.*s\r\n", (int)strcspn(tag + 6, "\r"), tag + 6);
    ck_assert_int_eq(get(connect_local(&s), "/v1/reports/cost", headers, &second), 304);
    ck_assert_int_eq(get(connect_local(&s), "/v1/reports/cost?format=csv", headers, &other), 200);
    /* Who may see less was never given that answer. */
    size_t len = strlen(headers);
    snprintf(headers + len, sizeof headers - len, "Authorization: Bearer only-acme\r\n");
    buf_reset(&other);
    ck_assert_int_eq(get(connect_tcp(&s), "/v1/reports/cost", headers, &other), 200);
    ck_assert_ptr_null(strstr(buf_text(&other), "beta"));
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&other);
    served_end(&s);
}
END_TEST

#define MONTH "/v1/reports/focus?billing_period=2026-11"

/* The header's value into out; its length 0 when there is none. */
static const char *header(const struct buf *answer, const char *name, char out[128])
{
    const char *at = strstr(buf_text(answer), name);
    out[0] = '\0';
    if (at != NULL)
        snprintf(out, 128, "%.*s", (int)MIN(strcspn(at + strlen(name), "\r"), (size_t)127), at + strlen(name));
    return out;
}

static void take_fact(const char *database, struct fact f)
{
    struct book *book = journal_book(database);
    journal_take(book, f);
    book_close(book);
}

/* A closed month may be kept for ever: its tag stays, whatever happens in the books, and an open month's doesn't. */
START_TEST(a_closed_month_keeps_its_tag)
{
    struct served s = serving(4);
    struct buf open_month = {0}, closed = {0}, later = {0};
    char text[128], tag[128], again[300];
    ck_assert_int_eq(get(connect_local(&s), MONTH, "", &open_month), 200);
    ck_assert_str_eq(header(&open_month, "Cache-Control: ", text), "private, no-cache");
    served_end(&s);
    struct fact f = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = AT_NOVEMBER + 9 * DAY_US};
    f.period_closed = (struct fact_period_closed){NULL, AT_NOVEMBER - 22 * DAY_US, AT_NOVEMBER + 8 * DAY_US};
    set_text(&f.period_closed.period, "2026-11");
    take_fact(s.database, f);
    start(&s);
    ck_assert_int_eq(get(connect_local(&s), MONTH, "", &closed), 200);
    ck_assert_str_eq(header(&closed, "Cache-Control: ", text), "private, max-age=31536000, immutable");
    header(&closed, "ETag: ", tag);
    ck_assert_str_ne(tag, header(&open_month, "ETag: ", text));
    ck_assert_ptr_null(strstr(buf_text(&open_month), "/2026-11/acme,")); /* its invoices come with the closing */
    ck_assert_ptr_nonnull(strstr(buf_text(&closed), "/2026-11/acme,"));
    served_end(&s);
    take_fact(s.database, fact_job(99, "acme", "alice", "later", 1));
    start(&s);
    snprintf(again, sizeof again, "If-None-Match: %s\r\n", tag);
    ck_assert_int_eq(get(connect_local(&s), MONTH, again, &later), 304);
    ck_assert_str_eq(header(&later, "ETag: ", text), tag);
    buf_reset(&later);
    ck_assert_int_eq(get(connect_local(&s), MONTH, "", &later), 200);
    ck_assert_str_eq(strstr(buf_text(&later), "\r\n\r\n"), strstr(buf_text(&closed), "\r\n\r\n"));
    served_end(&s);
    buf_fini(&open_month);
    buf_fini(&closed);
    buf_fini(&later);
}
END_TEST

/* Whatever a client tries, it reads the same kind of answer; without a token it learns nothing. */
START_TEST(a_method_that_is_none_of_ours_is_told_so)
{
    static const char *const methods[] = {"DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"};
    struct served s = serving(4);
    struct buf out = {0};
    char text[300], value[128];
    for (int known = 0; known < 2; known++) {
        int n = snprintf(text, sizeof text, "%s /v1/budgets HTTP/1.1\r\nHost: reeve\r\nConnection: close\r\n%s%s%s\r\n",
                         methods[_i], known ? "Authorization: Bearer " : "", known ? s.token : "", known ? "\r\n" : "");
        int fd = connect_tcp(&s);
        send_text(fd, text, (size_t)n);
        buf_reset(&out);
        int status = receive(fd, &out);
        ck_assert_msg(status == (known ? 405 : 401), "%s: %s", methods[_i], buf_text(&out));
        ck_assert_str_eq(header(&out, "Content-Type: ", value), "application/problem+json");
        if (status == 405)
            ck_assert_str_eq(header(&out, "Allow: ", value), "GET, HEAD");
    }
    served_end(&s);
    buf_fini(&out);
}
END_TEST

/* The rules of `promtool check metrics`. */
START_TEST(every_metric_has_help_and_a_proper_name)
{
    struct served s = serving(4);
    struct buf out = {0};
    char name[128] = "", type[16] = "";
    size_t samples = 0;
    ck_assert_int_eq(get(connect_local(&s), "/metrics", "", &out), 200);
    char *save = NULL, *body = strstr(out.data, "\r\n\r\n");
    for (char *line = strtok_r(body, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char found[128], text[400];
        if (sscanf(line, "# HELP %127s %399[^\n]", name, text) == 2)
            continue;
        if (line[0] == '#') {
            ck_assert_int_eq(sscanf(line, "# TYPE %127s %15s", found, type), 2);
            ck_assert_str_eq(found, name); /* its help stands right before */
            size_t len = strlen(name);
            bool total = len > 6 && strcmp(name + len - 6, "_total") == 0;
            ck_assert_msg(total == (strcmp(type, "counter") == 0), "%s is a %s", name, type);
            ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), len);
            continue;
        }
        snprintf(found, sizeof found, "%.*s", (int)strcspn(line, "{ "), line);
        ck_assert_str_eq(found, name);
        ck_assert_ptr_null(strstr(line, "job="));
        ck_assert_ptr_null(strstr(line, "user="));
        samples++;
    }
    ck_assert_uint_gt(samples, 15);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

START_TEST(promtool_finds_nothing_wrong)
{
    struct served s = serving(4);
    struct buf out = {0};
    ck_assert_int_eq(get(connect_local(&s), "/metrics", "", &out), 200);
    promtool_check(strstr(buf_text(&out), "\r\n\r\n") + 4);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

/* ---- pages and what can be kept --------------------------------------------------------------------------------- */
START_TEST(pages_are_linked_and_can_be_kept)
{
    struct served s = serving(30);
    struct buf out = {0};
    char path[400] = "/v1/reports/cost?group_by=job&format=csv&page_size=13", link[400] = "";
    size_t pages = 0, rows = 0;
    do {
        buf_reset(&out);
        ck_assert_int_eq(get(connect_local(&s), path, "", &out), 200);
        const char *at = strstr(buf_text(&out), "\r\nLink: <"), *body = strstr(buf_text(&out), "\r\n\r\n");
        bool kept = strstr(buf_text(&out), "Cache-Control: private, max-age=31536000, immutable") != NULL;
        ck_assert_int_eq(kept, pages > 0); /* a later page names its state of the journal */
        for (const char *row = body; (row = strstr(row, ",EUR\r\n")) != NULL; row++)
            rows++;
        link[0] = '\0';
        if (at != NULL) {
            snprintf(link, sizeof link, "%.*s", (int)strcspn(at + 9, ">"), at + 9);
            ck_assert_ptr_nonnull(strstr(at, ">; rel=\"next\"\r\n"));
        }
        memcpy(path, link, sizeof path);
        pages++;
    } while (path[0] != '\0');
    ck_assert_uint_eq(pages, 3);
    ck_assert_uint_eq(rows, 30);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

/* ---- connections ------------------------------------------------------------------------------------------------ */
static uint64_t metric(const struct served *s, const char *name)
{
    struct buf out = {0};
    char line[80];
    ck_assert_int_eq(get(connect_local(s), "/metrics", "", &out), 200);
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(buf_text(&out), line);
    ck_assert_ptr_nonnull(at);
    uint64_t value = strtoull(at + strlen(line), NULL, 10);
    buf_fini(&out);
    return value;
}

/* Five times as many as there may be, most of them silent: the silent ones go, somebody who asks is answered. */
START_TEST(there_is_a_bound_on_connections)
{
    enum { MANY = 5 * HTTP_CONNECTIONS_MAX };
    struct served s = serving(4);
    static int fds[MANY];
    char byte;
    int busy = connect_local(&s);
    for (int i = 0; i < MANY; i++) {
        fds[i] = i % 2 ? connect_local(&s) : connect_tcp(&s);
        if (i % 2 && i % 3 == 0)
            send_text(fds[i], "GET /v1/pri", 11); /* and half a question */
        /* Whoever goes on asking stays. */
        struct buf out = {0};
        static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        send_text(busy, ask, sizeof ask - 1);
        for (char last[4] = ""; memcmp(last, "\"}\n", 3) != 0;) {
            ck_assert_int_eq(read(busy, &byte, 1), 1);
            memmove(last, last + 1, 2);
            last[2] = byte;
        }
        buf_fini(&out);
    }
    ck_assert_uint_eq(metric(&s, "reeve_report_connections_dropped_total"), MANY - 2 * HTTP_CONNECTIONS_MAX + 2);
    ck_assert_int_eq(read(fds[0], &byte, 1), 0); /* the first of the silent ones was closed */
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close(busy);
    uint64_t open = MANY;
    while (open > 1) /* our own; the others' ends come in by and by */
        open = metric(&s, "reeve_report_connections");
    served_end(&s);
}
END_TEST

/* ---- streaming --------------------------------------------------------------------------------------------------- */
static long peak_kib(pid_t pid)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    must(file_read(path, 65536, &text, NULL));
    const char *at = strstr(buf_text(&text), "VmHWM:");
    long kib = at != NULL ? strtol(at + 6, NULL, 10) : -1;
    buf_fini(&text);
    return kib;
}

START_TEST(a_long_report_is_streamed_and_complete)
{
    struct served s = serving(20000);
    struct buf out = {0};
    long before = peak_kib(s.pid);
    ck_assert_int_eq(get(connect_local(&s), "/v1/reports/cost?group_by=job,name,tenant", "", &out), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "Transfer-Encoding: chunked"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\"total_micros\":60000}"));
    ck_assert_int_eq(strcmp(buf_text(&out) + out.len - 5, "0\r\n\r\n"), 0);
    ck_assert_uint_gt(out.len, 20000 * 80);
    /* Without sanitizers: the sorter and the cache of SQLite, not the answer. */
    printf("streaming %zu bytes: %ld KiB more\n", out.len, peak_kib(s.pid) - before);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

START_TEST(peers_that_go_away_or_never_read_hold_up_nobody)
{
    struct served s = serving(20000);
    struct buf out = {0};
    static const char ask[] = "GET /v1/reports/cost?group_by=job,name HTTP/1.1\r\nHost: x\r\n\r\n";
    int idle[HTTP_STREAMS_MAX];
    for (int i = 0; i < 20; i++) {
        int fd = connect_local(&s);
        char byte;
        send_text(fd, ask, sizeof ask - 1);
        ck_assert_int_eq(read(fd, &byte, 1), 1);
        close(fd); /* in the middle of the answer */
    }
    /* Now and then the last of these isn't yet noticed; asking again gets there. */
    for (int i = 0; i < HTTP_STREAMS_MAX; i++) {
        char status[13] = "";
        do {
            idle[i] = connect_local(&s);
            send_text(idle[i], ask, sizeof ask - 1);
            ck_assert_int_eq(recv(idle[i], status, 12, MSG_WAITALL), 12);
            if (strcmp(status, "HTTP/1.1 200") != 0)
                close(idle[i]);
        } while (strcmp(status, "HTTP/1.1 200") != 0);
    }
    /* All places are taken by peers that don't read. */
    ck_assert_int_eq(get(connect_local(&s), "/v1/reports/cost", "", &out), 503);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "Retry-After: 5"));
    for (int i = 0; i < HTTP_STREAMS_MAX; i++)
        close(idle[i]);
    int status = 503;
    while (status == 503) {
        buf_reset(&out);
        status = get(connect_local(&s), "/v1/reports/cost", "", &out);
    }
    ck_assert_int_eq(status, 200);
    buf_fini(&out);
    served_end(&s);
}
END_TEST

/* ---- hostile bytes ----------------------------------------------------------------------------------------------- */
static const struct {
    const char *what, *text;
    int low, high; /* statuses that are fine; 0 = closed without one */
} hostile[] = {
    {"no HTTP at all", "hello\r\n\r\n", 0, 499},
    {"a method that changes things", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
     405, 501},
    {"a body that is too long",
     "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n", 0, 413},
    {"a negative length", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n", 0,
     503},
    {"an absolute URL", "GET http://evil/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0, 503},
    {"a path of percent signs", "GET /%%%2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0, 404},
    {"a query that is none", "GET /v1/reports/cost?%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, 400},
    {"a header without end", "GET / HTTP/1.1\r\nX: ", 0, 499},
    {"an old version", "GET /v1/prices HTTP/0.9\r\n\r\n", 0, 505},
    {"HTTP/1.0 without Host", "GET /v1/reports/cost HTTP/1.0\r\n\r\n", 200, 200},
};

START_TEST(hostile_bytes)
{
    struct served s = serving(4);
    struct buf out = {0}, long_one = {0};
    int fd = connect_local(&s);
    send_text(fd, hostile[_i].text, strlen(hostile[_i].text));
    shutdown(fd, SHUT_WR);
    int status = receive(fd, &out);
    ck_assert_msg(status == 0 || (status >= hostile[_i].low && status <= hostile[_i].high), "%s: %d %s",
                  hostile[_i].what, status, buf_text(&out));
    /* A line of 100,000 bytes, and noise. */
    uint64_t seed = random_seed("hostile");
    for (int i = 0; i < 100000; i++)
        buf_addf(&long_one, "%c", _i % 2 ? 'a' : (char)(1 + random_below(&seed, 255)));
    fd = connect_local(&s);
    send_text(fd, "GET /", 5);
    send_text(fd, long_one.data, long_one.len);
    shutdown(fd, SHUT_WR);
    buf_reset(&out);
    receive(fd, &out);
    buf_reset(&out);
    ck_assert_int_eq(get(connect_local(&s), "/v1/prices", "", &out), 200);
    buf_fini(&out);
    buf_fini(&long_one);
    served_end(&s);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("http");
    TCase *tc = tcase_create("http");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, who_may_read_what, 0, (int)COUNT_OF(cells));
    tcase_add_test(tc, the_same_question_is_answered_once);
    tcase_add_test(tc, promtool_finds_nothing_wrong);
    tcase_add_test(tc, pages_are_linked_and_can_be_kept);
    tcase_add_test(tc, there_is_a_bound_on_connections);
    tcase_add_test(tc, a_closed_month_keeps_its_tag);
    tcase_add_loop_test(tc, a_method_that_is_none_of_ours_is_told_so, 0, 5);
    tcase_add_test(tc, every_metric_has_help_and_a_proper_name);
    tcase_add_test(tc, a_long_report_is_streamed_and_complete);
    tcase_add_test(tc, peers_that_go_away_or_never_read_hold_up_nobody);
    tcase_add_loop_test(tc, hostile_bytes, 0, (int)COUNT_OF(hostile));
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}

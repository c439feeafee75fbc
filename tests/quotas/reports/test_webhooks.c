/* Webhooks against a server of our own: at least once, in order, signed; what the file may say. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "quotas/reports/webhooks.h"
#include "tests/quotas/reports/journal.h"

#define SECRET "a-secret-of-some-length"
#define REQUEST_MAX 8192

/* ---- the file --------------------------------------------------------------------------------------------------- */
static const struct {
    const char *text, *wrong; /* NULL = fine */
    size_t count;
} files[] = {
    {"", NULL, 0},
    {"# nothing\n\n", NULL, 0},
    {"a https://x/ 0123456789abcdef /\n", NULL, 1},
    {"a https://x/ 0123456789abcdef / budget.crossed,period.closed\nb http://x 0123456789abcdef acme/etl", NULL, 2},
    {"a https://x/ 0123456789abcdef\n", "line 1: needs name, url", 0},
    {"a https://x/ 0123456789abcdef / budget.crossed more\n", "line 1: needs name, url", 0},
    {"\na ftp://x/ 0123456789abcdef /\n", "line 2: needs a url", 0},
    {"a file:///etc/shadow 0123456789abcdef /\n", "line 1: needs a url", 0},
    {"a https:/// 0123456789abcdef /\n", "line 1: needs a url", 0},
    {"a https://x/ short /\n", "line 1: needs a secret", 0},
    {"a https://x/ 0123456789abcdef ../etc\n", "line 1: needs a tenant", 0},
    {"a https://x/ 0123456789abcdef / budget\n", "line 1: needs events", 0},
    {"a/b https://x/ 0123456789abcdef /\n", "line 1: needs a name", 0},
    {"a https://x/ 0123456789abcdef /\na https://y/ 0123456789abcdef /\n", "line 2: needs a name that no other", 0},
};

START_TEST(the_file)
{
    struct list hooks = {0};
    struct err err = {0};
    int r = webhooks_parse(files[_i].text, &hooks, &err);
    ck_assert_msg((r == 0) == (files[_i].wrong == NULL), "%s: %s", files[_i].text, err_text(&err));
    if (files[_i].wrong != NULL)
        ck_assert_msg(strstr(err_text(&err), files[_i].wrong) != NULL, "%s: %s", files[_i].text, err_text(&err));
    ck_assert_uint_eq(hooks.count, files[_i].count);
    webhooks_clear(&hooks);
}
END_TEST

/* ---- a server that answers as it was told and says what it heard ------------------------------------------------ */
struct stranger {
    pid_t pid;
    int heard; /* lengths and requests */
    uint16_t port;
};

static size_t read_request(int fd, char *text)
{
    size_t len = 0;
    for (ssize_t n; len < REQUEST_MAX && (n = read(fd, text + len, REQUEST_MAX - len)) > 0;) {
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length: ");
        if (end != NULL && length != NULL &&
            len >= (size_t)(end - text) + 4 + strtoul(length + 18, NULL, 10))
            return len;
    }
    return len;
}

#define NEVER (-1)

/* One connection per answer; after the last one it says 200 for ever. */
static _Noreturn void answer_as_told(int listener, int out, const int *statuses, size_t count)
{
    static char text[REQUEST_MAX + 1];
    for (size_t i = 0;; i++) {
        int fd = accept(listener, NULL, NULL), status = i < count ? statuses[i] : 200;
        size_t len = read_request(fd, text);
        if (fd < 0 || write(out, &len, sizeof len) != sizeof len || write(out, text, len) != (ssize_t)len)
            _exit(9);
        if (status == NEVER)
            continue;
        if (status != 0)
            dprintf(fd,
                    "HTTP/1.1 %d So\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n",
                    status);
        close(fd); /* 0: without an answer */
    }
}

static struct stranger stranger_begin(const int *statuses, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct stranger s = {0};
    int ends[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    s.port = ntohs(address.sin_port);
    s.pid = fork();
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer_as_told(listener, ends[1], statuses, count);
    }
    close(listener);
    close(ends[1]);
    s.heard = ends[0];
    return s;
}

static void stranger_end(struct stranger *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->heard);
}

/* The next request it had; checks the signature. Returns the event's number. */
static uint64_t next_heard(const struct stranger *s, char *text)
{
    size_t len;
    struct buf again = {0};
    ck_assert_int_eq(fd_read_full(s->heard, &len, sizeof len), sizeof len);
    ck_assert_int_eq(fd_read_full(s->heard, text, len), (ssize_t)len);
    text[len] = '\0';
    const char *id = strstr(text, "\r\nReeve-Event: test-"), *signature = strstr(text, "\r\nReeve-Signature: t=");
    const char *body = strstr(text, "\r\n\r\n");
    ck_assert_msg(id != NULL && signature != NULL && body != NULL, "%s", text);
    webhook_signature(SECRET, strtoll(signature + 21, NULL, 10), body + 4, &again);
    ck_assert_msg(strncmp(signature + 19, buf_text(&again), again.len) == 0, "%s\n%s", text, buf_text(&again));
    buf_fini(&again);
    return strtoull(id + 20, NULL, 10);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */
struct fixture {
    char path[160], file[200];
    struct book *book;
    struct loop *loop;
    struct webhooks *webhooks;
    uint64_t wanted; /* successes and drops after which the loop ends */
};

static struct fact fact_crossed(const char *tenant, int64_t at, bool up)
{
    struct fact f = {.kind = FACT_BUDGET_CROSSED, .at_utc_us = at};
    set_text(&f.budget_crossed.tenant, tenant);
    set_text(&f.budget_crossed.account, "acme@2026-11");
    f.budget_crossed.percent = 80;
    f.budget_crossed.up = up;
    f.budget_crossed.limit_micros = 100000000;
    f.budget_crossed.spent_micros = 80000001;
    return f;
}

static bool is_done(void *arg)
{
    struct fixture *f = arg;
    struct webhooks_view view = webhooks_view(f->webhooks);
    if (view.sent_total + view.dropped_total >= f->wanted)
        loop_stop(f->loop);
    return false;
}

static void fixture_make(struct fixture *f, const struct stranger *s, const char *rest)
{
    struct err err = {0};
    char text[300];
    log_init("test", LOG_ERROR + 1);
    f->book = journal_book(journal_path(f->path));
    snprintf(f->file, sizeof f->file, "%s.hooks", f->path);
    int n = snprintf(text, sizeof text, "one http://127.0.0.1:%u/hook %s\n", s->port, rest);
    ck_assert_int_eq(file_write_durable(f->file, text, (size_t)n, 0600, &err), 0);
    ck_assert_int_eq(loop_new(&f->loop, &err), 0);
    loop_on_turn(f->loop, is_done, f);
}

static void tell_all(struct fixture *f, uint64_t wanted)
{
    struct err err = {0};
    f->wanted = wanted;
    if (f->webhooks == NULL)
        ck_assert_msg(webhooks_new(&f->webhooks, f->loop, f->book, f->file, 1, &err) == 0, "%s", err_text(&err));
    webhooks_poke(f->webhooks);
    ck_assert_int_eq(loop_run(f->loop, &err), 0);
}

static void stop_telling(struct fixture *f)
{
    webhooks_free(f->webhooks);
    f->webhooks = NULL;
}

static void fixture_fini(struct fixture *f)
{
    stop_telling(f);
    loop_free(f->loop);
    book_close(f->book);
}

/* Makes the webhook known, so that it hears what comes from now on. */
static void introduce(struct fixture *f)
{
    struct err err = {0};
    uint64_t seq;
    ck_assert_int_eq(book_hook_load(f->book, "one", &seq, &err), 0);
}

START_TEST(each_event_arrives_at_least_once_and_in_order)
{
    static const int statuses[] = {500, 0, 302, 404};
    struct stranger s = stranger_begin(statuses, COUNT_OF(statuses));
    struct fixture f = {0};
    static char text[REQUEST_MAX + 1];
    int64_t now = clock_utc_us();
    fixture_make(&f, &s, SECRET " /");
    introduce(&f);
    for (int i = 0; i < 3; i++)
        journal_take(f.book, fact_crossed("acme", now, i % 2 == 0));
    tell_all(&f, 3);
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        ck_assert_uint_eq(next_heard(&s, text), 1); /* the same until it is taken */
    for (uint64_t seq = 1; seq <= 3; seq++)
        ck_assert_uint_eq(next_heard(&s, text), seq);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    ck_assert_ptr_nonnull(strstr(body, "{\"id\":\"test-3\",\"type\":\"budget.crossed\",\"time\":\""));
    ck_assert_ptr_nonnull(strstr(body,
                                 "\"cell\":\"test\",\"tenant\":\"acme\",\"account\":\"acme@2026-11\",\"percent\":80,"
                                 "\"of\":\"spent\",\"direction\":\"up\",\"limit\":\"100.000000\","
                                 "\"limit_micros\":100000000,\"spent\":\"80.000001\",\"spent_micros\":80000001,"
                                 "\"held\":\"0.000000\",\"held_micros\":0,\"forecast\":null,"
                                 "\"forecast_micros\":null,\"currency\":\"EUR\"}"));
    ck_assert_uint_eq(webhooks_view(f.webhooks).failed_total, COUNT_OF(statuses));
    /* Another process goes on where this one was, with nothing twice when all was known to be taken. */
    stop_telling(&f);
    journal_take(f.book, fact_crossed("acme", now, true));
    tell_all(&f, 1);
    ck_assert_uint_eq(next_heard(&s, text), 4);
    fixture_fini(&f);
    stranger_end(&s);
}
END_TEST

/* Killed after it was sent and before that was written down: it comes again, with the same id. */
START_TEST(what_is_not_known_to_be_taken_is_sent_again)
{
    struct stranger s = stranger_begin(NULL, 0);
    struct fixture f = {0};
    struct err err = {0};
    static char text[REQUEST_MAX + 1];
    fixture_make(&f, &s, SECRET " /");
    introduce(&f);
    journal_take(f.book, fact_crossed("acme", clock_utc_us(), true));
    tell_all(&f, 1);
    ck_assert_uint_eq(next_heard(&s, text), 1);
    stop_telling(&f);
    ck_assert_int_eq(book_hook_save(f.book, "one", 0, &err), 0);
    tell_all(&f, 1);
    ck_assert_uint_eq(next_heard(&s, text), 1);
    fixture_fini(&f);
    stranger_end(&s);
}
END_TEST

static void on_heard(void *arg, int what)
{
    struct fixture *f = arg;
    (void)what;
    loop_stop(f->loop);
}

/* Ended while the answer is due: nobody knows whether it was taken. */
START_TEST(who_ends_before_the_answer_sends_it_again)
{
    static const int statuses[] = {NEVER};
    struct stranger s = stranger_begin(statuses, COUNT_OF(statuses));
    struct fixture f = {0};
    struct watch *watch = NULL;
    static char text[REQUEST_MAX + 1];
    fixture_make(&f, &s, SECRET " /");
    introduce(&f);
    journal_take(f.book, fact_crossed("acme", clock_utc_us(), true));
    ck_assert_int_eq(watch_new(&watch, f.loop, s.heard, WATCH_READ, on_heard, &f), 0);
    tell_all(&f, UINT64_MAX);
    watch_free(watch);
    ck_assert_uint_eq(webhooks_view(f.webhooks).sent_total, 0);
    stop_telling(&f);
    tell_all(&f, 1);
    ck_assert_uint_eq(next_heard(&s, text), 1);
    ck_assert_uint_eq(next_heard(&s, text), 1);
    fixture_fini(&f);
    stranger_end(&s);
}
END_TEST

START_TEST(others_tenants_and_old_events_are_left_out)
{
    struct stranger s = stranger_begin(NULL, 0);
    struct fixture f = {0};
    static char text[REQUEST_MAX + 1];
    int64_t now = clock_utc_us();
    fixture_make(&f, &s, SECRET " acme budget.crossed");
    introduce(&f);
    journal_take(f.book, fact_crossed("acme", now - 2 * EVENT_LIVES_US, true)); /* 1: nobody wants it any more */
    journal_take(f.book, fact_crossed("acme-b", now, true));
    journal_take(f.book, fact_crossed("beta", now, true));
    struct fact proposed = {.kind = FACT_POLICY_PROPOSED, .at_utc_us = now, .policy_proposed.proposal = 7};
    journal_take(f.book, proposed);
    journal_take(f.book, fact_crossed("acme/etl", now, true)); /* 5 */
    tell_all(&f, 2);
    ck_assert_uint_eq(next_heard(&s, text), 5);
    ck_assert_uint_eq(webhooks_view(f.webhooks).dropped_total, 1);
    fixture_fini(&f);
    stranger_end(&s);
}
END_TEST

START_TEST(a_new_webhook_hears_nothing_old_and_a_file_for_all_eyes_is_refused)
{
    struct stranger s = stranger_begin(NULL, 0);
    struct fixture f = {0};
    struct err err = {0};
    static char text[REQUEST_MAX + 1];
    fixture_make(&f, &s, SECRET " /");
    journal_take(f.book, fact_crossed("acme", clock_utc_us(), true));
    tell_all(&f, 0); /* now it is known */
    journal_take(f.book, fact_crossed("acme", clock_utc_us(), true));
    tell_all(&f, 1);
    ck_assert_uint_eq(next_heard(&s, text), 2);
    stop_telling(&f);
    ck_assert_int_eq(chmod(f.file, 0640), 0);
    ck_assert_int_eq(webhooks_new(&f.webhooks, f.loop, f.book, f.file, 1, &err), -EPERM);
    fixture_fini(&f);
    stranger_end(&s);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("webhooks");
    TCase *tc = tcase_create("webhooks");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, the_file, 0, (int)COUNT_OF(files));
    tcase_add_test(tc, each_event_arrives_at_least_once_and_in_order);
    tcase_add_test(tc, what_is_not_known_to_be_taken_is_sent_again);
    tcase_add_test(tc, who_ends_before_the_answer_sends_it_again);
    tcase_add_test(tc, others_tenants_and_old_events_are_left_out);
    tcase_add_test(tc, a_new_webhook_hears_nothing_old_and_a_file_for_all_eyes_is_refused);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}

/*
 * served - the HTTP doors with a real server in a child, and a client that sends what it likes; for their tests.
 */
#ifndef REEVE_TESTS_QUOTAS_REPORTS_SERVED_H
#define REEVE_TESTS_QUOTAS_REPORTS_SERVED_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "base/io/rpc.h"
#include "quotas/reports/http.h"
#include "quotas/reports/tell.h"
#include "tests/quotas/reports/journal.h"

#define ANSWER_MAX ((size_t)256 << 20)

struct served {
    char folder[80], database[160], socket[104], tokens[160], token_file[160];
    char token[80], limited[80], reeved[104];
    bool scheduled; /* with a scheduler */
    uint16_t port;
    pid_t pid;
    int rows;
};

/* ---- the server ------------------------------------------------------------------------------------------------- */
static inline void archived(void *arg, uint64_t seq)
{
    (void)arg, (void)seq;
}

/* A scheduler that knows what we ask. */
static struct rpc_server *scheduler;

static inline void on_metrics(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                       const void *params)
{
    (void)arg, (void)conn, (void)params;
    char text[] = "# HELP reeve_jobs Jobs.\nreeve_jobs 7\n";
    rpc_answer(scheduler, ticket, m->result, &(struct text_reply){text});
}

static inline void scheduler_begin(struct served *s, struct loop *loop, struct report *report)
{
    static rpc_handler handlers[CLIENT_METHOD_COUNT] = {[CALL_METRICS] = on_metrics};
    static const struct rpc_handlers table = {.methods = client_methods, .handlers = handlers,
                                              .count = CLIENT_METHOD_COUNT};
    struct err err = {0};
    if (rpc_listen(&scheduler, loop, s->reeved, 0600, 8, &table, NULL, &err) < 0 ||
        tell_new(&report->tell, loop, s->reeved, &err) < 0) {
        fprintf(stderr, "serve: %s\n", err_text(&err));
        _exit(97);
    }
}

static inline _Noreturn void serve(struct served *s, int ready)
{
    struct loop *loop = NULL;
    struct link link = {.url = "unix:/nonexistent/redis.sock", .cell = "test"};
    struct report report = {.database = s->database, .cell = "test", .link = &link, .tokens.path = s->tokens};
    struct http *http = NULL;
    struct err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init("test", LOG_ERROR);
    if (book_open(&report.book, s->database, "test", &err) < 0 || loop_new(&loop, &err) < 0)
        _exit(96);
    if (s->scheduled)
        scheduler_begin(s, loop, &report);
    if (follow_new(&report.follow, loop, report.book, &link, archived, NULL, &err) < 0 ||
        http_new(&http, loop, &report, &err) < 0 || http_listen_unix(http, s->socket, &err) < 0 ||
        http_listen_tcp(http, 0, &s->port, &err) < 0 || write(ready, &s->port, sizeof s->port) != sizeof s->port) {
        fprintf(stderr, "serve: %s\n", err_text(&err));
        _exit(99);
    }
    int r = loop_run(loop, &err);
    http_free(http);
    tell_free(report.tell);
    rpc_server_free(scheduler);
    follow_free(report.follow);
    book_close(report.book);
    tokens_fini(&report.tokens);
    loop_free(loop);
    exit(r < 0 ? 98 : 0); /* with sanitizers: also whether everything was freed */
}

static inline void fill(struct served *s, int jobs)
{
    struct book *book = journal_book(s->database);
    struct err err = {0};
    struct fact policy = fact_policy(AT_NOVEMBER);
    set_text(&policy.policy.currency, "EUR");
    fact_tenant(&policy, "acme");
    fact_tenant(&policy, "beta");
    ck_assert_int_eq(book_begin(book, &err), 0);
    ck_assert_int_eq(journal_apply(book, 1, &policy, &err), 0);
    fact_clear(&policy);
    for (int i = 1; i <= jobs; i++) {
        struct attempt_id id = {(uint64_t)i, 0, 1};
        struct fact facts[] = {fact_job(id.job, i % 2 ? "acme" : "beta", "alice", "<script>&", 1),
                               fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"/@total", NULL}),
                               fact_end(AT_NOVEMBER, id, 3, NEXT_FINAL, true)};
        add_charge(&facts[2].ended.charges, "cpu", 0, 10, 3);
        for (size_t k = 0; k < COUNT_OF(facts); k++) {
            ck_assert_msg(journal_apply(book, book_next(book), &facts[k], &err) == 0, "%s", err_text(&err));
            fact_clear(&facts[k]);
        }
    }
    ck_assert_int_eq(book_commit(book, &err), 0);
    book_close(book);
    s->rows = jobs;
}

static inline void make_tokens(struct served *s)
{
    struct err err = {0};
    struct buf text = {0};
    char line[256], hex[SHA256_HEX_MAX];
    uint8_t hash[SHA256_BYTES];
    ck_assert_int_eq(tokens_create(s->tokens, s->token_file, clock_utc_us(), &err), 0);
    ck_assert_int_eq(file_read(s->token_file, 4096, &text, &err), 0);
    snprintf(s->token, sizeof s->token, "%.64s", buf_text(&text));
    snprintf(s->limited, sizeof s->limited, "only-acme");
    sha256(&(struct sha256_part){s->limited, strlen(s->limited)}, 1, hash);
    snprintf(line, sizeof line, "%s cost:read acme 2099-01-01\n", sha256_hex(hash, hex));
    buf_reset(&text);
    ck_assert_int_eq(file_read(s->tokens, 4096, &text, &err), 0);
    buf_add_str(&text, line);
    ck_assert_int_eq(file_write_durable(s->tokens, buf_text(&text), text.len, 0600, &err), 0);
    buf_fini(&text);
}

static inline void start(struct served *s)
{
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    s->pid = fork();
    if (s->pid == 0)
        serve(s, ready[1]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &s->port, sizeof s->port), sizeof s->port);
    close(ready[0]);
}

/* Serves the same folder once more. */
static inline struct served serving_again(struct served s)
{
    start(&s);
    return s;
}

static inline struct served serving(int jobs)
{
    struct served s = {0};
    snprintf(s.folder, sizeof s.folder, "%s/XXXXXX", journal_top);
    ck_assert_ptr_nonnull(mkdtemp(s.folder));
    snprintf(s.database, sizeof s.database, "%s/reeve.sqlite", s.folder);
    snprintf(s.socket, sizeof s.socket, "%s/http.sock", s.folder);
    snprintf(s.reeved, sizeof s.reeved, "%s/reeve.sock", s.folder);
    snprintf(s.tokens, sizeof s.tokens, "%s/tokens", s.folder);
    snprintf(s.token_file, sizeof s.token_file, "%s/token", s.folder);
    fill(&s, jobs);
    make_tokens(&s);
    return serving_again(s);
}

/* It still lives, and ends well. */
static inline void served_end(struct served *s)
{
    int status = 0;
    ck_assert_int_eq(kill(s->pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
    ck_assert_msg(status == 0, "the server ended with %x", (unsigned)status);
}

/* ---- the client -------------------------------------------------------------------------------------------------- */
static inline int connect_local(const struct served *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", s->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline int connect_tcp(const struct served *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(s->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* Everything until the server closes. Returns the status. */
static inline int receive(int fd, struct buf *out)
{
    static char bytes[65536];
    out->max = ANSWER_MAX;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        buf_add(out, bytes, (size_t)n);
    close(fd);
    return strncmp(buf_text(out), "HTTP/1.", 7) == 0 ? (int)strtol(buf_text(out) + 9, NULL, 10) : 0;
}

static inline int get(int fd, const char *path, const char *headers, struct buf *out)
{
    char text[2048];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.%d\r\nHost: reeve\r\nConnection: close\r\n%s\r\n", path,
                     strcmp(path, "/metrics") != 0, headers); /* 1.0: not in chunks */
    send_text(fd, text, (size_t)n);
    return receive(fd, out);
}

#endif

#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/loop.h"
#include "cli/format.h"

#define WAIT_MS 30000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 2000
#define LOST_PATIENCE_US ((uint64_t)300 * 1000000)
#define TROUBLE_PAUSE_MS 300
#define TROUBLES_MAX 5 /* failed reads of a finished job's log before we go on without it */
#define INTERRUPTED 130

struct follower;

struct stream {
    struct follower *follower;
    enum log_stream which;
    struct timer *again;
    uint64_t offset;
    uint32_t epoch;
    unsigned troubles;
    bool asking;       /* a log.read is on its way */
    bool asked_final;  /* ... and the job was known to be over when it left */
    bool parked;       /* no such attempt yet: asked again when the job changes; or paused by `again` */
    bool done;
};

struct follower {
    const struct follow_setup *setup;
    struct loop *loop;
    struct rpc_conn *conn;
    struct timer *reconnect;
    struct watch *second_int, *second_term;
    struct stream streams[LOG_STREAM_COUNT];
    struct wait_reply last;
    char path[108];
    uint64_t lost_since_us; /* 0 = connected */
    uint32_t pause_ms;
    bool waiting, final, cancel_due, cancelling;
    int exit;
};

/* ---- writing ---------------------------------------------------------------------------------------------- */

/* Somebody may have made our output non-blocking: another child of the same shell can. */
static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return -errno;
        }
        bytes += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    return 0;
}

int follow_write(enum log_stream which, const struct log_reply *reply)
{
    if (reply->dropped > 0) {
        struct buf text = {0};
        buf_addf(&text, "reeve: ");
        format_bytes(&text, reply->dropped);
        buf_addf(&text, " of std%s were dropped here: beyond the job's log_max\n", names_get(&log_stream_names, which));
        fflush(stdout);
        fputs(buf_text(&text), stderr);
        buf_fini(&text);
    }
    return write_all(which == STREAM_OUT ? STDOUT_FILENO : STDERR_FILENO, (const char *)reply->data.data,
                     reply->data.len);
}

/* ---- ends ------------------------------------------------------------------------------------------------- */

static void leave(struct follower *f, int exit)
{
    f->exit = exit;
    loop_stop(f->loop);
}

static void pump(struct follower *f);

static bool all_done(const struct follower *f)
{
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
        if (!f->streams[i].done)
            return false;
    return f->final || f->setup->only_this_attempt;
}

/* The person is told. */
static void leave_refused(struct follower *f, const struct err *err)
{
    struct refusal r = {0};
    rpc_refusal(err, &r);
    leave(f, cli_refused(f->setup->cli, &r));
    fields_clear(&refusal_fields, &r);
}

/* ---- logs ------------------------------------------------------------------------------------------------- */

static void next_attempt(struct stream *s)
{
    s->epoch++;
    s->offset = 0;
    s->troubles = 0;
    s->done = s->follower->setup->only_this_attempt;
}

static void on_log_failed(struct stream *s, const struct err *err)
{
    struct follower *f = s->follower;
    if (err->code == -EPERM && strncmp(err->text, "state:", 6) == 0) {
        s->done = s->asked_final || f->setup->only_this_attempt; /* over, and there was no further attempt */
        s->parked = !s->done && !f->final; /* it may have become final meanwhile: then nothing would wake us */
    } else if (err->code == -EPERM) {
        leave_refused(f, err);
    } else if (err->code != -ECONNRESET) {
        s->parked = true;
        if (++s->troubles > TROUBLES_MAX && s->asked_final) {
            struct buf text = {0};
            format_safe(&text, err->text);
            fprintf(stderr, "reeve: std%s of attempt %u can't be read: %s\n", names_get(&log_stream_names, s->which),
                    s->epoch, buf_text(&text));
            buf_fini(&text);
            next_attempt(s);
        }
        timer_set_ms(s->again, TROUBLE_PAUSE_MS);
    }
}

static void on_log(void *arg, const void *result, const struct err *err)
{
    struct stream *s = arg;
    struct follower *f = s->follower;
    const struct log_reply *reply = result;
    s->asking = false;
    if (reply == NULL) {
        on_log_failed(s, err);
        pump(f);
        return;
    }
    s->troubles = 0;
    int rc = follow_write(s->which, reply);
    if (rc < 0) {
        fprintf(stderr, "reeve: write: %s\n", strerror(-rc));
        leave(f, CLI_REFUSED);
        return;
    }
    s->epoch = reply->epoch;
    s->offset = reply->offset + reply->data.len;
    if (reply->end)
        next_attempt(s);
    pump(f);
}

static void on_again(void *arg)
{
    struct stream *s = arg;
    s->parked = false;
    pump(s->follower);
}

static void ask_log(struct stream *s)
{
    struct follower *f = s->follower;
    struct log_call call = {.job = f->setup->job, .task = f->setup->task, .epoch = s->epoch, .stream = s->which,
                            .offset = s->offset, .max = 262144, .wait = true};
    s->asked_final = f->final;
    s->asking = rpc_call(f->conn, &client_methods[CALL_LOG], &call, on_log, s) == 0;
}

/* ---- the job ---------------------------------------------------------------------------------------------- */

static void on_wait(void *arg, const void *result, const struct err *err)
{
    struct follower *f = arg;
    f->waiting = false;
    if (result == NULL) {
        if (err->code == -EPERM)
            leave_refused(f, err);
        else if (err->code == -EAGAIN)
            timer_set_ms(f->reconnect, TROUBLE_PAUSE_MS);
        else if (err->code != -ECONNRESET)
            leave(f, cli_unreachable(f->setup->cli, err));
        return;
    }
    struct wait_reply now = {0};
    if (fields_copy(&wait_reply_fields, result, &now) < 0) {
        leave(f, CLI_UNREACHABLE);
        return;
    }
    bool changed = now.change != f->last.change || f->last.row.job == 0;
    fields_clear(&wait_reply_fields, &f->last);
    f->last = now;
    f->final = now.final;
    f->pause_ms = PAUSE_FIRST_MS;
    f->lost_since_us = 0;
    if (changed && f->setup->on_change != NULL)
        f->setup->on_change(f->setup->arg, &f->last);
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
        f->streams[i].parked = false;
    pump(f);
}

static void on_cancel(void *arg, const void *result, const struct err *err)
{
    struct follower *f = arg;
    f->cancelling = false;
    /* Refused means that it is over already, which the wait will tell. Lost or unavailable: asked again. */
    f->cancel_due = result == NULL && err->code != -EPERM;
    if (f->cancel_due && err->code == -EAGAIN)
        timer_set_ms(f->reconnect, TROUBLE_PAUSE_MS);
}

/* Everything that is due and not on its way is asked now. */
static void pump(struct follower *f)
{
    if (all_done(f)) {
        leave(f, CLI_DONE);
        return;
    }
    if (f->conn == NULL)
        return;
    if (!f->final && !f->waiting) {
        struct wait_call call = {.job = f->setup->job, .seen = f->last.change, .timeout_ms = WAIT_MS};
        f->waiting = rpc_call(f->conn, &client_methods[CALL_WAIT], &call, on_wait, f) == 0;
    }
    if (f->cancel_due && !f->cancelling && !f->final) {
        struct job_call call = {.job = f->setup->job};
        f->cancelling = rpc_call(f->conn, &client_methods[CALL_CANCEL], &call, on_cancel, f) == 0;
    }
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
        struct stream *s = &f->streams[i];
        if (!s->done && !s->asking && !s->parked)
            ask_log(s);
    }
}

/* ---- the connection --------------------------------------------------------------------------------------- */

static void on_closed(void *arg, struct rpc_conn *conn, const char *why)
{
    (void)conn;
    struct follower *f = arg;
    f->conn = NULL;
    if (f->lost_since_us == 0)
        f->lost_since_us = clock_boot_us();
    if (clock_boot_us() - f->lost_since_us > LOST_PATIENCE_US) {
        struct err err = {0};
        (void)err_set(&err, -ECONNRESET, "the scheduler is gone: %s; job %llu goes on without us", why,
                      (unsigned long long)f->setup->job);
        leave(f, cli_unreachable(f->setup->cli, &err));
        return;
    }
    timer_set_ms(f->reconnect, f->pause_ms);
    f->pause_ms = MIN(f->pause_ms * 2, PAUSE_MAX_MS);
}

/* Also the way back to work after "unavailable". */
static void on_reconnect(void *arg)
{
    struct follower *f = arg;
    struct err err = {0};
    const struct rpc_handlers h = {.on_close = on_closed};
    if (f->conn == NULL && rpc_connect(&f->conn, f->loop, f->path, &h, f, &err) < 0) {
        f->conn = NULL;
        on_closed(f, NULL, err.text);
        return;
    }
    pump(f);
}

static void on_second_interrupt(void *arg, int what)
{
    (void)what;
    struct follower *f = arg;
    fprintf(stderr, "reeve: left job %llu; it is still stopping\n", (unsigned long long)f->setup->job);
    leave(f, INTERRUPTED);
}

static void on_interrupt(void *arg)
{
    struct follower *f = arg;
    if (!f->setup->interrupt_cancels) {
        leave(f, INTERRUPTED);
        return;
    }
    fprintf(stderr, "reeve: cancelling job %llu; once more leaves it\n", (unsigned long long)f->setup->job);
    f->cancel_due = true;
    if (watch_signal(&f->second_int, f->loop, SIGINT, on_second_interrupt, f) < 0 ||
        watch_signal(&f->second_term, f->loop, SIGTERM, on_second_interrupt, f) < 0)
        leave(f, INTERRUPTED);
    pump(f);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static int start(struct follower *f, struct err *err)
{
    int rc = cli_short_path(f->setup->cli->scheduler_path, f->path, err);
    if (rc == 0)
        rc = loop_new(&f->loop, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
        f->streams[i] = (struct stream){.follower = f, .which = (enum log_stream)i, .epoch = f->setup->epoch,
                                        .done = !f->setup->streams[i]};
        if (timer_new(&f->streams[i].again, f->loop, on_again, &f->streams[i]) < 0)
            return err_set(err, -ENOMEM, "out of memory");
    }
    if (timer_new(&f->reconnect, f->loop, on_reconnect, f) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    timer_set_us(f->reconnect, 0);
    loop_on_stop(f->loop, on_interrupt, f);
    return loop_run(f->loop, err);
}

static void finish(struct follower *f)
{
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
        timer_free(f->streams[i].again);
    timer_free(f->reconnect);
    watch_free(f->second_int);
    watch_free(f->second_term);
    loop_free(f->loop);
}

int follow(const struct follow_setup *setup, struct wait_reply *ret)
{
    struct err err = {0};
    struct follower f = {.setup = setup, .pause_ms = PAUSE_FIRST_MS};
    fflush(stdout);
    if (start(&f, &err) < 0)
        f.exit = cli_unreachable(setup->cli, &err);
    struct rpc_conn *conn = TAKE_PTR(f.conn);
    int exit = f.exit;
    rpc_close(conn); /* waiting calls get their last reply here, while their streams still stand */
    finish(&f);
    if (exit == CLI_DONE)
        *ret = f.last;
    else
        fields_clear(&wait_reply_fields, &f.last);
    return exit;
}

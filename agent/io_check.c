#include "agent/io_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/log.h"

#define FILE_BYTES_MAX 65536

struct io_checker {
    struct fair *fair;
    struct timer *timer;
    struct io_check sums;
    struct io_sums seen; /* of the arbiter's, which begin with the agent */
    bool differs;         /* and the log knows */
};

static void on_timer(void *arg)
{
    struct io_checker *c = arg;
    io_checker_look(c, clock_utc_us());
    timer_set_ms(c->timer, IO_CHECK_MS);
}

/* One that can't be read begins anew. */
static void load(struct io_check *ret)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct err err = {0};
    int rc = file_read(IO_CHECK_PATH, FILE_BYTES_MAX, &text, &err);
    rc = rc < 0 ? rc : json_read(&io_check_fields, buf_text(&text), text.len, JSON_LENIENT, ret, &err);
    if (rc < 0 && rc != -ENOENT)
        log_line(LOG_WARN, "io.check", "error=%s", log_quote(err_text(&err)));
}

static void store(const struct io_check *sums)
{
    CLEANUP(buf_fini) struct buf text = {0};
    if (json_write(&io_check_fields, sums, &text) < 0)
        return;
    buf_add_str(&text, "\n");
    (void)!file_replace(IO_CHECK_PATH, text.data, text.len, 0600);
}

int io_checker_new(struct io_checker **ret, struct loop *l, struct fair *fair, struct err *err)
{
    struct io_checker *c = calloc(1, sizeof *c);
    int rc = c == NULL ? -ENOMEM : timer_new(&c->timer, l, on_timer, c);
    if (rc < 0) {
        free(c);
        return err_set(err, rc, "out of memory");
    }
    c->fair = fair;
    load(&c->sums);
    timer_set_ms(c->timer, 0);
    *ret = c;
    return 0;
}

void io_checker_free(struct io_checker *c)
{
    if (c == NULL)
        return;
    io_checker_look(c, clock_utc_us());
    timer_free(c->timer);
    free(c);
}

const struct io_window *io_checker_window(const struct io_checker *c)
{
    return &c->sums.now;
}

static void say(const struct io_window *w, const char *when)
{
    struct io_verdict v = io_verdict(&w->sums);
    log_line(v.agrees ? LOG_INFO : LOG_WARN, "io.check",
             "verdict=%s when=%s kernel_bytes=%" PRIu64 " billed_bytes=%" PRIu64 " off_percent=%.2f"
             " memory_bytes=%" PRIu64 " log_bytes=%" PRIu64 " cached_bytes=%" PRIu64,
             v.agrees ? "agrees" : "differs", when, v.kernel_bytes, v.disk_bytes, v.off_percent, w->sums.memory_bytes,
             w->sums.log_bytes, w->sums.cached_bytes);
}

/* What was told since the last look. */
static bool add(struct io_checker *c, struct io_window *w)
{
    const struct io_sums *told = arbiter_books(fair_arbiter(c->fair));
    if (memcmp(told, &c->seen, sizeof *told) == 0)
        return false;
    io_sums_add(&w->sums, told, &c->seen);
    c->seen = *told;
    return true;
}

/* A clock that was set back, or far ahead, ends a window too. */
static bool is_over(const struct io_window *w, int64_t utc_us)
{
    return utc_us < w->from_utc_us || utc_us - w->from_utc_us >= IO_CHECK_WINDOW_US;
}

void io_checker_look(struct io_checker *c, int64_t utc_us)
{
    struct io_window *now = &c->sums.now;
    bool news = add(c, now);
    if (now->from_utc_us == 0) {
        now->from_utc_us = utc_us;
        news = true;
    } else if (is_over(now, utc_us)) {
        now->to_utc_us = utc_us;
        say(now, "day");
        c->sums.before = *now;
        *now = (struct io_window){.from_utc_us = utc_us};
        news = true;
    }
    bool differs = !io_verdict(&now->sums).agrees;
    if (differs && !c->differs)
        say(now, "now");
    c->differs = differs;
    if (news)
        store(&c->sums);
}

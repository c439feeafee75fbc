#include "quotas/reports/webhooks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "base/sha256.h"
#include "quotas/reports/webhook_send.h"

#define RETRY_MAX_MS UINT64_C(3600000)

struct line {
    struct webhooks *all;
    const struct webhook *hook; /* of all->hooks */
    struct timer *timer;
    uint64_t heard;             /* the last event it has */
    uint64_t sent;              /* the one that is under way */
    uint64_t wait_ms;           /* 0: the last try was a success */
    bool sending, waiting;      /* neither: nothing to send */
};

struct webhooks {
    struct book *book;
    struct sender *sender;
    struct list hooks; /* struct webhook */
    struct line *lines;
    uint64_t retry_ms;
    struct webhooks_view view;
    struct timer *soon;
};

void webhook_signature(const char *secret, int64_t at_s, const char *body, struct buf *out)
{
    char at[32], hex[SHA256_HEX_MAX];
    uint8_t mac[SHA256_BYTES];
    int n = snprintf(at, sizeof at, "%" PRId64 ".", at_s);
    const struct sha256_part parts[] = {{at, (size_t)n}, {body, strlen(body)}};
    sha256_hmac(secret, strlen(secret), parts, COUNT_OF(parts), mac);
    buf_addf(out, "t=%" PRId64 ",v1=%s", at_s, sha256_hex(mac, hex));
}

static int add_header(struct strs *headers, const char *name, const char *value)
{
    struct buf line = {0};
    buf_addf(&line, "%s: %s", name, value);
    int r = line.failed ? -ENOMEM : strs_add(headers, buf_text(&line));
    buf_fini(&line);
    return r;
}

static int make_headers(const struct webhook *hook, const char *id, const char *body, struct strs *headers)
{
    struct buf signature = {0};
    webhook_signature(hook->secret, clock_utc_us() / 1000000, body, &signature);
    int r = signature.failed ? -ENOMEM : add_header(headers, "Content-Type", "application/json");
    if (r == 0)
        r = add_header(headers, "Reeve-Event", id);
    if (r == 0)
        r = add_header(headers, "Reeve-Signature", buf_text(&signature));
    if (r == 0)
        r = strs_add(headers, "Expect:"); /* no question before a small body */
    buf_fini(&signature);
    return r;
}

static void strs_clear(struct strs *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct strs){0};
}

static void wait(struct line *l)
{
    l->wait_ms = l->wait_ms == 0 ? l->all->retry_ms : MIN(l->wait_ms * 2, RETRY_MAX_MS);
    l->waiting = true;
    timer_set_ms(l->timer, l->wait_ms);
}

static void broke(struct line *l, const struct err *why)
{
    log_line(LOG_ERROR, "webhook.broke", "webhook=%s error=%s", l->hook->name, log_quote(err_text(why)));
    wait(l);
}

static void go_on(struct line *l);

static void on_done(void *arg, long status, const char *why)
{
    struct line *l = arg;
    struct err err = {0};
    l->sending = false;
    if (status < 200 || status > 299) {
        l->all->view.failed_total++;
        log_line(LOG_WARN, "webhook.failed", "webhook=%s event=%" PRIu64 " status=%ld why=%s", l->hook->name, l->sent,
                 status, log_quote(why));
        wait(l);
        return;
    }
    l->all->view.sent_total++;
    l->wait_ms = 0;
    l->heard = l->sent; /* also when it can't be written: it would be sent again only after a restart */
    log_line(LOG_INFO, "webhook.sent", "webhook=%s event=%" PRIu64, l->hook->name, l->sent);
    if (book_hook_save(l->all->book, l->hook->name, l->heard, &err) < 0)
        log_line(LOG_ERROR, "webhook.broke", "webhook=%s error=%s", l->hook->name, log_quote(err_text(&err)));
    go_on(l);
}

static int begin(struct line *l, const struct book_event *event, struct err *err)
{
    struct strs headers = {0};
    const char *id = strstr(event->body, "\"id\":\"");
    char text[128] = "";
    if (id != NULL)
        snprintf(text, sizeof text, "%.*s", (int)strcspn(id + 6, "\""), id + 6);
    int r = make_headers(l->hook, text, event->body, &headers) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    if (r == 0)
        r = sender_post(l->all->sender, l->hook->url, &headers, event->body, on_done, l, err);
    strs_clear(&headers);
    l->sent = event->seq;
    l->sending = r == 0;
    return r;
}

/* What is too old is skipped, and said. */
static int skip_old(struct line *l, int64_t since, struct err *err)
{
    struct book_event event = {0};
    int r = book_event_next(l->all->book, l->hook, l->heard, INT64_MIN, &event, err);
    free(event.body);
    if (r < 0 || event.seq == 0)
        return r;
    struct book_event young = {0};
    r = book_event_next(l->all->book, l->hook, l->heard, since, &young, err);
    free(young.body);
    if (r < 0 || young.seq == event.seq)
        return r;
    l->all->view.dropped_total++;
    log_line(LOG_ERROR, "webhook.dropped", "webhook=%s event=%" PRIu64 " why=\"nobody took it for three days\"",
             l->hook->name, event.seq);
    l->heard = event.seq;
    r = book_hook_save(l->all->book, l->hook->name, l->heard, err);
    return r < 0 ? r : 1;
}

static void go_on(struct line *l)
{
    int64_t since = clock_utc_us() - EVENT_LIVES_US;
    struct book_event event = {0};
    struct err err = {0};
    int r;
    if (l->sending || l->waiting)
        return;
    do
        r = skip_old(l, since, &err);
    while (r == 1);
    if (r == 0)
        r = book_event_next(l->all->book, l->hook, l->heard, since, &event, &err);
    if (r == 0 && event.seq != 0)
        r = begin(l, &event, &err);
    free(event.body);
    if (r < 0)
        broke(l, &err);
}

static void on_timer(void *arg)
{
    struct line *l = arg;
    l->waiting = false;
    go_on(l);
}

/* Not inside the follower's callback: the turn after it. */
static void on_soon(void *arg)
{
    struct webhooks *w = arg;
    for (size_t i = 0; i < w->hooks.count; i++)
        go_on(&w->lines[i]);
}

static int make_lines(struct webhooks *w, struct loop *loop, struct err *err)
{
    w->lines = calloc(w->hooks.count + 1, sizeof *w->lines);
    if (w->lines == NULL)
        return err_set(err, -ENOMEM, "no memory");
    for (size_t i = 0; i < w->hooks.count; i++) {
        struct line *l = &w->lines[i];
        *l = (struct line){.all = w, .hook = &((const struct webhook *)w->hooks.v)[i]};
        int r = book_hook_load(w->book, l->hook->name, &l->heard, err);
        if (r == 0 && timer_new(&l->timer, loop, on_timer, l) < 0)
            r = err_set(err, -ENOMEM, "no memory");
        if (r < 0)
            return r;
    }
    return 0;
}

int webhooks_new(struct webhooks **ret, struct loop *loop, struct book *book, const char *path, uint64_t retry_ms,
                 struct err *err)
{
    struct webhooks *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(err, -ENOMEM, "no memory");
    w->book = book;
    w->retry_ms = retry_ms;
    int r = webhooks_load(path, &w->hooks, err);
    if (r == 0)
        r = sender_new(&w->sender, loop, err);
    if (r == 0 && timer_new(&w->soon, loop, on_soon, w) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    if (r == 0)
        r = make_lines(w, loop, err);
    if (r < 0) {
        webhooks_free(w);
        return r;
    }
    timer_set_ms(w->soon, 0);
    *ret = w;
    return 0;
}

void webhooks_free(struct webhooks *w)
{
    if (w == NULL)
        return;
    sender_free(w->sender);
    for (size_t i = 0; w->lines != NULL && i < w->hooks.count; i++)
        if (w->lines[i].timer != NULL)
            timer_free(w->lines[i].timer);
    if (w->soon != NULL)
        timer_free(w->soon);
    free(w->lines);
    webhooks_clear(&w->hooks);
    free(w);
}

void webhooks_poke(struct webhooks *w)
{
    if (w != NULL && w->hooks.count > 0)
        timer_set_ms(w->soon, 0);
}

struct webhooks_view webhooks_view(const struct webhooks *w)
{
    struct webhooks_view view = {0};
    if (w == NULL)
        return view;
    view = w->view;
    view.hooks = w->hooks.count;
    for (size_t i = 0; i < w->hooks.count; i++)
        view.failing += w->lines[i].wait_ms != 0;
    return view;
}

#include "agent/log_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/fd.h"

struct reading {
    struct reading *next;
    struct log_reader *reader;
    uint64_t serial;
    struct rpc_ticket ticket;
    struct log_call call;
    uint64_t until_boot_us;
    struct attempts_log log;
    struct log_window window;
    int file;
    uint8_t *bytes;
    bool in_ring, unwanted;
};

struct log_reader {
    struct log_reader_setup with;
    struct timer *timer;
    struct reading *first;
    uint64_t last_serial;
    uint32_t count;
    uint64_t timer_boot_us; /* when it will fire; 0 = not set */
    bool woken;
};

static void on_timer(void *arg)
{
    struct log_reader *r = arg;
    r->timer_boot_us = 0;
    log_reader_wake(r);
}

static void wake_at(struct log_reader *r, uint64_t when)
{
    uint64_t now = clock_boot_us();
    if (r->timer_boot_us != 0 && r->timer_boot_us <= when)
        return;
    r->timer_boot_us = when;
    timer_set_us(r->timer, when > now ? when - now : 0);
}

int log_reader_new(struct log_reader **ret, const struct log_reader_setup *setup)
{
    struct log_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    r->with = *setup;
    int rc = timer_new(&r->timer, setup->loop, on_timer, r);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

static void reading_free(struct reading *g)
{
    struct log_reader *r = g->reader;
    struct reading **at = &r->first;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    r->count--;
    close_p(&g->file);
    free(g->bytes);
    free(g);
}

void log_reader_free(struct log_reader *r)
{
    if (r == NULL)
        return;
    while (r->first != NULL)
        reading_free(r->first);
    timer_free(r->timer);
    free(r);
}

static void refuse(struct reading *g, const char *code, const char *message)
{
    if (!g->unwanted)
        g->reader->with.refuse(g->reader->with.arg, &g->ticket, code, message);
    reading_free(g);
}

static void answer(struct reading *g, size_t len)
{
    const struct log_window *w = &g->window;
    struct log_reply reply = {
        .data = {.data = g->bytes, .len = len},
        .offset = w->offset,
        .size = g->log.size,
        .dropped = w->dropped,
        .end = g->log.ended && w->offset + len >= g->log.size,
        .epoch = g->log.epoch,
    };
    if (!g->unwanted)
        g->reader->with.answer(g->reader->with.arg, &g->ticket, &reply);
    reading_free(g);
}

static struct attempt_id id_of(const struct reading *g)
{
    return (struct attempt_id){.job = g->call.job, .task = g->call.task, .epoch = g->log.epoch};
}

/* Where the log stands now. */
static int look(struct reading *g)
{
    int rc = attempts_log(g->reader->with.attempts, id_of(g), g->call.stream, &g->log);
    if (rc < 0)
        return rc;
    uint64_t max = g->call.max == 0 ? LOG_READ_MAX : MIN(g->call.max, LOG_READ_MAX);
    g->window = log_window(g->log.size, g->log.cap, g->call.offset, max);
    return 0;
}

static void try_now(struct reading *g);

static struct reading *reading_of(struct log_reader *r, uint64_t serial)
{
    for (struct reading *g = r->first; g != NULL; g = g->next)
        if (g->serial == serial)
            return g;
    return NULL;
}

static void on_read(void *owner, uint64_t token, int32_t result)
{
    struct reading *g = reading_of(owner, token);
    assert(g != NULL); /* it stays until its buffer is its own again */
    g->in_ring = false;
    if (g->unwanted) {
        reading_free(g);
        return;
    }
    if (result < 0) {
        refuse(g, "io", strerror(-result));
        return;
    }
    /* The tail's beginning may have been punched while it was being read: then it reads as zeros. */
    struct log_window before = g->window;
    if (look(g) == 0 && g->window.offset != before.offset) {
        try_now(g);
        return;
    }
    g->window = before;
    answer(g, (size_t)result);
}

static void read_window(struct reading *g)
{
    uint32_t len = (uint32_t)g->window.len;
    g->bytes = g->bytes == NULL ? malloc(LOG_READ_MAX) : g->bytes;
    struct ring_reply reply = {.fn = on_read, .owner = g->reader, .token = g->serial};
    if (g->file < 0)
        g->file = attempts_log_open(g->reader->with.attempts, id_of(g), g->call.stream);
    if (g->file < 0)
        refuse(g, "not_found", "this attempt's logs are no longer here");
    else if (g->bytes == NULL ||
             ring_read(g->reader->with.ring, g->file, g->bytes, len, g->window.offset, reply, NULL) < 0)
        refuse(g, "busy", "this node reads too many logs at once; ask again");
    else
        g->in_ring = true;
}

/* Reads, answers, or leaves it waiting. */
static void try_now(struct reading *g)
{
    int rc = look(g);
    if (rc < 0) {
        refuse(g, "not_found", "this attempt's logs are not here, or no longer");
        return;
    }
    if (g->window.len > 0)
        read_window(g);
    else if (g->log.ended || !g->call.wait || clock_boot_us() >= g->until_boot_us)
        answer(g, 0);
    else
        wake_at(g->reader, g->until_boot_us);
}

void log_reader_ask(struct log_reader *r, const struct rpc_ticket *ticket, const struct log_call *call)
{
    struct reading *g = r->count >= LOG_READS_MAX ? NULL : calloc(1, sizeof *g);
    if (g == NULL || call->stream >= LOG_FILE_COUNT) {
        free(g);
        r->with.refuse(r->with.arg, ticket, "busy", "this node reads too many logs at once; ask again");
        return;
    }
    g->reader = r;
    g->ticket = *ticket;
    g->call = *call;
    g->serial = ++r->last_serial;
    g->file = -1;
    g->log.epoch = call->epoch;
    g->until_boot_us = clock_boot_us() + LOG_READ_WAIT_US;
    g->next = r->first;
    r->first = g;
    r->count++;
    try_now(g);
}

void log_reader_wake(struct log_reader *r)
{
    r->woken = true;
}

void log_reader_turn(struct log_reader *r)
{
    if (!r->woken)
        return;
    r->woken = false;
    for (struct reading *g = r->first, *next; g != NULL; g = next) {
        next = g->next;
        if (!g->in_ring)
            try_now(g);
    }
}

void log_reader_forget(struct log_reader *r)
{
    for (struct reading *g = r->first, *next; g != NULL; g = next) {
        next = g->next;
        g->unwanted = true;
        if (!g->in_ring)
            reading_free(g);
    }
}

#include "agent/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/io/clock.h"
#include "base/io/log.h"

enum link_state { LINK_DOWN, LINK_OPENING, LINK_GREETING, LINK_UP };

struct link {
    struct link_setup with;
    struct log_reader *reader;
    struct rpc_conn *conn;
    enum link_state state;
    struct timer *pause, *beat;
    uint32_t pause_ms, beat_ms;
    uint64_t sent_boot_us;  /* of the hello or beat that waits for its answer */
    bool beating;           /* one beat waits for its answer */
    bool hurry;             /* the next one is not to wait for its time */
    uint32_t tells;         /* states that wait for theirs */
    uint64_t quiet_boot_us; /* nothing is told before: the scheduler couldn't commit */
    bool said_down;         /* the log knows that it is down */
    char instance[33];
    uint32_t hellos; /* of this instance */
};

/* ---- going down, coming back ---- */

static uint32_t with_jitter(uint32_t ms)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_boot_us();
    return ms / 2 + random % (ms / 2 + 1);
}

static void go_down(struct link *l, const char *why)
{
    if (!l->said_down)
        log_line(LOG_WARN, "link.down", "why=%s", log_quote(why));
    l->said_down = true;
    l->conn = NULL;
    l->state = LINK_DOWN;
    l->beating = false;
    timer_cancel(l->beat);
    attempts_unlinked(l->with.attempts);
    if (l->reader != NULL)
        log_reader_forget(l->reader);
    timer_set_ms(l->pause, with_jitter(l->pause_ms));
    l->pause_ms = MIN(l->pause_ms * 2, LINK_PAUSE_MAX_MS);
}

static void hang_up(struct link *l, const char *why)
{
    struct rpc_conn *conn = l->conn;
    if (conn == NULL)
        return;
    go_down(l, why);
    rpc_close(conn);
}

static void on_close(void *arg, struct rpc_conn *conn, const char *why)
{
    struct link *l = arg;
    if (conn == l->conn)
        go_down(l, why);
}

/* ---- the fence ---- */

static bool admit(struct link *l, uint64_t term, const char *what)
{
    struct err err = {0};
    int rc = fence_admit(l->with.fence, term, &err);
    if (rc < 0)
        log_line(LOG_WARN, "link.refused", "what=%s term=%" PRIu64 " why=%s", what, term, log_quote(err_text(&err)));
    return rc == 0;
}

/* ---- beats ---- */

static void send_beat(struct link *l);

static void on_beaten(void *arg, const void *result, const struct err *err)
{
    struct link *l = arg;
    (void)err;
    l->beating = false;
    const struct beat_reply *reply = result;
    if (reply == NULL)
        return; /* the next one asks again; leases go on counting */
    if (!admit(l, reply->term, "beat")) {
        hang_up(l, "its term is over");
        return;
    }
    attempts_contact(l->with.attempts, l->sent_boot_us);
    if (l->hurry)
        send_beat(l);
}

static void send_beat(struct link *l)
{
    struct beat_call call = {.boot_us = clock_boot_us()};
    l->hurry = false;
    if (attempts_beats(l->with.attempts, &call.attempts) == 0) {
        l->sent_boot_us = call.boot_us;
        l->beating = rpc_call(l->conn, &agent_calls[AGENT_BEAT], &call, on_beaten, l) == 0;
    }
    free(call.attempts.v);
}

static void on_beat(void *arg)
{
    struct link *l = arg;
    timer_set_ms(l->beat, l->beat_ms);
    if (l->state == LINK_UP && !l->beating)
        send_beat(l);
}

void link_hurry(struct link *l)
{
    l->hurry = true;
    if (l->state == LINK_UP && !l->beating)
        send_beat(l);
}

/* ---- hello ---- */

static void on_hello(void *arg, const void *result, const struct err *err)
{
    struct link *l = arg;
    const struct hello_reply *reply = result;
    if (l->state != LINK_GREETING)
        return;
    if (reply == NULL) {
        if (err->code != -ECONNRESET) /* else on_close is about to be called */
            hang_up(l, err_text(err));
        return;
    }
    if (!admit(l, reply->term, "hello")) {
        hang_up(l, "its term is over");
        return;
    }
    l->state = LINK_UP;
    l->pause_ms = LINK_PAUSE_MIN_MS;
    l->beat_ms = reply->beat_ms == 0 ? LINK_BEAT_DEFAULT_MS : reply->beat_ms;
    l->quiet_boot_us = 0;
    l->said_down = false;
    timer_set_ms(l->beat, l->beat_ms);
    log_line(LOG_INFO, "link.up", "term=%" PRIu64 " beat_ms=%" PRIu32, reply->term, l->beat_ms);
    attempts_contact(l->with.attempts, l->sent_boot_us);
}

static void say_hello(struct link *l)
{
    char *texts[] = {strdup(l->with.node), strdup(clock_boot_id()), strdup(l->instance), strdup(REEVE_VERSION)};
    struct hello_call call = {.node = texts[0], .boot_id = texts[1], .instance = texts[2], .version = texts[3],
                              .capacity = *l->with.capacity, .labels = *l->with.labels, .features = *l->with.features,
                              .max_attempts = l->with.max_attempts, .term_seen = l->with.fence->seen,
                              .number = l->with.fence->starts << 32 | ++l->hellos};
    int rc = attempts_states(l->with.attempts, &call.attempts);
    l->sent_boot_us = clock_boot_us();
    l->state = LINK_GREETING;
    if (rc == 0)
        rc = rpc_call(l->conn, &agent_calls[AGENT_HELLO], &call, on_hello, l);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(call.attempts.v);
    if (rc < 0)
        hang_up(l, strerror(-rc));
}

static void on_open(void *arg, struct rpc_conn *conn)
{
    struct link *l = arg;
    if (conn == l->conn || l->conn == NULL) {
        l->conn = conn;
        say_hello(l);
    }
}

/* ---- orders ---- */

static void on_run(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                   const void *params)
{
    (void)conn, (void)ticket, (void)m;
    struct link *l = arg;
    const struct run_call *call = params;
    if (admit(l, call->term, "run"))
        attempts_run(l->with.attempts, call);
}

static void on_paid(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                    const void *params)
{
    (void)conn, (void)ticket, (void)m;
    struct link *l = arg;
    const struct paid_call *call = params;
    if (admit(l, call->term, "paid"))
        attempts_paid(l->with.attempts, call);
}

static void on_stop(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                    const void *params)
{
    (void)conn, (void)ticket, (void)m;
    struct link *l = arg;
    const struct stop_call *call = params;
    if (admit(l, call->term, "stop"))
        attempts_stop(l->with.attempts, call);
}

static void on_forget(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    (void)conn, (void)ticket, (void)m;
    struct link *l = arg;
    const struct forget_call *call = params;
    if (admit(l, call->term, "forget"))
        attempts_forget(l->with.attempts, call);
}

static void on_shares(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    (void)conn, (void)ticket, (void)m;
    struct link *l = arg;
    const struct shares_call *call = params;
    if (admit(l, call->term, "shares") && shares_told(l->with.shares, call))
        attempts_follow(l->with.attempts);
}

static void on_log(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                   const void *params)
{
    (void)conn, (void)m;
    struct link *l = arg;
    log_reader_ask(l->reader, ticket, params);
}

void link_answer_log(void *link, const struct rpc_ticket *ticket, const struct log_reply *reply)
{
    struct link *l = link;
    if (l->conn != NULL)
        rpc_conn_answer(l->conn, ticket, &log_reply_fields, reply);
}

void link_refuse_log(void *link, const struct rpc_ticket *ticket, const char *code, const char *message)
{
    struct link *l = link;
    struct refusal refusal = {0};
    if (l->conn == NULL)
        return;
    refusal_set(&refusal, code, NULL, message, NULL);
    rpc_conn_refuse(l->conn, ticket, &refusal);
    fields_clear(&refusal_fields, &refusal);
}

/* ---- telling ---- */

struct telling {
    struct link *link;
    uint64_t token;
    bool ended;
};

static void on_told(void *arg, const void *result, const struct err *err)
{
    struct telling *one = arg;
    struct link *l = one->link;
    l->tells--;
    if (result == NULL && l->state == LINK_UP) { /* its store is away: told again when it may be back */
        if (l->quiet_boot_us == 0)
            log_line(LOG_WARN, "link.unanswered", "why=%s", log_quote(err_text(err)));
        l->quiet_boot_us = clock_boot_us() + UINT64_C(1000) * LINK_UNAVAILABLE_MS;
    } else if (result != NULL) {
        l->quiet_boot_us = 0;
    }
    attempts_told(l->with.attempts, one->token, one->ended, result != NULL);
    free(one);
}

static int tell(struct link *l, const struct attempt_state *state, uint64_t token)
{
    struct telling *one = malloc(sizeof *one);
    if (one == NULL)
        return -ENOMEM;
    *one = (struct telling){.link = l, .token = token, .ended = state->ended};
    int rc = rpc_call(l->conn, &agent_calls[AGENT_STATE], state, on_told, one);
    if (rc < 0)
        free(one);
    return rc;
}

void link_turn(struct link *l)
{
    if (l->state != LINK_UP || (l->quiet_boot_us != 0 && clock_boot_us() < l->quiet_boot_us))
        return; /* the next beat wakes the loop */
    struct attempt_state state;
    uint64_t token;
    while (l->state == LINK_UP && l->tells < LINK_TELLS_MAX && attempts_next_tell(l->with.attempts, &state, &token)) {
        if (tell(l, &state, token) == 0) {
            l->tells++;
        } else {
            attempts_told(l->with.attempts, token, state.ended, false);
            return; /* the scheduler reads slowly */
        }
    }
}

/* ---- birth and death ---- */

static const rpc_handler handlers[NODE_CALL_COUNT] = {
    [NODE_RUN] = on_run, [NODE_PAID] = on_paid, [NODE_STOP] = on_stop, [NODE_FORGET] = on_forget, [NODE_LOG] = on_log,
    [NODE_SHARES] = on_shares,
};
static const struct rpc_handlers door = {
    .methods = node_calls, .handlers = handlers, .count = NODE_CALL_COUNT, .on_open = on_open, .on_close = on_close,
};

static void on_pause_over(void *arg)
{
    struct link *l = arg;
    struct err err = {0};
    struct rpc_conn *conn = NULL;
    l->state = LINK_OPENING;
    int rc = rpc_connect(&conn, l->with.loop, l->with.socket, &door, l, &err);
    if (rc < 0)
        go_down(l, err_text(&err));
    else if (l->state != LINK_DOWN)
        l->conn = conn;
}

int link_new(struct link **ret, const struct link_setup *setup, struct err *err)
{
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    l->with = *setup;
    l->pause_ms = LINK_PAUSE_MIN_MS;
    l->beat_ms = LINK_BEAT_DEFAULT_MS;
    uint64_t random[2] = {0};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        random[0] = clock_boot_us();
    snprintf(l->instance, sizeof l->instance, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    int rc = timer_new(&l->pause, setup->loop, on_pause_over, l);
    if (rc == 0)
        rc = timer_new(&l->beat, setup->loop, on_beat, l);
    if (rc < 0) {
        link_free(l);
        return err_set(err, rc, "out of memory");
    }
    *ret = l;
    return 0;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    if (l->conn != NULL)
        rpc_close(l->conn);
    timer_free(l->pause);
    timer_free(l->beat);
    free(l);
}

void link_serve_logs(struct link *l, struct log_reader *reader)
{
    l->reader = reader;
}

void link_start(struct link *l)
{
    timer_set_us(l->pause, 0);
}

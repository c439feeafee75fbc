#include "quotas/reports/door.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/rpc.h"
#include "quotas/reports/history.h"
#include "quotas/reports/io_days.h"
#include "quotas/reports/rerate.h"
#include "quotas/reports/tell.h"

#define CONNECTIONS_MAX 256
#define RELAYS_MAX 1024

struct door_rpc {
    struct rpc_server *server;
    struct report *report;
    uint32_t relays; /* logs on their way */
};

/* One call: who, and a snapshot to answer from. */
struct visit {
    struct door_rpc *door;
    const struct rpc_ticket *ticket;
    struct viewer viewer;
    struct params none;
    struct ask ask;
};

static void refuse(const struct visit *v, const char *code, const char *where, const char *message)
{
    struct refusal refusal = {0};
    refusal_set(&refusal, code, where, message, NULL);
    rpc_refuse(v->door->server, v->ticket, &refusal);
    fields_clear(&refusal_fields, &refusal);
}

static void unavailable(const struct visit *v, const char *why)
{
    rpc_unavailable(v->door->server, v->ticket, why, 1000);
}

/* False: answered already. */
static bool begin(struct visit *v, struct rpc_conn *conn)
{
    struct problem problem = {0};
    struct err err = {0};
    follow_now(v->door->report->follow);
    v->ask = (struct ask){.viewer = &v->viewer, .params = &v->none};
    if (ask_open(&v->ask, v->door->report, &problem) < 0) {
        unavailable(v, problem.detail);
        return false;
    }
    if (viewer_of_uid(&v->viewer, v->ask.db, rpc_peer(conn)->uid, &err) < 0) {
        unavailable(v, err_text(&err));
        return false;
    }
    return true;
}

static void end(struct visit *v)
{
    ask_fini(&v->ask);
    viewer_fini(&v->viewer);
}

static void on_history(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                       const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    const struct list_call *call = params;
    struct list_reply reply = {0};
    struct problem problem = {0};
    struct err err = {0};
    if (!begin(&v, conn)) {
        end(&v);
        return;
    }
    if (call->tenant != NULL && call->tenant[0] != '\0' && ask_tenant(&v.ask, call->tenant, &problem) < 0)
        refuse(&v, "not_found", "tenant", "there is no such tenant for you");
    else if (history_list(&v.ask, call, &reply, &err) < 0)
        unavailable(&v, err_text(&err));
    else
        rpc_answer(v.door->server, ticket, m->result, &reply);
    fields_clear(&list_reply_fields, &reply);
    end(&v);
}

static void on_show(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                    const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    struct job_view view = {0};
    struct err err = {0};
    if (!begin(&v, conn)) {
        end(&v);
        return;
    }
    int r = history_show(&v.ask, params, &view, &err);
    if (r < 0)
        unavailable(&v, err_text(&err));
    else if (r == 0)
        refuse(&v, "not_found", "job", "the reports have no such job or task for you");
    else
        rpc_answer(v.door->server, ticket, m->result, &view);
    fields_clear(&job_view_fields, &view);
    end(&v);
}

struct relay {
    struct door_rpc *door;
    struct rpc_ticket ticket;
};

static void on_log_read(void *arg, const void *result, const struct err *err)
{
    struct relay *r = arg;
    struct refusal refusal = {0};
    if (result != NULL) {
        rpc_answer(r->door->server, &r->ticket, &log_reply_fields, result);
    } else if (err->code == -EPERM) {
        rpc_refusal(err, &refusal);
        rpc_refuse(r->door->server, &r->ticket, &refusal);
        fields_clear(&refusal_fields, &refusal);
    } else {
        static const char code[] = "unavailable: "; /* once is enough */
        const char *text = err_text(err);
        text += strncmp(text, code, sizeof code - 1) == 0 ? sizeof code - 1 : 0;
        rpc_unavailable(r->door->server, &r->ticket, text, 1000);
    }
    r->door->relays--;
    free(r);
}

static void relay_log(const struct visit *v, const struct log_call *call, const struct attempt_view *attempt)
{
    struct node_log_call ask = {.node = attempt->node, .log = *call};
    struct relay *r = v->door->relays < RELAYS_MAX ? calloc(1, sizeof *r) : NULL;
    ask.log.epoch = attempt->epoch;
    if (r == NULL) {
        unavailable(v, "too many logs are being read");
        return;
    }
    *r = (struct relay){v->door, *v->ticket};
    int rc = tell_read_log(v->door->report->tell, &ask, on_log_read, r);
    v->door->relays += rc == 0;
    if (rc == 0)
        return;
    unavailable(v, "the scheduler, which reads logs from nodes, is away");
    free(r);
}

static void on_log(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                   const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    const struct log_call *call = params;
    struct attempt_view attempt = {0};
    struct err err = {0};
    int r = begin(&v, conn) ? history_attempt(&v.ask, call, &attempt, &err) : -EALREADY;
    if (r == 0) {
        refuse(&v, "not_found", "attempt", "the reports have no such job, task or attempt for you");
    } else if (r < 0 && r != -EALREADY) {
        unavailable(&v, err_text(&err));
    } else if (r > 0 && log_is_empty(&attempt.record, call->stream)) {
        struct log_reply nothing = log_empty(call, attempt.epoch);
        rpc_answer(v.door->server, ticket, m->result, &nothing);
    } else if (r > 0) {
        relay_log(&v, call, &attempt);
    }
    fields_clear(&attempt_view_fields, &attempt);
    end(&v);
}

static void on_check(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                     const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    struct check_reply reply = {0};
    struct err err = {0};
    (void)params;
    if (!begin(&v, conn)) {
        end(&v);
        return;
    }
    if (!v.viewer.all)
        refuse(&v, "forbidden", NULL, "ledger.check is for admins");
    else if (check_books(v.door->report, &v.ask, &reply, &err) < 0)
        unavailable(&v, err_text(&err));
    else
        rpc_answer(v.door->server, ticket, m->result, &reply);
    fields_clear(&check_reply_fields, &reply);
    end(&v);
}

static void on_status(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    struct door_rpc *d = arg;
    (void)conn, (void)params;
    follow_now(d->report->follow);
    struct follow_view view = follow_view(d->report->follow);
    struct buf text = {0};
    buf_addf(&text, "state %s\narchived %" PRIu64 "\ndurable %" PRIu64 "\nversion " REEVE_VERSION "\n",
             names_get(&follow_state_names, view.state), view.mark.cursor, view.durable);
    if (view.text[0] != '\0')
        buf_addf(&text, "why %s\n", view.text);
    struct text_reply reply = {.text = buf_take(&text)};
    rpc_answer(d->server, ticket, m->result, &reply);
    fields_clear(&text_reply_fields, &reply);
}

static void on_rerate(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                      const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    struct rerate_reply reply = {0};
    struct err err = {0};
    if (!begin(&v, conn)) {
        end(&v);
        return;
    }
    if (!v.viewer.all)
        refuse(&v, "forbidden", "ledger.rerate", "only admins re-rate");
    else if (rerate_lines(&v.ask, params, &reply, &err) < 0)
        unavailable(&v, err_text(&err));
    else
        rpc_answer(v.door->server, ticket, m->result, &reply);
    fields_clear(&rerate_reply_fields, &reply);
    end(&v);
}

static void on_io(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                  const void *params)
{
    struct visit v = {.door = arg, .ticket = ticket};
    const struct ledger_io_call *call = params;
    struct ledger_io_reply reply = {0};
    struct err err = {0};
    if (!begin(&v, conn)) {
        end(&v);
        return;
    }
    if (!v.viewer.all)
        refuse(&v, "forbidden", NULL, "ledger.io is for admins");
    else if (call->to_utc_us < call->from_utc_us)
        refuse(&v, "bad_request", "to", "it is before `from`");
    else if (io_days_read(&v.ask, *call, &reply, &err) < 0)
        unavailable(&v, err_text(&err));
    else
        rpc_answer(v.door->server, ticket, m->result, &reply);
    fields_clear(&ledger_io_reply_fields, &reply);
    end(&v);
}

static const rpc_handler handlers[REPORT_METHOD_COUNT] = {
    [REPORT_RERATE] = on_rerate,
    [REPORT_HISTORY] = on_history, [REPORT_SHOW] = on_show, [REPORT_STATUS] = on_status,
    [REPORT_LOG] = on_log,         [REPORT_CHECK] = on_check,
    [REPORT_IO] = on_io};

int door_open(struct door_rpc **ret, struct loop *loop, struct report *report, const char *path, struct err *err)
{
    static const struct rpc_handlers table = {
        .methods = report_methods, .handlers = handlers, .count = REPORT_METHOD_COUNT};
    struct door_rpc *d = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(err, -ENOMEM, "no memory");
    d->report = report;
    int r = rpc_listen(&d->server, loop, path, 0666, CONNECTIONS_MAX, &table, d, err);
    if (r < 0) {
        free(d);
        return r;
    }
    rpc_server_per_user(d->server, CONNECTIONS_MAX / 4);
    *ret = d;
    return 0;
}

void door_close(struct door_rpc *d)
{
    if (d == NULL)
        return;
    rpc_server_free(d->server);
    free(d);
}

/* window.list, window.set, window.drop: maintenance. */
#include "scheduler/api_inner.h"

static enum request_step set_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                     size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_window(core, w->params, w->caller.user, now, out, &w->reply.window, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static enum request_step drop_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                      size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_window_drop(core, w->params, w->caller.user, now, out, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops set_ops = {false, set_propose, wish_settled, wish_unavailable, wish_free};
static const struct request_ops drop_ops = {false, drop_propose, wish_settled, wish_unavailable, wish_free};

void api_windows(const struct call *c)
{
    struct windows_reply reply = {0};
    if (core_windows(c->api->core, call_now(c), &reply) == 0)
        call_answer(c, &windows_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    fields_clear(&windows_reply_fields, &reply);
}

void api_window_set(const struct call *c)
{
    wish_post(c, &set_ops, &window_call_fields, &window_reply_fields);
}

void api_window_drop(const struct call *c)
{
    wish_post(c, &drop_ops, &window_drop_call_fields, NULL);
}

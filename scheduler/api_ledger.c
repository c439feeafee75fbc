#include <string.h>

#include "scheduler/api_inner.h"

/* ---- ledger.adjust ---- */
static enum request_step adjust_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    fields_clear(&adjust_reply_fields, &w->reply.adjust);
    int answer =
        core_check_adjust(core, w->params, w->caller.user, now, out, room, ret_count, &w->reply.adjust, &refusal);
    if (answer == CORE_REFUSED)
        return wish_refused(w, &refusal);
    return answer == CORE_FACT ? REQUEST_FACTS : REQUEST_LATER;
}

static const struct request_ops adjust_ops = {false, adjust_propose, wish_settled, wish_unavailable, wish_free};

void api_adjust(const struct call *c)
{
    wish_post(c, &adjust_ops, &adjust_call_fields, &adjust_reply_fields);
}

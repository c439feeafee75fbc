/*
 * life - the life of an attempt on its node, as one table, and what must still be told about it, as another.
 *
 *   ordered --slot--> launching --launched--> greeting --greeted--> running --ended--> draining --drained--> reading
 *      ^ |      busy-----+ |                     |  |                  |  |              ^                      |
 *      +-|-----------------+ verdict             |  +------ended-------|--+--------------+                    usage
 *        |                 |                     +------lost-----------+--> killing --removed--> draining       |
 *        +-----verdict-----+---------------------------------------------> recording <--------------------------+
 *                                                                              | recorded
 *                                     over <--answered-- telling <--removed-- removing
 *
 * ordered    the order is in its folder, the warden knows nothing of it
 * launching  the warden was asked; whether it ran is unknown until the answer, also across a restart of the agent
 * greeting   it runs or ran; the keeper has not yet handed out the pipes
 * killing    its keeper is gone without a record: whatever is left is being killed
 * draining   nothing of it runs; the pipes are being emptied into the log files
 * recording  its end is known and is being written to `ended`
 * telling    the scheduler must still confirm the end
 *
 * Every step is repeatable: after a restart life_resume() says from what lies in the folder where to go on.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_LIFE_H
#define REEVE_AGENT_CORE_LIFE_H

#include "base/fields.h"

enum life_state {
    LIFE_ORDERED,
    LIFE_LAUNCHING,
    LIFE_GREETING,
    LIFE_RUNNING,
    LIFE_KILLING,
    LIFE_DRAINING,
    LIFE_READING,
    LIFE_RECORDING,
    LIFE_REMOVING,
    LIFE_TELLING,
    LIFE_OVER,
    LIFE_STATE_COUNT
};

enum life_event {
    LIFE_EV_SLOT,     /* one more launch may be under way */
    LIFE_EV_VERDICT,  /* its end is known without a keeper: launch failed, stopped before it, node rebooted */
    LIFE_EV_LAUNCHED,
    LIFE_EV_BUSY,     /* the warden has no room now */
    LIFE_EV_GREETED,
    LIFE_EV_ENDED,    /* the keeper's record is complete */
    LIFE_EV_LOST,     /* the keeper is gone; without a record unless it was there before */
    LIFE_EV_DRAINED,
    LIFE_EV_USAGE,
    LIFE_EV_RECORDED,
    LIFE_EV_REMOVED,
    LIFE_EV_ANSWERED,
    LIFE_EVENT_COUNT
};

/* What the agent does on entering the next state; each is idempotent. */
enum life_action {
    LIFE_NOTHING,
    LIFE_QUEUE,   /* wait for a slot */
    LIFE_LAUNCH,
    LIFE_CONNECT, /* to the keeper's control socket */
    LIFE_CAPTURE, /* logs, tell that it runs, say what was asked meanwhile */
    LIFE_DRAIN,
    LIFE_KILL,
    LIFE_READ,
    LIFE_RECORD,
    LIFE_REMOVE,
    LIFE_TELL,
    LIFE_CLOSE,   /* keep the logs, drop the rest */
    LIFE_ACTION_COUNT
};

struct life_step {
    enum life_state next;
    enum life_action action;
};

extern const struct names life_state_names, life_event_names, life_action_names;

/* 0 and the step, or -EPROTO when the table is blank there: nothing changes. */
int life_next(uint32_t state, uint32_t event, struct life_step *ret) MUST_USE;

/* What an agent that starts finds in an attempt's folder. */
struct life_found {
    bool over;     /* it was confirmed; only logs are kept */
    bool ended;    /* `ended` is complete */
    bool order;    /* `order` is complete */
    bool rebooted; /* the node is another boot than when it was ordered */
    bool asked;    /* `exit` exists: the warden may have been asked */
};
/* false: nothing of worth, remove the folder. Otherwise put the attempt into *state and feed it *event;
 * LIFE_EVENT_COUNT = no event, LIFE_OVER = only its logs. */
bool life_resume(struct life_found found, enum life_state *ret_state, enum life_event *ret_event);

/* ---- what must still be told ---- */
enum tell_state {
    TELL_NOTHING,
    TELL_RUNNING_DUE,
    TELL_RUNNING_SENT,
    TELL_RUNNING_KNOWN,
    TELL_END_DUE,
    TELL_END_SENT,
    TELL_END_KNOWN, /* nothing more to say, ever */
    TELL_STATE_COUNT
};
enum tell_event {
    TELL_EV_RUNNING,
    TELL_EV_END,
    TELL_EV_SENT,
    TELL_EV_RUNNING_ANSWERED,
    TELL_EV_END_ANSWERED, /* or the scheduler said forget */
    TELL_EV_UNANSWERED,   /* the link broke or the scheduler could not commit it */
    TELL_EV_ASKED,        /* the scheduler sent the order again: it doesn't know */
    TELL_EVENT_COUNT
};
extern const struct names tell_state_names, tell_event_names;
/* Total: every pair has a state. */
uint32_t tell_next(uint32_t state, uint32_t event);
bool tell_is_due(uint32_t state);

#endif

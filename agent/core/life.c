#include "agent/core/life.h"

#include <errno.h>

static const char *const state_names[] = {
    [LIFE_ORDERED] = "ordered",     [LIFE_LAUNCHING] = "launching", [LIFE_GREETING] = "greeting",
    [LIFE_RUNNING] = "running",     [LIFE_KILLING] = "killing",     [LIFE_DRAINING] = "draining",
    [LIFE_READING] = "reading",     [LIFE_RECORDING] = "recording", [LIFE_REMOVING] = "removing",
    [LIFE_TELLING] = "telling",     [LIFE_OVER] = "over",
};
static const char *const event_names[] = {
    [LIFE_EV_SLOT] = "slot",         [LIFE_EV_VERDICT] = "verdict",   [LIFE_EV_LAUNCHED] = "launched",
    [LIFE_EV_BUSY] = "busy",         [LIFE_EV_GREETED] = "greeted",   [LIFE_EV_ENDED] = "ended",
    [LIFE_EV_LOST] = "lost",         [LIFE_EV_DRAINED] = "drained",   [LIFE_EV_USAGE] = "usage",
    [LIFE_EV_RECORDED] = "recorded", [LIFE_EV_REMOVED] = "removed",   [LIFE_EV_ANSWERED] = "answered",
};
static const char *const action_names[] = {
    [LIFE_NOTHING] = "nothing", [LIFE_QUEUE] = "queue", [LIFE_LAUNCH] = "launch", [LIFE_CONNECT] = "connect",
    [LIFE_CAPTURE] = "capture", [LIFE_DRAIN] = "drain", [LIFE_KILL] = "kill",     [LIFE_READ] = "read",
    [LIFE_RECORD] = "record",   [LIFE_REMOVE] = "remove", [LIFE_TELL] = "tell",   [LIFE_CLOSE] = "close",
};
const struct names life_state_names = {state_names, COUNT_OF(state_names)};
const struct names life_event_names = {event_names, COUNT_OF(event_names)};
const struct names life_action_names = {action_names, COUNT_OF(action_names)};

struct cell {
    bool filled;
    struct life_step step;
};
#define TO(next_, action_) {true, {LIFE_##next_, LIFE_##action_}}

/* A keeper that is gone after its record is nothing new: LOST stays where it is from draining on. */
static const struct cell table[LIFE_STATE_COUNT][LIFE_EVENT_COUNT] = {
    [LIFE_ORDERED] = {[LIFE_EV_SLOT] = TO(LAUNCHING, LAUNCH), [LIFE_EV_VERDICT] = TO(RECORDING, RECORD)},
    [LIFE_LAUNCHING] = {[LIFE_EV_LAUNCHED] = TO(GREETING, CONNECT),
                        [LIFE_EV_BUSY] = TO(ORDERED, QUEUE),
                        [LIFE_EV_VERDICT] = TO(RECORDING, RECORD)},
    [LIFE_GREETING] = {[LIFE_EV_GREETED] = TO(RUNNING, CAPTURE),
                       [LIFE_EV_ENDED] = TO(DRAINING, DRAIN),
                       [LIFE_EV_LOST] = TO(KILLING, KILL)},
    [LIFE_RUNNING] = {[LIFE_EV_ENDED] = TO(DRAINING, DRAIN), [LIFE_EV_LOST] = TO(KILLING, KILL)},
    [LIFE_KILLING] = {[LIFE_EV_REMOVED] = TO(DRAINING, DRAIN), [LIFE_EV_LOST] = TO(KILLING, NOTHING)},
    [LIFE_DRAINING] = {[LIFE_EV_DRAINED] = TO(READING, READ), [LIFE_EV_LOST] = TO(DRAINING, NOTHING)},
    [LIFE_READING] = {[LIFE_EV_USAGE] = TO(RECORDING, RECORD), [LIFE_EV_LOST] = TO(READING, NOTHING)},
    [LIFE_RECORDING] = {[LIFE_EV_RECORDED] = TO(REMOVING, REMOVE), [LIFE_EV_LOST] = TO(RECORDING, NOTHING)},
    [LIFE_REMOVING] = {[LIFE_EV_REMOVED] = TO(TELLING, TELL), [LIFE_EV_LOST] = TO(REMOVING, NOTHING)},
    [LIFE_TELLING] = {[LIFE_EV_ANSWERED] = TO(OVER, CLOSE)},
};

int life_next(uint32_t state, uint32_t event, struct life_step *ret)
{
    if (state >= LIFE_STATE_COUNT || event >= LIFE_EVENT_COUNT || !table[state][event].filled)
        return -EPROTO;
    *ret = table[state][event].step;
    return 0;
}

bool life_resume(struct life_found found, enum life_state *ret_state, enum life_event *ret_event)
{
    *ret_event = LIFE_EVENT_COUNT;
    if (found.over) {
        *ret_state = LIFE_OVER;
    } else if (!found.order) {
        return false; /* not yet asked for, or confirmed and half removed */
    } else if (found.ended) {
        *ret_state = LIFE_RECORDING;
        *ret_event = LIFE_EV_RECORDED;
    } else if (found.rebooted) {
        *ret_state = LIFE_ORDERED;
        *ret_event = LIFE_EV_VERDICT;
    } else if (found.asked) {
        *ret_state = LIFE_LAUNCHING;
        *ret_event = LIFE_EV_LAUNCHED; /* the control socket tells the truth */
    } else {
        *ret_state = LIFE_ORDERED;
    }
    return true;
}

static const char *const tell_states[] = {
    [TELL_NOTHING] = "nothing",   [TELL_RUNNING_DUE] = "running_due", [TELL_RUNNING_SENT] = "running_sent",
    [TELL_RUNNING_KNOWN] = "running_known", [TELL_END_DUE] = "end_due", [TELL_END_SENT] = "end_sent",
    [TELL_END_KNOWN] = "end_known",
};
static const char *const tell_events[] = {
    [TELL_EV_RUNNING] = "running", [TELL_EV_END] = "end",       [TELL_EV_SENT] = "sent",
    [TELL_EV_RUNNING_ANSWERED] = "running_answered",            [TELL_EV_END_ANSWERED] = "end_answered",
    [TELL_EV_UNANSWERED] = "unanswered",                        [TELL_EV_ASKED] = "asked",
};
const struct names tell_state_names = {tell_states, COUNT_OF(tell_states)};
const struct names tell_event_names = {tell_events, COUNT_OF(tell_events)};

#define NONE TELL_NOTHING
#define R_DUE TELL_RUNNING_DUE
#define R_SENT TELL_RUNNING_SENT
#define R_KNOWN TELL_RUNNING_KNOWN
#define E_DUE TELL_END_DUE
#define E_SENT TELL_END_SENT
#define E_KNOWN TELL_END_KNOWN

/* A late answer about running must never be taken for the answer about the end. */
static const uint8_t tell_table[TELL_STATE_COUNT][TELL_EVENT_COUNT] = {
    /*            running  end      sent    running answered  end answered  unanswered  asked */
    [NONE] =    {R_DUE,   E_DUE,   NONE,    NONE,             E_KNOWN,      NONE,       NONE},
    [R_DUE] =   {R_DUE,   E_DUE,   R_SENT,  R_KNOWN,          E_KNOWN,      R_DUE,      R_DUE},
    [R_SENT] =  {R_SENT,  E_DUE,   R_SENT,  R_KNOWN,          E_KNOWN,      R_DUE,      R_DUE},
    [R_KNOWN] = {R_KNOWN, E_DUE,   R_KNOWN, R_KNOWN,          E_KNOWN,      R_KNOWN,    R_DUE},
    [E_DUE] =   {E_DUE,   E_DUE,   E_SENT,  E_DUE,            E_KNOWN,      E_DUE,      E_DUE},
    [E_SENT] =  {E_SENT,  E_SENT,  E_SENT,  E_SENT,           E_KNOWN,      E_DUE,      E_DUE},
    [E_KNOWN] = {E_KNOWN, E_KNOWN, E_KNOWN, E_KNOWN,          E_KNOWN,      E_KNOWN,    E_KNOWN},
};

uint32_t tell_next(uint32_t state, uint32_t event)
{
    assert(state < TELL_STATE_COUNT && event < TELL_EVENT_COUNT);
    return tell_table[state][event];
}

bool tell_is_due(uint32_t state)
{
    return state == TELL_RUNNING_DUE || state == TELL_END_DUE;
}

/*
 * What comes before the payload and after it: inputs are brought in while it waits at its gate, outputs are brought
 * out when it has ended. The stager does it (isolation/spec/stage.h); here it is told, heard and, when the attempt has
 * to end meanwhile, stopped.
 *
 *   IN --done--> RUN --the payload ended--> BRINGS_OUT --done--> OVER
 *    `-- failed, the payload ended -------> OVER     `-- failed, killed --> OVER
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "isolation/keeper.h"
#include "isolation/keeper_sys.h"

static void tell(struct keeper *k, uint32_t kind, int error)
{
    struct stage_word word = {kind, error};
    if (k->box->stager_inbox >= 0 && packet_send(k->box->stager_inbox, &word, sizeof word, NULL, 0) < 0)
        close_fd(&k->box->stager_inbox);
}

void keeper_stage_begin(struct keeper *k)
{
    k->stage = (k->box->spec.stages & STAGE_INPUTS) != 0 ? STAGE_IN : STAGE_RUN;
    if (k->stage == STAGE_IN)
        tell(k, STAGE_WORD_BRING_IN, 0);
}

/* From here on its failures are those of its launch, until it is exec'ed: the gate tells. */
static void release_payload(struct keeper *k)
{
    struct launch_word word = {.kind = LAUNCH_RUN};
    k->stage = STAGE_RUN;
    (void)packet_send(k->box->gate, &word, sizeof word, NULL, 0); /* when nobody is there, it was reaped or will be */
}

static void refuse_payload(struct keeper *k)
{
    k->stage = STAGE_OVER;
    if (k->ends.cause == END_NONE)
        k->ends.cause = END_INPUTS;
    kill(k->box->payload, SIGKILL);
}

static void done(struct keeper *k, int error)
{
    if (k->stage == STAGE_IN && error == 0) {
        release_payload(k);
    } else if (k->stage == STAGE_IN) {
        refuse_payload(k);
    } else if (k->stage == STAGE_BRINGS_OUT) {
        k->stage = STAGE_OVER;
        k->out_error = error;
    }
}

void keeper_stage_hear(struct keeper *k)
{
    struct stage_word word;
    ssize_t n = packet_recv(k->box->stager_inbox, &word, sizeof word, NULL, NULL);
    if (n == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof word) {
        close_fd(&k->box->stager_inbox);
        done(k, ECHILD);
    } else if (word.kind == STAGE_WORD_DONE) {
        done(k, word.error);
    } else if (word.kind == STAGE_WORD_MAY) {
        keeper_act_when_due(k); /* frozen, it may have missed its end: then that comes first */
        if (!k->killing)
            tell(k, STAGE_WORD_YES, 0);
    }
}

void keeper_stage_stop(struct keeper *k)
{
    if (k->stage == STAGE_BRINGS_OUT)
        tell(k, STAGE_WORD_STOP, 0);
}

/* ---- the gate ---- */

/* False: nothing more will come. */
static bool hear_gate(struct keeper *k)
{
    struct launch_word word;
    ssize_t n = packet_recv(k->box->gate, &word, sizeof word, NULL, NULL);
    if (n == -ECONNRESET && !k->gate_reset) { /* it ended without reading our word; what it said comes after this */
        k->gate_reset = true;
        return true;
    }
    if (n == (ssize_t)sizeof word && word.kind == LAUNCH_STARTED) {
        k->started = true;
        return true;
    }
    if (n == (ssize_t)sizeof word) {
        k->record.step = word.step;
        k->record.step_errno = word.error;
    }
    close_fd(&k->box->gate);
    return false;
}

void keeper_gate_hear(struct keeper *k)
{
    hear_gate(k);
}

void keeper_stage_settle(struct keeper *k)
{
    if (!k->main_ended || k->stage == STAGE_BRINGS_OUT)
        return;
    while (k->box->gate >= 0 && hear_gate(k))
        continue;
    bool ran = k->stage == STAGE_RUN && k->record.step == STEP_NONE && !k->killing;
    k->stage = STAGE_OVER;
    if (!ran || (k->box->spec.stages & STAGE_OUTPUTS) == 0)
        return;
    bool failed = k->main_status != 0 || k->ends.cause != END_NONE;
    tell(k, STAGE_WORD_BRING_OUT, failed);
    if (k->box->stager_inbox >= 0)
        k->stage = STAGE_BRINGS_OUT;
    else
        k->out_error = ECHILD;
}

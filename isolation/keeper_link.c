#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "isolation/keeper.h"
#include "isolation/keeper_sys.h"
#include "isolation/mover.h"

static uint64_t run_us(const struct keeper *k)
{
    return k->over ? k->record.run_us : keeper_ends_run_us(&k->ends, boot_us());
}

static int send_with(struct keeper *k, uint32_t op, const int *fds, size_t fds_count)
{
    struct keeper_message m;
    memset(&m, 0, sizeof m); /* padding too: nothing of ours leaves unmeant */
    m.version = KEEPER_VERSION;
    m.op = op;
    m.id = k->box->spec.id;
    m.term = k->box->spec.term;
    m.run_us = run_us(k);
    m.started_utc_us = k->box->start_utc_us;
    if (op == KEEPER_HELLO || op == KEEPER_PAUSED || op == KEEPER_RESUMED) {
        m.pauses = (k->ends.paused && !k->over) | k->ends.suspends << KEEPER_SUSPENDS_SHIFT;
        m.paid_us = k->ends.paid_us;
    } else
        m.cause = k->record.cause;
    int rc = packet_send(k->link, &m, sizeof m, fds, fds_count);
    if (rc < 0)
        close_fd(&k->link);
    return rc;
}

int keeper_link_send(struct keeper *k, uint32_t op)
{
    const int pipes[] = {k->box->out_read, k->box->err_read};
    return send_with(k, op, pipes, op == KEEPER_HELLO ? 2 : 0);
}

void keeper_link_say(struct keeper *k, uint32_t op)
{
    if (k->link >= 0)
        keeper_link_send(k, op);
}

/* Each agent gets a connection of its own: what was under way with the one before is asked for anew. */
static void offer_mover(struct keeper *k)
{
    int ends[2];
    struct mover_word word = {.kind = MOVER_WORD_AGENT};
    if (k->box->mover_inbox < 0 || k->over ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return;
    if (packet_send(k->box->mover_inbox, &word, sizeof word, &ends[0], 1) < 0)
        close_fd(&k->box->mover_inbox); /* the job killed it: it has its own user */
    else
        send_with(k, KEEPER_MOVER, &ends[1], 1);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}

/* The newest connection is the agent's: an older one belongs to an agent that is gone or stuck. */
void keeper_link_accept(struct keeper *k)
{
    int fd = accept4(k->box->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    close_fd(&k->link);
    k->link = fd;
    if (keeper_link_send(k, KEEPER_HELLO) == 0)
        offer_mover(k);
}

static void obey_paid(struct keeper *k, const struct keeper_message *m)
{
    uint32_t number = m->pauses >> KEEPER_SUSPENDS_SHIFT, before = k->ends.suspends;
    if ((number == k->ends.suspends && m->paid_us < k->ends.paid_us) || !keeper_ends_suspend(&k->ends, number))
        return; /* an older one */
    keeper_ends_at_paid_end(&k->ends, (m->pauses & KEEPER_PAUSES) != 0, m->signal_us);
    if (keeper_ends_paid(&k->ends, m->paid_us, boot_us()) && !k->over) {
        kill(-1, SIGCONT);
        keeper_link_say(k, KEEPER_RESUMED);
    } else if (k->ends.paused && k->ends.suspends != before && !k->over) {
        keeper_link_say(k, KEEPER_PAUSED); /* by that number, too */
    }
}

static void obey(struct keeper *k, const struct keeper_message *m)
{
    if (m->version != KEEPER_VERSION || memcmp(&m->id, &k->box->spec.id, sizeof m->id) != 0)
        return;
    if (m->op == KEEPER_PAID)
        obey_paid(k, m);
    else if (m->op == KEEPER_HALT && !k->over)
        keeper_ends_halt(&k->ends);
    else if (m->op == KEEPER_LEASE)
        keeper_ends_lease(&k->ends, m->lease_boot_us);
    else if (m->op == KEEPER_STOP && m->cause > END_NONE && m->cause < END_CAUSE_COUNT && !k->over &&
             keeper_ends_stop(&k->ends, m->cause, boot_us(), (uint64_t)m->grace_ms * 1000))
        keeper_term(k);
    else if (m->op == KEEPER_DRAINED && k->over)
        k->drained = true;
}

void keeper_link_read(struct keeper *k)
{
    struct keeper_message m;
    ssize_t n = packet_recv(k->link, &m, sizeof m, NULL, NULL);
    if (n == (ssize_t)sizeof m)
        obey(k, &m);
    else if (n != -EAGAIN)
        close_fd(&k->link);
}

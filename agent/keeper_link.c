#include "agent/keeper_link.h"

#include <errno.h>
#include <string.h>

#include "base/io/fd.h"

struct keeper_link {
    struct watch *watch;
    int sock;
    bool greeted;
    struct attempt_id id;
    const struct keeper_events *events;
    void *owner;
    uint64_t token;
};

static void on_gone(struct keeper_link *k, const char *why)
{
    watch_free(k->watch); /* its fd stays readable: nobody may be woken by it again */
    k->watch = NULL;
    k->events->on_gone(k->owner, k->token, why);
}

static void on_readable(void *arg, int what)
{
    (void)what;
    struct keeper_link *k = arg;
    struct keeper_message m;
    int fds[2] = {-1, -1};
    size_t count = 2;
    ssize_t n = fd_recv_packet(k->sock, &m, sizeof m, fds, &count);
    if (n == -EAGAIN)
        return;
    bool hello = n == (ssize_t)sizeof m && m.op == KEEPER_HELLO && count == 2 && !k->greeted;
    bool good = n == (ssize_t)sizeof m && m.version == KEEPER_VERSION && attempt_id_equal(m.id, k->id);
    if (good && hello) {
        k->greeted = true;
        k->events->on_hello(k->owner, k->token, &m, fds[0], fds[1]);
        return;
    }
    if (good && m.op == KEEPER_MOVER && count == 1) {
        k->events->on_mover(k->owner, k->token, fds[0]);
        return;
    }
    if (n > 0)
        for (size_t i = 0; i < count && i < COUNT_OF(fds); i++)
            close_p(&fds[i]);
    if (good && m.op == KEEPER_ENDED)
        k->events->on_ended(k->owner, k->token, &m);
    else if (good && (m.op == KEEPER_PAUSED || m.op == KEEPER_RESUMED))
        k->events->on_paused(k->owner, k->token, &m);
    else
        on_gone(k, n == 0 ? "end of file" : n < 0 ? strerror((int)-n) : "it broke the protocol");
}

int keeper_link_open(struct keeper_link **ret, struct loop *l, int sock, struct attempt_id id,
                     const struct keeper_events *events, void *owner, uint64_t token)
{
    struct keeper_link *k = calloc(1, sizeof *k);
    if (k == NULL) {
        close_p(&sock);
        return -ENOMEM;
    }
    *k = (struct keeper_link){.sock = sock, .id = id, .events = events, .owner = owner, .token = token};
    int rc = watch_new(&k->watch, l, sock, WATCH_READ, on_readable, k);
    if (rc < 0) {
        keeper_link_free(k);
        return rc;
    }
    *ret = k;
    return 0;
}

void keeper_link_free(struct keeper_link *k)
{
    if (k == NULL)
        return;
    if (k->watch != NULL)
        watch_free(k->watch);
    close_p(&k->sock);
    free(k);
}

static int tell(struct keeper_link *k, struct keeper_message m)
{
    m.version = KEEPER_VERSION;
    m.id = k->id;
    return fd_send_packet(k->sock, &m, sizeof m, NULL, 0);
}

int keeper_link_paid(struct keeper_link *k, uint64_t paid_us, bool pauses, uint32_t suspends, uint64_t signal_us)
{
    return tell(k, (struct keeper_message){
                       .op = KEEPER_PAID, .paid_us = paid_us, .pauses = pauses | suspends << KEEPER_SUSPENDS_SHIFT,
                       .signal_us = signal_us});
}

int keeper_link_lease(struct keeper_link *k, uint64_t lease_boot_us)
{
    return tell(k, (struct keeper_message){.op = KEEPER_LEASE, .lease_boot_us = lease_boot_us});
}

int keeper_link_stop(struct keeper_link *k, uint32_t cause, uint32_t grace_ms)
{
    return tell(k, (struct keeper_message){.op = KEEPER_STOP, .cause = cause, .grace_ms = grace_ms});
}

int keeper_link_drained(struct keeper_link *k)
{
    return tell(k, (struct keeper_message){.op = KEEPER_DRAINED});
}

int keeper_link_halt(struct keeper_link *k)
{
    return tell(k, (struct keeper_message){.op = KEEPER_HALT});
}

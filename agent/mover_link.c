#include "agent/mover_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/fd.h"

struct out {
    bool used;
    uint32_t generation;
    struct fq_grant grant;
};

struct mover_link {
    struct mover_link_setup with;
    struct watch *watch;
    arbiter_id turn;
    uint64_t wanted[MOVER_WANTS]; /* bytes of each that are not granted yet */
    struct out out[MOVER_GRANTS_MAX];
    struct mover_totals totals;
    bool broken;
};

static void give_back_all(struct mover_link *m)
{
    for (uint32_t i = 0; i < MOVER_GRANTS_MAX; i++)
        if (m->out[i].used)
            fair_done(m->with.fair, &m->out[i].grant, 0);
    memset(m->out, 0, sizeof m->out);
}

/* ---- down ---- */

static uint64_t grant_id(const struct mover_link *m, uint32_t slot)
{
    return (uint64_t)m->out[slot].generation << 32 | slot;
}

/* Its turn has come. More than the queue lets out at once there never are. */
static void on_granted(void *owner, uint64_t token, const struct fq_grant *grant)
{
    (void)token;
    struct mover_link *m = owner;
    uint32_t slot = 0;
    while (slot < MOVER_GRANTS_MAX && m->out[slot].used)
        slot++;
    assert(slot < MOVER_GRANTS_MAX);
    m->out[slot] = (struct out){.used = true, .generation = m->out[slot].generation + 1, .grant = *grant};
    struct mover_message say;
    memset(&say, 0, sizeof say);
    say.version = MOVER_VERSION;
    say.op = MOVER_GRANT;
    say.want = (uint32_t)grant->token;
    say.grant = grant_id(m, slot);
    say.offset = grant->offset;
    say.bytes = grant->bytes;
    m->wanted[say.want] -= grant->bytes;
    if (fd_send_packet(m->with.sock, &say, sizeof say, NULL, 0) == 0)
        return;
    m->out[slot].used = false; /* it doesn't read: the watch will say that it is gone, or its grants get stuck */
    m->broken = true;
    fair_done(m->with.fair, grant, 0);
}

/* ---- up ---- */

static bool take_want(struct mover_link *m, const struct mover_message *say)
{
    if (m->wanted[say->want] != 0)
        return false;
    struct fq_request r = {.dir = say->dir == MOVER_READ ? IO_READ : IO_WRITE, .bytes = say->bytes,
                           .token = say->want};
    if (fair_post(m->with.fair, m->turn, &r) < 0)
        return false; /* the node's queue is full */
    m->wanted[say->want] = say->bytes;
    return true;
}

static bool take_done(struct mover_link *m, const struct mover_message *say)
{
    uint64_t slot = say->grant & UINT32_MAX;
    if (slot >= MOVER_GRANTS_MAX || !m->out[slot].used || grant_id(m, (uint32_t)slot) != say->grant)
        return false;
    m->out[slot].used = false;
    m->totals = say->totals;
    fair_done(m->with.fair, &m->out[slot].grant, say->bytes);
    return true;
}

static void lose(struct mover_link *m, const char *why)
{
    watch_free(m->watch);
    m->watch = NULL;
    arbiter_close(fair_arbiter(m->with.fair), m->turn);
    give_back_all(m);
    m->with.on_gone(m->with.owner, m->with.token, why);
}

static void on_readable(void *arg, int what)
{
    (void)what;
    struct mover_link *m = arg;
    struct mover_message say;
    ssize_t n = fd_recv_packet(m->with.sock, &say, sizeof say, NULL, NULL);
    if (n == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof say) {
        lose(m, n == 0 ? "end of file" : n < 0 ? strerror((int)-n) : "a message of another size");
        return;
    }
    bool fine = !m->broken && mover_message_is_sound(&say, false);
    if (fine)
        fine = say.op == MOVER_WANT ? take_want(m, &say) : take_done(m, &say);
    if (!fine)
        lose(m, m->broken ? "it doesn't read what it is granted" : "it broke the protocol");
}

int mover_link_open(struct mover_link **ret, const struct mover_link_setup *setup)
{
    int sock = setup->sock;
    struct mover_link *m = calloc(1, sizeof *m);
    int rc = m == NULL ? -ENOMEM : watch_new(&m->watch, setup->loop, sock, WATCH_READ, on_readable, m);
    if (rc == 0) {
        m->with = *setup;
        struct arbiter_stream turn = {.tenant = setup->tenant, .job = setup->job, .out_max = MOVER_GRANTS_MAX / 2,
                                      .go = on_granted, .owner = m};
        rc = arbiter_open(fair_arbiter(setup->fair), &turn, &m->turn);
        if (rc < 0)
            watch_free(m->watch);
    }
    if (rc < 0) {
        free(m);
        close_p(&sock);
        return rc;
    }
    m->with.tenant = NULL; /* the caller's */
    *ret = m;
    return 0;
}

void mover_link_free(struct mover_link *m)
{
    if (m == NULL)
        return;
    if (m->watch != NULL) {
        watch_free(m->watch);
        arbiter_close(fair_arbiter(m->with.fair), m->turn);
        give_back_all(m);
    }
    close_p(&m->with.sock);
    free(m);
}

struct mover_totals mover_link_totals(const struct mover_link *m)
{
    return m->totals;
}

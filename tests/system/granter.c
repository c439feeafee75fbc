#include "tests/system/granter.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/io/fd.h"

#define WAIT_MS 30000
#define CHUNK ((uint64_t)64 << 10)

bool granter_take(struct granter *g, struct task *task)
{
    struct keeper_message m;
    size_t count = 1;
    ck_assert(driver_link(task, NULL));
    struct pollfd at = {.fd = task->link, .events = POLLIN};
    g->sock = -1;
    ck_assert_int_eq(poll(&at, 1, WAIT_MS), 1);
    ssize_t n = recv(task->link, &m, sizeof m, MSG_PEEK | MSG_DONTWAIT);
    if (n != (ssize_t)sizeof m || m.op != KEEPER_MOVER)
        return false;
    ck_assert_int_eq(fd_recv_packet(task->link, &m, sizeof m, &g->sock, &count), (ssize_t)sizeof m);
    ck_assert_uint_eq(count, 1);
    return true;
}

bool granter_hear(struct granter *g, struct mover_message *ret)
{
    struct pollfd at = {.fd = g->sock, .events = POLLIN};
    ck_assert_int_eq(poll(&at, 1, WAIT_MS), 1);
    ssize_t n = fd_recv_packet(g->sock, ret, sizeof *ret, NULL, NULL);
    ck_assert(n <= 0 || (n == (ssize_t)sizeof *ret && mover_message_is_sound(ret, false)));
    return n > 0;
}

void granter_grant(struct granter *g, uint32_t want, uint64_t offset, uint64_t bytes)
{
    struct mover_message m = {.version = MOVER_VERSION, .op = MOVER_GRANT, .want = want, .grant = ++g->grants,
                              .offset = offset, .bytes = bytes};
    int rc = fd_send_packet(g->sock, &m, sizeof m, NULL, 0);
    ck_assert(rc == 0 || rc == -EPIPE || rc == -ECONNRESET); /* a job that has ended took it along */
}

static void take_done(struct granter *g, const struct mover_message *m)
{
    g->dones++;
    g->moved += m->bytes;
    g->by_path[m->want] += m->bytes;
    ck_assert_uint_ge(m->totals.bytes[0] + m->totals.bytes[1], g->totals.bytes[0] + g->totals.bytes[1] + m->bytes);
    g->totals = m->totals;
}

bool granter_answer(struct granter *g, unsigned until)
{
    struct mover_message m;
    if (!granter_hear(g, &m))
        return false;
    if (m.op == MOVER_DONE)
        take_done(g, &m);
    for (uint64_t at = 0; m.op == MOVER_WANT && at < m.bytes && g->grants < until; at += CHUNK)
        granter_grant(g, m.want, at, MIN(CHUNK, m.bytes - at));
    return true;
}

void granter_serve(struct granter *g, unsigned grants_max)
{
    unsigned until = g->grants + grants_max;
    while (g->grants < until && granter_answer(g, until))
        continue;
}

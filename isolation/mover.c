#include "isolation/mover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/own_filter.h"

static struct mover mover;

/* ---- towards the agent and the programs ---- */

/* An agent that doesn't take what it is told is none: the next one is told anew. */
void mover_say(struct mover *m, const struct mover_message *message)
{
    struct mover_message say = *message;
    say.version = MOVER_VERSION;
    if (m->agent >= 0 && packet_send(m->agent, &say, sizeof say, NULL, 0) < 0)
        close_fd(&m->agent);
}

/* Of what goes on a program may miss a word when it doesn't listen; not of the end: then the socket is closed. */
void mover_answer(struct copy *c, uint32_t status, int error, const char *text)
{
    struct transfer_reply say = {.version = TRANSFER_VERSION, .status = status, .error = error,
                                 .moved_bytes = c->moved};
    strncpy(say.text, text != NULL ? text : "", sizeof say.text - 1);
    (void)packet_send(c->client, &say, sizeof say, NULL, 0);
}

static void take_agent(struct mover *m, int fd)
{
    close_fd(&m->agent);
    m->agent = fd;
    copy_want_again(m);
}

static void hear_agent(struct mover *m)
{
    struct mover_message g;
    ssize_t n = packet_recv(m->agent, &g, sizeof g, NULL, NULL);
    if (n == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof g || !mover_message_is_sound(&g, true) || !copy_granted(m, &g))
        close_fd(&m->agent);
}

/* ---- programs ---- */

static void take_program(struct mover *m)
{
    for (unsigned i = 0; i < MOVER_COPIES; i++) {
        struct copy *c = &m->copies[i];
        if (c->state != COPY_FREE)
            continue;
        int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        *c = (struct copy){.state = COPY_ASKED, .client = fd, .from = -1, .to = -1, .from_own = -1, .to_own = -1};
        return;
    }
}

static void hear_program(struct mover *m, struct copy *c)
{
    struct transfer_request r;
    int fds[2] = {-1, -1}, error = EINVAL;
    size_t count = 2;
    ssize_t n = packet_recv(c->client, &r, sizeof r, fds, &count);
    if (n == -EAGAIN)
        return;
    if (n <= 0 || c->state == COPY_GOES) { /* gone; or it speaks while it should listen */
        c->stays = false;
        for (size_t i = 0; n > 0 && i < count; i++)
            close_fd(&fds[i]);
        copy_end(m, c);
        return;
    }
    const char *why = "this is not a request that the mover knows";
    if (n == (ssize_t)sizeof r && r.version == TRANSFER_VERSION && (r.flags & ~TRANSFER_SHA256) == 0 && count == 2)
        why = mover_vet(fds[0], fds[1], &r, &error);
    if (why == NULL) {
        copy_begin(m, c, &r, fds[0], fds[1]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
    mover_answer(c, TRANSFER_REFUSED, error, why);
    copy_end(m, c);
}

/* ---- the keeper, and the loop ---- */

static void hear_keeper(struct mover *m)
{
    struct mover_word word;
    int fd = -1;
    size_t count = 1;
    ssize_t n = packet_recv(MOVER_INBOX_FD, &word, sizeof word, &fd, &count);
    if (n != (ssize_t)sizeof word || count != 1)
        _exit(0); /* the keeper is gone, and the sandbox with it */
    if (word.kind == MOVER_WORD_LISTENER)
        m->listener = fd;
    else
        take_agent(m, fd);
}

static bool has_room(const struct mover *m)
{
    for (unsigned i = 0; i < MOVER_COPIES; i++)
        if (m->copies[i].state == COPY_FREE)
            return true;
    return false;
}

enum { ON_KEEPER, ON_AGENT, ON_LISTENER, ON_PROGRAMS, ON_COUNT = ON_PROGRAMS + MOVER_COPIES };

static void turn(struct mover *m)
{
    struct pollfd at[ON_COUNT];
    at[ON_KEEPER] = (struct pollfd){MOVER_INBOX_FD, POLLIN, 0};
    at[ON_AGENT] = (struct pollfd){m->agent, POLLIN, 0};
    at[ON_LISTENER] = (struct pollfd){has_room(m) ? m->listener : -1, POLLIN, 0};
    for (unsigned i = 0; i < MOVER_COPIES; i++)
        at[ON_PROGRAMS + i] = (struct pollfd){m->copies[i].state != COPY_FREE ? m->copies[i].client : -1, POLLIN, 0};
    if (poll(at, ON_COUNT, -1) < 0)
        return;
    if (at[ON_KEEPER].revents != 0)
        hear_keeper(m);
    else if (at[ON_AGENT].revents != 0)
        hear_agent(m);
    for (unsigned i = 0; i < MOVER_COPIES; i++)
        if (at[ON_PROGRAMS + i].revents != 0 && m->copies[i].client == at[ON_PROGRAMS + i].fd)
            hear_program(m, &m->copies[i]);
    if (at[ON_LISTENER].revents != 0)
        take_program(m);
}

static int prepare(struct mover *m)
{
    size_t size = (size_t)MOVER_WANTS * MOVER_WANT_BYTES;
    void *buffers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED)
        return -errno;
    m->buffers = buffers;
    m->listener = m->agent = -1;
    prctl(PR_SET_NAME, "reeve-mover");
    int rc = sandbox_help_job(MOVER_ID);
    return rc < 0 ? rc : own_filter_load(&own_filter_mover);
}

noreturn void mover_main(const struct sandbox *s)
{
    if (s->spec.stages != 0)
        mover.copies[0] = (struct copy){.state = COPY_ASKED, .client = MOVER_STAGER_FD, .from = -1, .to = -1,
                                        .from_own = -1, .to_own = -1, .stays = true};
    struct mover_word word = {.kind = MOVER_WORD_READY};
    word.error = (uint32_t)-prepare(&mover);
    if (packet_send(MOVER_INBOX_FD, &word, sizeof word, NULL, 0) < 0 || word.error != 0)
        _exit(1);
    for (;;)
        turn(&mover);
}

/* A stream of the job on its way out. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/confine.h"

bool stream_is_over(const struct stream *s)
{
    return s->from < 0 && s->len == 0;
}

struct pollfd stream_wants(const struct stream *s)
{
    bool writes = s->len > 0;
    return (struct pollfd){.fd = writes ? s->to : s->from, .events = writes ? POLLOUT : POLLIN};
}

/* Where it goes may be a pipe or terminal that others share, so it stays as it is: blocking. A piece of this size never
 * waits once poll says that there is room. */
static void put(struct stream *s)
{
    ssize_t n = s->error != 0 ? (ssize_t)s->len : write(s->to, s->bytes + s->at, MIN(s->len, (size_t)PIPE_BUF));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        s->error = errno;
        n = (ssize_t)s->len;
    }
    s->at += (size_t)n;
    s->len -= (size_t)n;
}

static void get(struct stream *s)
{
    ssize_t n = read(s->from, s->bytes, sizeof s->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        close_p(&s->from);
        s->from = s->next;
        s->next = -1;
    }
    s->at = 0;
    s->len = (size_t)MAX(n, 0);
}

void stream_move(struct stream *s)
{
    if (s->len > 0)
        put(s);
    else if (s->from >= 0)
        get(s);
}

void stream_close(struct stream *s)
{
    close_p(&s->from);
    close_p(&s->next);
    s->len = 0;
}

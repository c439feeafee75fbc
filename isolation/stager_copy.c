#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/transfer.h"
#include "isolation/stager.h"

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool take_digest(struct stager *s, const char *text, uint8_t *digest)
{
    if (strspn(text, "0123456789abcdef") != 2 * (size_t)STAGE_DIGEST_BYTES)
        return stage_fail(s, STAGE_WHY_HELPER, EPROTO);
    for (size_t i = 0; i < STAGE_DIGEST_BYTES; i++)
        digest[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    return true;
}

/* Waits for the mover and, beside it, for the keeper's STOP. False: it failed, and s knows. */
static bool hear(struct stager *s, struct transfer_reply *ret)
{
    for (;;) {
        if (!stage_wait(s))
            return stage_fail(s, STAGE_WHY_STOPPED, 0);
        ssize_t n = packet_recv(STAGER_MOVER_FD, ret, sizeof *ret, NULL, NULL);
        if (n == -EAGAIN)
            continue;
        if (n != (ssize_t)sizeof *ret)
            return stage_fail(s, STAGE_WHY_HELPER, n < 0 ? (int)-n : ECHILD);
        ret->text[sizeof ret->text - 1] = '\0';
        return true;
    }
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool copy_file(struct stager *s, int from, int to, uint8_t *digest)
{
    struct stat before, after;
    if (fstat(from, &before) < 0)
        return stage_fail(s, STAGE_WHY_LOOK, errno);
    const struct transfer_request r = {.version = TRANSFER_VERSION, .flags = digest != NULL ? TRANSFER_SHA256 : 0,
                                       .bytes = (uint64_t)before.st_size};
    const int fds[] = {from, to};
    int rc = packet_send(STAGER_MOVER_FD, &r, sizeof r, fds, 2);
    if (rc < 0)
        return stage_fail(s, STAGE_WHY_HELPER, -rc);
    struct transfer_reply how;
    uint64_t told = 0;
    do {
        if (!hear(s, &how))
            return false;
        stage_moved(s, 0, how.moved_bytes - MIN(told, how.moved_bytes));
        told = how.moved_bytes;
    } while (how.status == TRANSFER_GOES);
    if (how.status == TRANSFER_REFUSED)
        return stage_fail(s, STAGE_WHY_REFUSED, how.error);
    if (fstat(from, &after) < 0 || !is_same(&before, &after) || how.error == ESTALE)
        return stage_fail(s, STAGE_WHY_CHANGED, 0);
    if (how.status != TRANSFER_DONE)
        return stage_fail(s, STAGE_WHY_COPY, how.error);
    if (how.moved_bytes != (uint64_t)before.st_size)
        return stage_fail(s, STAGE_WHY_CHANGED, 0);
    return digest == NULL || take_digest(s, how.text, digest);
}

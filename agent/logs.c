#include "agent/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/folder.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

#define UNKNOWN UINT64_MAX

struct stream {
    struct logs *logs;
    logs_id id;
    uint64_t token;
    enum log_stream which;
    char name[ATTEMPT_ID_TEXT_MAX];
    int dir, pipe, file;
    uint64_t size, cap;
    uint64_t punched;  /* the hole's end on disk; what an earlier process did is done again, it costs nothing */
    uint64_t punching; /* its end once the request in flight succeeds */
    uint64_t left;     /* after logs_finish(): bytes to take, UNKNOWN before they are counted */
    ring_id request;   /* in flight, 0 = none */
    arbiter_id turn;   /* its stream in the fair queue */
    bool asked;        /* waits for its turn */
    struct fq_grant grant; /* of the splice in flight */
    uint64_t rest_us, moved_boot_us; /* how long it rests after few bytes, since when */
    bool few;          /* it moved few bytes then */
    struct timer *retry;
    uint64_t retry_ms; /* > 0: something fails, and was warned of */
    bool held, finishing, done, closed;
};

struct logs {
    struct logs_setup with;
    struct stream **streams;
    uint32_t *generations;
    uint32_t size;
    struct logs_counts counts;
};

static void advance(struct stream *s);

int logs_new(struct logs **ret, const struct logs_setup *setup)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (logs == NULL)
        return -ENOMEM;
    *logs = (struct logs){.with = *setup};
    *ret = logs;
    return 0;
}

static struct stream *stream_of(struct logs *logs, logs_id id)
{
    uint64_t index = (id & UINT32_MAX) - 1;
    if (id == 0 || index >= logs->size || logs->streams[index] == NULL || logs->streams[index]->id != id)
        return NULL;
    return logs->streams[index];
}

static void stream_free(struct stream *s)
{
    s->logs->streams[(s->id & UINT32_MAX) - 1] = NULL;
    s->logs->counts.streams--;
    s->logs->counts.waiting -= s->retry_ms > 0;
    arbiter_close(fair_arbiter(s->logs->with.fair), s->turn);
    timer_free(s->retry);
    close_p(&s->pipe);
    close_p(&s->file);
    free(s);
}

void logs_free(struct logs *logs)
{
    if (logs == NULL)
        return;
    for (uint32_t i = 0; i < logs->size; i++)
        if (logs->streams[i] != NULL)
            stream_free(logs->streams[i]);
    free(logs->streams);
    free(logs->generations);
    free(logs);
}

int logs_check_place(const char *dir, struct err *err)
{
    CLEANUP(close_p) int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EOPNOTSUPP) { /* e.g. a 9p or FUSE folder */
        char path[256];
        snprintf(path, sizeof path, "%s/.probe", dir);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        unlink(path);
    }
    if (fd < 0)
        return err_set(err, -errno, "%s: %s", dir, strerror(errno));
    char block[2 * LOG_BLOCK] = {1};
    int rc = fd_write_all(fd, block, sizeof block);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", dir, strerror(-rc));
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)LOG_BLOCK) < 0)
        return err_set(err, -errno, "%s: its file system can't punch holes (%s), so logs could grow without bound; "
                                    "use ext4, xfs, btrfs or tmpfs", dir, strerror(errno));
    return 0;
}

/* ---- what a failing file system does to one stream, and to that one alone ---- */

static void on_retry(void *arg)
{
    advance(arg);
}

static void wait_and_retry(struct stream *s, const char *what, int code)
{
    bool full = s->retry_ms == 0;
    s->retry_ms = full ? LOGS_RETRY_MIN_MS : MIN(s->retry_ms * 2, (uint64_t)LOGS_RETRY_MAX_MS);
    if (full) {
        s->logs->counts.waiting++;
        log_line(LOG_WARN, "log.waits", "attempt=%s stream=%s step=%s error=%s size=%" PRIu64, s->name,
                 folder_log_names[s->which], what, log_quote(strerror(-code)), s->size);
    }
    timer_set_ms(s->retry, s->retry_ms);
}

static void note_success(struct stream *s)
{
    if (s->retry_ms == 0)
        return;
    s->retry_ms = 0;
    s->logs->counts.waiting--;
    log_line(LOG_INFO, "log.resumes", "attempt=%s stream=%s size=%" PRIu64, s->name, folder_log_names[s->which],
             s->size);
}

/* ---- one stream ---- */

static void become_done(struct stream *s)
{
    s->done = true;
    close_p(&s->pipe);
    close_p(&s->file);
    if (s->finishing)
        s->logs->with.events->on_done(s->logs->with.owner, s->token, s->which); /* last: it may close the stream */
}

static struct stream *answered(void *owner, uint64_t id)
{
    struct stream *s = stream_of(owner, id);
    assert(s != NULL); /* a stream waits for its request before it goes */
    s->request = 0;
    if (s->closed) {
        stream_free(s);
        return NULL;
    }
    return s;
}

static struct ring_reply reply_to(struct stream *s, ring_fn fn)
{
    return (struct ring_reply){.fn = fn, .owner = s->logs, .token = s->id};
}

static int open_file(struct stream *s, int flags)
{
    s->file = openat(s->dir, folder_log_names[s->which], O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    struct stat st;
    if (s->file < 0 || fstat(s->file, &st) < 0)
        return -errno;
    s->size = (uint64_t)st.st_size;
    return 0;
}

/* Nothing failed: it was cut short, or called back by logs_finish(). */
static bool is_asked_again(int32_t result)
{
    return result == -EINTR || result == -EAGAIN || result == -ECANCELED;
}

static void on_punched(void *owner, uint64_t id, int32_t result)
{
    struct stream *s = answered(owner, id);
    if (s == NULL)
        return;
    if (result < 0 && !is_asked_again(result)) {
        wait_and_retry(s, "punch", result);
        return;
    }
    if (result >= 0) {
        s->punched = s->punching;
        note_success(s);
    }
    advance(s);
}

static void on_spliced(void *owner, uint64_t id, int32_t result)
{
    struct logs *logs = owner;
    struct stream *s = stream_of(logs, id);
    assert(s != NULL); /* a stream waits for its request before it goes */
    fair_done(logs->with.fair, &s->grant, (uint64_t)MAX(result, 0));
    s = answered(owner, id);
    if (s == NULL)
        return;
    if (result == -EFBIG) { /* no file is longer: nothing more will ever go there */
        log_line(LOG_WARN, "log.ends", "attempt=%s stream=%s size=%" PRIu64, s->name, folder_log_names[s->which],
                 s->size);
        become_done(s);
        return;
    }
    if (result < 0 && !is_asked_again(result)) {
        wait_and_retry(s, "write", result);
        return;
    }
    if (result == 0 || (result == -EAGAIN && s->finishing)) {
        become_done(s);
        return;
    }
    if (result > 0) {
        note_success(s);
        s->few = (uint32_t)result < LOGS_FEW;
        s->moved_boot_us = clock_boot_us();
        s->size += (uint64_t)result;
        s->logs->counts.moved_bytes += (uint64_t)result;
        if (s->left != UNKNOWN)
            s->left -= MIN(s->left, (uint64_t)result);
        if (s->logs->with.events->on_grew != NULL)
            s->logs->with.events->on_grew(s->logs->with.owner, s->token, s->which);
    }
    advance(s);
}

/* Its turn has come. */
static void on_granted(void *owner, uint64_t id, const struct fq_grant *grant)
{
    struct logs *logs = owner;
    struct stream *s = stream_of(logs, id);
    assert(s != NULL && s->asked && s->request == 0); /* what closes takes its stream out of the queue */
    if (!grant->last) /* the rest is asked for when it is known again how much there is */
        arbiter_forget(fair_arbiter(logs->with.fair), s->turn);
    s->asked = false;
    s->grant = *grant;
    int rc = ring_splice_in(logs->with.ring, s->pipe, s->file, s->size, (uint32_t)grant->bytes,
                            reply_to(s, on_spliced), &s->request);
    if (rc == 0)
        return;
    fair_done(logs->with.fair, grant, 0);
    wait_and_retry(s, "ring", rc);
}

/* What lies in the pipe now; something, even when it can't be said. */
static uint32_t bytes_in(const struct stream *s)
{
    int count = 0;
    if (ioctl(s->pipe, FIONREAD, &count) < 0 || count <= 0)
        return 1;
    return MIN((uint32_t)count, LOGS_CHUNK);
}

static void ask_for_turn(struct stream *s)
{
    int rc = s->file >= 0 ? 0 : open_file(s, O_CREAT);
    if (rc < 0) {
        wait_and_retry(s, "open", rc);
        return;
    }
    struct fq_request r = {.dir = IO_WRITE, .bytes = s->left < LOGS_CHUNK ? s->left : bytes_in(s)};
    rc = fair_post(s->logs->with.fair, s->turn, &r);
    s->asked = rc == 0;
    if (rc < 0)
        wait_and_retry(s, "queue", rc);
}

/* After few bytes more of them are awaited, so that a write is worth it. */
static bool must_rest(struct stream *s)
{
    bool rest = s->few && clock_boot_us() < s->moved_boot_us + s->rest_us;
    s->few = false; /* once */
    return rest;
}

static void on_polled(void *owner, uint64_t id, int32_t result)
{
    struct stream *s = answered(owner, id);
    if (s == NULL)
        return;
    if (result < 0 && !is_asked_again(result))
        wait_and_retry(s, "poll", result);
    else if (s->finishing || s->held || result < 0)
        advance(s);
    else if ((result & POLLIN) && must_rest(s))
        timer_set_us(s->retry, s->rest_us);
    else if (result & POLLIN)
        ask_for_turn(s);
    else
        become_done(s); /* no writer is left, nothing is in it */
}

/* Asks for the stream's next step, or waits for logs_finish(); nothing is in flight. */
static void advance(struct stream *s)
{
    assert(s->request == 0 && !s->asked && !s->done);
    struct log_hole hole = log_hole(s->size, s->cap);
    if (hole.end > MAX(hole.start, s->punched) && s->file >= 0) {
        s->punching = hole.end;
        uint64_t from = MAX(hole.start, s->punched);
        int rc = ring_fallocate(s->logs->with.ring, s->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
                                hole.end - from, reply_to(s, on_punched), &s->request);
        if (rc < 0)
            wait_and_retry(s, "ring", rc);
        return;
    }
    if (s->finishing && s->left == UNKNOWN) {
        int in_pipe = 0;
        s->left = ioctl(s->pipe, FIONREAD, &in_pipe) == 0 && in_pipe > 0 ? (uint64_t)in_pipe : 0;
    }
    if (s->finishing && s->left == 0) {
        become_done(s);
    } else if (s->finishing) {
        ask_for_turn(s);
    } else if (!s->held) {
        int rc = ring_poll(s->logs->with.ring, s->pipe, POLLIN, reply_to(s, on_polled), &s->request);
        if (rc < 0)
            wait_and_retry(s, "ring", rc);
    }
}

static int free_slot(struct logs *logs, uint32_t *ret)
{
    for (uint32_t i = 0; i < logs->size; i++)
        if (logs->streams[i] == NULL) {
            *ret = i;
            return 0;
        }
    uint32_t size = logs->size == 0 ? 64 : logs->size * 2;
    struct stream **streams = realloc(logs->streams, size * sizeof(struct stream *));
    if (streams == NULL)
        return -ENOMEM;
    logs->streams = streams;
    uint32_t *generations = realloc(logs->generations, size * sizeof *generations);
    if (generations == NULL)
        return -ENOMEM;
    logs->generations = generations;
    memset(streams + logs->size, 0, (size - logs->size) * sizeof(struct stream *));
    memset(generations + logs->size, 0, (size - logs->size) * sizeof *generations);
    *ret = logs->size;
    logs->size = size;
    return 0;
}

/* A larger pipe holds what comes while the stream rests; a user's share of such pages may be used up. */
static uint64_t widen_pipe(int pipe)
{
    return fcntl(pipe, F_SETPIPE_SZ, LOGS_PIPE) >= LOGS_PIPE ? LOGS_REST_US : LOGS_REST_SMALL_US;
}

static int join_queue(struct stream *s, const struct logs_source *source)
{
    struct arbiter_stream turn = {.tenant = source->tenant, .job = source->job, .out_max = 1, .go = on_granted,
                                  .owner = s->logs, .token = s->id};
    return arbiter_open(fair_arbiter(s->logs->with.fair), &turn, &s->turn);
}

int logs_open(struct logs *logs, const struct logs_source *source, logs_id *ret)
{
    uint32_t slot;
    int pipe = source->pipe;
    struct stream *s = calloc(1, sizeof *s);
    int rc = s == NULL ? -ENOMEM : free_slot(logs, &slot);
    if (rc == 0) {
        s->logs = logs;
        s->id = (uint64_t)++logs->generations[slot] << 32 | (slot + 1);
        rc = join_queue(s, source);
    }
    if (rc == 0 && (rc = timer_new(&s->retry, logs->with.loop, on_retry, s)) < 0)
        arbiter_close(fair_arbiter(logs->with.fair), s->turn);
    if (rc < 0) {
        free(s);
        close_p(&pipe);
        return rc;
    }
    s->token = source->token;
    s->which = source->which;
    snprintf(s->name, sizeof s->name, "%s", source->name);
    s->dir = source->dir;
    s->pipe = pipe;
    s->file = -1;
    s->cap = source->cap;
    s->left = UNKNOWN;
    s->rest_us = widen_pipe(pipe);
    logs->streams[slot] = s;
    logs->counts.streams++;
    *ret = s->id;
    rc = open_file(s, 0); /* of an agent before us; a quiet job has none */
    if (rc < 0 && rc != -ENOENT)
        wait_and_retry(s, "open", rc); /* ask_for_turn() opens it again before it uses the size */
    else
        advance(s);
    return 0;
}

void logs_hold(struct logs *logs, logs_id id)
{
    struct stream *s = stream_of(logs, id);
    if (s != NULL)
        s->held = true;
}

bool logs_finish(struct logs *logs, logs_id id)
{
    struct stream *s = stream_of(logs, id);
    if (s == NULL || s->done)
        return true;
    s->finishing = true;
    if (s->request != 0)
        ring_cancel(logs->with.ring, s->request); /* a poll ends at once; a splice ends by itself */
    else if (!s->asked) /* its turn comes by itself, too */
        timer_set_us(s->retry, 0);
    return false;
}

uint64_t logs_size(struct logs *logs, logs_id id)
{
    struct stream *s = stream_of(logs, id);
    return s == NULL ? 0 : s->size;
}

void logs_close(struct logs *logs, logs_id id)
{
    struct stream *s = stream_of(logs, id);
    if (s == NULL)
        return;
    if (s->request == 0) {
        stream_free(s);
        return;
    }
    s->closed = true;
    ring_cancel(logs->with.ring, s->request);
}

struct logs_counts logs_counts(const struct logs *logs)
{
    return logs->counts;
}

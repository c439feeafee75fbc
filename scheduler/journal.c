#include "scheduler/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "base/io/ring.h"
#include "base/io/numbered.h"

enum { RING_SLOTS = 8, WRITE_MAX = 1 << 30 };

/*
 * One write and its fsync, on their way through the ring:
 *
 *   IDLE --flush--> WRITING --whole--> SYNCING --> IDLE, durable
 *                    | ^ short write: the rest
 *
 * A drain that can't wait for the ring writes the same bytes to the same place itself and fsyncs: `overtaken`. The
 * answers still come, and only then may the buffer be used again.
 */
struct group {
    enum { GROUP_IDLE, GROUP_WRITING, GROUP_SYNCING } state;
    bool overtaken;
    int fd, close_fd;       /* close_fd: to be closed with the answer, -1 = none */
    struct buf bytes;
    size_t written;
    uint64_t offset;
    struct journal_point last; /* of its records */
};

struct journal {
    char *path, cell[JOURNAL_CELL_MAX + 1];
    int folder, lock, archive; /* archive: -1 = what is pruned is gone */
    int fd;                 /* the current segment, -1 before journal_begin() */
    uint64_t offset;        /* where the next group goes */
    uint64_t *segments;     /* first seqs, rising; the last one is current */
    size_t segment_count;
    struct journal_point head, durable;
    uint64_t term, torn_bytes;
    size_t good_bytes;      /* of the last segment, as read */
    bool read;              /* journal_read() has found the tail */
    struct buf filling;     /* records of the next write */
    uint64_t filling_first; /* its first seq */
    struct group group;
    struct ring *ring;      /* NULL: groups are written in place */
    uint64_t syncs_total;
    const struct journal_handlers *handlers;
    void *arg;
};

static int folder_lock(struct journal *j, struct err *err)
{
    j->folder = open(j->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->folder < 0)
        return err_set(err, -errno, "open '%s': %s", j->path, strerror(errno));
    j->lock = openat(j->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock < 0)
        return err_set(err, -errno, "open '%s/lock': %s", j->path, strerror(errno));
    if (flock(j->lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, -EBUSY, "'%s' is in use by another reeved", j->path);
    return 0;
}

int journal_open(struct journal **ret, const char *folder, const char *cell, struct err *err)
{
    if (strlen(cell) > JOURNAL_CELL_MAX)
        return err_set(err, -EINVAL, "cell name '%s' is longer than %d bytes", cell, JOURNAL_CELL_MAX);
    struct journal *j = calloc(1, sizeof *j);
    if (j == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    j->folder = j->lock = j->archive = j->fd = j->group.close_fd = -1;
    memcpy(j->cell, cell, strlen(cell));
    j->path = strdup(folder);
    int rc = j->path == NULL ? err_set(err, -ENOMEM, "out of memory") : folder_lock(j, err);
    if (rc == 0) {
        numbered_clean(j->folder, JOURNAL_PREFIX);
        rc = numbered_list(j->folder, JOURNAL_PREFIX, &j->segments, &j->segment_count, err);
    }
    if (rc < 0) {
        journal_close(j);
        return rc;
    }
    *ret = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    ring_free(j->ring); /* first: it may still write from our buffer into our file */
    close_p(&j->group.close_fd);
    close_p(&j->fd);
    close_p(&j->lock);
    close_p(&j->archive);
    close_p(&j->folder);
    buf_fini(&j->filling);
    buf_fini(&j->group.bytes);
    free(j->segments);
    free(j->path);
    free(j);
}

int journal_folder(const struct journal *j)
{
    return j->folder;
}

int journal_archive_folder(const struct journal *j)
{
    return j->archive;
}

static struct journal_walk walk_of(const struct journal *j, uint64_t from_seq, journal_fn fn, void *arg)
{
    return (struct journal_walk){.folder = j->folder, .archive = -1, .path = j->path, .cell = j->cell,
                                 .segments = j->segments, .count = j->segment_count, .from_seq = from_seq, .fn = fn,
                                 .arg = arg};
}

int journal_read(struct journal *j, const struct journal_point *from, journal_fn fn, void *arg, struct err *err)
{
    BUG(j->fd >= 0);
    struct journal_walk w = walk_of(j, from->seq, fn, arg);
    w.expect = from;
    int rc = journal_walk(&w, err);
    if (rc < 0)
        return rc;
    j->head = j->durable = w.tail;
    j->term = w.term;
    j->good_bytes = w.good_bytes;
    j->torn_bytes = w.torn_bytes;
    j->read = true;
    return 0;
}

int journal_reread(struct journal *j, uint64_t from_seq, journal_fn fn, void *arg, struct err *err)
{
    BUG(from_seq == 0);
    struct journal_walk w = walk_of(j, from_seq - 1, fn, arg);
    return journal_walk(&w, err);
}

uint64_t journal_first_seq(const struct journal *j)
{
    return j->segment_count == 0 ? UINT64_MAX : j->segments[0];
}

uint64_t journal_torn_bytes(const struct journal *j)
{
    return j->torn_bytes;
}

static int segment_open(struct journal *j, struct err *err)
{
    char name[NUMBERED_NAME_MAX];
    numbered_name(JOURNAL_PREFIX, j->segments[j->segment_count - 1], name);
    j->fd = openat(j->folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (j->fd < 0 || fstat(j->fd, &st) != 0)
        return err_set(err, -errno, "open '%s/%s': %s", j->path, name, strerror(errno));
    j->offset = (uint64_t)st.st_size;
    return 0;
}

static int segment_new(struct journal *j, struct err *err)
{
    struct journal_header h = {.first_seq = j->head.seq + 1};
    memcpy(h.cell, j->cell, sizeof h.cell);
    memcpy(h.chain, j->head.chain, SHA256_BYTES);
    CLEANUP(buf_fini) struct buf bytes = {0};
    journal_header_put(&bytes, &h);
    uint64_t *grown = realloc(j->segments, (j->segment_count + 1) * sizeof *grown);
    if (grown == NULL || bytes.failed) {
        j->segments = grown != NULL ? grown : j->segments;
        return err_set(err, -ENOMEM, "out of memory");
    }
    j->segments = grown;
    int rc = numbered_write(j->folder, JOURNAL_PREFIX, h.first_seq, bytes.data, bytes.len, err);
    if (rc < 0)
        return err_wrap(err, rc, "begin a journal segment in '%s'", j->path);
    j->segments[j->segment_count++] = h.first_seq;
    return 0;
}

/* Cut durably before anything is appended: a later crash must not see the old tail again. */
static int tail_cut(struct journal *j, struct err *err)
{
    if (j->torn_bytes == 0)
        return 0;
    if (ftruncate(j->fd, (off_t)j->good_bytes) != 0 || fsync(j->fd) != 0)
        return err_set(err, -errno, "cut the torn tail in '%s': %s", j->path, strerror(errno));
    j->offset = j->good_bytes;
    return 0;
}

int journal_begin(struct journal *j, struct loop *loop, const struct journal_handlers *h, void *arg, struct err *err)
{
    BUG(!j->read || j->fd >= 0);
    struct err no_ring = {0};
    if (loop != NULL && ring_new(&j->ring, loop, RING_SLOTS, &no_ring) < 0)
        log_line(LOG_WARN, "journal.no_ring", "why=%s", log_quote(err_text(&no_ring))); /* slower, no less safe */
    j->handlers = h;
    j->arg = arg;
    int rc = j->segment_count == 0 ? segment_new(j, err) : 0;
    if (rc == 0)
        rc = segment_open(j, err);
    return rc == 0 ? tail_cut(j, err) : rc;
}

void journal_append(struct journal *j, const struct journal_record *r)
{
    BUG(j->fd < 0 || r->seq != j->head.seq + 1);
    if (j->filling.len == 0)
        j->filling_first = r->seq;
    struct journal_record copy = *r;
    copy.group = j->filling_first;
    journal_record_put(&j->filling, &copy, j->head.chain);
    BUG(j->filling.failed); /* the turn bounds what is under way; see TURN_UNSYNCED_MAX */
    j->head.seq = r->seq;
    j->term = r->term;
}

static void sync_failed(struct journal *j, int error)
{
    struct err err = {0};
    err_set(&err, -error, "write the journal in '%s': %s", j->path, strerror(error));
    if (j->handlers != NULL && j->handlers->on_failed != NULL)
        j->handlers->on_failed(j->arg, &err);
}

static void synced(struct journal *j, struct journal_point upto)
{
    j->syncs_total++;
    j->durable = upto;
}

static void tell_synced(struct journal *j)
{
    if (j->handlers != NULL && j->handlers->on_synced != NULL)
        j->handlers->on_synced(j->arg, j->durable.seq);
}

/* ---- through the ring ---- */
static void on_group(void *journal, uint64_t token, int32_t result);

static int group_ask(struct journal *j)
{
    struct group *g = &j->group;
    struct ring_reply reply = {on_group, j, 0};
    if (g->state == GROUP_SYNCING)
        return ring_fsync(j->ring, g->fd, true, reply, NULL);
    uint32_t left = (uint32_t)MIN(g->bytes.len - g->written, (size_t)WRITE_MAX);
    return ring_write(j->ring, g->fd, g->bytes.data + g->written, left, g->offset + g->written, reply, NULL);
}

static void group_end(struct journal *j)
{
    struct group *g = &j->group;
    bool overtaken = g->overtaken;
    g->state = GROUP_IDLE;
    g->overtaken = false;
    close_p(&g->close_fd);
    if (overtaken)
        return;
    synced(j, g->last);
    tell_synced(j);
}

static void on_group(void *journal, uint64_t token, int32_t result)
{
    (void)token;
    struct journal *j = journal;
    struct group *g = &j->group;
    if (g->overtaken) { /* all of it is durable already */
        group_end(j);
        return;
    }
    if (result < 0 || (result == 0 && g->state == GROUP_WRITING)) {
        sync_failed(j, result < 0 ? -result : EIO);
        return;
    }
    if (g->state == GROUP_SYNCING) {
        group_end(j);
        return;
    }
    g->written += (size_t)result;
    if (g->written == g->bytes.len)
        g->state = GROUP_SYNCING;
    int rc = group_ask(j);
    if (rc < 0)
        sync_failed(j, -rc);
    ring_flush(j->ring);
}

static void group_begin(struct journal *j)
{
    struct group *g = &j->group;
    struct buf swap = g->bytes;
    g->bytes = j->filling;
    j->filling = swap;
    buf_reset(&j->filling);
    g->state = GROUP_WRITING;
    g->fd = j->fd;
    g->written = 0;
    g->offset = j->offset;
    g->last = j->head;
    j->offset += g->bytes.len;
    int rc = group_ask(j);
    if (rc < 0)
        sync_failed(j, -rc);
    ring_flush(j->ring);
}

/* ---- in place ---- */
static int write_at(int fd, const struct buf *bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes->len;) {
        ssize_t n = pwrite(fd, bytes->data + done, bytes->len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int sync_in_place(struct journal *j)
{
    struct group *g = &j->group;
    bool overtake = g->state != GROUP_IDLE && !g->overtaken;
    int rc = overtake ? write_at(g->fd, &g->bytes, g->offset) : 0;
    if (rc == 0)
        rc = write_at(j->fd, &j->filling, j->offset);
    if (rc == 0 && fdatasync(j->fd) != 0)
        rc = -errno;
    if (rc < 0)
        return rc;
    synced(j, j->head);
    j->offset += j->filling.len;
    g->overtaken = g->overtaken || overtake;
    buf_reset(&j->filling);
    tell_synced(j);
    return 0;
}

void journal_flush(struct journal *j)
{
    if (j->group.state != GROUP_IDLE || j->filling.len == 0)
        return;
    if (j->ring != NULL) {
        group_begin(j);
        return;
    }
    int rc = sync_in_place(j);
    if (rc < 0)
        sync_failed(j, -rc);
}

int journal_drain(struct journal *j, struct err *err)
{
    if (j->durable.seq == j->head.seq)
        return 0;
    int rc = sync_in_place(j);
    return rc < 0 ? err_set(err, rc, "write the journal in '%s': %s", j->path, strerror(-rc)) : 0;
}

uint64_t journal_seq(const struct journal *j)
{
    return j->head.seq;
}

uint64_t journal_durable(const struct journal *j)
{
    return j->durable.seq;
}

struct journal_point journal_durable_point(const struct journal *j)
{
    return j->durable;
}

struct journal_point journal_head(const struct journal *j)
{
    return j->head;
}

uint64_t journal_syncs_total(const struct journal *j)
{
    return j->syncs_total;
}

int journal_rotate(struct journal *j, struct err *err)
{
    int rc = journal_drain(j, err);
    if (rc < 0)
        return rc;
    if (j->segments[j->segment_count - 1] == j->head.seq + 1)
        return 0; /* nothing in the current one yet */
    rc = segment_new(j, err);
    if (rc < 0)
        return rc;
    if (j->group.state != GROUP_IDLE && j->group.fd == j->fd)
        j->group.close_fd = j->fd; /* the ring still has it */
    else
        close_p(&j->fd);
    j->fd = -1;
    return segment_open(j, err);
}

int journal_archive(struct journal *j, int folder, struct err *err)
{
    struct stat ours, theirs;
    if (fstat(j->folder, &ours) != 0 || fstat(folder, &theirs) != 0)
        return err_set(err, -errno, "stat the archive: %s", strerror(errno));
    if (ours.st_dev != theirs.st_dev)
        return err_set(err, -EXDEV, "the archive must lie on the file system of '%s': segments are moved there, "
                       "not copied", j->path);
    if (ours.st_ino == theirs.st_ino)
        return err_set(err, -EINVAL, "'%s' can't be its own archive", j->path);
    j->archive = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    return j->archive < 0 ? err_set(err, -errno, "keep the archive open: %s", strerror(errno)) : 0;
}

/* Out of the folder: forgotten, or moved where nothing lies yet under this name. One rename: whatever dies, it is in
 * one of the two. */
static int segment_leave(struct journal *j, uint64_t first)
{
    char name[NUMBERED_NAME_MAX];
    numbered_name(JOURNAL_PREFIX, first, name);
    if (j->archive < 0)
        return unlinkat(j->folder, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
    int rc = renameat2(j->folder, name, j->archive, name, RENAME_NOREPLACE) == 0 ? 0 : -errno;
    return rc == 0 && fsync(j->archive) != 0 ? -errno : rc;
}

int journal_prune(struct journal *j, uint64_t keep_seq, struct err *err)
{
    size_t gone = 0;
    int rc = 0;
    while (rc == 0 && gone + 1 < j->segment_count && j->segments[gone + 1] <= keep_seq) {
        rc = segment_leave(j, j->segments[gone]);
        if (rc < 0)
            err_set(err, rc, "%s the segment of seq %" PRIu64 " from '%s': %s",
                    j->archive < 0 ? "remove" : "archive", j->segments[gone], j->path, strerror(-rc));
        else
            gone++;
    }
    memmove(j->segments, j->segments + gone, (j->segment_count - gone) * sizeof *j->segments);
    j->segment_count -= gone;
    return rc;
}

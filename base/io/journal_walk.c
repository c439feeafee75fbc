#include "base/io/journal_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/numbered.h"

static int by_seq(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int journal_segments(int folder, int archive, uint64_t **ret, size_t *ret_count, struct err *err)
{
    CLEANUP(free_p) uint64_t *here = NULL;
    CLEANUP(free_p) uint64_t *there = NULL;
    size_t here_count = 0, there_count = 0, count = 0;
    int rc = numbered_list(folder, JOURNAL_PREFIX, &here, &here_count, err);
    if (rc == 0 && archive >= 0)
        rc = numbered_list(archive, JOURNAL_PREFIX, &there, &there_count, err);
    uint64_t *all = rc == 0 ? calloc(here_count + there_count + 1, sizeof *all) : NULL;
    if (all == NULL)
        return rc == 0 ? err_set(err, -ENOMEM, "out of memory") : rc;
    if (there_count > 0)
        memcpy(all, there, there_count * sizeof *all);
    if (here_count > 0)
        memcpy(all + there_count, here, here_count * sizeof *all);
    if (here_count + there_count > 0)
        qsort(all, here_count + there_count, sizeof *all, by_seq);
    for (size_t i = 0; i < here_count + there_count; i++)
        if (count == 0 || all[count - 1] != all[i])
            all[count++] = all[i];
    *ret = all;
    *ret_count = count;
    return 0;
}

struct mapped {
    char name[NUMBERED_NAME_MAX];
    const uint8_t *at;
    size_t len;
};

static int segment_map(const struct journal_walk *w, uint64_t first, struct mapped *ret, struct err *err)
{
    numbered_name(JOURNAL_PREFIX, first, ret->name);
    CLEANUP(close_p) int fd = openat(w->folder, ret->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && w->archive >= 0) /* it may have been moved a moment ago */
        fd = openat(w->archive, ret->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(err, -errno, "open '%s/%s': %s", w->path, ret->name, strerror(errno));
    if (st.st_size <= 0)
        return err_set(err, -EBADMSG, "'%s/%s' is empty", w->path, ret->name);
    ret->len = (size_t)st.st_size;
    void *at = mmap(NULL, ret->len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map '%s/%s': %s", w->path, ret->name, strerror(errno));
    ret->at = at;
    return 0;
}

static void segment_unmap(struct mapped *m)
{
    if (m->at != NULL)
        munmap((void *)(uintptr_t)m->at, m->len);
    m->at = NULL;
}

static int damaged(const struct journal_walk *w, const struct mapped *m, size_t offset, struct err *err)
{
    return err_set(err, -EBADMSG, "'%s/%s' is damaged at offset %zu, in seq %" PRIu64, w->path, m->name, offset,
                   w->tail.seq + 1);
}

/* The header must continue what was read before; of the first segment, it is where the reading begins. */
static int header_check(struct journal_walk *w, const struct mapped *m, size_t i, size_t *ret_size, struct err *err)
{
    struct journal_header h;
    int rc = journal_header_get(m->at, m->len, &h, ret_size, err);
    if (rc < 0)
        return err_wrap(err, rc, "'%s/%s'", w->path, m->name);
    if (strcmp(h.cell, w->cell) != 0)
        return err_set(err, -EXDEV, "'%s/%s' is the journal of cell '%s', not of '%s'", w->path, m->name, h.cell,
                       w->cell);
    bool continues = h.first_seq == w->segments[i];
    if (w->good_bytes > 0) /* not the first one read */
        continues = continues && h.first_seq == w->tail.seq + 1 && memcmp(h.chain, w->tail.chain, SHA256_BYTES) == 0;
    if (!continues)
        return err_set(err, -EBADMSG, "'%s/%s' does not continue the segment before it, which ends at seq %" PRIu64,
                       w->path, m->name, w->tail.seq);
    w->tail.seq = h.first_seq - 1;
    memcpy(w->tail.chain, h.chain, SHA256_BYTES);
    return 0;
}

static int point_check(const struct journal_walk *w, const struct mapped *m, struct err *err)
{
    if (w->expect == NULL || w->tail.seq != w->expect->seq ||
        memcmp(w->tail.chain, w->expect->chain, SHA256_BYTES) == 0)
        return 0;
    return err_set(err, -EBADMSG, "'%s/%s' is not the journal that the snapshot at seq %" PRIu64 " was made of",
                   w->path, m->name, w->expect->seq);
}

/* Is what follows `offset` the unsynced rest of a dead writer, or was it safe once? A whole record further on whose
 * write began beyond the broken one proves that the broken one was fsynced. */
static int tail_check(struct journal_walk *w, const struct mapped *m, size_t offset, bool last, struct err *err)
{
    if (!last)
        return damaged(w, m, offset, err);
    if (journal_record_proves(m->at, m->len, offset + 1, w->tail.seq + 1))
        return damaged(w, m, offset, err);
    w->torn_bytes = m->len - offset;
    return 0;
}

static int segment_walk(struct journal_walk *w, const struct mapped *m, size_t i, struct err *err)
{
    size_t offset = 0;
    int rc = header_check(w, m, i, &offset, err);
    if (rc == 0)
        rc = point_check(w, m, err);
    while (rc == 0 && offset < m->len) {
        struct journal_record r;
        size_t size = journal_record_get(m->at + offset, m->len - offset, w->tail.chain, &r);
        if (size == 0) {
            rc = tail_check(w, m, offset, i + 1 == w->count, err);
            break;
        }
        if (r.seq != w->tail.seq + 1)
            return damaged(w, m, offset, err);
        offset += size;
        w->tail.seq = r.seq;
        w->term = r.term;
        rc = point_check(w, m, err);
        if (rc == 0 && r.seq > w->from_seq && w->fn != NULL)
            rc = w->fn(w->arg, &r, err);
    }
    w->good_bytes = offset;
    return rc;
}

/* The last segment that begins at or before what is wanted. */
static size_t first_wanted(const struct journal_walk *w)
{
    size_t i = 0;
    while (i + 1 < w->count && w->segments[i + 1] <= w->from_seq + 1)
        i++;
    return i;
}

int journal_walk(struct journal_walk *w, struct err *err)
{
    w->tail = w->expect != NULL ? *w->expect : (struct journal_point){.seq = w->from_seq};
    w->good_bytes = w->torn_bytes = 0;
    if (w->count == 0)
        return 0;
    if (w->segments[0] > w->from_seq + 1)
        return err_set(err, -ENOENT, "the journal in '%s' begins at seq %" PRIu64 "; what is between %" PRIu64
                       " and there is missing", w->path, w->segments[0], w->from_seq + 1);
    for (size_t i = first_wanted(w); i < w->count; i++) {
        struct mapped m = {0};
        int rc = segment_map(w, w->segments[i], &m, err);
        if (rc == 0)
            rc = segment_walk(w, &m, i, err);
        segment_unmap(&m);
        if (rc < 0)
            return rc;
    }
    if (w->expect != NULL && w->tail.seq < w->expect->seq)
        return err_set(err, -EBADMSG,
                       "the journal in '%s' ends at seq %" PRIu64 ", before the snapshot of seq %" PRIu64, w->path,
                       w->tail.seq, w->expect->seq);
    return 0;
}

#include "scheduler/heads.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"
#include "base/io/sign.h"

struct heads {
    struct journal *journal;
    struct sign_key *key;
    struct timer *timer;
    int file;
    char cell[JOURNAL_CELL_MAX + 1], line[JOURNAL_HEAD_MAX]; /* line: of the newest, without its newline */
    uint64_t seq;
};

/* A line that a crash tore is cut: what is appended next must begin a line of its own. */
static int tail_cut(int fd)
{
    struct stat st;
    char tail[JOURNAL_HEAD_MAX];
    if (fstat(fd, &st) != 0)
        return -errno;
    off_t from = MAX(st.st_size - (off_t)sizeof tail, (off_t)0);
    ssize_t len = pread(fd, tail, sizeof tail, from);
    if (len < 0)
        return -errno;
    const char *end = len == 0 ? NULL : memrchr(tail, '\n', (size_t)len);
    off_t keep = end != NULL ? from + (end - tail) + 1 : 0;
    return keep == st.st_size || ftruncate(fd, keep) == 0 ? 0 : -errno;
}

static int file_open(struct heads *h, struct err *err)
{
    h->file = openat(journal_folder(h->journal), HEADS_FILE, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                     0600);
    int rc = h->file < 0 ? -errno : tail_cut(h->file);
    if (rc == 0 && fsync(journal_folder(h->journal)) != 0)
        rc = -errno;
    return rc == 0 ? 0 : err_set(err, rc, "open the journal's signed heads: %s", strerror(-rc));
}

static void on_timer(void *arg)
{
    struct heads *h = arg;
    heads_note(h);
    timer_set_ms(h->timer, HEADS_EVERY_MS);
}

int heads_new(struct heads **ret, struct loop *loop, struct journal *journal, const char *cell, int folder,
              struct err *err)
{
    struct heads *h = calloc(1, sizeof *h);
    if (h == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    h->journal = journal;
    h->file = -1;
    snprintf(h->cell, sizeof h->cell, "%s", cell);
    int rc = sign_key_open(&h->key, folder, HEADS_KEY, err);
    if (rc == 0)
        rc = file_open(h, err);
    if (rc == 0 && loop != NULL && timer_new(&h->timer, loop, on_timer, h) < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        heads_free(h);
        return rc;
    }
    if (h->timer != NULL)
        timer_set_ms(h->timer, HEADS_EVERY_MS);
    *ret = h;
    return 0;
}

void heads_free(struct heads *h)
{
    if (h == NULL)
        return;
    timer_free(h->timer);
    sign_key_free(h->key);
    close_p(&h->file);
    free(h);
}

static int line_make(const struct heads *h, const struct journal_point *at, struct buf *out, struct err *err)
{
    struct journal_head head = {.seq = at->seq, .at_utc_us = clock_utc_us()};
    memcpy(head.cell, h->cell, sizeof head.cell);
    memcpy(head.chain, at->chain, sizeof head.chain);
    memcpy(head.key, sign_key_public(h->key), sizeof head.key);
    journal_head_put(out, &head);
    int rc = out->failed ? err_set(err, -ENOMEM, "out of memory")
                         : sign_make(h->key, out->data, out->len, head.sig, err);
    if (rc == 0)
        journal_head_put_sig(out, &head);
    buf_add_str(out, "\n");
    return rc == 0 && out->failed ? err_set(err, -ENOMEM, "out of memory") : rc;
}

/* Whole or not at all: half a line would make the next one unreadable, too. */
static int line_write(const struct heads *h, const struct buf *line, struct err *err)
{
    struct stat st;
    int rc = fstat(h->file, &st) != 0 ? -errno : fd_write_all(h->file, line->data, line->len);
    if (rc == 0 && fdatasync(h->file) != 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    if (ftruncate(h->file, st.st_size) != 0)
        log_line(LOG_ERROR, "journal.head_failed", "why=%s", log_quote(strerror(errno)));
    return err_set(err, rc, "write the journal's signed head: %s", strerror(-rc));
}

int heads_sign(struct heads *h, uint64_t *ret_seq, const char **ret_line, struct err *err)
{
    struct journal_point at = journal_durable_point(h->journal);
    CLEANUP(buf_fini) struct buf line = {0};
    if (at.seq == 0)
        return err_set(err, -ENODATA, "the journal has no entry yet");
    if (at.seq != h->seq) {
        int rc = line_make(h, &at, &line, err);
        if (rc == 0)
            rc = line_write(h, &line, err);
        if (rc < 0)
            return rc;
        snprintf(h->line, sizeof h->line, "%.*s", (int)line.len - 1, buf_text(&line));
        h->seq = at.seq;
        log_line(LOG_INFO, "journal.head", "line=%s", log_quote(h->line));
    }
    *ret_seq = h->seq;
    *ret_line = h->line;
    return 0;
}

void heads_note(struct heads *h)
{
    struct err err = {0};
    uint64_t seq;
    const char *line;
    int rc = heads_sign(h, &seq, &line, &err);
    if (rc < 0 && rc != -ENODATA)
        log_line(LOG_ERROR, "journal.head_failed", "why=%s", log_quote(err_text(&err)));
}

uint64_t heads_seq(const struct heads *h)
{
    return h->seq;
}

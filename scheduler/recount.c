#include "scheduler/recount.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/journal_walk.h"
#include "scheduler/recount_compare.h"
#include "scheduler/snapshot.h"

struct replay {
    const struct recount_call *call;
    struct recount_books books;
    struct store_names names;
    struct list parts; /* struct store_part, rising */
    size_t next;       /* part */
    bool names_done;
    uint64_t from, seq;
};

/* ---- what Redis has ---- */
static int redis_read(struct replay *r, struct err *err)
{
    struct store_sync *store = NULL;
    int rc = store_sync_open(&store, r->call->url, r->call->cell, err);
    if (rc == 0)
        rc = store_names(store, &r->names, err);
    if (rc == 0)
        rc = store_parts(store, &r->names, &r->parts, err);
    store_sync_close(store);
    return rc;
}

static uint64_t seq_wanted(const struct replay *r)
{
    const struct store_part *p = r->parts.v;
    return r->parts.count > 0 ? p[r->parts.count - 1].seq : r->names.seq;
}

/* The books stand at r->seq: compares whatever was read from Redis at that seq. */
static void compare_due(struct replay *r)
{
    struct store_part *p = r->parts.v;
    if (!r->names_done && r->names.seq <= r->seq) {
        recount_names(&r->books, r->seq, &r->names);
        r->names_done = true;
    }
    for (; r->next < r->parts.count && p[r->next].seq <= r->seq; r->next++)
        recount_part(&r->books, &p[r->next]);
}

/* ---- what the files say ---- */
static int seed_fact(void *arg, const struct fact *fact)
{
    struct replay *r = arg;
    recount_seed(&r->books, fact);
    return 0;
}

static int record_apply(void *arg, const struct journal_record *rec, struct err *err)
{
    struct replay *r = arg;
    struct fact fact = {0};
    if (rec->seq > seq_wanted(r))
        return 0; /* written since; nothing of Redis belongs to it */
    compare_due(r);
    int rc = fact_decode(rec->fact, rec->fact_len, &fact, err);
    if (rc < 0)
        return err_wrap(err, rc, "seq %" PRIu64, rec->seq);
    if (rec->refusal[0] == '\0')
        recount_fact(&r->books, rec->seq, &fact);
    fact_clear(&fact);
    r->seq = rec->seq;
    return 0;
}

/* From the first entry on, or from the oldest snapshot that the files reach. */
static int base_load(struct replay *r, uint64_t first, struct journal_point *ret, struct err *err)
{
    CLEANUP(free_p) uint64_t *seqs = NULL;
    size_t count = 0;
    uint64_t base = 0;
    *ret = (struct journal_point){.seq = 0};
    r->from = 1;
    if (first == 1)
        return 0;
    int rc = snapshot_list(r->call->folder, &seqs, &count, err);
    for (size_t i = 0; rc == 0 && i < count && base == 0; i++)
        base = seqs[i] + 1 >= first && seqs[i] <= r->names.seq ? seqs[i] : 0;
    if (rc < 0 || base == 0)
        return rc < 0 ? rc : err_set(err, -ENODATA, "the journal begins at seq %" PRIu64 ", and no snapshot reaches it",
                                     first);
    struct snapshot_head head;
    rc = snapshot_load(r->call->folder, base, r->call->cell, &head, seed_fact, r, err);
    if (rc < 0)
        return err_wrap(err, rc, "snapshot of seq %" PRIu64, base);
    *ret = head.point;
    r->seq = base;
    r->from = base + 1;
    return 0;
}

/* All there is beyond r->seq, as far as Redis was when it was read. */
static int files_read(struct replay *r, const struct journal_point *base, struct err *err)
{
    CLEANUP(free_p) uint64_t *segments = NULL;
    size_t count = 0;
    int rc = journal_segments(r->call->folder, r->call->archive, &segments, &count, err);
    struct journal_walk w = {.folder = r->call->folder, .archive = r->call->archive, .path = "journal",
                             .cell = r->call->cell, .segments = segments, .count = count, .from_seq = r->seq,
                             .expect = r->seq == base->seq ? base : NULL, .fn = record_apply, .arg = r};
    if (rc == 0)
        rc = journal_walk(&w, err);
    return rc;
}

/* Redis is a little ahead of the file: the kernel tells when that grows, or when a new segment begins. Mostly it has
 * all of it, and nothing has to be watched: a user has few watches, and the kernel takes its time to give them back. */
static int files_follow(struct replay *r, const struct journal_point *base, struct err *err)
{
    int rc = files_read(r, base, err);
    if (rc < 0 || r->seq >= seq_wanted(r))
        return rc;
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/self/fd/%d", r->call->folder);
    CLEANUP(close_p) int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0 || inotify_add_watch(watch, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_set(err, -errno, "watch the journal's folder: %s", strerror(errno));
    uint32_t file_ms = r->call->file_ms > 0 ? r->call->file_ms : RECOUNT_FILE_MS;
    uint64_t until_us = clock_boot_us() + (uint64_t)file_ms * 1000;
    rc = files_read(r, base, err);
    while (rc == 0 && r->seq < seq_wanted(r)) {
        char events[4096];
        uint64_t now_us = clock_boot_us();
        struct pollfd p = {.fd = watch, .events = POLLIN};
        if (now_us >= until_us)
            return err_set(err, -ETIMEDOUT, "Redis has entry %" PRIu64 ", the journal's file ends at %" PRIu64,
                           seq_wanted(r), r->seq);
        if (poll(&p, 1, (int)((until_us - now_us) / 1000) + 1) > 0 && read(watch, events, sizeof events) < 0)
            return err_set(err, -errno, "watch the journal's folder: %s", strerror(errno));
        rc = files_read(r, base, err);
    }
    return rc;
}

/* ---- all of it ---- */
static int replay_run(struct replay *r, struct err *err)
{
    CLEANUP(free_p) uint64_t *segments = NULL;
    size_t count = 0;
    struct journal_point base;
    int rc = redis_read(r, err);
    if (rc == 0)
        rc = journal_segments(r->call->folder, r->call->archive, &segments, &count, err);
    if (rc == 0 && count == 0)
        rc = err_set(err, -ENODATA, "there is no journal");
    if (rc == 0)
        rc = base_load(r, segments[0], &base, err);
    if (rc == 0)
        rc = files_follow(r, &base, err);
    if (rc == 0) {
        compare_due(r);
        recount_end(&r->books, r->seq);
    }
    return rc;
}

int recount_run(const struct recount_call *call, struct verify_reply *ret, struct err *err)
{
    struct replay r = {.call = call};
    int rc = recount_books_init(&r.books, err);
    if (rc == 0)
        rc = replay_run(&r, err);
    if (rc == 0) {
        r.books.reply.from_seq = r.from;
        r.books.reply.seq = r.seq;
        *ret = r.books.reply;
        r.books.reply = (struct verify_reply){0};
    }
    recount_books_fini(&r.books);
    store_names_clear(&r.names);
    store_parts_clear(&r.parts);
    return rc;
}

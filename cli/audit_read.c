#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fact.h"
#include "base/io/fd.h"
#include "cli/audit_inner.h"

#define SEGMENT_PREFIX "journal"

static const char *const kind_names[] = {"altered", "dropped", "swapped", "truncated", "forked", "forged"};
const struct names audit_kind_names = {kind_names, COUNT_OF(kind_names)};

void audit_find(struct audit *a, enum audit_kind kind, uint64_t first, uint64_t last, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    a->findings_total++;
    struct audit_finding *f = a->findings.count < AUDIT_FINDINGS_MAX ? list_add(&a->findings, sizeof *f) : NULL;
    if (f != NULL)
        *f = (struct audit_finding){kind, first, last, strdup(text)};
}

void audit_fini(struct audit *a)
{
    struct audit_finding *f = a->findings.v;
    for (size_t i = 0; i < a->findings.count; i++)
        free(f[i].text);
    free(a->findings.v);
    free(a->heads.v);
    a->findings = a->heads = (struct list){0};
}

/* ---- records ---- */
/* What the chain can't say: is it a fact at all, and in order with the one before? */
static void record_check(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset,
                         const struct journal_record *r)
{
    struct fact fact = {0};
    struct err err = {0};
    if (r->term < at->term)
        audit_find(a, AUDIT_ALTERED, r->seq, r->seq, "%s at offset %zu: seq %" PRIu64 " has term %" PRIu64
                   ", the one before has %" PRIu64, f->name, offset, r->seq, r->term, at->term);
    int rc = fact_decode(r->fact, r->fact_len, &fact, &err);
    if (rc < 0 && rc != -EPROTONOSUPPORT) /* a newer scheduler may know more kinds */
        audit_find(a, AUDIT_ALTERED, r->seq, r->seq, "%s at offset %zu: seq %" PRIu64 " is no fact: %s", f->name,
                   offset, r->seq, err_text(&err));
    if (rc == 0 && fact.at_utc_us < at->at_utc_us)
        audit_find(a, AUDIT_ALTERED, r->seq, r->seq, "%s at offset %zu: seq %" PRIu64 " is older than the one before",
                   f->name, offset, r->seq);
    at->term = MAX(at->term, r->term);
    if (rc == 0)
        at->at_utc_us = MAX(at->at_utc_us, fact.at_utc_us);
    fact_clear(&fact);
}

static size_t record_take(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset)
{
    struct journal_record r;
    size_t size = journal_record_get(f->at + offset, f->len - offset, at->chain, &r);
    if (size == 0)
        return 0;
    if (r.seq != at->next)
        audit_find(a, AUDIT_ALTERED, at->next, at->next, "%s at offset %zu: a record says seq %" PRIu64
                   " where %" PRIu64 " belongs, and the chain was made so", f->name, offset, r.seq, at->next);
    record_check(a, at, f, offset, &r);
    a->first = a->first == 0 ? r.seq : a->first;
    a->last = r.seq;
    a->records++;
    memcpy(a->chain, at->chain, sizeof a->chain);
    audit_heads_meet(a, at, r.seq);
    if (a->on_record != NULL)
        a->on_record(a->arg, r.seq, at->chain);
    at->next = r.seq + 1;
    return size;
}

/* ---- files ---- */
/* Does the file continue what was read? Sets `at` for its records; false: they are not read. */
static bool file_enter(struct audit *a, struct audit_at *at, const struct audit_file *f, bool is_first)
{
    const struct journal_header *h = &f->header;
    if (f->header_size == 0) {
        audit_find(a, AUDIT_ALTERED, f->number, f->number, "%s: its header is damaged", f->name);
        return f->number == at->next && !at->lost; /* the chain is known from the file before */
    }
    if (strcmp(h->cell, a->cell) != 0) {
        audit_find(a, AUDIT_ALTERED, h->first_seq, h->first_seq, "%s is of cell '%s', not of '%s'", f->name, h->cell,
                   a->cell);
        return false;
    }
    if (h->first_seq != f->number)
        audit_find(a, AUDIT_SWAPPED, h->first_seq, h->first_seq, "%s begins with seq %" PRIu64
                   ", whatever its name says", f->name, h->first_seq);
    if (!is_first && h->first_seq < at->next) {
        audit_find(a, AUDIT_FORKED, h->first_seq, at->next - 1, "%s begins with seq %" PRIu64
                   ", but the file before has seq up to %" PRIu64, f->name, h->first_seq, at->next - 1);
        return false;
    }
    bool follows = !is_first && !at->lost;
    if (follows && h->first_seq > at->next)
        audit_find(a, AUDIT_DROPPED, at->next, h->first_seq - 1, "%s begins with seq %" PRIu64
                   "; no file has what is before it", f->name, h->first_seq);
    else if (follows && memcmp(h->chain, at->chain, SHA256_BYTES) != 0)
        audit_find(a, AUDIT_FORKED, h->first_seq, h->first_seq, "%s continues another history than seq %" PRIu64
                   " is of", f->name, h->first_seq - 1);
    if (is_first)
        at->signed_upto = h->first_seq - 1;
    at->lost = false;
    at->next = h->first_seq;
    memcpy(at->chain, h->chain, SHA256_BYTES);
    return true;
}

static void file_walk(struct audit *a, struct audit_at *at, const struct audit_file *f, bool is_first, uint64_t bound)
{
    static const uint8_t none[SHA256_BYTES];
    a->bytes += f->len;
    if (!file_enter(a, at, f, is_first))
        return;
    if (is_first && at->next == 1 && memcmp(at->chain, none, SHA256_BYTES) != 0)
        audit_find(a, AUDIT_FORKED, 1, 1, "%s: the first entry continues something", f->name);
    struct buf header = {0};
    struct journal_header same = {.first_seq = 0};
    memcpy(same.cell, a->cell, sizeof same.cell);
    journal_header_put(&header, &same); /* a damaged one was as long as any of this cell */
    size_t offset = f->header_size > 0 ? f->header_size : MIN(header.len, f->len);
    buf_fini(&header);
    while (offset < f->len) {
        size_t size = record_take(a, at, f, offset);
        offset = size > 0 ? offset + size : audit_damage(a, at, f, offset, bound);
    }
}

static int file_map(struct audit_file *f, int folder, struct err *err)
{
    CLEANUP(close_p) int fd = openat(folder, f->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(err, -errno, "open '%s': %s", f->name, strerror(errno));
    if (st.st_size == 0)
        return 0; /* no header: said so */
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map '%s': %s", f->name, strerror(errno));
    f->at = at;
    f->len = (size_t)st.st_size;
    return 0;
}

static void file_unmap(struct audit_file *f)
{
    if (f->at != NULL)
        munmap((void *)(uintptr_t)f->at, f->len);
    f->at = NULL;
}

struct folders {
    int journal, archive; /* archive -1 = none */
};

/* Moved into the archive since it was listed: then it is there. */
static int file_open(struct audit_file *f, const struct folders *d, struct err *err)
{
    int rc = file_map(f, f->archived ? d->archive : d->journal, err);
    return rc == -ENOENT && !f->archived && d->archive >= 0 ? file_map(f, d->archive, err) : rc;
}

static uint64_t first_of(const struct audit_file *f)
{
    return f->header_size > 0 ? f->header.first_seq : f->number;
}

static int by_first(const void *a, const void *b)
{
    const struct audit_file *x = a, *y = b;
    if (first_of(x) != first_of(y))
        return first_of(x) < first_of(y) ? -1 : 1;
    return (int)y->archived - (int)x->archived; /* the archive's first */
}

static int files_list(int folder, bool archived, struct list *files, struct err *err)
{
    CLEANUP(free_p) uint64_t *numbers = NULL;
    size_t count = 0;
    int rc = folder < 0 ? 0 : numbered_list(folder, SEGMENT_PREFIX, &numbers, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct audit_file *f = list_add(files, sizeof *f);
        if (f == NULL)
            return err_set(err, -ENOMEM, "out of memory");
        f->number = numbers[i];
        f->archived = archived;
        numbered_name(SEGMENT_PREFIX, numbers[i], f->name);
    }
    return rc;
}

/* Headers say which order the files have. What was listed here and moved there meanwhile is one file. */
static int headers_read(struct list *files, const struct folders *d, struct err *err)
{
    struct audit_file *f = files->v;
    for (size_t i = 0; i < files->count; i++) {
        int rc = file_open(&f[i], d, err);
        if (rc < 0)
            return rc;
        if (journal_header_get(f[i].at, f[i].len, &f[i].header, &f[i].header_size, NULL) < 0)
            f[i].header_size = 0;
        file_unmap(&f[i]);
        f[i].len = 0;
    }
    return 0;
}

static bool is_the_same(const struct folders *d, const struct audit_file *x, const struct audit_file *y)
{
    struct stat a, b;
    return x->number == y->number && x->archived != y->archived && d->archive >= 0 &&
           fstatat(d->archive, x->name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(d->journal, x->name, &b, AT_SYMLINK_NOFOLLOW) != 0;
}

static int files_read(struct audit *a, struct list *files, const struct folders *d, struct err *err)
{
    struct audit_file *f = files->v;
    struct audit_at at = {.next = 1};
    for (size_t i = 0; i < files->count; i++)
        if (a->cell[0] == '\0' && f[i].header_size > 0)
            memcpy(a->cell, f[i].header.cell, sizeof a->cell);
    audit_heads_sort(a);
    bool is_first = true;
    for (size_t i = 0; i < files->count; i++) {
        if (i > 0 && is_the_same(d, &f[i - 1], &f[i]))
            continue;
        int rc = file_open(&f[i], d, err);
        if (rc < 0)
            return rc;
        f[i].last = i + 1 == files->count;
        file_walk(a, &at, &f[i], is_first, f[i].last ? UINT64_MAX : first_of(&f[i + 1]));
        file_unmap(&f[i]);
        a->segments++;
        is_first = false;
    }
    audit_heads_end(a, &at);
    return 0;
}

int audit_read(struct audit *a, struct err *err)
{
    struct list files = {0};
    struct folders d = {.archive = -1};
    d.journal = open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = d.journal < 0 ? err_set(err, -errno, "open '%s': %s", a->folder, strerror(errno)) : 0;
    if (rc == 0 && a->archive != NULL) {
        d.archive = open(a->archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d.archive < 0 && errno != ENOENT)
            rc = err_set(err, -errno, "open '%s': %s", a->archive, strerror(errno));
    }
    if (rc == 0) /* the journal first: what is moved meanwhile is seen twice, never not at all */
        rc = files_list(d.journal, false, &files, err);
    if (rc == 0)
        rc = files_list(d.archive, true, &files, err);
    if (rc == 0 && files.count == 0)
        rc = err_set(err, -ENOENT, "'%s' has no segment of a journal", a->folder);
    if (rc == 0)
        rc = headers_read(&files, &d, err);
    if (rc == 0) {
        qsort(files.v, files.count, sizeof(struct audit_file), by_first);
        rc = files_read(a, &files, &d, err);
    }
    free(files.v);
    close_p(&d.journal);
    close_p(&d.archive);
    return rc;
}

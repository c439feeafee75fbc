#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/audit_inner.h"

/*
 * Equal chains at one record mean that all before it is equal. So one chain of a thousand is kept from the copy's
 * reading; the journal's is held against them, and only between the last that is equal and the first that isn't every
 * chain is kept, on a second reading of both.
 */
enum { SAMPLE_EVERY = 1024 };

struct sample {
    uint64_t seq;
    uint8_t chain[SHA256_BYTES];
};
struct samples {
    uint64_t from, upto, every; /* which seqs are kept: each `every`th beyond `from`, up to `upto` */
    struct list v;              /* struct sample, rising */
    bool failed;
};

static void sample_keep(void *arg, uint64_t seq, const uint8_t chain[SHA256_BYTES])
{
    struct samples *s = arg;
    if (seq <= s->from || seq > s->upto || seq % s->every != 0)
        return;
    struct sample *kept = list_add(&s->v, sizeof *kept);
    if (kept == NULL) {
        s->failed = true;
        return;
    }
    kept->seq = seq;
    memcpy(kept->chain, chain, sizeof kept->chain);
}

/* Where the journal parts from the samples of the copy. */
struct parting {
    const struct samples *copy;
    size_t next;            /* sample */
    uint64_t equal, differs; /* last equal seq and first that isn't; differs UINT64_MAX: none */
};

static void sample_meet(void *arg, uint64_t seq, const uint8_t chain[SHA256_BYTES])
{
    struct parting *p = arg;
    const struct sample *v = p->copy->v.v;
    while (p->next < p->copy->v.count && v[p->next].seq < seq)
        p->next++;
    if (p->differs != UINT64_MAX || p->next == p->copy->v.count || v[p->next].seq != seq)
        return;
    if (memcmp(v[p->next].chain, chain, SHA256_BYTES) == 0)
        p->equal = seq;
    else
        p->differs = seq;
}

/* Reads a folder once more, for its chains alone; *ret_last: its last seq. */
static int chains_read(const char *folder, const char *archive, void (*fn)(void *arg, uint64_t seq,
                       const uint8_t chain[SHA256_BYTES]), void *arg, uint64_t *ret_last, struct err *err)
{
    struct audit a = {.folder = folder, .archive = archive, .on_record = fn, .arg = arg};
    int rc = audit_read(&a, err);
    *ret_last = a.last;
    audit_fini(&a);
    return rc;
}

static int part(const struct audit *a, const char *copy, struct samples *s, struct parting *p, uint64_t *ret_last,
                struct err *err)
{
    uint64_t last;
    *p = (struct parting){.copy = s, .equal = s->from, .differs = UINT64_MAX};
    int rc = chains_read(copy, NULL, sample_keep, s, ret_last, err);
    if (rc == 0)
        rc = chains_read(a->folder, a->archive, sample_meet, p, &last, err);
    return rc == 0 && s->failed ? err_set(err, -ENOMEM, "out of memory") : rc;
}

int audit_against(struct audit *a, const char *copy, uint64_t *ret_upto, struct err *err)
{
    struct samples coarse = {.upto = UINT64_MAX, .every = SAMPLE_EVERY}, fine = {.every = 1};
    struct parting p;
    uint64_t copy_last = 0;
    int rc = part(a, copy, &coarse, &p, &copy_last, err);
    if (rc == 0) { /* no sample lies behind the last thousand: those are looked at one by one in any case */
        fine.from = p.equal;
        fine.upto = MIN(p.differs, MAX(a->last, copy_last));
        rc = part(a, copy, &fine, &p, &copy_last, err);
    }
    free(coarse.v.v);
    free(fine.v.v);
    if (rc < 0)
        return err_wrap(err, rc, "the copy");
    if (p.differs != UINT64_MAX)
        audit_find(a, AUDIT_FORKED, p.differs, p.differs, "seq %" PRIu64 " is another one in the copy; up to seq "
                   "%" PRIu64 " they are the same", p.differs, p.equal);
    else if (copy_last > a->last)
        audit_find(a, AUDIT_TRUNCATED, a->last + 1, copy_last, "the copy has seq up to %" PRIu64
                   ", the journal ends at seq %" PRIu64, copy_last, a->last);
    *ret_upto = MIN(copy_last, a->last);
    return 0;
}

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/audit_inner.h"

enum { SHAPES_MAX = 64 };

/*
 * The place of the damage, [offset, end), and what stands there by its own length fields.
 *
 *   file   ... N-1 | ? ? ? | S ...      `next` N should be here, S is the first one that can be believed again
 */
struct place {
    size_t offset, end;
    uint64_t next, resumes;   /* N and S */
    uint64_t seqs[SHAPES_MAX]; /* that the shapes claim */
    size_t count;
    bool exact;               /* the shapes fill the place to its last byte */
};

static struct place place_of(const struct audit_file *f, size_t offset, size_t end, uint64_t next, uint64_t resumes)
{
    struct place p = {.offset = offset, .end = end, .next = next, .resumes = resumes};
    size_t at = offset;
    while (at < end && p.count < SHAPES_MAX) {
        size_t size = journal_record_shape(f->at + at, end - at, &p.seqs[p.count]);
        if (size == 0)
            break;
        p.count++;
        at += size;
    }
    p.exact = at == end;
    return p;
}

static bool has(const struct place *p, uint64_t seq)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->seqs[i] == seq)
            return true;
    return false;
}

static bool is_expected(const struct place *p, uint64_t seq)
{
    return seq >= p->next && seq < p->resumes;
}

static void found(struct audit *a, enum audit_kind kind, const struct audit_file *f, size_t offset, uint64_t first,
                  uint64_t last, const char *what)
{
    if (first == last)
        audit_find(a, kind, first, last, "%s at offset %zu: seq %" PRIu64 " %s", f->name, offset, first, what);
    else
        audit_find(a, kind, first, last, "%s at offset %zu: seq %" PRIu64 " to %" PRIu64 " %s", f->name, offset, first,
                   last, what);
}

/* Records that are all there, but not in their order; or strangers among them. */
static bool say_swapped(struct audit *a, const struct audit_file *f, const struct place *p)
{
    uint64_t least = UINT64_MAX, most = 0;
    char what[100];
    if (p->count != p->resumes - p->next || p->count == 1) /* the next one follows from a lone one: it was that one */
        return false;
    for (size_t i = 0; i < p->count; i++) {
        uint64_t belongs = p->next + i;
        if (p->seqs[i] == belongs)
            continue;
        if (!is_expected(p, p->seqs[i])) {
            snprintf(what, sizeof what, "is not here: a record of seq %" PRIu64 " stands in its place", p->seqs[i]);
            found(a, AUDIT_SWAPPED, f, p->offset, belongs, belongs, what);
            return true;
        }
        least = MIN(least, belongs);
        most = MAX(most, belongs);
    }
    if (least == UINT64_MAX)
        return false;
    found(a, AUDIT_SWAPPED, f, p->offset, least, most, "are not in their order");
    return true;
}

/* Fewer records than belong here, and each that is here belongs here. */
static bool say_dropped(struct audit *a, const struct audit_file *f, const struct place *p)
{
    if (p->count >= p->resumes - p->next)
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (!is_expected(p, p->seqs[i]))
            return false;
    for (uint64_t seq = p->next; seq < p->resumes; seq++) {
        uint64_t first = seq;
        while (seq < p->resumes && !has(p, seq))
            seq++;
        if (seq > first)
            found(a, AUDIT_DROPPED, f, p->offset, first, seq - 1, "missing");
    }
    return true;
}

static bool say_inserted(struct audit *a, const struct audit_file *f, const struct place *p)
{
    char what[100];
    if (p->count <= p->resumes - p->next)
        return false;
    snprintf(what, sizeof what, "%zu records stand where %" PRIu64 " belong: something was put in", p->count,
             p->resumes - p->next);
    audit_find(a, AUDIT_ALTERED, p->next, p->resumes > p->next ? p->resumes - 1 : p->next, "%s at offset %zu: %s",
               f->name, p->offset, what);
    return true;
}

static void say(struct audit *a, const struct audit_file *f, const struct place *p)
{
    char what[120];
    bool told = p->exact && (say_swapped(a, f, p) || say_dropped(a, f, p) || say_inserted(a, f, p));
    if (told)
        return;
    if (p->resumes - p->next > 1)
        snprintf(what, sizeof what, "are not what was written, or do not continue what is before them");
    else if (p->next > 1)
        snprintf(what, sizeof what, "does not continue seq %" PRIu64 ": it is not what was written, or that is not",
                 p->next - 1);
    else
        snprintf(what, sizeof what, "is not what was written");
    found(a, AUDIT_ALTERED, f, p->offset, p->next, MAX(p->next, p->resumes - 1), what);
}

/* Is the record itself as it was made, and only the chain behind it is not? Then the next one continues what the chain
 * should be. */
static size_t only_the_chain(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset,
                             uint64_t bound)
{
    uint64_t seq = 0;
    uint8_t chain[SHA256_BYTES], onward[SHA256_BYTES];
    struct journal_record next;
    size_t size = journal_record_shape(f->at + offset, f->len - offset, &seq), behind = offset + size;
    if (size == 0 || seq != at->next)
        return 0;
    journal_record_chain(f->at + offset, size, at->chain, chain);
    memcpy(onward, chain, sizeof onward);
    bool continues = behind < f->len && journal_record_get(f->at + behind, f->len - behind, onward, &next) > 0;
    if (!continues || next.seq != seq + 1 || next.seq > bound)
        return 0;
    found(a, AUDIT_ALTERED, f, behind - SHA256_BYTES, seq, seq, "is sound, but not the chain written behind it");
    memcpy(at->chain, chain, sizeof at->chain);
    at->next = seq + 1;
    return behind;
}

/* Behind which seq does the journal end? No later record says so: but what stands there may, as far as it was signed.
 */
static uint64_t end_of(const struct place *p, uint64_t newest)
{
    uint64_t end = p->next + MAX(p->count, (size_t)1);
    for (size_t i = 0; i < p->count; i++)
        if (p->seqs[i] <= newest && p->seqs[i] >= end)
            end = p->seqs[i] + 1;
    return end;
}

/* Nothing behind the damage can be believed, in this file. */
static size_t rest_of_file(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset,
                           uint64_t bound)
{
    struct place p = place_of(f, offset, f->len, at->next, bound);
    uint64_t newest = audit_heads_newest(a);
    if (f->last && newest < at->next) {
        a->torn_bytes = f->len - offset;
        return f->len;
    }
    if (f->last)
        p.resumes = end_of(&p, newest);
    at->lost = !f->last;
    if (p.exact && p.count > 0)
        say(a, f, &p);
    else
        found(a, AUDIT_TRUNCATED, f, offset, at->next, f->last ? MAX(newest, at->next) : MAX(bound - 1, at->next),
              "can't be read: the file ends in the middle of a record, or is no journal from here on");
    if (f->last && p.exact)
        at->next = p.resumes; /* they are there, if not as they were: nothing was cut off */
    return f->len;
}

size_t audit_damage(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset, uint64_t bound)
{
    struct journal_record r;
    size_t on = only_the_chain(a, at, f, offset, bound);
    if (on > 0)
        return on;
    on = journal_record_next(f->at, f->len, offset + 1, at->next, &r);
    if (on == f->len || r.seq >= bound)
        return rest_of_file(a, at, f, offset, bound);
    struct place p = place_of(f, offset, on, at->next, r.seq);
    say(a, f, &p);
    at->next = r.seq;
    memcpy(at->chain, f->at + on - SHA256_BYTES, sizeof at->chain);
    return on;
}

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/io/fd.h"
#include "base/io/sign.h"
#include "base/parse.h"
#include "cli/audit_inner.h"

enum { HEADS_BYTES_MAX = 64 << 20, SHORT_DIGITS = 16 };

static bool is_trusted(const struct audit *a, const uint8_t key[SIGN_KEY_BYTES])
{
    for (size_t i = 0; i < a->keys_count; i++)
        if (memcmp(a->keys[i], key, SIGN_KEY_BYTES) == 0)
            return true;
    return false;
}

static const char *short_hex(const uint8_t *bytes, char out[SHORT_DIGITS + 1])
{
    struct buf b = {0};
    hex_put(&b, bytes, SHORT_DIGITS / 2);
    memcpy(out, buf_text(&b), MIN(b.len + 1, (size_t)SHORT_DIGITS + 1));
    out[SHORT_DIGITS] = '\0';
    buf_fini(&b);
    return out;
}

static int line_take(struct audit *a, const char *path, size_t number, const char *line, size_t len, bool elsewhere)
{
    struct audit_head h = {.elsewhere = elsewhere};
    struct err err = {0};
    char key[SHORT_DIGITS + 1];
    size_t signed_len = 0;
    int rc = journal_head_get(line, len, &h.head, &signed_len, &err);
    if (rc < 0) {
        audit_find(a, AUDIT_FORGED, 0, 0, "%s, line %zu: %s", path, number, err_text(&err));
        return 0;
    }
    if (a->keys_count == 0)
        return 0;
    if (!is_trusted(a, h.head.key)) {
        audit_find(a, AUDIT_FORGED, h.head.seq, h.head.seq, "%s, line %zu: signed with another key, %s...", path,
                   number, short_hex(h.head.key, key));
        return 0;
    }
    if (!sign_check(h.head.key, line, signed_len, h.head.sig)) {
        audit_find(a, AUDIT_FORGED, h.head.seq, h.head.seq, "%s, line %zu: the signature is not of this line", path,
                   number);
        return 0;
    }
    struct audit_head *kept = list_add(&a->heads, sizeof *kept);
    if (kept == NULL)
        return -ENOMEM;
    *kept = h;
    return 0;
}

int audit_heads_add(struct audit *a, const char *path, bool elsewhere, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(path, HEADS_BYTES_MAX, &text, err);
    size_t number = 1;
    for (const char *at = buf_text(&text), *end = at + text.len; rc == 0 && at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        bool torn = stop == NULL && !elsewhere; /* our own file, and the line is being written, or a crash tore it */
        if (len > 0 && !torn && line_take(a, path, number, at, len, elsewhere) < 0)
            rc = err_set(err, -ENOMEM, "out of memory");
        at = stop != NULL ? stop + 1 : end;
    }
    return rc;
}

static int by_seq(const void *a, const void *b)
{
    const struct audit_head *x = a, *y = b;
    if (x->head.seq != y->head.seq)
        return x->head.seq < y->head.seq ? -1 : 1;
    int order = memcmp(x->head.chain, y->head.chain, SHA256_BYTES);
    return order != 0 ? order : (int)y->elsewhere - (int)x->elsewhere;
}

void audit_heads_sort(struct audit *a)
{
    struct audit_head *v = a->heads.v;
    size_t kept = 0;
    if (a->heads.count > 0)
        qsort(v, a->heads.count, sizeof *v, by_seq);
    for (size_t i = 0; i < a->heads.count; i++) {
        if (strcmp(v[i].head.cell, a->cell) != 0)
            continue; /* another cell's: a collection may hold many */
        bool same_seq = kept > 0 && v[kept - 1].head.seq == v[i].head.seq;
        if (same_seq && memcmp(v[kept - 1].head.chain, v[i].head.chain, SHA256_BYTES) == 0)
            continue;
        if (same_seq)
            audit_find(a, AUDIT_FORKED, v[i].head.seq, v[i].head.seq,
                       "two signed heads of seq %" PRIu64 " have different chains: two histories were signed",
                       v[i].head.seq);
        v[kept++] = v[i];
    }
    a->heads.count = kept;
}

static void differs(struct audit *a, struct audit_at *at, const struct audit_head *h)
{
    char was[SHORT_DIGITS + 1], is[SHORT_DIGITS + 1], when[PARSE_TEXT_MAX];
    if (at->forked)
        return;
    at->forked = true;
    audit_find(a, AUDIT_FORKED, at->signed_upto + 1, h->head.seq,
               "the head signed at %s has %s... at seq %" PRIu64 ", the files have %s...: something between seq "
               "%" PRIu64 " and there was rewritten", format_time(h->head.at_utc_us, when),
               short_hex(h->head.chain, was), h->head.seq, short_hex(at->chain, is), at->signed_upto + 1);
}

void audit_heads_meet(struct audit *a, struct audit_at *at, uint64_t seq)
{
    struct audit_head *v = a->heads.v;
    while (at->head < a->heads.count && v[at->head].head.seq < seq)
        at->head++;
    for (; at->head < a->heads.count && v[at->head].head.seq == seq; at->head++) {
        struct audit_head *h = &v[at->head];
        h->matched = memcmp(h->head.chain, at->chain, SHA256_BYTES) == 0;
        if (!h->matched) {
            differs(a, at, h);
            continue;
        }
        at->signed_upto = seq;
        at->forked = false;
        a->heads_matched++;
        a->heads_newest = seq;
        a->elsewhere_matched += h->elsewhere;
        a->elsewhere_newest = h->elsewhere ? seq : a->elsewhere_newest;
    }
}

uint64_t audit_heads_newest(const struct audit *a)
{
    const struct audit_head *v = a->heads.v;
    return a->heads.count > 0 ? v[a->heads.count - 1].head.seq : 0;
}

void audit_heads_end(struct audit *a, const struct audit_at *at)
{
    uint64_t newest = audit_heads_newest(a);
    char when[PARSE_TEXT_MAX];
    if (newest < at->next)
        return;
    const struct audit_head *h = (const struct audit_head *)a->heads.v + a->heads.count - 1;
    audit_find(a, AUDIT_TRUNCATED, at->next, newest,
               "the head signed at %s says that seq %" PRIu64 " was on the disk; the files end at seq %" PRIu64,
               format_time(h->head.at_utc_us, when), newest, at->next - 1);
}

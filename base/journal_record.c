#include "base/journal_record.h"

#include <errno.h>
#include <string.h>

enum {
    MAGIC_LEN = 8,
    HEADER_FIXED = MAGIC_LEN + 4 + 4 + 8 + 2 * SHA256_BYTES,
    BODY_MIN = 8 + 8 + 8 + 1,
    LENGTH_LEN = 4,
};

static const char magic[MAGIC_LEN + 1] = "reevejr1";

static void put_u32(struct buf *out, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    buf_add(out, b, sizeof b);
}

static void put_u64(struct buf *out, uint64_t v)
{
    put_u32(out, (uint32_t)v);
    put_u32(out, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

void journal_header_put(struct buf *out, const struct journal_header *h)
{
    size_t begin = out->len;
    size_t cell_len = strlen(h->cell);
    buf_add(out, magic, MAGIC_LEN);
    put_u32(out, JOURNAL_VERSION);
    put_u32(out, (uint32_t)cell_len);
    buf_add(out, h->cell, cell_len);
    put_u64(out, h->first_seq);
    buf_add(out, h->chain, SHA256_BYTES);
    if (out->failed)
        return;
    uint8_t hash[SHA256_BYTES];
    sha256(&(struct sha256_part){out->data + begin, out->len - begin}, 1, hash);
    buf_add(out, hash, sizeof hash);
}

int journal_header_get(const uint8_t *at, size_t len, struct journal_header *ret, size_t *ret_size, struct err *err)
{
    if (len < HEADER_FIXED || memcmp(at, magic, MAGIC_LEN) != 0)
        return err_set(err, -EBADMSG, "no journal header at offset 0");
    uint32_t version = get_u32(at + MAGIC_LEN);
    if (version != JOURNAL_VERSION)
        return err_set(err, -EPROTONOSUPPORT, "journal format %u, this program reads %d", version, JOURNAL_VERSION);
    uint32_t cell_len = get_u32(at + MAGIC_LEN + 4);
    if (cell_len > JOURNAL_CELL_MAX || len < HEADER_FIXED + cell_len)
        return err_set(err, -EBADMSG, "damaged journal header");
    size_t hashed = HEADER_FIXED - SHA256_BYTES + cell_len;
    uint8_t hash[SHA256_BYTES];
    sha256(&(struct sha256_part){at, hashed}, 1, hash);
    if (memcmp(hash, at + hashed, sizeof hash) != 0)
        return err_set(err, -EBADMSG, "damaged journal header");
    const uint8_t *p = at + MAGIC_LEN + 8;
    memset(ret, 0, sizeof *ret);
    memcpy(ret->cell, p, cell_len);
    ret->first_seq = get_u64(p + cell_len);
    memcpy(ret->chain, p + cell_len + 8, SHA256_BYTES);
    *ret_size = hashed + SHA256_BYTES;
    return 0;
}

void journal_record_put(struct buf *out, const struct journal_record *r, uint8_t chain[SHA256_BYTES])
{
    size_t begin = out->len, refusal_len = strlen(r->refusal);
    BUG(refusal_len > JOURNAL_REFUSAL_MAX || r->fact_len > JOURNAL_FACT_MAX);
    put_u32(out, (uint32_t)(BODY_MIN + refusal_len + r->fact_len));
    put_u64(out, r->seq);
    put_u64(out, r->term);
    put_u64(out, r->group);
    buf_add(out, &(uint8_t){(uint8_t)refusal_len}, 1);
    buf_add(out, r->refusal, refusal_len);
    buf_add(out, r->fact, r->fact_len);
    if (out->failed)
        return;
    sha256((struct sha256_part[]){{chain, SHA256_BYTES}, {out->data + begin, out->len - begin}}, 2, chain);
    buf_add(out, chain, SHA256_BYTES);
}

size_t journal_record_shape(const uint8_t *at, size_t len, uint64_t *ret_seq)
{
    if (len < LENGTH_LEN + BODY_MIN + SHA256_BYTES)
        return 0;
    size_t body = get_u32(at);
    if (body < BODY_MIN || body > BODY_MIN + JOURNAL_REFUSAL_MAX + JOURNAL_FACT_MAX ||
        len < LENGTH_LEN + body + SHA256_BYTES)
        return 0;
    *ret_seq = get_u64(at + LENGTH_LEN);
    return LENGTH_LEN + body + SHA256_BYTES;
}

void journal_record_chain(const uint8_t *at, size_t size, const uint8_t chain[SHA256_BYTES], uint8_t ret[SHA256_BYTES])
{
    sha256((struct sha256_part[]){{chain, SHA256_BYTES}, {at, size - SHA256_BYTES}}, 2, ret);
}

/* Does a whole record made from the chain at `from` begin at `at`? Its size, or 0; the fields are left alone. */
static size_t record_size(const uint8_t *at, size_t len, const uint8_t *from, uint8_t ret_chain[SHA256_BYTES])
{
    uint64_t seq;
    size_t size = journal_record_shape(at, len, &seq);
    if (size == 0)
        return 0;
    uint8_t refusal_len = at[LENGTH_LEN + BODY_MIN - 1];
    if (refusal_len > JOURNAL_REFUSAL_MAX || LENGTH_LEN + (size_t)BODY_MIN + refusal_len + SHA256_BYTES > size)
        return 0;
    journal_record_chain(at, size, from, ret_chain);
    return memcmp(ret_chain, at + size - SHA256_BYTES, SHA256_BYTES) == 0 ? size : 0;
}

static void record_read(const uint8_t *at, size_t size, struct journal_record *ret)
{
    const uint8_t *body = at + LENGTH_LEN;
    size_t refusal_len = body[BODY_MIN - 1];
    memset(ret, 0, sizeof *ret);
    ret->seq = get_u64(body);
    ret->term = get_u64(body + 8);
    ret->group = get_u64(body + 16);
    memcpy(ret->refusal, body + BODY_MIN, refusal_len);
    ret->fact = body + BODY_MIN + refusal_len;
    ret->fact_len = size - LENGTH_LEN - BODY_MIN - refusal_len - SHA256_BYTES;
}

size_t journal_record_get(const uint8_t *at, size_t len, uint8_t chain[SHA256_BYTES], struct journal_record *ret)
{
    uint8_t next[SHA256_BYTES];
    size_t size = record_size(at, len, chain, next);
    if (size == 0)
        return 0;
    record_read(at, size, ret);
    memcpy(chain, next, SHA256_BYTES);
    return size;
}

bool journal_record_proves(const uint8_t *file, size_t len, size_t from, uint64_t seq)
{
    uint8_t chain[SHA256_BYTES];
    for (size_t at = MAX(from, (size_t)SHA256_BYTES); at + LENGTH_LEN + BODY_MIN <= len; at++) {
        const uint8_t *body = file + at + LENGTH_LEN;
        uint64_t later = get_u64(body), group = get_u64(body + 16);
        /* Asked before hashing, which at every byte would never end. A record is longer than one byte. */
        if (group <= seq || group > later || later - seq > len)
            continue;
        if (record_size(file + at, len - at, file + at - SHA256_BYTES, chain) != 0)
            return true;
    }
    return false;
}

size_t journal_record_next(const uint8_t *file, size_t len, size_t from, uint64_t seq, struct journal_record *ret)
{
    uint8_t chain[SHA256_BYTES];
    for (size_t at = MAX(from, (size_t)SHA256_BYTES); at + LENGTH_LEN + BODY_MIN <= len; at++) {
        const uint8_t *body = file + at + LENGTH_LEN;
        uint64_t later = get_u64(body), group = get_u64(body + 16);
        if (later < seq || later - seq > len || group > later) /* asked before hashing, as above */
            continue;
        size_t size = record_size(file + at, len - at, file + at - SHA256_BYTES, chain);
        if (size == 0)
            continue;
        record_read(file + at, size, ret);
        return at;
    }
    return len;
}

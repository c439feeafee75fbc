#include "base/wire.h"

void wire_put_u64(struct buf *out, uint64_t value)
{
    uint8_t bytes[WIRE_U64_MAX];
    buf_add(out, bytes, wire_u64(bytes, value));
}

void wire_put_i64(struct buf *out, int64_t value)
{
    wire_put_u64(out, wire_zigzag(value));
}

void wire_put_bytes(struct buf *out, const void *bytes, size_t len)
{
    wire_put_u64(out, len);
    buf_add(out, bytes, len);
}

struct wire_reader wire_reader(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    return (struct wire_reader){ .at = at, .end = len > 0 ? at + len : at };
}

static uint64_t bad(struct wire_reader *r)
{
    r->bad = true;
    return 0;
}

/* A value has one spelling: an overlong varint (a last byte of zero) is as bad as a 65th bit. */
uint64_t wire_get_long_u64(struct wire_reader *r)
{
    uint64_t value = 0;
    if (r->bad)
        return 0;
    for (unsigned shift = 0; r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1)
            return bad(r);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte == 0 && shift > 0 ? bad(r) : value;
    }
    return bad(r);
}

int64_t wire_get_i64(struct wire_reader *r)
{
    uint64_t raw = wire_get_u64(r);
    uint64_t sign = (raw & 1) != 0 ? UINT64_MAX : 0;
    return (int64_t)((raw >> 1) ^ sign);
}

const uint8_t *wire_get_bytes(struct wire_reader *r, size_t *ret_len)
{
    uint64_t len = wire_get_u64(r);
    *ret_len = 0;
    if (r->bad)
        return NULL;
    if (len > (uint64_t)(r->end - r->at)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    *ret_len = (size_t)len;
    return bytes;
}

struct wire_reader wire_get_inner(struct wire_reader *r)
{
    size_t len = 0;
    const uint8_t *bytes = wire_get_bytes(r, &len);
    struct wire_reader inner = wire_reader(bytes, len);
    inner.arena = r->arena;
    inner.alike = r->alike;
    return inner;
}

bool wire_at_end(const struct wire_reader *r)
{
    return r->at == r->end;
}

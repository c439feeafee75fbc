#include "base/base64.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *in = bytes;
    char chunk[256];
    size_t used = 0;
    for (size_t i = 0; i < len && !out->failed; i += 3) {
        uint32_t b1 = i + 1 < len ? in[i + 1] : 0;
        uint32_t b2 = i + 2 < len ? in[i + 2] : 0;
        uint32_t bits = (uint32_t)in[i] << 16 | b1 << 8 | b2;
        chunk[used++] = digits[bits >> 18];
        chunk[used++] = digits[bits >> 12 & 63];
        chunk[used++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        chunk[used++] = i + 2 < len ? digits[bits & 63] : '=';
        if (used == sizeof chunk) {
            buf_add(out, chunk, used);
            used = 0;
        }
    }
    buf_add(out, chunk, used);
}

size_t base64_room(size_t text_len)
{
    return text_len / 4 * 3;
}

/* 0..63, or 64 for what is no digit. */
static uint32_t digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four characters, the last `padding` of them '=', into 3 - padding bytes. */
static bool get_group(const char *text, size_t padding, uint8_t *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? digit_value(text[i]) : 0;
        if (value > 63)
            return false;
        bits = bits << 6 | value;
    }
    if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
        return false;
    for (size_t i = 0; i < 3 - padding; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return true;
}

int base64_get(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
    if (len % 4 != 0)
        return -EINVAL;
    size_t used = 0;
    for (size_t i = 0; i < len; i += 4) {
        bool last = i + 4 == len;
        size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        if (!get_group(text + i, padding, out + used))
            return -EINVAL;
        used += 3 - padding;
    }
    *ret_len = used;
    return 0;
}

#include "quotas/reports/escape.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

static void add_byte(struct buf *out, char byte)
{
    buf_add(out, &byte, 1);
}

/* Length of the whole UTF-8 character at `at`; 0 when there is none (a text that was cut in the middle of one). */
static size_t character(const char *at)
{
    unsigned char lead = (unsigned char)*at;
    size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return strnlen(at, n) == n && parse_utf8(at, n, NULL) == 0 ? n : 0;
}

void json_text(struct buf *out, const char *text)
{
    if (text == NULL) {
        buf_add_str(out, "null");
        return;
    }
    add_byte(out, '"');
    for (const char *at = text; *at != '\0';) {
        unsigned char byte = (unsigned char)*at;
        size_t n = character(at);
        if (n == 0)
            buf_add_str(out, "\\ufffd");
        else if (byte == '"' || byte == '\\')
            buf_addf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            buf_addf(out, "\\u%04x", byte);
        else
            buf_add(out, at, n);
        at += MAX(n, (size_t)1);
    }
    add_byte(out, '"');
}

void csv_text(struct buf *out, const char *text)
{
    if (text == NULL)
        return;
    if (text[0] != '\0' && strpbrk(text, ",\"\r\n") == NULL) {
        buf_add_str(out, text);
        return;
    }
    add_byte(out, '"');
    for (; *text != '\0'; text++)
        buf_add(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    add_byte(out, '"');
}

void html_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buf_add_str(out, "&amp;");
            break;
        case '<':
            buf_add_str(out, "&lt;");
            break;
        case '>':
            buf_add_str(out, "&gt;");
            break;
        case '"':
            buf_add_str(out, "&quot;");
            break;
        case '\'':
            buf_add_str(out, "&#39;");
            break;
        default:
            add_byte(out, *text);
        }
    }
}

void label_text(struct buf *out, const char *text)
{
    add_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            buf_add_str(out, "\\n");
        else if (*text == '"' || *text == '\\')
            buf_addf(out, "\\%c", *text);
        else
            add_byte(out, *text);
    }
    add_byte(out, '"');
}

void money_text(struct buf *out, int64_t micros)
{
    uint64_t size = micros < 0 ? -(uint64_t)micros : (uint64_t)micros;
    buf_addf(out, "%s%" PRIu64 ".%06" PRIu64, micros < 0 ? "-" : "", size / 1000000, size % 1000000);
}

void json_money(struct buf *out, const char *name, bool present, int64_t micros)
{
    if (!present) {
        buf_addf(out, ",\"%s\":null,\"%s_micros\":null", name, name);
        return;
    }
    buf_addf(out, ",\"%s\":\"", name);
    money_text(out, micros);
    buf_addf(out, "\",\"%s_micros\":%" PRId64, name, micros);
}

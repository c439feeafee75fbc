/* Structs to JSON text, straight into a buffer: no tree is built, because every submission passes through here. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/field.h"
#include "base/io/json.h"

struct writer {
    struct buf *out;
    bool pretty;
    unsigned depth;
};

static void put(struct writer *w, const char *text, size_t len)
{
    buf_add(w->out, text, len);
}

static void new_line(struct writer *w)
{
    static const char spaces[] = "                                        ";
    if (!w->pretty)
        return;
    put(w, "\n", 1);
    put(w, spaces, MIN((size_t)w->depth * 2, sizeof spaces - 1));
}

static void open_bracket(struct writer *w, const char *bracket)
{
    put(w, bracket, 1);
    w->depth++;
}

static void close_bracket(struct writer *w, const char *bracket, bool any)
{
    w->depth--;
    if (any)
        new_line(w);
    put(w, bracket, 1);
}

static void put_u64(struct writer *w, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(w, digits + at, sizeof digits - at);
}

static void put_i64(struct writer *w, int64_t number)
{
    if (number < 0)
        put(w, "-", 1);
    put_u64(w, number < 0 ? UINT64_C(0) - (uint64_t)number : (uint64_t)number);
}

static void put_escape(struct writer *w, uint32_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[][2] = { { '\n', 'n' }, { '\t', 't' }, { '"', '"' }, { '\\', '\\' }, { '\r', 'r' } };
    for (size_t i = 0; i < COUNT_OF(shorts); i++) {
        if ((uint32_t)shorts[i][0] == c) {
            put(w, "\\", 1);
            put(w, &shorts[i][1], 1);
            return;
        }
    }
    char escape[6] = { '\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15], hex[c & 15] };
    put(w, escape, sizeof escape);
}

/* Bytes of the character at `text` when it is valid, else 0. */
static size_t utf8_length(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= len && parse_utf8(text, n, NULL) == 0 ? n : 0;
}

/* The character when it must not stand in text as it is, else 0: C1 controls steer terminals; U+2028 and U+2029 are
 * line breaks to YAML 1.1, and neither a mark in the middle nor a noncharacter may stand in its files at all. */
static uint32_t unfit(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 2 && s[0] == 0xc2 && s[1] < 0xa0)
        return s[1];
    uint32_t c = len == 3 ? (s[0] & 15u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u) : 0;
    return c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff ? c : 0;
}

static void put_text(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    size_t from = 0; /* start of the run that needs no escape */
    put(w, "\"", 1);
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t valid = c >= 0x80 ? utf8_length(text + i, len - i) : 0;
        uint32_t escaped = c < 0x80 ? c : valid > 0 ? unfit(text + i, valid) : 0;
        if (valid > 0 && escaped == 0) {
            i += valid;
            continue;
        }
        put(w, text + from, i - from);
        if (escaped != 0)
            put_escape(w, escaped);
        else
            put(w, "\xef\xbf\xbd", 3);
        i += MAX(valid, (size_t)1);
        from = i;
    }
    put(w, text + from, len - from);
    put(w, "\"", 1);
}

void json_put_text(struct buf *out, const char *text)
{
    struct writer w = { .out = out };
    put_text(&w, text);
}

static void put_key(struct writer *w, const char *key)
{
    new_line(w);
    put_text(w, key);
    put(w, ": ", w->pretty ? 2 : 1);
}

static void put_comma(struct writer *w, size_t i)
{
    if (i > 0)
        put(w, ",", 1);
}

/* --- kinds ------------------------------------------------------------------------------------------------ */

static void put_rows(struct writer *w, const struct fields *f, const void *object, const struct field *given);

/* Beyond 2^63-1 most readers lose an integer: it becomes the text that reads back. */
static void write_unsigned(struct writer *w, const struct field *row, const void *value)
{
    char text[PARSE_TEXT_MAX];
    uint64_t number = field_get_u64(row, value);
    if (number <= INT64_MAX)
        put_u64(w, number);
    else
        put_text(w, field_ops(row)->format(row, value, text));
}

static void write_measure(struct writer *w, const struct field *row, const void *value);

static void write_signed(struct writer *w, const struct field *row, const void *value)
{
    put_i64(w, field_get_i64(row, value));
}

static void write_bool(struct writer *w, const struct field *row, const void *value)
{
    bool is = field_get_u64(row, value) != 0;
    put(w, is ? "true" : "false", is ? 4 : 5);
}

static void write_enum(struct writer *w, const struct field *row, const void *value)
{
    put_text(w, names_get(row->of, (uint32_t)field_get_u64(row, value)));
}

static void write_formatted(struct writer *w, const struct field *row, const void *value)
{
    char text[PARSE_TEXT_MAX];
    put_text(w, field_ops(row)->format(row, value, text));
}

static void write_str(struct writer *w, const struct field *row UNUSED, const void *value)
{
    const char *text = *(char *const *)value;
    put_text(w, text != NULL ? text : "");
}

static void write_bytes(struct writer *w, const struct field *row UNUSED, const void *value)
{
    const struct bytes *b = value;
    put(w, "\"", 1);
    base64_put(w->out, b->data, b->len);
    put(w, "\"", 1);
}

static void write_strs(struct writer *w, const struct field *row UNUSED, const void *value)
{
    const struct strs *s = value;
    put(w, "[", 1);
    for (size_t i = 0; i < s->count; i++) {
        put(w, ", ", i == 0 ? 0 : w->pretty ? 2 : 1);
        put_text(w, s->v[i]);
    }
    put(w, "]", 1);
}

static void write_pairs(struct writer *w, const struct field *row UNUSED, const void *value)
{
    const struct pairs *p = value;
    open_bracket(w, "{");
    for (size_t i = 0; i < p->count; i++) {
        put_comma(w, i);
        put_key(w, p->v[i].key);
        put_text(w, p->v[i].value != NULL ? p->v[i].value : "");
    }
    close_bracket(w, "}", p->count > 0);
}

static void write_counts(struct writer *w, const struct field *row, const void *value)
{
    const struct counts *c = value;
    const struct field as = { .kind = row->kind == FIELD_MONEYS ? FIELD_MONEY : FIELD_U64 };
    open_bracket(w, "{");
    for (size_t i = 0; i < c->count; i++) {
        put_comma(w, i);
        put_key(w, c->v[i].name);
        if (as.kind == FIELD_MONEY)
            write_formatted(w, &as, &c->v[i].value);
        else
            write_unsigned(w, &as, &c->v[i].value);
    }
    close_bracket(w, "}", c->count > 0);
}

static void write_struct(struct writer *w, const struct field *row, const void *value)
{
    put_rows(w, row->of, value, NULL);
}

static void write_list(struct writer *w, const struct field *row, const void *value)
{
    const struct list *l = value;
    const struct fields *of = row->of;
    const struct field *key = (row->flags & FIELD_KEYED) != 0 ? &of->rows[0] : NULL;
    open_bracket(w, key != NULL ? "{" : "[");
    for (size_t i = 0; i < l->count && !w->out->failed; i++) {
        const void *element = (const char *)l->v + i * of->size;
        put_comma(w, i);
        if (key == NULL) {
            new_line(w);
        } else {
            const char *text = *(char *const *)field_at_const(key, element);
            put_key(w, text != NULL ? text : "");
        }
        put_rows(w, of, element, key);
    }
    close_bracket(w, key != NULL ? "}" : "]", l->count > 0);
}

typedef void (*row_writer)(struct writer *w, const struct field *row, const void *value);
static const row_writer writers[FIELD_KIND_COUNT] = {
    [FIELD_U64] = write_unsigned,      [FIELD_U32] = write_unsigned,   [FIELD_I64] = write_signed,
    [FIELD_I32] = write_signed,        [FIELD_BOOL] = write_bool,      [FIELD_ENUM] = write_enum,
    [FIELD_CPU] = write_formatted,     [FIELD_SIZE] = write_unsigned,  [FIELD_DURATION] = write_unsigned,
    [FIELD_MONEY] = write_formatted,   [FIELD_TIME] = write_formatted, [FIELD_STR] = write_str,
    [FIELD_BYTES] = write_bytes,       [FIELD_STRS] = write_strs,      [FIELD_PAIRS] = write_pairs,
    [FIELD_COUNTS] = write_counts,     [FIELD_MONEYS] = write_counts,  [FIELD_STRUCT] = write_struct,
    [FIELD_LIST] = write_list,         [FIELD_MEASURE] = write_measure,
};

static void write_measure(struct writer *w, const struct field *row, const void *value)
{
    const struct measure *m = value;
    const struct field *of = row->of;
    uint64_t number = measured(*m);
    if (!is_measured(*m))
        put(w, "null", 4);
    else if (of != NULL)
        writers[of->kind](w, of, &number);
    else
        put_u64(w, number);
}

/* Every name of a table is plain snake_case: nothing to escape. */
static void put_name(struct writer *w, const char *name)
{
    new_line(w);
    put(w, "\"", 1);
    put(w, name, strlen(name));
    put(w, "\": ", w->pretty ? 3 : 2);
}

static void put_rows(struct writer *w, const struct fields *f, const void *object, const struct field *given)
{
    size_t written = 0;
    open_bracket(w, "{");
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        if (row == given || !field_is_shown(row, field_at_const(row, object)))
            continue;
        put_comma(w, written++);
        put_name(w, row->name);
        const void *value = field_at_const(row, object);
        if ((row->flags & FIELD_UNBOUNDED) != 0 && *(const int64_t *)value == -1)
            put(w, "null", 4);
        else
            writers[row->kind](w, row, value);
    }
    close_bracket(w, "}", written > 0);
}

static int write_object(const struct fields *f, const void *object, struct buf *out, bool pretty)
{
    static const struct fields nothing = { .what = "nothing" };
    struct writer w = { .out = out, .pretty = pretty };
    put_rows(&w, f != NULL ? f : &nothing, object, NULL);
    return out->failed ? -ENOMEM : 0;
}

int json_write(const struct fields *f, const void *object, struct buf *out)
{
    return write_object(f, object, out, false);
}

int json_write_pretty(const struct fields *f, const void *object, struct buf *out)
{
    return write_object(f, object, out, true);
}

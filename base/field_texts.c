/* The kinds of base/fields.h that are text or bytes, alone or in a row. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/zeroed.h"

static int accept_length(size_t len, uint64_t min, uint64_t max, const char *unit, struct err *err)
{
    if (len > max)
        return err_set(err, -EINVAL, "%zu %s; at most %llu", len, unit, (unsigned long long)max);
    if (len < min)
        return err_set(err, -EINVAL, "%zu %s; at least %llu", len, unit, (unsigned long long)min);
    return 0;
}

static uint64_t or_default(uint64_t max, uint64_t by_default)
{
    return max != 0 ? max : by_default;
}

int field_accept_str(const struct field *row, const char *text, size_t len, struct err *err)
{
    int rc = accept_length(len, row->min, or_default(row->max, FIELD_STR_MAX_DEFAULT), "bytes", err);
    return rc < 0 ? rc : parse_utf8(text, len, err);
}

int field_accept_item(const char *text, size_t len, struct err *err)
{
    int rc = accept_length(len, 0, FIELD_ITEM_MAX, "bytes", err);
    return rc < 0 ? rc : parse_utf8(text, len, err);
}

int field_accept_key(const char *text, size_t len, struct err *err)
{
    int rc = accept_length(len, 1, FIELD_KEY_MAX, "bytes in a key", err);
    return rc < 0 ? rc : parse_utf8(text, len, err);
}

int field_accept_bytes(const struct field *row, size_t len, struct err *err)
{
    return accept_length(len, row->min, or_default(row->max, FIELD_BYTES_MAX_DEFAULT), "bytes", err);
}

int field_accept_count(const struct field *row, size_t count, struct err *err)
{
    return accept_length(count, row->min, or_default(row->max, FIELD_LIST_MAX_DEFAULT), "entries", err);
}

int field_accept_growth(const struct field *row, size_t count, struct err *err)
{
    if (count < or_default(row->max, FIELD_LIST_MAX_DEFAULT))
        return 0;
    return accept_length(count + 1, 0, count, "entries", err);
}

/* Where there may be no room. */
static __attribute__((noinline)) void grow_and_put(const struct field *row, struct buf *out, const void *bytes,
                                                   size_t len)
{
    uint8_t head[2 * WIRE_U64_MAX];
    size_t head_len = wire_u64(head, (uint64_t)row->id << 1 | 1);
    head_len += wire_u64(head + head_len, len);
    buf_add(out, head, head_len);
    buf_add(out, bytes, len);
}

static void put(const struct field *row, struct buf *out, const void *bytes, size_t len)
{
    if (!buf_has_room(out, 2 * WIRE_U64_MAX + len)) {
        grow_and_put(row, out, bytes, len);
        return;
    }
    uint8_t *begin = (uint8_t *)out->data + out->len, *at = begin;
    at += wire_u64(at, (uint64_t)row->id << 1 | 1);
    at += wire_u64(at, len);
    if (len > 0)
        memcpy(at, bytes, len);
    buf_wrote(out, (size_t)(at - begin) + len);
}

/* --- FIELD_STR -------------------------------------------------------------------------------------------- */

static const char *str_of(const void *value)
{
    const char *text = *(char *const *)value;
    return text != NULL ? text : "";
}

static bool str_is_empty(const struct field *row UNUSED, const void *value)
{
    return str_of(value)[0] == '\0';
}

static int str_accept(const struct field *row, const void *value, struct err *err)
{
    const char *text = str_of(value);
    return field_accept_str(row, text, strlen(text), err);
}

void field_put_str(const struct field *row, const char *text, struct buf *out)
{
    size_t len = strlen(text);
    if (field_accept_str(row, text, len, NULL) < 0)
        out->failed = true;
    else
        put(row, out, text, len);
}

static void str_encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    field_put_str(row, str_of(value), out);
}

static int no_memory(const struct place *at, struct err *err)
{
    return place_wrap(at, err_set(err, -ENOMEM, "out of memory"), err);
}

static int str_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                      unsigned depth UNUSED, struct err *err)
{
    size_t len = 0;
    const char *bytes = (const char *)wire_get_bytes(r, &len);
    if (r->bad)
        return place_wrap(at, err_set(err, -EBADMSG, "cut short"), err);
    if (field_accept_str(row, bytes, len, err) < 0)
        return place_wrap(at, -EBADMSG, err);
    if (len == 0)
        return 0;
    char *text = arena_text(r->arena, bytes, len);
    if (text == NULL)
        return no_memory(at, err);
    *(char **)value = text;
    return 0;
}

static void str_clear(const struct field *row UNUSED, void *value)
{
    free(*(char **)value);
    *(char **)value = NULL;
}

static int str_copy(const struct field *row UNUSED, const void *from, void *to)
{
    return str_set(to, *(char *const *)from);
}

static bool str_equal(const struct field *row UNUSED, const void *a, const void *b)
{
    return strcmp(str_of(a), str_of(b)) == 0;
}

const struct field_ops field_str_ops = {
    .noun = "a text", .width = sizeof(char *), .prefixed = true, .is_empty = str_is_empty,
    .accept = str_accept, .encode = str_encode, .decode = str_decode, .clear = str_clear, .copy = str_copy,
    .equal = str_equal,
};

/* --- FIELD_BYTES ------------------------------------------------------------------------------------------ */

static bool bytes_is_empty(const struct field *row UNUSED, const void *value)
{
    return ((const struct bytes *)value)->len == 0;
}

static int bytes_accept(const struct field *row, const void *value, struct err *err)
{
    return field_accept_bytes(row, ((const struct bytes *)value)->len, err);
}

static void bytes_encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    const struct bytes *b = value;
    put(row, out, b->data, b->len);
}

static int bytes_store(struct arena *arena, struct bytes *b, const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    char *copy = arena_text(arena, (const char *)data, len);
    if (copy == NULL)
        return -ENOMEM;
    *b = (struct bytes){ (uint8_t *)copy, len };
    return 0;
}

static int bytes_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                        unsigned depth UNUSED, struct err *err)
{
    size_t len = 0;
    const uint8_t *data = wire_get_bytes(r, &len);
    if (r->bad)
        return place_wrap(at, err_set(err, -EBADMSG, "cut short"), err);
    if (field_accept_bytes(row, len, err) < 0)
        return place_wrap(at, -EBADMSG, err);
    return bytes_store(r->arena, value, data, len) < 0 ? no_memory(at, err) : 0;
}

static void bytes_clear(const struct field *row UNUSED, void *value)
{
    struct bytes *b = value;
    free(b->data);
    *b = (struct bytes){ 0 };
}

static int bytes_copy(const struct field *row UNUSED, const void *from, void *to)
{
    const struct bytes *b = from;
    return bytes_store(NULL, to, b->data, b->len);
}

static bool bytes_equal(const struct field *row UNUSED, const void *a, const void *b)
{
    const struct bytes *x = a;
    const struct bytes *y = b;
    return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
}

const struct field_ops field_bytes_ops = {
    .noun = "base64 text", .width = sizeof(struct bytes), .prefixed = true, .is_empty = bytes_is_empty,
    .accept = bytes_accept, .encode = bytes_encode, .decode = bytes_decode, .clear = bytes_clear, .copy = bytes_copy,
    .equal = bytes_equal,
};

/* --- FIELD_STRS ------------------------------------------------------------------------------------------- */

static bool strs_is_empty(const struct field *row UNUSED, const void *value)
{
    return ((const struct strs *)value)->count == 0;
}

static int strs_accept(const struct field *row, const void *value, struct err *err)
{
    const struct strs *s = value;
    int rc = field_accept_count(row, s->count, err);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = field_accept_item(s->v[i], strlen(s->v[i]), err);
    return rc;
}

static void strs_encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    const struct strs *s = value;
    for (size_t i = 0; i < s->count; i++)
        put(row, out, s->v[i], strlen(s->v[i]));
}

static int strs_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *up,
                       unsigned depth UNUSED, struct err *err)
{
    struct strs *s = value;
    struct place at = { .up = up, .index = s->count };
    size_t len = 0;
    const char *bytes = (const char *)wire_get_bytes(r, &len);
    if (r->bad)
        return place_wrap(&at, err_set(err, -EBADMSG, "cut short"), err);
    if (field_accept_growth(row, s->count, err) < 0 || field_accept_item(bytes, len, err) < 0)
        return place_wrap(&at, -EBADMSG, err);
    char **v = arena_grow(r->arena, s->v, s->count, sizeof *v);
    if (v == NULL)
        return no_memory(&at, err);
    s->v = v;
    v[s->count] = arena_text(r->arena, bytes, len);
    if (v[s->count] == NULL)
        return no_memory(&at, err);
    s->count++;
    return 0;
}

static void strs_clear(const struct field *row UNUSED, void *value)
{
    struct strs *s = value;
    for (size_t i = 0; i < s->count; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct strs){ 0 };
}

static int strs_copy(const struct field *row UNUSED, const void *from, void *to)
{
    const struct strs *s = from;
    struct strs *copy = to;
    if (s->count == 0)
        return 0;
    copy->v = zeroed(s->count, sizeof *copy->v);
    if (copy->v == NULL)
        return -ENOMEM;
    for (; copy->count < s->count; copy->count++) {
        copy->v[copy->count] = strdup(s->v[copy->count]);
        if (copy->v[copy->count] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static bool strs_equal(const struct field *row UNUSED, const void *a, const void *b)
{
    const struct strs *x = a;
    const struct strs *y = b;
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->v[i], y->v[i]) != 0)
            return false;
    return true;
}

const struct field_ops field_strs_ops = {
    .noun = "a list of texts", .width = sizeof(struct strs), .prefixed = true, .repeated = true,
    .is_empty = strs_is_empty, .accept = strs_accept, .encode = strs_encode, .decode = strs_decode,
    .clear = strs_clear, .copy = strs_copy, .equal = strs_equal,
};

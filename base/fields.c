#include "base/fields.h"

#include <errno.h>
#include <string.h>

#include "base/alike.h"
#include "base/field.h"
#include "base/zeroed.h"

const struct field_ops *const field_ops_of[FIELD_KIND_COUNT] = {
    [FIELD_U64] = &field_u64_ops,
    [FIELD_U32] = &field_u32_ops,
    [FIELD_I64] = &field_i64_ops,
    [FIELD_I32] = &field_i32_ops,
    [FIELD_BOOL] = &field_bool_ops,
    [FIELD_ENUM] = &field_enum_ops,
    [FIELD_CPU] = &field_cpu_ops,
    [FIELD_SIZE] = &field_size_ops,
    [FIELD_DURATION] = &field_duration_ops,
    [FIELD_MONEY] = &field_money_ops,
    [FIELD_TIME] = &field_time_ops,
    [FIELD_STR] = &field_str_ops,
    [FIELD_BYTES] = &field_bytes_ops,
    [FIELD_STRS] = &field_strs_ops,
    [FIELD_PAIRS] = &field_pairs_ops,
    [FIELD_COUNTS] = &field_counts_ops,
    [FIELD_MONEYS] = &field_moneys_ops,
    [FIELD_STRUCT] = &field_struct_ops,
    [FIELD_LIST] = &field_list_ops,
    [FIELD_MEASURE] = &field_measure_ops,
};

const struct field *fields_find(const struct fields *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->rows[i].name, name) == 0)
            return &f->rows[i];
    return NULL;
}

const struct field *fields_presence(const struct fields *f)
{
    const struct field *first = f->count > 0 ? &f->rows[0] : NULL;
    bool is = first != NULL && first->kind == FIELD_BOOL && (first->flags & FIELD_HIDDEN) != 0 &&
              strcmp(first->name, "present") == 0;
    return is ? first : NULL;
}

bool field_is_shown(const struct field *row, const void *value)
{
    if ((row->flags & FIELD_HIDDEN) != 0)
        return false;
    const struct field *presence = row->kind == FIELD_STRUCT ? fields_presence(row->of) : NULL;
    if (presence != NULL)
        return field_get_u64(presence, field_at_const(presence, value)) != 0;
    return (row->flags & FIELD_ALWAYS) != 0 || !field_ops(row)->is_empty(row, value);
}

/* --- bytes ------------------------------------------------------------------------------------------------ */

static void encode_inner(const struct field *row, const void *value, struct buf *out, unsigned depth, bool even_empty);

static void encode_other(const struct field *row, const void *value, struct buf *out, unsigned depth)
{
    const struct field_ops *ops = field_ops(row);
    if (ops->is_empty(row, value))
        return;
    if (ops->accept(row, value, NULL) < 0)
        out->failed = true;
    else
        ops->encode(row, value, out, depth);
}

static void encode_rows(const struct fields *f, const void *object, struct buf *out, unsigned depth)
{
    assert(depth <= FIELDS_DEPTH_MAX);
    for (size_t i = 0; i < f->count && !out->failed; i++) {
        const struct field *row = &f->rows[i];
        const void *value = field_at_const(row, object);
        if (field_is_blank(row, value))
            continue; /* a number that isn't blank isn't empty */
        if (!field_owns(row))
            field_put_number(row, value, out);
        else if (row->kind == FIELD_STRUCT)
            encode_inner(row, value, out, depth, false);
        else if (row->kind != FIELD_STR)
            encode_other(row, value, out, depth);
        else if ((*(char *const *)value)[0] != '\0')
            field_put_str(row, *(char *const *)value, out);
    }
}

/* Tag, length and body of an inner object. The length is known last: one byte is left for it, most need no more. */
static void encode_inner(const struct field *row, const void *value, struct buf *out, unsigned depth, bool even_empty)
{
    size_t start = out->len;
    uint8_t head[WIRE_U64_MAX + 1];
    size_t head_len = wire_u64(head, (uint64_t)row->id << 1 | 1);
    head[head_len] = 0;
    buf_add(out, head, head_len + 1);
    size_t at = start + head_len;
    encode_rows(row->of, value, out, depth + 1);
    if (out->failed)
        return;
    size_t len = out->len - at - 1;
    if (len == 0 && !even_empty) {
        out->len = start;
        out->data[start] = '\0';
        return;
    }
    size_t more = 0;
    for (size_t rest = len; rest >= 0x80; rest >>= 7)
        more++;
    if (more > 0) {
        buf_add(out, "\0\0\0\0\0\0\0\0\0", more);
        if (out->failed)
            return;
        memmove(out->data + at + 1 + more, out->data + at + 1, len);
    }
    for (size_t i = 0; i <= more; i++, len >>= 7)
        out->data[at + i] = (char)((len & 0x7f) | (i < more ? 0x80 : 0));
}

void fields_encode(const struct fields *f, const void *object, struct buf *out)
{
    encode_rows(f, object, out, 1);
}

static int bad(const struct place *at, const char *why, struct err *err)
{
    return place_wrap(at, err_set(err, -EBADMSG, "%s", why), err);
}

/* Rows mostly come in table order: the search begins behind the last one found. */
static const struct field *row_of(const struct fields *f, uint64_t id, size_t *hint)
{
    for (size_t i = 0, at = *hint; i < f->count; i++, at = at + 1 < f->count ? at + 1 : 0)
        if (f->rows[at].id == id) {
            *hint = at;
            return &f->rows[at];
        }
    return NULL;
}

static void skip(struct wire_reader *r, bool prefixed)
{
    size_t len = 0;
    if (prefixed)
        wire_get_bytes(r, &len);
    else
        wire_get_u64(r);
}

/* Lists grow record by record; whether they have enough elements is known at the end. */
static int accept_counts(const struct fields *f, uint64_t seen, const void *object, const struct place *up,
                         struct err *err)
{
    for (; seen != 0; seen &= seen - 1) {
        const struct field *row = &f->rows[__builtin_ctzll(seen)];
        struct place at = { .up = up, .name = row->name };
        if (field_owns(row) && field_ops(row)->repeated &&
            field_ops(row)->accept(row, field_at_const(row, object), err) < 0)
            return place_wrap(&at, -EBADMSG, err);
    }
    return 0;
}

static int decode_rows(const struct fields *f, struct wire_reader r, void *object, const struct place *up,
                       unsigned depth, struct err *err)
{
    uint64_t seen = 0;
    size_t hint = 0;
    assert(f->count <= FIELD_ROWS_MAX);
    if (depth > FIELDS_DEPTH_MAX)
        return bad(up, "nested too deep", err);
    while (!wire_at_end(&r)) {
        uint64_t tag = wire_get_u64(&r);
        bool prefixed = (tag & 1) != 0;
        if (r.bad || tag >> 1 == 0)
            return bad(up, "not a record of this kind", err);
        const struct field *row = row_of(f, tag >> 1, &hint);
        if (row == NULL) {
            skip(&r, prefixed);
            if (r.bad)
                return bad(up, "an unknown field is cut short", err);
            continue;
        }
        struct place at = { .up = up, .name = row->name };
        uint64_t bit = UINT64_C(1) << hint;
        const struct field_ops *ops = field_ops(row);
        if (ops->prefixed != prefixed)
            return bad(&at, "has another shape", err);
        if ((seen & bit) != 0 && !ops->repeated)
            return bad(&at, "is there twice", err);
        seen |= bit;
        int rc = field_owns(row) ? ops->decode(row, &r, field_at(row, object), &at, depth, err)
                                 : field_get_number(row, &r, field_at(row, object), &at, err);
        if (rc < 0)
            return rc;
    }
    return accept_counts(f, seen, object, up, err);
}

int fields_read(const struct fields *f, struct wire_reader r, void *object, struct err *err)
{
    _Alignas(max_align_t) char fresh[FIELDS_SIZE_MAX];
    assert(f->size <= sizeof fresh);
    memset(fresh, 0, f->size);
    int rc = decode_rows(f, r, fresh, NULL, 1, err);
    if (rc < 0) {
        if (r.arena == NULL)
            fields_clear(f, fresh);
        return rc;
    }
    memcpy(object, fresh, f->size);
    return 0;
}

int fields_decode(const struct fields *f, const void *bytes, size_t len, void *object, struct err *err)
{
    return fields_read(f, wire_reader(bytes, len), object, err);
}

/* --- whole objects ---------------------------------------------------------------------------------------- */

/* Frees what is owned; the caller zeroes the object as a whole, or frees it too. */
static void free_rows(const struct fields *f, void *object)
{
    if (f->plain)
        return;
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        void *value = field_at(row, object);
        bool plain = !field_owns(row) || (row->kind == FIELD_STRUCT && ((const struct fields *)row->of)->plain);
        if (plain || field_is_blank(row, value))
            continue;
        if (row->kind == FIELD_STR)
            free(*(char **)value);
        else if (row->kind == FIELD_STRUCT)
            free_rows(row->of, value);
        else
            field_ops(row)->clear(row, value);
    }
}

void fields_clear(const struct fields *f, void *object)
{
    free_rows(f, object);
    memset(object, 0, f->size);
}

static int copy_rows(const struct fields *f, const void *from, void *to)
{
    int rc = 0;
    if (f->plain) {
        memcpy(to, from, f->size);
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < f->count; i++) {
        const struct field *row = &f->rows[i];
        const void *value = field_at_const(row, from);
        if (field_is_blank(row, value))
            continue;
        if (row->width == sizeof(uint64_t) && !field_owns(row))
            memcpy(field_at(row, to), value, sizeof(uint64_t));
        else if (row->kind == FIELD_STRUCT)
            rc = copy_rows(row->of, value, field_at(row, to));
        else
            rc = field_ops(row)->copy(row, value, field_at(row, to));
    }
    return rc;
}

int fields_copy(const struct fields *f, const void *from, void *to)
{
    _Alignas(max_align_t) char fresh[FIELDS_SIZE_MAX];
    assert(f->size <= sizeof fresh);
    memset(fresh, 0, f->size);
    int rc = copy_rows(f, from, fresh);
    if (rc < 0) {
        fields_clear(f, fresh);
        return rc;
    }
    memcpy(to, fresh, f->size);
    return 0;
}

bool fields_equal(const struct fields *f, const void *a, const void *b)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        if (!field_ops(row)->equal(row, field_at_const(row, a), field_at_const(row, b)))
            return false;
    }
    return true;
}

/* A hidden row has no name outside: what differs is the struct it lies in. */
static void diff_rows(const struct fields *f, const void *a, const void *b, const struct place *up, struct buf *out,
                      size_t start)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        const void *x = field_at_const(row, a);
        const void *y = field_at_const(row, b);
        if (field_ops(row)->equal(row, x, y))
            continue;
        struct place inner = { .up = up, .name = row->name };
        const struct place *at = (row->flags & FIELD_HIDDEN) != 0 && up != NULL ? up : &inner;
        char text[PLACE_TEXT_MAX];
        if (row->kind == FIELD_STRUCT) {
            diff_rows(row->of, x, y, at, out, start);
            continue;
        }
        if (out->len > start)
            buf_add_str(out, ", ");
        buf_add_str(out, place_format(at, text));
    }
}

void fields_diff(const struct fields *f, const void *a, const void *b, struct buf *out)
{
    diff_rows(f, a, b, NULL, out, out->len);
}

static int check_rows(const struct fields *f, const void *object, const struct place *up, struct err *err);

static int check_list(const struct field *row, const struct list *l, const struct place *up, struct err *err)
{
    const struct fields *of = row->of;
    for (size_t i = 0; i < l->count; i++) {
        struct place at = { .up = up, .index = i };
        int rc = check_rows(of, (const char *)l->v + i * of->size, &at, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_rows(const struct fields *f, const void *object, const struct place *up, struct err *err)
{
    const struct field *presence = fields_presence(f);
    if (presence != NULL && up != NULL && field_get_u64(presence, field_at_const(presence, object)) == 0)
        return 0; /* an absent struct is below no minimum */
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        const void *value = field_at_const(row, object);
        struct place at = { .up = up, .name = row->name };
        bool bound = row->min != 0 && (row->flags & FIELD_MAYBE) == 0;
        if (!bound && row->kind != FIELD_ENUM && row->kind != FIELD_STRUCT && field_is_blank(row, value))
            continue; /* absent, empty or 0: below nothing */
        int rc = field_ops(row)->accept(row, value, err);
        if (rc < 0)
            return place_wrap(&at, rc, err);
        if (row->kind == FIELD_STRUCT)
            rc = check_rows(row->of, value, &at, err);
        else if (row->kind == FIELD_LIST)
            rc = check_list(row, value, &at, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int fields_check(const struct fields *f, const void *object, struct err *err)
{
    return check_rows(f, object, NULL, err);
}

/* --- FIELD_STRUCT ----------------------------------------------------------------------------------------- */

static bool struct_is_empty(const struct field *row, const void *value)
{
    const struct fields *of = row->of;
    for (size_t i = 0; i < of->count; i++)
        if (!field_ops(&of->rows[i])->is_empty(&of->rows[i], field_at_const(&of->rows[i], value)))
            return false;
    return true;
}

static int struct_accept(const struct field *row UNUSED, const void *value UNUSED, struct err *err UNUSED)
{
    return 0;
}

static void struct_encode(const struct field *row, const void *value, struct buf *out, unsigned depth)
{
    encode_inner(row, value, out, depth, false);
}

static int decode_alike(const struct field *row, struct wire_reader r, void *value, const struct place *at,
                        unsigned depth, struct err *err)
{
    const struct fields *of = row->of;
    struct bytes from = {(uint8_t *)(uintptr_t)r.at, (size_t)(r.end - r.at)};
    memcpy((char *)value + of->size, &from, sizeof from);
    const void *known = alike_find(r.alike, of, from);
    if (known != NULL) {
        memcpy(value, known, of->size);
        return 0;
    }
    if (!alike_has_room(r.alike, of->size + from.len))
        return decode_rows(of, r, value, at, depth, err);
    r.arena = &r.alike->arena;
    int rc = decode_rows(of, r, value, at, depth, err);
    if (rc == 0)
        alike_add(r.alike, of, from, value);
    return rc;
}

static int struct_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                         unsigned depth, struct err *err)
{
    struct wire_reader inner = wire_get_inner(r);
    if (r->bad)
        return bad(at, "cut short", err);
    if ((row->flags & FIELD_ALIKE) != 0 && inner.alike != NULL)
        return decode_alike(row, inner, value, at, depth + 1, err);
    return decode_rows(row->of, inner, value, at, depth + 1, err);
}

static void struct_clear(const struct field *row, void *value)
{
    free_rows(row->of, value);
}

static int struct_copy(const struct field *row, const void *from, void *to)
{
    return copy_rows(row->of, from, to);
}

static bool struct_equal(const struct field *row, const void *a, const void *b)
{
    return fields_equal(row->of, a, b);
}

const struct field_ops field_struct_ops = {
    .noun = "an object", .prefixed = true, .is_empty = struct_is_empty, .accept = struct_accept,
    .encode = struct_encode, .decode = struct_decode, .clear = struct_clear, .copy = struct_copy,
    .equal = struct_equal,
};

/* --- FIELD_LIST ------------------------------------------------------------------------------------------- */

static bool list_is_empty(const struct field *row UNUSED, const void *value)
{
    return ((const struct list *)value)->count == 0;
}

static int list_accept(const struct field *row, const void *value, struct err *err)
{
    return field_accept_count(row, ((const struct list *)value)->count, err);
}

static void list_encode(const struct field *row, const void *value, struct buf *out, unsigned depth)
{
    const struct list *l = value;
    const struct fields *of = row->of;
    for (size_t i = 0; i < l->count && !out->failed; i++)
        encode_inner(row, (const char *)l->v + i * of->size, out, depth, true);
}

static int list_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *up,
                       unsigned depth, struct err *err)
{
    struct list *l = value;
    const struct fields *of = row->of;
    struct place at = { .up = up, .index = l->count };
    struct wire_reader inner = wire_get_inner(r);
    if (r->bad)
        return bad(&at, "cut short", err);
    if (field_accept_growth(row, l->count, err) < 0)
        return place_wrap(&at, -EBADMSG, err);
    char *v = arena_grow(r->arena, l->v, l->count, of->size);
    if (v == NULL)
        return place_wrap(&at, err_set(err, -ENOMEM, "out of memory"), err);
    l->v = v;
    void *element = memset(v + l->count++ * of->size, 0, of->size);
    return decode_rows(of, inner, element, &at, depth + 1, err);
}

static void list_clear(const struct field *row, void *value)
{
    struct list *l = value;
    const struct fields *of = row->of;
    for (size_t i = 0; i < l->count; i++)
        free_rows(of, (char *)l->v + i * of->size);
    free(l->v);
    *l = (struct list){ 0 };
}

static int list_copy(const struct field *row, const void *from, void *to)
{
    const struct list *l = from;
    struct list *copy = to;
    const struct fields *of = row->of;
    if (l->count == 0)
        return 0;
    copy->v = zeroed(l->count, of->size);
    if (copy->v == NULL)
        return -ENOMEM;
    copy->count = l->count; /* all zero: clear takes back what was copied before a failure */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->count; i++)
        rc = copy_rows(of, (const char *)l->v + i * of->size, (char *)copy->v + i * of->size);
    return rc;
}

static bool list_equal(const struct field *row, const void *a, const void *b)
{
    const struct list *x = a;
    const struct list *y = b;
    const struct fields *of = row->of;
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (!fields_equal(of, (const char *)x->v + i * of->size, (const char *)y->v + i * of->size))
            return false;
    return true;
}

const struct field_ops field_list_ops = {
    .noun = "a list", .width = sizeof(struct list), .prefixed = true, .repeated = true,
    .is_empty = list_is_empty, .accept = list_accept, .encode = list_encode, .decode = list_decode,
    .clear = list_clear, .copy = list_copy, .equal = list_equal,
};

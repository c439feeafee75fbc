/* The kinds of base/fields.h that map names to something, sorted by name: FIELD_PAIRS, FIELD_COUNTS, FIELD_MONEYS. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/field.h"

struct text {
    const char *at;
    size_t len;
};

static struct text text_of(const char *text)
{
    return (struct text){ text, strlen(text) };
}

/* A record's tag and length, and the key in it; `rest` bytes of it follow. */
static void put_key(const struct field *row, struct text key, size_t rest, struct buf *out)
{
    uint8_t len[WIRE_U64_MAX];
    wire_put_u64(out, (uint64_t)row->id << 1 | 1);
    wire_put_u64(out, wire_u64(len, key.len) + key.len + rest);
    wire_put_bytes(out, key.at, key.len);
}

static int bad(const struct place *at, const char *why, struct err *err)
{
    return place_wrap(at, err_set(err, -EBADMSG, "%s", why), err);
}

static int no_memory(const struct place *at, struct err *err)
{
    return place_wrap(at, err_set(err, -ENOMEM, "out of memory"), err);
}

/* One entry's bytes: the key, checked, and a reader that stands behind it. */
static int open_entry(const struct field *row, struct wire_reader *r, size_t count, struct wire_reader *ret_entry,
                      const char **ret_key, size_t *ret_len, const struct place *at, struct err *err)
{
    *ret_entry = wire_get_inner(r);
    if (r->bad)
        return bad(at, "cut short", err);
    *ret_key = (const char *)wire_get_bytes(ret_entry, ret_len);
    if (ret_entry->bad)
        return bad(at, "cut short", err);
    if (field_accept_growth(row, count, err) < 0 || field_accept_key(*ret_key, *ret_len, err) < 0)
        return place_wrap(at, -EBADMSG, err);
    return 0;
}

/* Keys rise strictly: one order, no duplicates, and appending is enough. */
static bool rises(const char *last, const char *key, size_t len)
{
    size_t last_len = strlen(last);
    int order = memcmp(last, key, MIN(last_len, len));
    return order < 0 || (order == 0 && last_len < len);
}

/* Does an entry's key follow on the one before it, as decode demands? */
static int accept_key(const char *last, const char *key, struct err *err)
{
    int rc = field_accept_key(key, strlen(key), err);
    if (rc == 0 && last != NULL && !rises(last, key, strlen(key)))
        rc = err_set(err, -EINVAL, "keys are not sorted, or one is there twice");
    return rc;
}

/* --- FIELD_PAIRS ------------------------------------------------------------------------------------------ */

static const char *value_of(const struct pair *p)
{
    return p->value != NULL ? p->value : "";
}

static bool pairs_is_empty(const struct field *row UNUSED, const void *value)
{
    return ((const struct pairs *)value)->count == 0;
}

static int pairs_accept(const struct field *row, const void *value, struct err *err)
{
    const struct pairs *p = value;
    int rc = field_accept_count(row, p->count, err);
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = accept_key(i > 0 ? p->v[i - 1].key : NULL, p->v[i].key, err);
        if (rc == 0)
            rc = field_accept_item(value_of(&p->v[i]), strlen(value_of(&p->v[i])), err);
    }
    return rc;
}

static void pairs_encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    const struct pairs *p = value;
    uint8_t len[WIRE_U64_MAX];
    for (size_t i = 0; i < p->count; i++) {
        struct text text = text_of(value_of(&p->v[i]));
        put_key(row, text_of(p->v[i].key), wire_u64(len, text.len) + text.len, out);
        wire_put_bytes(out, text.at, text.len);
    }
}

static int pairs_append(struct arena *a, struct pairs *p, struct text key, struct text value)
{
    struct pair *v = arena_grow(a, p->v, p->count, sizeof *v);
    if (v == NULL)
        return -ENOMEM;
    p->v = v;
    struct pair made = { arena_text(a, key.at, key.len), arena_text(a, value.at, value.len) };
    if (made.key != NULL && made.value != NULL) {
        v[p->count++] = made;
        return 0;
    }
    if (a == NULL) {
        free(made.key);
        free(made.value);
    }
    return -ENOMEM;
}

static int pairs_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                        unsigned depth UNUSED, struct err *err)
{
    struct pairs *p = value;
    struct wire_reader entry;
    const char *key = NULL;
    size_t key_len = 0;
    int rc = open_entry(row, r, p->count, &entry, &key, &key_len, at, err);
    if (rc < 0)
        return rc;
    size_t len = 0;
    const char *text = (const char *)wire_get_bytes(&entry, &len);
    if (entry.bad || !wire_at_end(&entry))
        return bad(at, "an entry is not key and value", err);
    if (p->count > 0 && !rises(p->v[p->count - 1].key, key, key_len))
        return bad(at, "keys are not sorted, or one is there twice", err);
    if (field_accept_item(text, len, err) < 0)
        return place_wrap(at, -EBADMSG, err);
    int rc_append = pairs_append(r->arena, p, (struct text){ key, key_len }, (struct text){ text, len });
    return rc_append < 0 ? no_memory(at, err) : 0;
}

static void pairs_clear(const struct field *row UNUSED, void *value)
{
    struct pairs *p = value;
    for (size_t i = 0; i < p->count; i++) {
        free(p->v[i].key);
        free(p->v[i].value);
    }
    free(p->v);
    *p = (struct pairs){ 0 };
}

static int pairs_copy(const struct field *row UNUSED, const void *from, void *to)
{
    const struct pairs *p = from;
    for (size_t i = 0; i < p->count; i++)
        if (pairs_append(NULL, to, text_of(p->v[i].key), text_of(value_of(&p->v[i]))) < 0)
            return -ENOMEM;
    return 0;
}

static bool pairs_equal(const struct field *row UNUSED, const void *a, const void *b)
{
    const struct pairs *x = a;
    const struct pairs *y = b;
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->v[i].key, y->v[i].key) != 0 || strcmp(value_of(&x->v[i]), value_of(&y->v[i])) != 0)
            return false;
    return true;
}

const struct field_ops field_pairs_ops = {
    .noun = "an object of texts", .width = sizeof(struct pairs), .prefixed = true, .repeated = true,
    .is_empty = pairs_is_empty,
    .accept = pairs_accept, .encode = pairs_encode, .decode = pairs_decode, .clear = pairs_clear,
    .copy = pairs_copy, .equal = pairs_equal,
};

/* --- FIELD_COUNTS and FIELD_MONEYS ------------------------------------------------------------------------ */

int field_accept_amount(const struct field *row, uint64_t amount, struct err *err)
{
    char text[PARSE_TEXT_MAX];
    if (row->kind != FIELD_MONEYS || amount <= INT64_MAX)
        return 0;
    return err_set(err, -EINVAL, "an amount is above %s", format_money(INT64_MAX, text));
}

static bool counts_is_empty(const struct field *row UNUSED, const void *value)
{
    return ((const struct counts *)value)->count == 0;
}

static int counts_accept(const struct field *row, const void *value, struct err *err)
{
    const struct counts *c = value;
    int rc = field_accept_count(row, c->count, err);
    for (size_t i = 0; rc == 0 && i < c->count; i++) {
        rc = accept_key(i > 0 ? c->v[i - 1].name : NULL, c->v[i].name, err);
        if (rc == 0)
            rc = field_accept_amount(row, c->v[i].value, err);
    }
    return rc;
}

static void counts_encode(const struct field *row, const void *value, struct buf *out, unsigned depth UNUSED)
{
    const struct counts *c = value;
    uint8_t amount[WIRE_U64_MAX];
    for (size_t i = 0; i < c->count; i++) {
        size_t len = wire_u64(amount, c->v[i].value);
        put_key(row, text_of(c->v[i].name), len, out);
        buf_add(out, amount, len);
    }
}

static int counts_append(struct arena *a, struct counts *c, struct text name, uint64_t amount)
{
    struct count *v = arena_grow(a, c->v, c->count, sizeof *v);
    if (v == NULL)
        return -ENOMEM;
    c->v = v;
    v[c->count] = (struct count){ arena_text(a, name.at, name.len), amount };
    if (v[c->count].name == NULL)
        return -ENOMEM;
    c->count++;
    return 0;
}

static int counts_decode(const struct field *row, struct wire_reader *r, void *value, const struct place *at,
                         unsigned depth UNUSED, struct err *err)
{
    struct counts *c = value;
    struct wire_reader entry;
    const char *name = NULL;
    size_t len = 0;
    int rc = open_entry(row, r, c->count, &entry, &name, &len, at, err);
    if (rc < 0)
        return rc;
    uint64_t amount = wire_get_u64(&entry);
    if (entry.bad || !wire_at_end(&entry))
        return bad(at, "an entry is not name and number", err);
    if (c->count > 0 && !rises(c->v[c->count - 1].name, name, len))
        return bad(at, "names are not sorted, or one is there twice", err);
    if (field_accept_amount(row, amount, err) < 0)
        return place_wrap(at, -EBADMSG, err);
    return counts_append(r->arena, c, (struct text){ name, len }, amount) < 0 ? no_memory(at, err) : 0;
}

static void counts_clear(const struct field *row UNUSED, void *value)
{
    struct counts *c = value;
    for (size_t i = 0; i < c->count; i++)
        free(c->v[i].name);
    free(c->v);
    *c = (struct counts){ 0 };
}

static int counts_copy(const struct field *row UNUSED, const void *from, void *to)
{
    const struct counts *c = from;
    for (size_t i = 0; i < c->count; i++)
        if (counts_append(NULL, to, text_of(c->v[i].name), c->v[i].value) < 0)
            return -ENOMEM;
    return 0;
}

static bool counts_equal(const struct field *row UNUSED, const void *a, const void *b)
{
    const struct counts *x = a;
    const struct counts *y = b;
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->v[i].name, y->v[i].name) != 0 || x->v[i].value != y->v[i].value)
            return false;
    return true;
}

#define COUNTS_OPS(noun_)                                                                          \
    {                                                                                              \
        .noun = (noun_), .width = sizeof(struct counts), .prefixed = true, .repeated = true,       \
        .is_empty = counts_is_empty,                                                               \
        .accept = counts_accept, .encode = counts_encode, .decode = counts_decode,                 \
        .clear = counts_clear, .copy = counts_copy, .equal = counts_equal,                         \
    }

const struct field_ops field_counts_ops = COUNTS_OPS("an object of whole numbers");
const struct field_ops field_moneys_ops = COUNTS_OPS("an object of amounts");

/* From a tree of nodes into a struct described by a table: what is accepted, and the sentence that refuses. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/field.h"
#include "base/io/tree.h"
#include "base/io/tree_hint.h"

#define MICROS_PER_UNIT INT64_C(1000000)
#define MILLI_PER_CORE UINT64_C(1000)
/* Below this, doubles lie closer together than a millionth, so six decimals name exactly one of them. */
#define REAL_EXACT_MAX 4e9
#define NUMBER_TEXT_MAX 40
#define HINT_MAX 300

struct reading {
    const struct tree_options *options;
    struct err *err;
};

static int read_rows(struct reading *rd, const struct fields *f, const struct tree_node *map,
                     const struct field *given, void *object, const struct place *at);

/* --- saying where ----------------------------------------------------------------------------------------- */

static int wrap(struct reading *rd, uint32_t line, uint32_t column, const struct place *at, int rc)
{
    rc = place_wrap(at, rc, rd->err);
    if (rd->options->name == NULL)
        return rc;
    return err_wrap(rd->err, rc, "%s:%" PRIu32 ":%" PRIu32, rd->options->name, line, column);
}

/* Adds the place to what the origin said; 0 stays 0. Called once, where it happened. */
static int settle(struct reading *rd, const struct tree_node *n, const struct place *at, int rc)
{
    return rc < 0 ? wrap(rd, n->line, n->column, at, rc) : 0;
}

static int no_memory(struct reading *rd, const struct tree_node *n, const struct place *at)
{
    return settle(rd, n, at, err_set(rd->err, -ENOMEM, "out of memory"));
}

/* A number as text: as written, or the shortest exact form in at most six decimals when that is lost. */
static const char *text_of(const struct tree_node *n, char out[NUMBER_TEXT_MAX])
{
    if (n->text != NULL)
        return n->text;
    if (n->kind == TREE_INT) {
        snprintf(out, NUMBER_TEXT_MAX, "%" PRId64, n->integer);
        return out;
    }
    int len = 0;
    if (fabs(n->real) <= REAL_EXACT_MAX) {
        len = snprintf(out, NUMBER_TEXT_MAX, "%.6f", n->real);
        if (strtod(out, NULL) != n->real)
            len = 0;
    }
    if (len == 0) {
        snprintf(out, NUMBER_TEXT_MAX, "%.17g", n->real);
        return out;
    }
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
    return out;
}

/* What stands there, for a message: "'4 Gigs'", "12.5", "a list". */
static const char *shown(const struct tree_node *n, char out[PARSE_QUOTE_MAX])
{
    char number[NUMBER_TEXT_MAX];
    switch (n->kind) {
    case TREE_NULL:
        return "null";
    case TREE_BOOL:
        return n->boolean ? "true" : "false";
    case TREE_LIST:
        return "a list";
    case TREE_MAP:
        return "an object";
    case TREE_STR:
        return format_quote(n->text, out);
    case TREE_INT:
    case TREE_REAL:
    default:
        snprintf(out, PARSE_QUOTE_MAX, "%.60s", text_of(n, number));
        return out;
    }
}

static int mismatch(struct reading *rd, const struct tree_node *n, const struct place *at, const char *noun)
{
    char found[PARSE_QUOTE_MAX];
    const char *hint = n->kind == TREE_NULL ? "; leave the key out instead" : "";
    return settle(rd, n, at, err_set(rd->err, -EINVAL, "%s is not %s%s", shown(n, found), noun, hint));
}

/* Something else stands where an object of this table belongs. */
static int no_object(struct reading *rd, const struct fields *f, const struct field *given, const struct tree_node *n,
                     const struct place *at, const char *noun)
{
    CLEANUP(buf_fini) struct buf text = { .max = HINT_MAX };
    buf_add_str(&text, noun);
    tree_add_keys(rd->options, f, given, " with the keys ", &text);
    return mismatch(rd, n, at, buf_text(&text));
}

/* --- numbers ---------------------------------------------------------------------------------------------- */

#define LEAVE_OUT "; leave it out for no limit, or the default"

static int store_u64(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *at, uint64_t number)
{
    int rc = field_accept_u64(row, number, rd->err);
    if (rc < 0 && number == 0 && (row->flags & FIELD_MAYBE) != 0)
        rc = err_set(rd->err, rc, "0 is below %" PRIu64 LEAVE_OUT, row->min);
    if (rc == 0)
        field_set_u64(row, value, number);
    return settle(rd, n, at, rc);
}

/* An integer beyond 2^63-1 comes as text, because few writers and readers of JSON can hold it. */
static int read_unsigned(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                         const struct place *at)
{
    uint64_t number = 0;
    if (n->kind == TREE_STR && row->kind == FIELD_U64 && strlen(n->text) == n->len &&
        parse_u64(n->text, (uint64_t)INT64_MAX + 1, UINT64_MAX, &number, NULL) == 0)
        return store_u64(rd, row, n, value, at, number);
    if (n->kind != TREE_INT)
        return mismatch(rd, n, at, field_ops(row)->noun);
    if (n->integer < 0)
        return settle(rd, n, at, err_set(rd->err, -EINVAL, "%" PRId64 " is below %" PRIu64, n->integer, row->min));
    return store_u64(rd, row, n, value, at, (uint64_t)n->integer);
}

static int read_measure(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                        const struct place *at);

static int read_signed(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                       const struct place *at)
{
    if (n->kind != TREE_INT)
        return mismatch(rd, n, at, field_ops(row)->noun);
    int rc = field_accept_i64(row, n->integer, rd->err);
    if (rc == 0)
        field_set_i64(row, value, n->integer);
    return settle(rd, n, at, rc);
}

static int read_bool(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *at)
{
    if (n->kind != TREE_BOOL)
        return mismatch(rd, n, at, field_ops(row)->noun);
    return store_u64(rd, row, n, value, at, n->boolean);
}

static int read_enum(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *at)
{
    const struct names *names = row->of;
    int found = n->kind == TREE_STR && strlen(n->text) == n->len ? names_find(names, n->text) : -1;
    if (found >= 0)
        return store_u64(rd, row, n, value, at, (uint64_t)found);
    char quoted[PARSE_QUOTE_MAX];
    CLEANUP(buf_fini) struct buf known = { .max = 300 };
    names_list(names, &known);
    return settle(rd, n, at,
                  err_set(rd->err, -EINVAL, "%s is none of: %s", shown(n, quoted), buf_text(&known)));
}

/* A scalar that a person may write as number or text: its text, or NULL for anything else. */
static const char *human_text(const struct tree_node *n, char out[NUMBER_TEXT_MAX])
{
    if (n->kind == TREE_STR)
        return strlen(n->text) == n->len ? n->text : NULL;
    return n->kind == TREE_INT || n->kind == TREE_REAL ? text_of(n, out) : NULL;
}

static int read_cpu(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                    const struct place *at)
{
    char number[NUMBER_TEXT_MAX];
    const char *text = human_text(n, number);
    uint64_t milli = 0;
    if (text == NULL)
        return mismatch(rd, n, at, "a number of cores; write 2, 0.5 or 250m");
    int rc = parse_cpu(text, &milli, rd->err);
    return rc < 0 ? settle(rd, n, at, rc) : store_u64(rd, row, n, value, at, milli);
}

static int read_size(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *at)
{
    char number[NUMBER_TEXT_MAX];
    const char *text = human_text(n, number);
    uint64_t bytes = 0;
    if (text == NULL)
        return mismatch(rd, n, at, "a size; write 4Gi, 4096Mi or bytes");
    int rc = parse_size(text, &bytes, rd->err);
    return rc < 0 ? settle(rd, n, at, rc) : store_u64(rd, row, n, value, at, bytes);
}

static int read_duration(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                         const struct place *at)
{
    char number[NUMBER_TEXT_MAX];
    const char *text = human_text(n, number);
    uint64_t ms = 0;
    if (n->kind == TREE_INT && n->integer >= 0)
        return store_u64(rd, row, n, value, at, (uint64_t)n->integer);
    if (text == NULL)
        return mismatch(rd, n, at, "a duration; write 30s, 15m, 2h, 1d or 1h30m");
    int rc = parse_duration(text, &ms, rd->err);
    return rc < 0 ? settle(rd, n, at, rc) : store_u64(rd, row, n, value, at, ms);
}

static int micros_of(struct reading *rd, const struct tree_node *n, const struct place *at, int64_t *ret)
{
    char number[NUMBER_TEXT_MAX];
    const char *text = human_text(n, number);
    if (text == NULL)
        return mismatch(rd, n, at, "an amount; write 12, 12.50 or at most six decimals, without currency");
    return settle(rd, n, at, parse_money(text, ret, rd->err));
}

static int read_money(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                      const struct place *at)
{
    int64_t micros = 0;
    if (n->kind == TREE_NULL && (row->flags & FIELD_UNBOUNDED) != 0) {
        field_set_i64(row, value, -1);
        return 0;
    }
    int rc = micros_of(rd, n, at, &micros);
    if (rc < 0)
        return rc;
    rc = field_accept_i64(row, micros, rd->err);
    if (rc == 0)
        field_set_i64(row, value, micros);
    return settle(rd, n, at, rc);
}

static int read_time(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *at)
{
    int64_t us = 0;
    if (n->kind != TREE_STR || strlen(n->text) != n->len)
        return mismatch(rd, n, at, "a time; write 2026-11-01 or 2026-11-01T14:00:00Z");
    int rc = parse_time(n->text, &us, rd->err);
    if (rc == 0)
        rc = field_accept_i64(row, us, rd->err);
    if (rc == 0)
        field_set_i64(row, value, us);
    return settle(rd, n, at, rc);
}

/* --- texts ------------------------------------------------------------------------------------------------ */

/* C0 and C1 controls and DEL can steer a terminal; a tab is harmless. Expects valid UTF-8. */
static int accept_plain(const char *text, size_t len, struct err *err)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < len; i++)
        if ((s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f || (s[i] == 0xc2 && s[i + 1] < 0xa0))
            return err_set(err, -EINVAL, "byte %zu is a control character%s", i,
                           s[i] == '\n' ? " (a newline); this is one line of text" : "");
    return 0;
}

/* The text of a scalar. A YAML file's plain 8080 or true is taken as written where a text is wanted; in JSON the quotes
 * are part of the language, and what a number looked like is lost. */
static bool is_text(const struct tree_node *n)
{
    return n->text != NULL && (n->kind == TREE_STR || n->kind == TREE_INT || n->kind == TREE_REAL ||
                               n->kind == TREE_BOOL);
}

static int read_str(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                    const struct place *at)
{
    if (!is_text(n))
        return mismatch(rd, n, at, "a text");
    int rc = field_accept_str(row, n->text, n->len, rd->err);
    if (rc == 0 && (row->flags & FIELD_ESCAPED) == 0)
        rc = accept_plain(n->text, n->len, rd->err);
    if (rc == 0 && n->len == 0 && (row->flags & FIELD_REQUIRED) != 0)
        rc = err_set(rd->err, -EINVAL, "is empty");
    if (rc == 0 && n->len > 0 && str_set(value, n->text) < 0)
        return no_memory(rd, n, at);
    return settle(rd, n, at, rc);
}

/* One text of FIELD_STRS, or one value of FIELD_PAIRS. */
static int accept_item(struct reading *rd, const struct field *row, const struct tree_node *n, const struct place *at)
{
    if (!is_text(n))
        return mismatch(rd, n, at, "a text");
    int rc = field_accept_item(n->text, n->len, rd->err);
    if (rc == 0 && (row->flags & FIELD_ESCAPED) == 0)
        rc = accept_plain(n->text, n->len, rd->err);
    return settle(rd, n, at, rc);
}

static int read_bytes(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                      const struct place *at)
{
    struct bytes *b = value;
    if (n->kind != TREE_STR)
        return mismatch(rd, n, at, field_ops(row)->noun);
    size_t room = base64_room(n->len);
    size_t most = row->max != 0 ? row->max : FIELD_BYTES_MAX_DEFAULT;
    if (room > most + 2) /* two of them may be padding */
        return settle(rd, n, at, field_accept_bytes(row, room, rd->err));
    CLEANUP(free_p) uint8_t *data = malloc(MAX(room, (size_t)1));
    size_t len = 0;
    if (data == NULL)
        return no_memory(rd, n, at);
    if (base64_get(n->text, n->len, data, &len) < 0)
        return mismatch(rd, n, at, field_ops(row)->noun);
    int rc = field_accept_bytes(row, len, rd->err);
    if (rc == 0 && len > 0)
        *b = (struct bytes){ TAKE_PTR(data), len };
    return settle(rd, n, at, rc);
}

static int read_strs(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *up)
{
    bool single = is_text(n);
    if (!single && n->kind != TREE_LIST)
        return mismatch(rd, n, up, field_ops(row)->noun);
    int rc = field_accept_count(row, single ? 1 : n->count, rd->err);
    if (rc < 0)
        return settle(rd, n, up, rc);
    size_t index = 0;
    for (const struct tree_node *item = single ? n : n->first; item != NULL; item = single ? NULL : item->next) {
        struct place at = { .up = up, .index = index++ };
        rc = accept_item(rd, row, item, single ? up : &at);
        if (rc < 0)
            return rc;
        if (strs_add(value, item->text) < 0)
            return no_memory(rd, item, &at);
    }
    return 0;
}

/* --- maps ------------------------------------------------------------------------------------------------- */

static int accept_map(struct reading *rd, const struct field *row, const struct tree_node *n, const struct place *at)
{
    if (n->kind != TREE_MAP)
        return mismatch(rd, n, at, field_ops(row)->noun);
    return settle(rd, n, at, field_accept_count(row, n->count, rd->err));
}

static int accept_key(struct reading *rd, const struct tree_node *n, const struct place *up)
{
    int rc = field_accept_key(n->key, strlen(n->key), rd->err);
    if (rc == 0)
        rc = accept_plain(n->key, strlen(n->key), rd->err);
    if (rc == 0)
        return 0;
    struct place at = { .up = up, .name = n->key };
    return wrap(rd, n->key_line, n->key_column, &at, rc);
}

static int read_pairs(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                      const struct place *up)
{
    int rc = accept_map(rd, row, n, up);
    for (const struct tree_node *e = rc == 0 ? n->first : NULL; e != NULL; e = e->next) {
        struct place at = { .up = up, .name = e->key };
        rc = accept_key(rd, e, up);
        if (rc == 0)
            rc = accept_item(rd, row, e, &at);
        if (rc < 0)
            return rc;
        if (pairs_set(value, e->key, e->text) < 0)
            return no_memory(rd, e, &at);
    }
    return rc;
}

static int amount_of(struct reading *rd, const struct field *row, const struct tree_node *n, const struct place *at,
                     uint64_t *ret)
{
    static const struct field plain = { .kind = FIELD_U64 };
    int64_t micros = 0;
    if (row->kind == FIELD_COUNTS)
        return read_unsigned(rd, &plain, n, ret, at);
    int rc = micros_of(rd, n, at, &micros);
    if (rc < 0)
        return rc;
    if (micros < 0)
        return settle(rd, n, at, err_set(rd->err, -EINVAL, "an amount is below 0"));
    *ret = (uint64_t)micros;
    return 0;
}

static int read_counts(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                       const struct place *up)
{
    int rc = accept_map(rd, row, n, up);
    for (const struct tree_node *e = rc == 0 ? n->first : NULL; e != NULL; e = e->next) {
        struct place at = { .up = up, .name = e->key };
        uint64_t amount = 0;
        rc = accept_key(rd, e, up);
        if (rc == 0)
            rc = amount_of(rd, row, e, &at, &amount);
        if (rc == 0 && amount == 0 && (row->flags & FIELD_MAYBE) != 0)
            rc = settle(rd, e, &at, err_set(rd->err, -EINVAL, "0 is below 1" LEAVE_OUT));
        if (rc < 0)
            return rc;
        if (counts_set(value, e->key, amount) < 0)
            return no_memory(rd, e, &at);
    }
    return rc;
}

/* --- structs ---------------------------------------------------------------------------------------------- */

static int read_struct(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                       const struct place *at)
{
    if (n->kind != TREE_MAP)
        return no_object(rd, row->of, NULL, n, at, field_ops(row)->noun);
    return read_rows(rd, row->of, n, NULL, value, at);
}

/* An element of a keyed list: its first row comes from the key. */
static int read_key(struct reading *rd, const struct field *first, const struct tree_node *n, void *element,
                    const struct place *at)
{
    int rc = field_accept_str(first, n->key, strlen(n->key), rd->err);
    if (rc == 0)
        rc = accept_plain(n->key, strlen(n->key), rd->err);
    if (rc == 0 && n->key[0] == '\0')
        rc = err_set(rd->err, -EINVAL, "a key is empty");
    if (rc < 0)
        return wrap(rd, n->key_line, n->key_column, at, rc);
    return str_set(field_at(first, element), n->key) < 0 ? no_memory(rd, n, at) : 0;
}

static int read_list(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                     const struct place *up)
{
    struct list *l = value;
    const struct fields *of = row->of;
    bool keyed = (row->flags & FIELD_KEYED) != 0;
    if (n->kind != (keyed ? TREE_MAP : TREE_LIST))
        return no_object(rd, of, keyed ? &of->rows[0] : NULL, n, up,
                         keyed ? "an object of objects" : "a list of objects");
    int rc = field_accept_count(row, n->count, rd->err);
    if (rc < 0 || n->count == 0)
        return settle(rd, n, up, rc);
    l->v = calloc(n->count, of->size);
    if (l->v == NULL)
        return no_memory(rd, n, up);
    for (const struct tree_node *e = n->first; e != NULL; e = e->next) {
        struct place at = { .up = up, .name = e->key, .index = l->count };
        void *element = (char *)l->v + l->count++ * of->size;
        if (e->kind != TREE_MAP)
            return no_object(rd, of, keyed ? &of->rows[0] : NULL, e, &at, "an object");
        rc = keyed ? read_key(rd, &of->rows[0], e, element, &at) : 0;
        if (rc == 0)
            rc = read_rows(rd, of, e, keyed ? &of->rows[0] : NULL, element, &at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

typedef int (*reader)(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                      const struct place *at);
static const reader readers[FIELD_KIND_COUNT] = {
    [FIELD_U64] = read_unsigned,  [FIELD_U32] = read_unsigned,      [FIELD_I64] = read_signed,
    [FIELD_I32] = read_signed,    [FIELD_BOOL] = read_bool,         [FIELD_ENUM] = read_enum,
    [FIELD_CPU] = read_cpu,       [FIELD_SIZE] = read_size,         [FIELD_DURATION] = read_duration,
    [FIELD_MONEY] = read_money,   [FIELD_TIME] = read_time,         [FIELD_STR] = read_str,
    [FIELD_BYTES] = read_bytes,   [FIELD_STRS] = read_strs,         [FIELD_PAIRS] = read_pairs,
    [FIELD_COUNTS] = read_counts, [FIELD_MONEYS] = read_counts,     [FIELD_STRUCT] = read_struct,
    [FIELD_LIST] = read_list,     [FIELD_MEASURE] = read_measure,
};

static int read_measure(struct reading *rd, const struct field *row, const struct tree_node *n, void *value,
                        const struct place *at)
{
    const struct field *of = row->of;
    uint64_t number = 0;
    if (n->kind == TREE_NULL)
        return 0; /* it was not measured */
    if (of != NULL) {
        int rc = readers[of->kind](rd, of, n, &number, at);
        return rc < 0 ? rc : store_u64(rd, row, n, value, at, number + 1);
    }
    if (n->kind != TREE_INT || n->integer < 0)
        return mismatch(rd, n, at, field_ops(row)->noun);
    return store_u64(rd, row, n, value, at, (uint64_t)n->integer + 1);
}

static int unknown_key(struct reading *rd, const struct fields *f, const struct tree_node *n, const struct place *up,
                       const struct field *given)
{
    char name[PARSE_QUOTE_MAX];
    struct place at = { .up = up, .name = n->key };
    CLEANUP(buf_fini) struct buf hint = { .max = HINT_MAX };
    if (strlen(n->key) >= sizeof name)
        at.name = format_quote(n->key, name);
    tree_add_hint(rd->options, f, given, n->key, &hint);
    return wrap(rd, n->key_line, n->key_column, &at, err_set(rd->err, -EINVAL, "unknown key%s", buf_text(&hint)));
}

static int check_required(struct reading *rd, const struct fields *f, uint64_t seen, const struct tree_node *map,
                          const struct place *up)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        if ((row->flags & FIELD_REQUIRED) == 0 || (seen >> i & 1) != 0)
            continue;
        struct place at = { .up = up, .name = row->name };
        return settle(rd, map, &at,
                      err_set(rd->err, -EINVAL, "is missing%s%s", row->help != NULL ? ": " : "",
                              row->help != NULL ? row->help : ""));
    }
    return 0;
}

/* `given`: a row that has its value already; the map may not name it. */
static int read_rows(struct reading *rd, const struct fields *f, const struct tree_node *map,
                     const struct field *given, void *object, const struct place *up)
{
    const struct field *presence = fields_presence(f);
    uint64_t seen = given != NULL ? UINT64_C(1) << (given - f->rows) : 0;
    assert(f->count <= FIELD_ROWS_MAX);
    if (presence != NULL)
        field_set_u64(presence, field_at(presence, object), true);
    for (const struct tree_node *n = map->first; n != NULL; n = n->next) {
        const struct field *row = fields_find(f, n->key);
        if (row == NULL || row == given || !tree_takes(rd->options, row)) {
            if (rd->options->lenient)
                continue;
            return unknown_key(rd, f, n, up, given);
        }
        if (n->kind == TREE_NULL && rd->options->foreign)
            continue;
        struct place at = { .up = up, .name = row->name };
        seen |= UINT64_C(1) << (row - f->rows);
        int rc = readers[row->kind](rd, row, n, field_at(row, object), &at);
        if (rc < 0)
            return rc;
    }
    return check_required(rd, f, seen, map, up);
}

int tree_read(const struct fields *f, const struct tree_node *root, const struct tree_options *options, void *object,
              struct err *err)
{
    static const struct fields nothing = { .what = "nothing" };
    static const struct tree_node empty = { .kind = TREE_MAP };
    struct reading rd = { options, err };
    f = f != NULL ? f : &nothing;
    root = root != NULL && root->kind != TREE_NULL ? root : &empty;
    if (root->kind != TREE_MAP)
        return mismatch(&rd, root, NULL, "an object");
    CLEANUP(free_p) void *fresh = calloc(1, MAX(f->size, (size_t)1));
    if (fresh == NULL)
        return no_memory(&rd, root, NULL);
    int rc = read_rows(&rd, f, root, NULL, fresh, NULL);
    if (rc < 0) {
        fields_clear(f, fresh);
        return rc;
    }
    if (f->size > 0)
        memcpy(object, fresh, f->size);
    return 0;
}

/* Structs to YAML for people: block style, sizes and durations as one says them; yaml_read() reads it back. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/field.h"
#include "base/io/json.h"
#include "base/io/yaml.h"

struct writer {
    struct buf *out;
    unsigned depth;
    bool at_dash; /* the next line's beginning is already there: "- " */
};

static void put_rows(struct writer *w, const struct fields *f, const void *object, const struct field *given);

static void indent(struct writer *w)
{
    if (w->at_dash) {
        w->at_dash = false;
        return;
    }
    for (unsigned i = 0; i < w->depth; i++)
        buf_add(w->out, "  ", 2);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Plain where no reader of any YAML version could take it for something else; else in quotes, as JSON writes it. */
static bool is_plain(const char *text)
{
    static const char *const special[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
    if (!is_letter(text[0]) && text[0] != '/')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!is_letter(*c) && (*c < '0' || *c > '9') && strchr("._/-", *c) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(special); i++)
        if (strcasecmp(text, special[i]) == 0)
            return false;
    return true;
}

static void put_text(struct writer *w, const char *text)
{
    if (is_plain(text))
        buf_add_str(w->out, text);
    else
        json_put_text(w->out, text);
}

static void put_number(struct writer *w, const struct field *row, const void *value)
{
    char text[PARSE_TEXT_MAX];
    if (row->kind == FIELD_ENUM)
        put_text(w, names_get(row->of, (uint32_t)field_get_u64(row, value)));
    else
        buf_add_str(w->out, field_ops(row)->format(row, value, text));
}

static void put_key(struct writer *w, const char *key)
{
    indent(w);
    put_text(w, key);
    buf_add(w->out, ":", 1);
}

static void put_strs(struct writer *w, const struct strs *s)
{
    buf_add(w->out, " [", 2);
    for (size_t i = 0; i < s->count; i++) {
        buf_add(w->out, ", ", i > 0 ? 2 : 0);
        put_text(w, s->v[i]);
    }
    buf_add(w->out, "]\n", 2);
}

static void put_pairs(struct writer *w, const struct pairs *p)
{
    buf_add_str(w->out, p->count > 0 ? "\n" : " {}\n");
    w->depth++;
    for (size_t i = 0; i < p->count; i++) {
        put_key(w, p->v[i].key);
        buf_add(w->out, " ", 1);
        put_text(w, p->v[i].value != NULL ? p->v[i].value : "");
        buf_add(w->out, "\n", 1);
    }
    w->depth--;
}

static void put_counts(struct writer *w, const struct field *row, const struct counts *c)
{
    const struct field as = { .kind = row->kind == FIELD_MONEYS ? FIELD_MONEY : FIELD_U64 };
    buf_add_str(w->out, c->count > 0 ? "\n" : " {}\n");
    w->depth++;
    for (size_t i = 0; i < c->count; i++) {
        put_key(w, c->v[i].name);
        buf_add(w->out, " ", 1);
        put_number(w, &as, &c->v[i].value);
        buf_add(w->out, "\n", 1);
    }
    w->depth--;
}

static bool has_rows(const struct fields *f, const void *object, const struct field *given)
{
    for (size_t i = 0; i < f->count; i++)
        if (&f->rows[i] != given && field_is_shown(&f->rows[i], field_at_const(&f->rows[i], object)))
            return true;
    return false;
}

/* An inner object below its key, or " {}" behind it. */
static void put_object(struct writer *w, const struct fields *f, const void *object, const struct field *given)
{
    bool any = has_rows(f, object, given);
    buf_add_str(w->out, any ? "\n" : " {}\n");
    w->depth++;
    if (any)
        put_rows(w, f, object, given);
    w->depth--;
}

static void put_keyed(struct writer *w, const struct fields *of, const struct list *l)
{
    const struct field *key = &of->rows[0];
    for (size_t i = 0; i < l->count && !w->out->failed; i++) {
        const void *element = (const char *)l->v + i * of->size;
        const char *text = *(char *const *)field_at_const(key, element);
        put_key(w, text != NULL ? text : "");
        put_object(w, of, element, key);
    }
}

static void put_dashed(struct writer *w, const struct fields *of, const struct list *l)
{
    for (size_t i = 0; i < l->count && !w->out->failed; i++) {
        const void *element = (const char *)l->v + i * of->size;
        indent(w);
        if (!has_rows(of, element, NULL)) {
            buf_add_str(w->out, "- {}\n");
            continue;
        }
        buf_add(w->out, "- ", 2);
        w->at_dash = true;
        w->depth++;
        put_rows(w, of, element, NULL);
        w->depth--;
    }
}

static void put_list(struct writer *w, const struct field *row, const struct list *l)
{
    bool keyed = (row->flags & FIELD_KEYED) != 0;
    if (l->count == 0) {
        buf_add_str(w->out, keyed ? " {}\n" : " []\n");
        return;
    }
    buf_add(w->out, "\n", 1);
    w->depth++;
    if (keyed)
        put_keyed(w, row->of, l);
    else
        put_dashed(w, row->of, l);
    w->depth--;
}

static void put_scalar(struct writer *w, const struct field *row, const void *value)
{
    buf_add(w->out, " ", 1);
    if (row->kind == FIELD_STR) {
        const char *text = *(char *const *)value;
        put_text(w, text != NULL ? text : "");
    } else if (row->kind == FIELD_BYTES) {
        const struct bytes *b = value;
        buf_add(w->out, "\"", 1);
        base64_put(w->out, b->data, b->len);
        buf_add(w->out, "\"", 1);
    } else {
        put_number(w, row, value);
    }
    buf_add(w->out, "\n", 1);
}

static void put_row(struct writer *w, const struct field *row, const void *value)
{
    put_key(w, row->name);
    if (row->kind == FIELD_STRS)
        put_strs(w, value);
    else if (row->kind == FIELD_PAIRS)
        put_pairs(w, value);
    else if (row->kind == FIELD_COUNTS || row->kind == FIELD_MONEYS)
        put_counts(w, row, value);
    else if (row->kind == FIELD_STRUCT)
        put_object(w, row->of, value, NULL);
    else if (row->kind == FIELD_LIST)
        put_list(w, row, value);
    else
        put_scalar(w, row, value);
}

static void put_rows(struct writer *w, const struct fields *f, const void *object, const struct field *given)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *row = &f->rows[i];
        if (row != given && field_is_shown(row, field_at_const(row, object)))
            put_row(w, row, field_at_const(row, object));
    }
}

int yaml_write(const struct fields *f, const void *object, struct buf *out)
{
    struct writer w = { .out = out };
    if (has_rows(f, object, NULL))
        put_rows(&w, f, object, NULL);
    else
        buf_add_str(out, "{}\n");
    return out->failed ? -ENOMEM : 0;
}

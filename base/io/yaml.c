#include "base/io/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <yaml.h>

#include "base/io/tree.h"
#include "base/parse.h"

/* One file being scanned. `map_key` waits for its value. */
struct scan {
    yaml_parser_t parser;
    const char *name;
    struct tree tree;
    struct tree_node *root;
    struct tree_node *stack[TREE_DEPTH_MAX]; /* open lists and maps */
    size_t depth;
    const char *map_key;
    yaml_mark_t key_mark;
    bool done; /* the document has ended */
    struct err *err;
};

static void event_p(yaml_event_t *event)
{
    yaml_event_delete(event);
}

static uint32_t human(size_t from_zero)
{
    return (uint32_t)MIN(from_zero, (size_t)UINT32_MAX - 1) + 1;
}

static int refuse_at(struct scan *s, uint32_t line, uint32_t column, const char *what)
{
    return err_set(s->err, -EINVAL, "%s:%" PRIu32 ":%" PRIu32 ": %s", s->name, line, column, what);
}

static int refuse(struct scan *s, yaml_mark_t mark, const char *what)
{
    return refuse_at(s, human(mark.line), human(mark.column), what);
}

static int no_memory(struct scan *s)
{
    return err_set(s->err, -ENOMEM, "%s: out of memory", s->name);
}

/* libyaml says where a character is wrong by its byte offset, everything else by its mark. */
static int not_yaml(struct scan *s, const char *text, size_t len)
{
    const yaml_parser_t *p = &s->parser;
    CLEANUP(buf_fini) struct buf why = { .max = 400 };
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(s);
    buf_addf(&why, "not YAML: %s%s%s", p->problem != NULL ? p->problem : "unknown fault",
             p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
    if (p->error != YAML_READER_ERROR)
        return refuse(s, p->problem_mark, buf_text(&why));
    uint32_t line = 1;
    size_t start = 0;
    size_t at = MIN(p->problem_offset, len);
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return refuse_at(s, line, human(at - start), buf_text(&why));
}

/* --- plain scalars ---------------------------------------------------------------------------------------- */

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* JSON's grammar of numbers; 010, 0x10, +5 and .5 are text, and refused where a number is due. */
static enum tree_kind number_kind(const char *text)
{
    const char *digits = text + (text[0] == '-');
    const char *at = skip_digits(digits);
    enum tree_kind kind = TREE_INT;
    if (at == digits || (digits[0] == '0' && at - digits > 1))
        return TREE_STR;
    if (*at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(fraction);
        if (at == fraction)
            return TREE_STR;
        kind = TREE_REAL;
    }
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '+' || at[1] == '-');
        at = skip_digits(exponent);
        if (at == exponent)
            return TREE_STR;
        kind = TREE_REAL;
    }
    return *at == '\0' ? kind : TREE_STR;
}

static bool is_null(const char *text)
{
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Typed as JSON types it; a number too large to be one stays text. Text as written stays with numbers and booleans. */
static void set_plain(struct tree_node *n)
{
    if (strlen(n->text) != n->len)
        return;
    if (is_null(n->text)) {
        n->kind = TREE_NULL;
    } else if (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0) {
        n->kind = TREE_BOOL;
        n->boolean = n->text[0] == 't';
    } else if (number_kind(n->text) == TREE_REAL) {
        n->kind = TREE_REAL;
        n->real = strtod(n->text, NULL);
    } else if (number_kind(n->text) == TREE_INT && parse_i64(n->text, INT64_MIN, INT64_MAX, &n->integer, NULL) == 0) {
        n->kind = TREE_INT;
    }
}

/* --- events ----------------------------------------------------------------------------------------------- */

static int add_node(struct scan *s, const yaml_event_t *e, enum tree_kind kind, struct tree_node **ret)
{
    struct tree_node *parent = s->depth > 0 ? s->stack[s->depth - 1] : NULL;
    struct tree_node *n = tree_add(&s->tree, parent, kind);
    if (n == NULL)
        return no_memory(s);
    if (parent == NULL)
        s->root = n;
    n->line = human(e->start_mark.line);
    n->column = human(e->start_mark.column);
    n->key = TAKE_PTR(s->map_key);
    n->key_line = human(s->key_mark.line);
    n->key_column = human(s->key_mark.column);
    *ret = n;
    return 0;
}

static bool wants_key(const struct scan *s)
{
    return s->depth > 0 && s->stack[s->depth - 1]->kind == TREE_MAP && s->map_key == NULL;
}

static int refuse_extras(struct scan *s, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(s, e->start_mark, "anchors (&name) are not supported; write the value out");
    if (tag != NULL)
        return refuse(s, e->start_mark, "tags (!name) are not supported");
    return 0;
}

static int set_key(struct scan *s, const yaml_event_t *e)
{
    const char *key = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    if (strlen(key) != len)
        return refuse(s, e->start_mark, "a key holds a NUL byte");
    if (strcmp(key, "<<") == 0 && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return refuse(s, e->start_mark, "merge keys (<<) are not supported; write the keys out");
    s->map_key = tree_copy(&s->tree, key, len);
    s->key_mark = e->start_mark;
    return s->map_key != NULL ? 0 : no_memory(s);
}

static int on_scalar(struct scan *s, const yaml_event_t *e)
{
    struct tree_node *n = NULL;
    int rc = refuse_extras(s, e, e->data.scalar.anchor, e->data.scalar.tag);
    if (rc < 0)
        return rc;
    if (wants_key(s))
        return set_key(s, e);
    rc = add_node(s, e, TREE_STR, &n);
    if (rc < 0)
        return rc;
    n->len = e->data.scalar.length;
    n->text = tree_copy(&s->tree, (const char *)e->data.scalar.value, n->len);
    if (n->text == NULL)
        return no_memory(s);
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        set_plain(n);
    return 0;
}

static int open_node(struct scan *s, const yaml_event_t *e, enum tree_kind kind, const yaml_char_t *anchor,
                     const yaml_char_t *tag)
{
    struct tree_node *n = NULL;
    int rc = refuse_extras(s, e, anchor, tag);
    if (rc < 0)
        return rc;
    if (wants_key(s))
        return refuse(s, e->start_mark, "a key is not one plain text");
    if (s->depth == TREE_DEPTH_MAX)
        return refuse(s, e->start_mark, "nested too deep");
    rc = add_node(s, e, kind, &n);
    if (rc == 0)
        s->stack[s->depth++] = n;
    return rc;
}

static int close_map(struct scan *s)
{
    int rc = 0;
    char quoted[PARSE_QUOTE_MAX];
    const struct tree_node *map = s->stack[--s->depth];
    const struct tree_node *twice = tree_duplicate(map, &rc);
    if (rc < 0)
        return no_memory(s);
    if (twice == NULL)
        return 0;
    return err_set(s->err, -EINVAL, "%s:%" PRIu32 ":%" PRIu32 ": %s is there twice", s->name, twice->key_line,
                   twice->key_column, format_quote(twice->key, quoted));
}

static int on_document(struct scan *s, const yaml_event_t *e)
{
    if (s->done)
        return refuse(s, e->start_mark, "a second document begins here; one file holds one");
    if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end ||
        e->data.document_start.version_directive != NULL)
        return refuse(s, e->start_mark, "directives (%...) are not supported");
    return 0;
}

static int on_event(struct scan *s, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(s, e);
    case YAML_DOCUMENT_END_EVENT:
        s->done = true;
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(s, e->start_mark, "aliases (*name) are not supported; write the value out");
    case YAML_SCALAR_EVENT:
        return on_scalar(s, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(s, e, TREE_LIST, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_node(s, e, TREE_MAP, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
        s->depth--;
        return 0;
    case YAML_MAPPING_END_EVENT:
        return close_map(s);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    default:
        return 0;
    }
}

static int scan_all(struct scan *s, const char *text, size_t len)
{
    for (;;) {
        CLEANUP(event_p) yaml_event_t event = { 0 };
        if (!yaml_parser_parse(&s->parser, &event))
            return not_yaml(s, text, len);
        int rc = on_event(s, &event);
        if (rc < 0 || event.type == YAML_STREAM_END_EVENT)
            return rc;
    }
}

int yaml_read(const struct fields *f, const char *name, const char *text, size_t len, void *object, struct err *err)
{
    struct scan s = { .name = name, .err = err };
    const struct tree_options options = { .name = name };
    if (len > YAML_FILE_MAX)
        return err_set(err, -EINVAL, "%s:1:1: %zu bytes; at most %zu", name, len, YAML_FILE_MAX);
    if (!yaml_parser_initialize(&s.parser))
        return no_memory(&s);
    tree_init(&s.tree);
    yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&s.parser, (const unsigned char *)(text != NULL ? text : ""), len);
    int rc = scan_all(&s, text, len);
    if (rc == 0 && (s.root == NULL || s.root->kind == TREE_NULL))
        rc = refuse_at(&s, 1, 1, "holds nothing");
    if (rc == 0)
        rc = tree_read(f, s.root, &options, object, err);
    tree_fini(&s.tree);
    yaml_parser_delete(&s.parser);
    return rc;
}

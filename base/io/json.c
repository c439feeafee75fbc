#include "base/io/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/io/tree.h"
#include "base/parse.h"

static void json_p(json_t **json)
{
    json_decref(*json);
}

/* jansson quotes the input around a mistake: raw bytes of an outsider, made fit for a log line. */
static void make_shown(char *text)
{
    bool ascii_only = parse_utf8(text, strlen(text), NULL) < 0;
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
        if (*c < ' ' || *c == 0x7f || (ascii_only && *c >= 0x80))
            *c = '?';
}

static json_t *load(const char *text, size_t len, json_error_t *error)
{
    json_t *root = json_loadb(text != NULL ? text : "", len, JSON_REJECT_DUPLICATES, error);
    if (root == NULL)
        make_shown(error->text);
    return root;
}

/* --- jansson's values as a tree --------------------------------------------------------------------------- */

static int grow(struct tree *t, struct tree_node *parent, const json_t *value, const char *key, unsigned depth,
                struct tree_node **ret, struct err *err);

static int grow_map(struct tree *t, struct tree_node *map, const json_t *value, unsigned depth, struct err *err)
{
    const char *key = NULL;
    json_t *inner = NULL;
    /* jansson iterates over what it may not change; its own signatures just don't say so. */
    json_t *object = (json_t *)(uintptr_t)value;
    json_object_foreach (object, key, inner) {
        int rc = grow(t, map, inner, key, depth, NULL, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int grow_list(struct tree *t, struct tree_node *list, const json_t *value, unsigned depth, struct err *err)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        int rc = grow(t, list, json_array_get(value, i), NULL, depth, NULL, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static enum tree_kind kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return TREE_MAP;
    case JSON_ARRAY:
        return TREE_LIST;
    case JSON_STRING:
        return TREE_STR;
    case JSON_INTEGER:
        return TREE_INT;
    case JSON_REAL:
        return TREE_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return TREE_BOOL;
    case JSON_NULL:
    default:
        return TREE_NULL;
    }
}

/* Texts and keys stay jansson's: the tree dies before the document. */
static int grow(struct tree *t, struct tree_node *parent, const json_t *value, const char *key, unsigned depth,
                struct tree_node **ret, struct err *err)
{
    if (depth > TREE_DEPTH_MAX)
        return err_set(err, -EINVAL, "nested deeper than %d levels", TREE_DEPTH_MAX);
    struct tree_node *n = tree_add(t, parent, kind_of(value));
    if (n == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    n->key = key;
    if (ret != NULL)
        *ret = n;
    if (n->kind == TREE_MAP)
        return grow_map(t, n, value, depth + 1, err);
    if (n->kind == TREE_LIST)
        return grow_list(t, n, value, depth + 1, err);
    if (n->kind == TREE_STR) {
        n->text = json_string_value(value);
        n->len = json_string_length(value);
    } else if (n->kind == TREE_INT) {
        n->integer = json_integer_value(value);
    } else if (n->kind == TREE_REAL) {
        n->real = json_real_value(value);
    } else {
        n->boolean = json_is_true(value);
    }
    return 0;
}

int json_part_read(const void *part, const struct fields *f, enum json_mode mode, void *object, struct err *err)
{
    CLEANUP(tree_fini) struct tree t;
    struct tree_node *root = NULL;
    const struct tree_options options = { .lenient = mode == JSON_LENIENT, .foreign = mode == JSON_FOREIGN };
    tree_init(&t);
    int rc = part != NULL ? grow(&t, NULL, part, NULL, 1, &root, err) : 0;
    return rc < 0 ? rc : tree_read(f, root, &options, object, err);
}

int json_read(const struct fields *f, const char *text, size_t len, enum json_mode mode, void *object,
              struct err *err)
{
    json_error_t error;
    CLEANUP(json_p) json_t *root = load(text, len, &error);
    if (root == NULL)
        return err_set(err, -EINVAL, "line %d, column %d: not JSON: %s", error.line, error.column, error.text);
    return json_part_read(root, f, mode, object, err);
}

/* --- the envelope of JSON-RPC ----------------------------------------------------------------------------- */

static int set_id(struct json_message *m, const json_t *id, struct err *err)
{
    if (!json_is_string(id) && !json_is_integer(id) && !json_is_null(id))
        return err_set(err, -EPROTO, "id is not a text, a whole number or null");
    size_t room = sizeof m->id;
    size_t len = json_dumpb(id, m->id, room, JSON_ENCODE_ANY | JSON_COMPACT);
    if (len > 0 && len < room) {
        m->id[len] = '\0';
        return 0;
    }
    m->id[0] = '\0';
    return err_set(err, -EPROTO, "id is longer than %zu bytes", room - 1);
}

static int check_members(const json_t *root, struct err *err)
{
    static const char *const members[] = { "jsonrpc", "id", "method", "params", "result", "error" };
    const struct names known = { members, COUNT_OF(members) };
    char quoted[PARSE_QUOTE_MAX];
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)(uintptr_t)root, key, value) {
        if (names_find(&known, key) < 0)
            return err_set(err, -EPROTO, "%s is no member of a JSON-RPC message", format_quote(key, quoted));
    }
    return 0;
}

static int take_apart(struct json_message *m, const json_t *root, struct err *err)
{
    const json_t *id = json_object_get(root, "id");
    const json_t *method = json_object_get(root, "method");
    const char *version = json_string_value(json_object_get(root, "jsonrpc"));
    int rc = json_is_object(root) ? 0 : err_set(err, -EPROTO, "not an object; batches are not supported");
    if (rc == 0 && id != NULL)
        rc = set_id(m, id, err);
    if (rc == 0)
        rc = check_members(root, err);
    if (rc < 0)
        return rc;
    if (version == NULL || strcmp(version, "2.0") != 0)
        return err_set(err, -EPROTO, "jsonrpc is not \"2.0\"");
    if (method != NULL && !json_is_string(method))
        return err_set(err, -EPROTO, "method is not a text");
    m->method = json_string_value(method);
    m->params = json_object_get(root, "params");
    m->result = json_object_get(root, "result");
    m->error = json_object_get(root, "error");
    if (m->method != NULL && (m->result != NULL || m->error != NULL))
        return err_set(err, -EPROTO, "both a call and an answer");
    if (m->method == NULL && (m->result != NULL) == (m->error != NULL))
        return err_set(err, -EPROTO, "neither a call (method) nor an answer (one of result and error)");
    if (m->method == NULL && (m->id[0] == '\0' || m->params != NULL))
        return err_set(err, -EPROTO, "an answer has an id and no params");
    if (m->error != NULL && !json_is_object((const json_t *)m->error))
        return err_set(err, -EPROTO, "error is not an object");
    return 0;
}

int json_message_parse(const char *text, size_t len, struct json_message *ret, struct err *err)
{
    json_error_t error;
    json_t *root = load(text, len, &error);
    if (root == NULL)
        return err_set(err, -EBADMSG, "not JSON: byte %d: %s", error.position, error.text);
    struct json_message m = { .root = root };
    int rc = take_apart(&m, root, err);
    if (rc < 0) {
        memcpy(ret->id, m.id, sizeof ret->id);
        json_decref(root);
        return rc;
    }
    *ret = m;
    return 0;
}

void json_message_fini(struct json_message *m)
{
    json_decref(m->root);
    *m = (struct json_message){ 0 };
}

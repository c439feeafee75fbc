#include "base/io/rpc_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

#define MESSAGE_MAX 4096

struct rpc_error {
    int32_t code;
    char *message;
    struct refusal data;
};
static const struct field error_rows[] = {
    FIELD_ROW(rpc_error, 1, "code", FIELD_I32, code, .flags = FIELD_REQUIRED | FIELD_ALWAYS),
    FIELD_ROW(rpc_error, 2, "message", FIELD_STR, message, .flags = FIELD_ESCAPED | FIELD_ALWAYS, .max = MESSAGE_MAX),
    FIELD_ROW(rpc_error, 3, "data", FIELD_STRUCT, data, .of = &refusal_fields),
};
static const struct fields error_fields = FIELDS_TABLE("error", rpc_error, error_rows);

/* Takes back what was appended since `before`. */
static void unwind(struct buf *out, size_t before)
{
    out->len = before;
    if (out->data != NULL)
        out->data[before] = '\0';
}

static int put_object(struct buf *out, const struct fields *f, const void *object)
{
    if (f == NULL || object == NULL) {
        buf_add_str(out, "{}");
        return 0;
    }
    return json_write(f, object, out);
}

static int finish(struct buf *out, size_t before, int rc, const char *what, struct err *err)
{
    buf_add(out, "}\n", 2);
    if (rc == 0 && out->failed)
        rc = -ENOMEM;
    if (rc == 0)
        return 0;
    unwind(out, before);
    return err_set(err, rc, "write %s as JSON: %s", what, strerror(-rc));
}

int rpc_text_call(struct buf *out, uint64_t id, const struct method *m, const void *params, struct err *err)
{
    size_t before = out->len;
    buf_addf(out, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":", id, m->name);
    return finish(out, before, put_object(out, m->params, params), m->name, err);
}

int rpc_text_notify(struct buf *out, const struct method *m, const void *params, struct err *err)
{
    size_t before = out->len;
    buf_addf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", m->name);
    return finish(out, before, put_object(out, m->params, params), m->name, err);
}

int rpc_text_result(struct buf *out, const char *id, const struct fields *f, const void *result)
{
    size_t before = out->len;
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add_str(out, id);
    buf_add_str(out, ",\"result\":");
    return finish(out, before, put_object(out, f, result), "an answer", NULL);
}

/* Messages may quote what a peer sent, and may be cut in the middle of a character. */
static void make_utf8(char *text)
{
    if (parse_utf8(text, strlen(text), NULL) == 0)
        return;
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
}

void rpc_text_error(struct buf *out, const char *id, int code, const char *message, const struct refusal *data)
{
    char text[ERR_TEXT_MAX + 64];
    size_t len = MIN(strlen(message), sizeof text - 1);
    memcpy(text, message, len);
    text[len] = '\0';
    make_utf8(text);
    struct rpc_error error = {.code = code, .message = text};
    if (data != NULL)
        error.data = *data; /* borrowed: nothing is cleared */
    size_t before = out->len;
    buf_addf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":", id[0] != '\0' ? id : "null");
    if (finish(out, before, json_write(&error_fields, &error, out), "a refusal", NULL) == 0)
        return;
    buf_addf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"the reason can't be shown\"}}\n",
             id[0] != '\0' ? id : "null", code);
}

static int failed_as(const struct rpc_error *error, struct err *err)
{
    const char *message = error->message != NULL ? error->message : "no reason given";
    switch (error->code) {
    case RPC_NO_METHOD:
        return err_set(err, -ENOSYS, "%s", message);
    case RPC_INTERNAL:
        return err_set(err, -EIO, "%s", message);
    default:
        return err_set(err, -EPROTO, "%s (code %d)", message, error->code);
    }
}

static int refused_as(struct rpc_error *error, struct refusal *refusal)
{
    struct refusal *data = &error->data;
    const char *code = error->code == RPC_REFUSED       ? "refused"
                       : error->code == RPC_UNAVAILABLE ? "unavailable"
                                                        : "bad_request";
    if ((data->code == NULL && str_set(&data->code, code) < 0) ||
        (data->message == NULL && str_set(&data->message, error->message) < 0))
        return -ENOMEM;
    *refusal = *data;
    memset(data, 0, sizeof *data);
    return 1;
}

int rpc_text_outcome(const struct json_message *answer, const struct fields *f, void *result, struct refusal *refusal,
                     struct err *err)
{
    if (answer->error == NULL) {
        if (f == NULL)
            return 0;
        int rc = json_part_read(answer->result, f, JSON_LENIENT, result, err);
        return rc < 0 ? err_wrap(err, -EPROTO, "read the answer") : 0;
    }
    struct rpc_error error = {0};
    int rc = json_part_read(answer->error, &error_fields, JSON_LENIENT, &error, err);
    if (rc < 0)
        return err_wrap(err, -EPROTO, "read the answer");
    if (error.code == RPC_REFUSED || error.code == RPC_UNAVAILABLE || error.code == RPC_BAD_PARAMS)
        rc = refused_as(&error, refusal);
    else
        rc = failed_as(&error, err);
    fields_clear(&error_fields, &error);
    return rc;
}

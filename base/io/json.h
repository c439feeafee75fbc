/*
 * json - structs described by tables (base/fields.h) to and from JSON text. The only code that knows jansson.
 *
 * Input is strict: unknown keys, duplicate keys, wrong types, numbers out of range, invalid UTF-8 are refused with the
 * place and what is allowed: "resources.memory: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes".
 * A flag `lenient` (for peers of another version) skips unknown keys instead.
 */
#ifndef REEVE_BASE_IO_JSON_H
#define REEVE_BASE_IO_JSON_H

#include "base/fields.h"

/* Appends the object, one line, no spaces; empty fields are left out unless FIELD_ALWAYS. */
int json_write(const struct fields *f, const void *object, struct buf *out) MUST_USE;
/* Same with indentation, for people. */
int json_write_pretty(const struct fields *f, const void *object, struct buf *out) MUST_USE;
enum json_mode { JSON_STRICT, JSON_LENIENT };
/* Object untouched on failure. -EINVAL; err begins with the dotted path of the place. */
int json_read(const struct fields *f, const char *text, size_t len, enum json_mode mode, void *object,
              struct err *err) MUST_USE;

/* The envelope of JSON-RPC, taken apart without understanding the inner part. All pointers live until
 * json_message_fini(). */
struct json_message {
    void *root;            /* opaque */
    const char *method;    /* request or notification; NULL in a response */
    char id[72];           /* as JSON text ("17", "\"abc\""); "" = notification */
    const void *params, *result, *error; /* opaque; NULL when absent */
};
/* -EBADMSG: not JSON (err has the byte offset). -EPROTO: JSON, but not a JSON-RPC 2.0 message. */
int json_message_parse(const char *text, size_t len, struct json_message *ret, struct err *err) MUST_USE;
void json_message_fini(struct json_message *m);
/* params / result / error.data of a message into an object. NULL part = an empty object. */
int json_part_read(const void *part, const struct fields *f, enum json_mode mode, void *object, struct err *err) MUST_USE;

#endif

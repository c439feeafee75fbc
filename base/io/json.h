/*
 * json - structs described by tables (base/fields.h) to and from JSON text. The only code that knows jansson.
 *
 * Input is strict: unknown keys, duplicate keys, wrong types, numbers out of range, invalid UTF-8 are refused with the
 * place and what is allowed: "resources.memory: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes".
 * The mode JSON_LENIENT (for peers of another version) skips unknown keys instead and reads FIELD_OUTPUT rows: it is
 * how a client reads an answer. The mode JSON_FOREIGN (for formats that others made) is strict, but takes a key with
 * null for one that was left out, as their writers mean it.
 * Output is one line of valid UTF-8 whatever the object holds: a byte that isn't is written as U+FFFD.
 * A table of NULL is an empty object, both ways.
 */
#ifndef REEVE_BASE_IO_JSON_H
#define REEVE_BASE_IO_JSON_H

#include "base/fields.h"

/* Appends the object, one line, no spaces; empty fields are left out unless FIELD_ALWAYS. -ENOMEM: out is full or was
 * failed already. */
int json_write(const struct fields *f, const void *object, struct buf *out) MUST_USE;
/* Same with indentation, for people. */
int json_write_pretty(const struct fields *f, const void *object, struct buf *out) MUST_USE;
/* One text in quotes, escaped. */
void json_put_text(struct buf *out, const char *text);
enum json_mode { JSON_STRICT, JSON_LENIENT, JSON_FOREIGN };
/* Object overwritten without being cleared, untouched on failure. -EINVAL; err begins with the dotted path of the
 * place, or with "line 3, column 7: " when it isn't JSON at all. */
int json_read(const struct fields *f, const char *text, size_t len, enum json_mode mode, void *object,
              struct err *err) MUST_USE;

/* The envelope of JSON-RPC, taken apart without understanding the inner part. All pointers live until
 * json_message_fini(). */
struct json_message {
    void *root;            /* opaque */
    const char *method;    /* request or notification; NULL in a response */
    char id[72];           /* as JSON text ("17", "\"abc\"", "null"); "" = notification */
    const void *params, *result, *error; /* opaque; NULL when absent */
};
/* -EBADMSG: not JSON (err has the byte offset). -EPROTO: JSON, but not a JSON-RPC 2.0 message; then, and only then, id
 * is filled when it could be read, so that the answer can name it. */
int json_message_parse(const char *text, size_t len, struct json_message *ret, struct err *err) MUST_USE;
void json_message_fini(struct json_message *m);
/* params / result / error.data of a message into an object. NULL or null = an empty object. */
int json_part_read(const void *part, const struct fields *f, enum json_mode mode, void *object,
                   struct err *err) MUST_USE;

#endif

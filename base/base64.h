/*
 * base64 - bytes as text and back (RFC 4648, with padding). One text for one value: unused bits must be zero, nothing
 * may stand between or behind.
 * Purity: pure.
 */
#ifndef REEVE_BASE_BASE64_H
#define REEVE_BASE_BASE64_H

#include "base/buf.h"

void base64_put(struct buf *out, const void *bytes, size_t len);
/* How many bytes a text of this length can hold at most: asked before anything is allocated. */
size_t base64_room(size_t text_len);
/* Writes at most base64_room(len) bytes to out. -EINVAL: not base64; out may hold a part. */
int base64_get(const char *text, size_t len, uint8_t *out, size_t *ret_len) MUST_USE;

#endif

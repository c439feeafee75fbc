/*
 * hex - bytes as lower-case hexadecimal digits and back. One text for one value: nothing may stand between or behind.
 * Purity: pure.
 */
#ifndef REEVE_BASE_HEX_H
#define REEVE_BASE_HEX_H

#include "base/buf.h"

void hex_put(struct buf *out, const void *bytes, size_t len);
/* Exactly 2 * len digits at `text`, which has `text_len` characters. -EINVAL; out may hold a part then. */
int hex_get(const char *text, size_t text_len, uint8_t *out, size_t len) MUST_USE;

#endif

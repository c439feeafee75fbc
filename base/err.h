/*
 * err - how a failure explains itself: a negative errno and a sentence.
 * Purity:    pure.
 * Ownership: the caller lends a struct err ({0} is ready); nothing is allocated. NULL is allowed everywhere.
 * Contract:  a function that fails returns -Exxx, has set the text at the origin, and has left its outputs
 *            untouched. Callers wrap with what they were doing; the top logs once.
 */
#ifndef REEVE_BASE_ERR_H
#define REEVE_BASE_ERR_H

#include "base/macros.h"

#define ERR_TEXT_MAX 512

struct err {
    int code; /* 0, or the negative errno */
    char text[ERR_TEXT_MAX];
};

/* Sets the text and returns `code` (negative), so that it can be returned at once. A cut text ends in "...". */
int err_set(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "what: " before the text that is there and returns `code`. */
int err_wrap(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The text, or a fallback when nothing was set. Never NULL. */
const char *err_text(const struct err *err);

#endif

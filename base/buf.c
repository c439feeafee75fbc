#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

static bool fail(struct buf *b)
{
    b->failed = true;
    return false;
}

static bool grow(struct buf *b, size_t need, size_t max)
{
    size_t size = MAX(b->size, (size_t)BUF_FIRST);
    while (size < need)
        size = size > SIZE_MAX / 2 ? need : size * 2;
    size = MIN(size, max + 1);
    char *data = realloc(b->data, size);
    if (data == NULL)
        return fail(b);
    b->data = data;
    b->size = size;
    return true;
}

/* Room for `more` bytes and the NUL behind them. */
static bool reserve(struct buf *b, size_t more)
{
    size_t max = MIN(b->max != 0 ? b->max : BUF_MAX, SIZE_MAX / 2);
    if (b->failed)
        return false;
    if (b->len > max || more > max - b->len)
        return fail(b);
    size_t need = b->len + more + 1;
    return need <= b->size || grow(b, need, max);
}

void buf_grow_and_add(struct buf *b, const void *bytes, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, bytes, len);
    buf_wrote(b, len);
}

void buf_add_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, args);
    if (wanted < 0)
        b->failed = true;
    else if (reserve(b, (size_t)wanted))
        b->len += (size_t)vsnprintf(b->data + b->len, (size_t)wanted + 1, format, again);
    va_end(again);
    va_end(args);
}

const char *buf_text(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *data = NULL;
    buf_add(b, "", 0); /* an empty text is a text too */
    if (!b->failed)
        data = TAKE_PTR(b->data);
    size_t max = b->max;
    buf_fini(b);
    b->max = max;
    return data;
}

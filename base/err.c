#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(char *text, int wanted)
{
    if (wanted >= ERR_TEXT_MAX)
        memcpy(text + ERR_TEXT_MAX - 4, "...", 4);
}

int err_set(struct err *err, int code, const char *format, ...)
{
    assert(code < 0);
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    mark_cut(err->text, vsnprintf(err->text, sizeof err->text, format, args));
    va_end(args);
    err->code = code;
    return code;
}

int err_wrap(struct err *err, int code, const char *format, ...)
{
    assert(code < 0);
    if (err == NULL)
        return code;
    char inner[ERR_TEXT_MAX];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n >= 0 && n < ERR_TEXT_MAX) {
        size_t used = (size_t)n;
        n += snprintf(err->text + used, sizeof err->text - used, ": %s", inner);
    }
    mark_cut(err->text, n);
    err->code = code;
    return code;
}

const char *err_text(const struct err *err)
{
    return err != NULL && err->text[0] != '\0' ? err->text : "unknown failure";
}

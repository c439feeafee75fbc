#include "base/place.h"

#include <stdio.h>
#include <string.h>

/* Appends what fits; `used` never exceeds PLACE_TEXT_MAX - 1. */
static size_t put(char *out, size_t used, const char *text)
{
    for (; *text != '\0' && used < PLACE_TEXT_MAX - 1; text++)
        out[used++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    if (*text != '\0')
        memcpy(out + PLACE_TEXT_MAX - 4, "...", 3);
    out[used] = '\0';
    return used;
}

static size_t put_chain(const struct place *at, char *out)
{
    if (at == NULL)
        return 0;
    size_t used = put_chain(at->up, out);
    if (at->name == NULL) {
        char index[32];
        snprintf(index, sizeof index, "[%zu]", at->index);
        return put(out, used, index);
    }
    if (used > 0)
        used = put(out, used, ".");
    return put(out, used, at->name);
}

const char *place_format(const struct place *at, char out[PLACE_TEXT_MAX])
{
    out[0] = '\0';
    put_chain(at, out);
    return out;
}

int place_wrap(const struct place *at, int code, struct err *err)
{
    char text[PLACE_TEXT_MAX];
    if (at == NULL || err == NULL)
        return code;
    return err_wrap(err, code, "%s", place_format(at, text));
}

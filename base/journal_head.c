#include "base/journal_head.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/parse.h"

enum { WORDS = 8 };

void journal_head_put(struct buf *out, const struct journal_head *h)
{
    char at[PARSE_TEXT_MAX];
    buf_addf(out, "reeve-head v=1 cell=%s seq=%" PRIu64 " at=%s chain=", h->cell, h->seq,
             format_time(h->at_utc_us, at));
    hex_put(out, h->chain, sizeof h->chain);
    buf_add_str(out, " key=");
    hex_put(out, h->key, sizeof h->key);
}

void journal_head_put_sig(struct buf *out, const struct journal_head *h)
{
    buf_add_str(out, " sig=");
    hex_put(out, h->sig, sizeof h->sig);
}

struct word {
    const char *at;
    size_t len;
};

/* "name=value" into the value; one space lies between words. */
static bool word_take(const char **at, const char *end, const char *name, struct word *ret)
{
    size_t name_len = strlen(name);
    if ((size_t)(end - *at) < name_len || memcmp(*at, name, name_len) != 0)
        return false;
    const char *value = *at + name_len, *space = memchr(value, ' ', (size_t)(end - value));
    ret->at = value;
    ret->len = (size_t)((space != NULL ? space : end) - value);
    *at = space != NULL ? space + 1 : end;
    return true;
}

static int text_of(const struct word *w, char out[JOURNAL_CELL_MAX + 1])
{
    if (w->len > JOURNAL_CELL_MAX || memchr(w->at, '\0', w->len) != NULL)
        return -EINVAL;
    memcpy(out, w->at, w->len);
    out[w->len] = '\0';
    return 0;
}

/* The values behind the version; `w` in the order of the line. */
static int values_read(const struct word w[WORDS], struct journal_head *h)
{
    char seq[JOURNAL_CELL_MAX + 1], at[JOURNAL_CELL_MAX + 1];
    if (text_of(&w[2], h->cell) < 0 || text_of(&w[3], seq) < 0 || text_of(&w[4], at) < 0)
        return -EBADMSG;
    if (parse_name(h->cell, JOURNAL_CELL_MAX, NULL) < 0 || parse_u64(seq, 1, UINT64_MAX - 1, &h->seq, NULL) < 0 ||
        parse_time(at, &h->at_utc_us, NULL) < 0)
        return -EBADMSG;
    if (hex_get(w[5].at, w[5].len, h->chain, sizeof h->chain) < 0 ||
        hex_get(w[6].at, w[6].len, h->key, sizeof h->key) < 0 || hex_get(w[7].at, w[7].len, h->sig, sizeof h->sig) < 0)
        return -EBADMSG;
    return 0;
}

int journal_head_get(const char *line, size_t len, struct journal_head *ret, size_t *ret_signed_len, struct err *err)
{
    static const char *const names[WORDS] = {"reeve-head", "v=", "cell=", "seq=", "at=", "chain=", "key=", "sig="};
    struct word w[WORDS];
    struct journal_head h = {.seq = 0};
    const char *at = line, *end = line + len;
    for (size_t i = 0; i < WORDS; i++) {
        if (!word_take(&at, end, names[i], &w[i]) || (i == 0 && w[i].len > 0))
            return err_set(err, -EBADMSG, "no signed head");
        if (i == 1 && (w[i].len != 1 || w[i].at[0] != '1'))
            return err_set(err, -EPROTONOSUPPORT, "a signed head of another version");
    }
    if (w[7].at + w[7].len != end || values_read(w, &h) < 0)
        return err_set(err, -EBADMSG, "no signed head");
    *ret = h;
    *ret_signed_len = (size_t)(w[7].at - line) - strlen(" sig=");
    return 0;
}

#include "quotas/reports/page_token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/io/fd.h"

#define MAC_HEX 32 /* 128 bits of the HMAC */

int page_key_load(const char *path, uint8_t key[PAGE_KEY_BYTES], struct err *err)
{
    struct buf bytes = {0};
    int r = file_read(path, PAGE_KEY_BYTES, &bytes, err);
    if (r == 0 && bytes.len == PAGE_KEY_BYTES)
        memcpy(key, bytes.data, PAGE_KEY_BYTES);
    else if (r == 0)
        r = err_set(err, -EBADMSG, "%s: needs %d bytes; without it a new one is made", path, PAGE_KEY_BYTES);
    buf_fini(&bytes);
    if (r != -ENOENT)
        return r;
    if (getrandom(key, PAGE_KEY_BYTES, 0) != PAGE_KEY_BYTES)
        return err_set(err, -errno, "getrandom: %s", strerror(errno));
    return file_write_durable(path, key, PAGE_KEY_BYTES, 0600, err);
}

/* Lengths before texts: no two questions have the same bytes. */
static void add_text(struct buf *out, const char *text)
{
    buf_addf(out, "%zu:%s", strlen(text), text);
}

void page_question(const char *path, const struct params *params, const struct viewer *viewer,
                   uint8_t out[SHA256_BYTES])
{
    struct buf text = {0}, who = {0};
    add_text(&text, path);
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->v[i].key, "page_token") == 0)
            continue;
        add_text(&text, params->v[i].key);
        add_text(&text, params->v[i].value);
    }
    viewer_key(viewer, &who);
    add_text(&text, buf_text(&who));
    sha256(&(struct sha256_part){buf_text(&text), text.len}, 1, out);
    buf_fini(&text);
    buf_fini(&who);
}

static void sign(const uint8_t key[PAGE_KEY_BYTES], const uint8_t question[SHA256_BYTES], const char *place,
                 char out[MAC_HEX + 1])
{
    const struct sha256_part parts[] = {{question, SHA256_BYTES}, {place, strlen(place)}};
    uint8_t mac[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    sha256_hmac(key, PAGE_KEY_BYTES, parts, COUNT_OF(parts), mac);
    snprintf(out, MAC_HEX + 1, "%.*s", MAC_HEX, sha256_hex(mac, hex));
}

const char *page_token_make(const uint8_t key[PAGE_KEY_BYTES], const uint8_t question[SHA256_BYTES],
                            struct page_place place, char out[PAGE_TOKEN_MAX])
{
    char text[PAGE_TOKEN_MAX - MAC_HEX - 1], mac[MAC_HEX + 1];
    snprintf(text, sizeof text, "%" PRIx64 ".%" PRIx64, place.seq, place.rows);
    sign(key, question, text, mac);
    snprintf(out, PAGE_TOKEN_MAX, "%s.%s", text, mac);
    return out;
}

/* The text is made again from what was read: only that very text is taken, and its signature compared at even pace. */
int page_token_read(const uint8_t key[PAGE_KEY_BYTES], const uint8_t question[SHA256_BYTES], const char *text,
                    struct page_place *ret)
{
    struct page_place place = {0};
    char again[PAGE_TOKEN_MAX];
    uint8_t theirs[SHA256_BYTES], ours[SHA256_BYTES];
    if (strlen(text) >= PAGE_TOKEN_MAX || sscanf(text, "%16" SCNx64 ".%16" SCNx64 ".", &place.seq, &place.rows) != 2)
        return -EINVAL;
    page_token_make(key, question, place, again);
    sha256(&(struct sha256_part){text, strlen(text)}, 1, theirs);
    sha256(&(struct sha256_part){again, strlen(again)}, 1, ours);
    if (!sha256_same(theirs, ours))
        return -EINVAL;
    *ret = place;
    return 0;
}

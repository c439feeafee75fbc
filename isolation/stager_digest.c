/*
 * The digest of a folder: SHA-256 of a list in hexadecimal, a line for each thing in the folder and for itself, sorted.
 * A line is the SHA-256 of "TYPE MODE SUM PATH": TYPE d, f or l; MODE the permissions that are brought, octal, as %#o
 * writes them; SUM the SHA-256 of a file's bytes or of what a link says, "-" for a folder; PATH below the folder, with
 * nothing for itself. Neither the order in which a file system names things, owners nor times are in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "isolation/digest.h"
#include "isolation/stager.h"

/* Pages of it that are not used are not there. */
static uint8_t sums[STAGE_HASHED_MAX][DIGEST_BYTES];
static uint32_t count;

void tree_digest_begin(void)
{
    count = 0;
}

static void put_hex(const uint8_t sum[DIGEST_BYTES], char out[2 * DIGEST_BYTES + 1])
{
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

bool tree_digest_add(struct stager *s, char type, mode_t mode, const uint8_t *sum)
{
    char head[32], hex[2 * DIGEST_BYTES + 1] = "-";
    struct digest d;
    if ((s->items[s->at].item.flags & STAGE_HASHED) == 0)
        return true;
    if (count == STAGE_HASHED_MAX)
        return stage_fail(s, STAGE_WHY_MANY, 0);
    if (sum != NULL)
        put_hex(sum, hex);
    snprintf(head, sizeof head, "%c %#o ", type, (unsigned)(mode & STAGE_MODE_KEPT));
    digest_begin(&d);
    digest_add(&d, head, strlen(head));
    digest_add(&d, hex, strlen(hex));
    digest_add(&d, " ", 1);
    if (s->path_len > s->item_len)
        digest_add(&d, s->path + s->item_len + 1, s->path_len - s->item_len - 1);
    digest_end(&d, sums[count++]);
    return true;
}

/* ---- sorted, in place: there is no heap ---- */

static void swap(uint32_t a, uint32_t b)
{
    uint8_t keep[DIGEST_BYTES];
    memcpy(keep, sums[a], sizeof keep);
    memcpy(sums[a], sums[b], sizeof keep);
    memcpy(sums[b], keep, sizeof keep);
}

static void sink(uint32_t at, uint32_t end)
{
    for (uint32_t child; (child = 2 * at + 1) < end; at = child) {
        if (child + 1 < end && memcmp(sums[child], sums[child + 1], DIGEST_BYTES) < 0)
            child++;
        if (memcmp(sums[at], sums[child], DIGEST_BYTES) >= 0)
            return;
        swap(at, child);
    }
}

static void sort(void)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sink(i, count);
    for (uint32_t end = count; end > 1;) {
        swap(0, --end);
        sink(0, end);
    }
}

void tree_digest_end(uint8_t out[DIGEST_BYTES])
{
    char line[2 * DIGEST_BYTES + 1];
    struct digest d;
    sort();
    digest_begin(&d);
    for (uint32_t i = 0; i < count; i++) {
        put_hex(sums[i], line);
        line[2 * DIGEST_BYTES] = '\n';
        digest_add(&d, line, sizeof line);
    }
    digest_end(&d, out);
}

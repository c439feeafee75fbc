#include "base/io/snapshot_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alike.h"
#include "base/io/fd.h"
#include "base/io/numbered.h"

enum { MAGIC_LEN = sizeof SNAPSHOT_MAGIC - 1 };

static uint64_t get_int(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

int snapshot_list(int folder, uint64_t **ret, size_t *ret_count, struct err *err)
{
    return numbered_list(folder, SNAPSHOT_PREFIX, ret, ret_count, err);
}

struct view {
    const uint8_t *at;
    size_t len;
};

static int file_map(int folder, const char *name, struct view *ret, struct err *err)
{
    CLEANUP(close_p) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(err, -errno, "open '%s': %s", name, strerror(errno));
    if (st.st_size <= 0)
        return err_set(err, -EBADMSG, "'%s' is empty", name);
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map '%s': %s", name, strerror(errno));
    *ret = (struct view){at, (size_t)st.st_size};
    return 0;
}

static int head_get(const struct view *v, struct snapshot_head *ret, size_t *ret_size, uint8_t chain[SHA256_BYTES],
                    struct err *err)
{
    const size_t fixed = MAGIC_LEN + 4 + 4 + 8 + SHA256_BYTES + 8 + 8;
    if (v->len < fixed + SHA256_BYTES || memcmp(v->at, SNAPSHOT_MAGIC, MAGIC_LEN) != 0)
        return err_set(err, -EBADMSG, "no snapshot");
    uint64_t version = get_int(v->at + MAGIC_LEN, 4), cell_len = get_int(v->at + MAGIC_LEN + 4, 4);
    if (version != SNAPSHOT_VERSION)
        return err_set(err, -EPROTONOSUPPORT, "snapshot format %" PRIu64 ", this program reads %d", version,
                       SNAPSHOT_VERSION);
    if (cell_len > JOURNAL_CELL_MAX || v->len < fixed + cell_len + SHA256_BYTES)
        return err_set(err, -EBADMSG, "damaged head");
    sha256(&(struct sha256_part){v->at, fixed + cell_len}, 1, chain);
    if (memcmp(chain, v->at + fixed + cell_len, SHA256_BYTES) != 0)
        return err_set(err, -EBADMSG, "damaged head");
    memset(ret, 0, sizeof *ret);
    const uint8_t *p = v->at + MAGIC_LEN + 8;
    memcpy(ret->cell, p, cell_len);
    p += cell_len;
    ret->point.seq = get_int(p, 8);
    memcpy(ret->point.chain, p + 8, SHA256_BYTES);
    ret->term = get_int(p + 8 + SHA256_BYTES, 8);
    ret->at_utc_us = (int64_t)get_int(p + 16 + SHA256_BYTES, 8);
    *ret_size = fixed + cell_len + SHA256_BYTES;
    return 0;
}

/* Verifies from `at` (behind the head) to the very last byte. */
static int body_check(const struct view *v, size_t at, uint8_t chain[SHA256_BYTES], struct err *err)
{
    uint64_t count = 0;
    while (v->len - at >= 4) {
        size_t len = (size_t)get_int(v->at + at, 4);
        if (len == 0)
            break;
        if (len > SNAPSHOT_FACT_MAX || v->len - at - 4 < len)
            return err_set(err, -EBADMSG, "damaged at offset %zu", at);
        sha256((struct sha256_part[]){{chain, SHA256_BYTES}, {v->at + at, 4 + len}}, 2, chain);
        at += 4 + len;
        count++;
    }
    if (v->len - at != 4 + 8 + SHA256_BYTES || get_int(v->at + at + 4, 8) != count ||
        memcmp(v->at + at + 12, chain, SHA256_BYTES) != 0)
        return err_set(err, -EBADMSG, "damaged at or before offset %zu", at);
    return 0;
}

static int body_read(const struct view *v, size_t at, int (*fn)(void *arg, const struct fact *fact), void *arg,
                     struct err *err)
{
    struct arena arena = {0};
    struct alike alike = {0};
    int rc = 0;
    for (size_t len; rc == 0 && (len = (size_t)get_int(v->at + at, 4)) > 0; at += 4 + len) {
        struct fact fact = {0};
        arena_reset(&arena);
        rc = fact_decode_in(&arena, &alike, v->at + at + 4, len, &fact, err);
        rc = rc < 0 ? err_wrap(err, rc, "fact at offset %zu", at) : fn(arg, &fact);
    }
    alike_fini(&alike);
    arena_fini(&arena);
    return rc;
}

static int view_load(const struct view *v, const char *cell, struct snapshot_head *ret,
                     int (*fn)(void *arg, const struct fact *fact), void *arg, struct err *err)
{
    struct snapshot_head head;
    size_t at = 0;
    uint8_t chain[SHA256_BYTES];
    int rc = head_get(v, &head, &at, chain, err);
    if (rc == 0 && strcmp(head.cell, cell) != 0)
        rc = err_set(err, -EXDEV, "it is of cell '%s', not of '%s'", head.cell, cell);
    if (rc == 0)
        rc = body_check(v, at, chain, err);
    if (rc == 0)
        rc = body_read(v, at, fn, arg, err);
    if (rc == 0)
        *ret = head;
    return rc;
}

int snapshot_load(int folder, uint64_t seq, const char *cell, struct snapshot_head *ret,
                  int (*fn)(void *arg, const struct fact *fact), void *arg, struct err *err)
{
    char name[NUMBERED_NAME_MAX];
    struct view v = {0};
    int rc = file_map(folder, numbered_name(SNAPSHOT_PREFIX, seq, name), &v, err);
    if (rc < 0)
        return rc;
    rc = view_load(&v, cell, ret, fn, arg, err);
    munmap((void *)(uintptr_t)v.at, v.len);
    return rc < 0 ? err_wrap(err, rc, "'%s'", name) : 0;
}

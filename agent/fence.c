#include "agent/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/parse.h"

#define FENCE_PATH "node/term"
#define STARTS_PATH "node/starts"

static int number_load(const char *path, uint64_t absent, uint64_t *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(path, PARSE_TEXT_MAX, &text, err);
    if (rc == -ENOENT) {
        *ret = absent;
        return 0;
    }
    if (rc < 0)
        return err_wrap(err, rc, "%s", path);
    char digits[PARSE_TEXT_MAX + 1];
    snprintf(digits, sizeof digits, "%s", buf_text(&text));
    digits[strcspn(digits, "\n")] = '\0';
    rc = parse_u64(digits, 0, UINT64_MAX, ret, err);
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

static int number_keep(const char *path, uint64_t number, struct err *err)
{
    char text[PARSE_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%" PRIu64 "\n", number);
    return file_write_durable(path, text, (size_t)len, 0600, err);
}

int fence_load(struct fence *f, struct err *err)
{
    int rc = number_load(FENCE_PATH, 0, &f->seen, err);
    /* A node set up anew under a name that is known counts on from where it can't have been before. */
    uint64_t seconds = (uint64_t)MAX(clock_utc_us(), 0) / 1000000;
    return rc < 0 ? rc : number_load(STARTS_PATH, MIN(seconds, UINT32_MAX - 1), &f->starts, err);
}

int fence_count_start(struct fence *f, struct err *err)
{
    int rc = f->starts >= UINT32_MAX ? err_set(err, -ERANGE, "it has started too often")
                                     : number_keep(STARTS_PATH, f->starts + 1, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", STARTS_PATH);
    f->starts++;
    return 0;
}

int fence_admit(struct fence *f, uint64_t term, struct err *err)
{
    if (term == f->seen)
        return 0;
    if (term < f->seen)
        return err_set(err, -ESTALE, "term %" PRIu64 " is over; this node has obeyed term %" PRIu64, term, f->seen);
    int rc = number_keep(FENCE_PATH, term, err);
    if (rc < 0)
        return err_wrap(err, rc, "keep term %" PRIu64, term);
    f->seen = term;
    return 0;
}


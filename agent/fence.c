#include "agent/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/parse.h"

#define FENCE_PATH "node/term"

int fence_load(struct fence *f, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(FENCE_PATH, PARSE_TEXT_MAX, &text, err);
    if (rc == -ENOENT) {
        f->seen = 0;
        return 0;
    }
    if (rc < 0)
        return err_wrap(err, rc, "%s", FENCE_PATH);
    char digits[PARSE_TEXT_MAX + 1];
    snprintf(digits, sizeof digits, "%s", buf_text(&text));
    digits[strcspn(digits, "\n")] = '\0';
    rc = parse_u64(digits, 0, UINT64_MAX, &f->seen, err);
    return rc < 0 ? err_wrap(err, rc, "%s", FENCE_PATH) : 0;
}

int fence_admit(struct fence *f, uint64_t term, struct err *err)
{
    if (term == f->seen)
        return 0;
    if (term < f->seen)
        return err_set(err, -ESTALE, "term %" PRIu64 " is over; this node has obeyed term %" PRIu64, term, f->seen);
    char text[PARSE_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%" PRIu64 "\n", term);
    int rc = file_write_durable(FENCE_PATH, text, (size_t)len, 0600, err);
    if (rc < 0)
        return err_wrap(err, rc, "keep term %" PRIu64, term);
    f->seen = term;
    return 0;
}


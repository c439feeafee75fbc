/*
 * past_files - journals for tests: facts put into segments as a scheduler would.
 */
#ifndef REEVE_TESTS_SCHEDULER_SIM_PAST_FILES_H
#define REEVE_TESTS_SCHEDULER_SIM_PAST_FILES_H

#include <check.h>
#include <string.h>

#include "base/io/journal_walk.h"
#include "base/io/numbered.h"
#include "tests/scratch.h"

#define PAST_CELL "test"

struct past_files {
    struct scratch scratch;
    struct buf segment;
    uint64_t first, seq; /* of the segment; last one written */
    uint8_t chain[SHA256_BYTES];
};

static inline void past_files_segment(struct past_files *f)
{
    struct journal_header h = {.cell = PAST_CELL, .first_seq = f->seq + 1};
    memcpy(h.chain, f->chain, sizeof h.chain);
    buf_reset(&f->segment);
    f->first = f->seq + 1;
    journal_header_put(&f->segment, &h);
}

static inline void past_files_begin(struct past_files *f)
{
    *f = (struct past_files){.scratch = scratch_new(), .segment = {.max = (size_t)256 << 20}};
    past_files_segment(f);
}

static inline void past_files_add(void *arg, uint64_t seq, const void *bytes, size_t len)
{
    struct past_files *f = arg;
    ck_assert_uint_eq(seq, f->seq + 1);
    journal_record_put(&f->segment, &(struct journal_record){.seq = seq, .term = 1, .group = seq, .fact = bytes,
                                                             .fact_len = len}, f->chain);
    f->seq = seq;
}

static inline void past_files_write(struct past_files *f)
{
    char name[NUMBERED_NAME_MAX];
    ck_assert(!f->segment.failed);
    file_put(scratch_path(&f->scratch, numbered_name(JOURNAL_PREFIX, f->first, name)), f->segment.data,
             f->segment.len);
}

static inline void past_files_end(struct past_files *f)
{
    buf_fini(&f->segment);
    scratch_remove(&f->scratch);
}

#endif

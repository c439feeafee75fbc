/*
 * past_input - what the fuzzer of the journal's reader makes of its input: a first byte, and behind it, when that is
 * even, facts (u16 length, bytes) that are put into a segment, so that the chain of hashes keeps nobody out; else a
 * segment as it lies in a file.
 */
#ifndef REEVE_TESTS_FUZZ_PAST_INPUT_H
#define REEVE_TESTS_FUZZ_PAST_INPUT_H

#include <string.h>

#include "base/io/journal_walk.h"

#define PAST_INPUT_CELL "test"
#define PAST_INPUT_FACTS_MAX 400

static inline void past_input_facts(const uint8_t *data, size_t size, struct buf *out)
{
    struct journal_header h = {.cell = PAST_INPUT_CELL, .first_seq = 1};
    uint8_t chain[SHA256_BYTES] = {0};
    journal_header_put(out, &h);
    for (uint64_t seq = 1; size >= 2 && seq <= PAST_INPUT_FACTS_MAX; seq++) {
        size_t len = MIN((size_t)(data[0] | data[1] << 8), size - 2);
        journal_record_put(out, &(struct journal_record){.seq = seq, .term = 1, .group = seq, .fact = data + 2,
                                                         .fact_len = len}, chain);
        data += 2 + len;
        size -= 2 + len;
    }
}

static inline void past_input(const uint8_t *data, size_t size, struct buf *out)
{
    if (size > 0 && data[0] % 2 == 0)
        past_input_facts(data + 1, size - 1, out);
    else if (size > 0)
        buf_add(out, data + 1, size - 1);
}

#endif

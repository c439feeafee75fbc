/* Any bytes as the journal that a simulation reads: it is refused with a reason, or is a history, always the same. */
#include <stdio.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "scheduler/sim/past.h"
#include "tests/base/sample.h"
#include "tests/fuzz/past_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char folder[64], path[128];

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(folder, sizeof folder, "/tmp/reeve-fuzz-XXXXXX");
    sample_must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/" JOURNAL_PREFIX "-%020d", folder, 1);
    sample_must(atexit(remove_folder) == 0);
    return 0;
}

static void write_it(const struct buf *segment)
{
    FILE *f = fopen(path, "we");
    sample_must(f != NULL && fwrite(segment->data, 1, segment->len, f) == segment->len && fclose(f) == 0);
}

static int read_it(struct workload *ret)
{
    struct err err = {0};
    int rc = past_read(&(struct past_source){.journal = path, .since_utc_us = INT64_MIN}, ret, &err);
    sample_must(rc == 0 || err.text[0] != '\0');
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct workload first = {0}, again = {0};
    struct buf segment = {0};
    past_input(data, size, &segment);
    write_it(&segment);
    buf_fini(&segment);
    int rc = read_it(&first);
    sample_must(read_it(&again) == rc);
    if (rc < 0)
        return 0;
    sample_must(first.count == again.count && first.past->to_seq == again.past->to_seq);
    sample_must(first.past->bytes.len == again.past->bytes.len &&
                memcmp(first.past->bytes.data, again.past->bytes.data, first.past->bytes.len) == 0);
    workload_fini(&first);
    workload_fini(&again);
    return 0;
}

/* Any text: a condition is refused with a reason, or is written as one that means the same and is written alike. */
#include <string.h>

#include "base/where.h"
#include "tests/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pair pairs[] = {{(char[]){"disk"}, (char[]){"ssd"}}, {(char[]){"gen"}, (char[]){"4"}},
                              {(char[]){"zone"}, (char[]){"eu"}}};
static const struct pairs labels = {pairs, COUNT_OF(pairs)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[WHERE_TEXT_MAX + 16];
    struct where w, again;
    struct err err = {0};
    struct buf first = {0}, second = {0}, lacks = {0};
    size_t len = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, len);
    text[len] = '\0';
    if (where_parse(text, &w, &err) < 0) {
        sample_must(err.text[0] != '\0');
        return 0;
    }
    where_format(&w, &first);
    bool is = where_matches(&w, "n1", &labels);
    sample_must((where_lacks(&w, "n1", &labels, &lacks) == 0) == is);
    if (first.len <= WHERE_TEXT_MAX) {
        sample_must(where_parse(buf_text(&first), &again, &err) == 0);
        where_format(&again, &second);
        sample_must(strcmp(buf_text(&first), buf_text(&second)) == 0);
        sample_must(where_matches(&again, "n1", &labels) == is);
    }
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&lacks);
    return 0;
}

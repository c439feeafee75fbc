/* Any bytes: decode refuses them, or what it gives encodes and decodes to the same object. */
#include "tests/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample object, again;
    struct err err = { 0 };
    struct buf bytes = { 0 };
    if (fields_decode(&sample_fields, data, size, &object, &err) < 0) {
        sample_must(err.text[0] != '\0');
        return 0;
    }
    fields_encode(&sample_fields, &object, &bytes);
    sample_must(!bytes.failed);
    sample_must(fields_decode(&sample_fields, bytes.data, bytes.len, &again, &err) == 0);
    sample_must(fields_equal(&sample_fields, &object, &again));
    fields_clear(&sample_fields, &object);
    fields_clear(&sample_fields, &again);
    buf_fini(&bytes);
    return 0;
}

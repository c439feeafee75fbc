/* Any text: refused with file, line and column, or an object that writes and reads back the same. */
#include "base/io/yaml.h"
#include "tests/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample object, again;
    struct err err = { 0 };
    struct buf out = { 0 };
    if (yaml_read(&sample_fields, "f", (const char *)data, size, &object, &err) < 0) {
        sample_must(strncmp(err.text, "f:", 2) == 0);
        return 0;
    }
    sample_must(yaml_write(&sample_fields, &object, &out) == 0);
    sample_must(yaml_read(&sample_fields, "g", out.data, out.len, &again, &err) == 0);
    sample_must(fields_equal(&sample_fields, &object, &again));
    fields_clear(&sample_fields, &object);
    fields_clear(&sample_fields, &again);
    buf_fini(&out);
    return 0;
}

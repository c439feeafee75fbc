/* Any text: refused with a sentence, or an object that writes and reads back the same; also as a JSON-RPC message. */
#include "base/io/json.h"
#include "tests/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_object(const char *text, size_t size, enum json_mode mode)
{
    struct sample object, again;
    struct err err = { 0 };
    struct buf out = { 0 };
    if (json_read(&sample_fields, text, size, mode, &object, &err) < 0) {
        sample_must(err.text[0] != '\0');
        return;
    }
    sample_must(json_write(&sample_fields, &object, &out) == 0);
    sample_must(json_read(&sample_fields, out.data, out.len, JSON_STRICT, &again, &err) == 0);
    sample_must(fields_equal(&sample_fields, &object, &again));
    buf_reset(&out);
    fields_encode(&sample_fields, &object, &out);
    sample_must(!out.failed);
    fields_clear(&sample_fields, &object);
    fields_clear(&sample_fields, &again);
    buf_fini(&out);
}

static void as_message(const char *text, size_t size)
{
    struct json_message m;
    struct sample object;
    struct err err = { 0 };
    if (json_message_parse(text, size, &m, &err) < 0) {
        sample_must(err.text[0] != '\0');
        return;
    }
    if (json_part_read(m.params, &sample_fields, JSON_LENIENT, &object, &err) == 0)
        fields_clear(&sample_fields, &object);
    json_message_fini(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_object((const char *)data, size, JSON_STRICT);
    as_object((const char *)data, size, JSON_LENIENT);
    as_message((const char *)data, size);
    return 0;
}

#include "isolation/seccomp_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "isolation/seccomp.h"
#include "isolation/seccomp_builtin.h"
#include "isolation/seccomp_calls.h"
#include "isolation/spec/trace.h"

/* Where another rule is put into the default's text: behind its list's last one. */
static const char list_end[] = "\n  ]\n}";

static void put_seen(const struct trace_row *row, const char *name, struct buf *out)
{
    buf_addf(out, "%" PRIu64 " times: %s(", row->count, name);
    uint32_t arg = 0;
    for (; arg < SECCOMP_ARGS && seccomp_call_width(name, arg) != 0; arg++)
        buf_addf(out, "%s%#" PRIx64, arg == 0 ? "" : ", ", row->args[arg]);
    buf_add_str(out, ")");
}

/* All rows of one call are one rule: the first of them writes it. */
static void put_call(const struct trace_row *rows, uint32_t count, uint32_t at, struct buf *out)
{
    const char *name = seccomp_name(rows[at].number);
    for (uint32_t i = 0; i < at; i++) {
        if (rows[i].number == rows[at].number)
            return;
    }
    if (name == NULL)
        return;
    buf_add_str(out, ",\n    {\n      \"comment\": \"");
    for (uint32_t i = at; i < count; i++) {
        if (rows[i].number != rows[at].number)
            continue;
        buf_add_str(out, i > at ? "; " : "");
        put_seen(&rows[i], name, out);
    }
    buf_addf(out, "\",\n      \"names\": [\"%s\"],\n      \"action\": \"SCMP_ACT_ALLOW\"\n    }", name);
}

int seccomp_trace_profile(const void *trace, size_t len, struct buf *out, struct err *err)
{
    struct trace_head head;
    static struct trace_row rows[TRACE_ROWS_MAX];
    if (len < sizeof head)
        return err_set(err, -EBADMSG, "this is no trace");
    memcpy(&head, trace, sizeof head);
    if (head.magic != TRACE_MAGIC || head.rows > TRACE_ROWS_MAX || len != sizeof head + head.rows * sizeof rows[0])
        return err_set(err, -EBADMSG, "this is no trace");
    memcpy(rows, (const char *)trace + sizeof head, head.rows * sizeof rows[0]);
    size_t text_len;
    const char *text = seccomp_builtin_text("default", &text_len);
    size_t cut = text_len;
    while (cut > 0 && (text_len - cut < strlen(list_end) || memcmp(text + cut, list_end, strlen(list_end)) != 0))
        cut--;
    buf_add(out, text, cut);
    for (uint32_t i = 0; i < head.rows; i++)
        put_call(rows, head.rows, i, out);
    buf_addf(out, "%s\n", list_end);
    return out->failed ? err_set(err, -ENOMEM, "out of memory") : 0;
}

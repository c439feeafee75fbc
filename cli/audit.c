/* audit - was the history altered? Reads the journal's files by itself; asks the scheduler for a signed head only. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io/sign.h"
#include "base/parse.h"
#include "cli/audit_read.h"
#include "cli/commands.h"
#include "cli/format.h"

enum { FILES_MAX = 16, PATH_BYTES = 4096 };

struct files {
    const char *v[FILES_MAX];
    size_t count;
};
struct audit_options {
    struct files heads, keys;
    const char *archive, *against;
};

static int file_note(struct files *f, const char *value, struct err *err)
{
    if (f->count == FILES_MAX)
        return err_set(err, -EINVAL, "more than %d files", FILES_MAX);
    f->v[f->count++] = value;
    return 0;
}

static int set_heads(void *object, const char *value, struct err *err)
{
    return file_note(&((struct audit_options *)object)->heads, value, err);
}

static int set_key(void *object, const char *value, struct err *err)
{
    return file_note(&((struct audit_options *)object)->keys, value, err);
}

static const struct option_row rows[] = {
    {.name = "heads", .kind = OPTION_CALL, .value = "FILE", .repeated = true, .set = set_heads,
     .help = "signed heads that were kept elsewhere ('reeve audit head' lines)", .of = "verify"},
    {.name = "key", .kind = OPTION_CALL, .value = "FILE", .repeated = true, .set = set_key,
     .help = "a public key that is trusted; else the one beside the journal", .of = "verify"},
    {.name = "archive", .kind = OPTION_PATH, .value = "FOLDER", .offset = offsetof(struct audit_options, archive),
     .help = "older segments; else 'archive' beside the journal", .of = "verify"},
    {.name = "against", .kind = OPTION_PATH, .value = "FOLDER", .offset = offsetof(struct audit_options, against),
     .help = "a copy of the journal that was kept elsewhere: names the first record that differs", .of = "verify"},
};
const struct option_set audit_options = OPTION_SET(rows);

/* ---- as JSON ---- */
struct audit_report {
    char *cell, *chain;
    uint64_t first, last, records, segments, bytes, torn_bytes, heads, heads_newest, elsewhere, elsewhere_newest;
    struct list findings; /* struct audit_finding */
    uint64_t findings_total;
};
#define ALWAYS .flags = FIELD_ALWAYS
static const struct field finding_rows[] = {
    FIELD_ROW(audit_finding, 1, "kind", FIELD_ENUM, kind, ALWAYS, .of = &audit_kind_names),
    FIELD_ROW(audit_finding, 2, "first", FIELD_U64, first),
    FIELD_ROW(audit_finding, 3, "last", FIELD_U64, last),
    FIELD_ROW(audit_finding, 4, "text", FIELD_STR, text),
};
static const struct fields finding_fields = FIELDS_TABLE("finding", audit_finding, finding_rows);
static const struct field report_rows[] = {
    FIELD_ROW(audit_report, 1, "cell", FIELD_STR, cell),
    FIELD_ROW(audit_report, 2, "first", FIELD_U64, first, ALWAYS),
    FIELD_ROW(audit_report, 3, "last", FIELD_U64, last, ALWAYS),
    FIELD_ROW(audit_report, 4, "records", FIELD_U64, records, ALWAYS),
    FIELD_ROW(audit_report, 5, "segments", FIELD_U64, segments, ALWAYS),
    FIELD_ROW(audit_report, 6, "bytes", FIELD_U64, bytes, ALWAYS),
    FIELD_ROW(audit_report, 7, "torn_bytes", FIELD_U64, torn_bytes),
    FIELD_ROW(audit_report, 8, "chain", FIELD_STR, chain),
    FIELD_ROW(audit_report, 9, "heads", FIELD_U64, heads, ALWAYS),
    FIELD_ROW(audit_report, 10, "heads_newest", FIELD_U64, heads_newest),
    FIELD_ROW(audit_report, 11, "elsewhere", FIELD_U64, elsewhere, ALWAYS),
    FIELD_ROW(audit_report, 12, "elsewhere_newest", FIELD_U64, elsewhere_newest),
    FIELD_ROW(audit_report, 13, "findings", FIELD_LIST, findings, ALWAYS, .of = &finding_fields),
    FIELD_ROW(audit_report, 14, "findings_total", FIELD_U64, findings_total, ALWAYS),
};
static const struct fields report_fields = FIELDS_TABLE("audit", audit_report, report_rows);

static void print_json(const struct audit *a, const char *chain)
{
    struct audit_report r = {
        .cell = (char *)(uintptr_t)a->cell, .chain = (char *)(uintptr_t)chain, .first = a->first, .last = a->last,
        .records = a->records, .segments = a->segments, .bytes = a->bytes, .torn_bytes = a->torn_bytes,
        .heads = a->heads_matched, .heads_newest = a->heads_newest, .elsewhere = a->elsewhere_matched,
        .elsewhere_newest = a->elsewhere_newest, .findings = a->findings, .findings_total = a->findings_total,
    };
    cli_json(&report_fields, &r);
}

/* ---- for people ---- */
/* "3 114 207" */
static void put_count(struct buf *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_add_str(out, " ");
        buf_add(out, digits + i, 1);
    }
}

static void put_heads(const struct audit *a, struct buf *out)
{
    if (a->keys_count == 0) {
        buf_add_str(out, "no public key: signed heads could not be checked, give --key\n");
        return;
    }
    if (a->heads_matched == 0) {
        buf_add_str(out, "no signed head: a history made anew as a whole would not show\n");
        return;
    }
    buf_addf(out, "%" PRIu64 " signed head%s match%s, the newest at seq %" PRIu64, a->heads_matched,
             a->heads_matched == 1 ? "" : "s", a->heads_matched == 1 ? "es" : "", a->heads_newest);
    if (a->elsewhere_matched > 0)
        buf_addf(out, "; %" PRIu64 " of them kept elsewhere, up to seq %" PRIu64, a->elsewhere_matched,
                 a->elsewhere_newest);
    else
        buf_add_str(out, "; none was kept elsewhere (--heads)");
    buf_add_str(out, "\n");
}

static void print_text(const struct cli *cli, const struct audit *a, const char *chain, uint64_t upto)
{
    struct buf out = {0};
    const struct audit_finding *f = a->findings.v;
    for (size_t i = 0; i < a->findings.count; i++) {
        char kind[16];
        snprintf(kind, sizeof kind, "%-10s", names_get(&audit_kind_names, f[i].kind));
        format_styled(&out, cli->colour_out, STYLE_BAD, kind);
        format_safe(&out, f[i].text);
        buf_add_str(&out, "\n");
    }
    if (a->findings_total > a->findings.count)
        buf_addf(&out, "and %" PRIu64 " more\n", a->findings_total - a->findings.count);
    put_count(&out, a->records);
    buf_addf(&out, " records of cell '%s'", a->cell);
    if (a->records > 0)
        buf_addf(&out, ", seq %" PRIu64 " to %" PRIu64, a->first, a->last);
    buf_addf(&out, ", chain %s, head %.16s\n", a->findings_total == 0 ? "intact" : "broken", chain);
    put_heads(a, &out);
    if (upto > 0)
        buf_addf(&out, "compared with the copy up to seq %" PRIu64 "\n", upto);
    if (a->torn_bytes > 0)
        buf_addf(&out, "%" PRIu64 " bytes behind the last record are none: being written, or what a crash left\n",
                 a->torn_bytes);
    fputs(buf_text(&out), stdout);
    buf_fini(&out);
}

/* ---- finding everything ---- */
/* TAIL beside the journal's folder. */
static const char *beside(const char *folder, const char *tail, char out[PATH_BYTES])
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    while (len > 0 && folder[len - 1] != '/')
        len--;
    snprintf(out, PATH_BYTES, "%.*s%s", (int)len, folder, tail);
    return out;
}

static int keys_read(struct audit *a, const struct audit_options *o, struct err *err)
{
    char path[PATH_BYTES];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->keys.count; i++)
        rc = sign_public_read(o->keys.v[i], a->keys[a->keys_count++], err);
    if (o->keys.count > 0)
        return rc;
    rc = sign_public_read(beside(a->folder, "journal.pub", path), a->keys[0], err);
    a->keys_count = rc == 0 ? 1 : 0;
    return rc == -ENOENT ? 0 : rc;
}

static int heads_read(struct audit *a, const struct audit_options *o, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/heads", a->folder);
    int rc = audit_heads_add(a, path, false, err);
    rc = rc == -ENOENT ? 0 : rc;
    for (size_t i = 0; rc == 0 && i < o->heads.count; i++)
        rc = audit_heads_add(a, o->heads.v[i], true, err);
    return rc;
}

static int verify(struct cli *cli, const struct audit_options *o, const char *folder)
{
    char own[PATH_BYTES], archive[PATH_BYTES];
    struct audit a = {.folder = folder, .archive = o->archive};
    struct err err = {0};
    uint64_t upto = 0;
    if (folder == NULL) {
        const char *dir = cli->dir != NULL ? cli->dir : getenv("REEVE_DIR");
        snprintf(own, sizeof own, "%s/scheduler/journal", dir != NULL ? dir : CLI_DIR_DEFAULT);
        a.folder = own;
    }
    if (a.archive == NULL)
        a.archive = beside(a.folder, "archive", archive);
    int rc = keys_read(&a, o, &err);
    if (rc == 0)
        rc = heads_read(&a, o, &err);
    if (rc == 0)
        rc = audit_read(&a, &err);
    if (rc == 0 && o->against != NULL)
        rc = audit_against(&a, o->against, &upto, &err);
    if (rc == 0) {
        struct buf chain = {0};
        hex_put(&chain, a.chain, sizeof a.chain);
        if (cli->json)
            print_json(&a, buf_text(&chain));
        else
            print_text(cli, &a, buf_text(&chain), upto);
        buf_fini(&chain);
    }
    int code = rc < 0 ? cli_failed(cli, &err) : a.findings_total == 0 ? CLI_DONE : CLI_REFUSED;
    audit_fini(&a);
    return code;
}

static int head(struct cli *cli)
{
    struct head_reply reply = {0};
    int code = cli_call(cli, CALL_HEAD, NULL, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&head_reply_fields, &reply);
    else if (code == CLI_DONE)
        printf("%s\n", reply.line);
    fields_clear(&head_reply_fields, &reply);
    return code;
}

int cmd_audit(struct cli *cli, int argc, char **argv)
{
    struct audit_options o = {0};
    struct words words = {0};
    if (cli_options(cli, &audit_options, &o, argc, argv, &words, 1, 2) < 0)
        return CLI_USAGE;
    const char *verb = words.v[0], *folder = words.count > 1 ? words.v[1] : NULL;
    int code;
    if (strcmp(verb, "verify") == 0)
        code = verify(cli, &o, folder);
    else if (strcmp(verb, "head") == 0 && folder == NULL)
        code = head(cli);
    else
        code = cli_none_of(cli, &words, "verify [FOLDER], head");
    free(words.v);
    return code;
}

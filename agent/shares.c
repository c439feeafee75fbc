#include "agent/shares.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "base/io/yaml.h"
#include "base/parse.h"

#define PERCENT_PPM 10000u

static const struct field file_rows[] = {
    FIELD_ROW(shares_file, 1, "tenants", FIELD_LIST, tenants, .of = &io_share_fields, .flags = FIELD_KEYED,
              .max = FAIR_TENANTS_MAX / 2, .help = "by their paths"),
};
const struct fields shares_fields = FIELDS_TABLE("shares", shares_file, file_rows);

struct shares {
    struct fair *fair;
    struct share_tree file;    /* what the operator says */
    struct shares_file told; /* what the policy says of those who were here */
    uint64_t term, version;
};

static struct disk_share share_of(const struct io_rule *r)
{
    return (struct disk_share){.weight = r->weight > 0 ? r->weight : IO_WEIGHT_DEFAULT,
                               .reserved_ppm = r->reserved_percent * PERCENT_PPM,
                               .limits = {.ppm = r->limit_percent * PERCENT_PPM,
                                          .bytes_per_s = r->bytes_per_s,
                                          .ops_per_s = r->ops_per_s}};
}

/* ---- both hands together ---- */

/* Those that the file doesn't name. */
static size_t gather_told(const struct shares *s, struct share_given *out)
{
    const struct io_share *v = s->told.tenants.v;
    size_t count = 0;
    for (size_t i = 0; i < s->told.tenants.count; i++)
        if (!share_tree_has(&s->file, v[i].tenant))
            out[count++] = (struct share_given){v[i].tenant, share_of(&v[i].is)};
    return count;
}

static int reserved_by(const struct share_given *rows, size_t count, uint64_t *ret_ppm)
{
    struct share_tree tree = {0};
    int rc = share_tree_set(&tree, rows, count);
    *ret_ppm = share_tree_reserved_ppm(&tree);
    share_tree_fini(&tree);
    return rc;
}

/* What the policy reserves inside of what the file does takes nothing from anybody: counted as if it did, it is cut
 * somewhat more than it need be. */
static int make_room(const struct shares *s, struct share_given *all, size_t told, size_t count)
{
    uint64_t reserved, by_policy, room = ARBITER_RESERVED_MAX_PPM - share_tree_reserved_ppm(&s->file);
    int rc = reserved_by(all, count, &reserved);
    rc = rc < 0 ? rc : reserved_by(all, told, &by_policy);
    if (rc < 0 || reserved <= ARBITER_RESERVED_MAX_PPM)
        return rc;
    for (size_t i = 0; i < told; i++)
        all[i].share.reserved_ppm = (uint32_t)(all[i].share.reserved_ppm * room / by_policy);
    log_line(LOG_WARN, "shares.reserved_too_much", "policy_percent=%" PRIu64 " left_percent=%" PRIu64 " note=%s",
             by_policy / PERCENT_PPM, room / PERCENT_PPM,
             log_quote("the rest is reserved in " SHARES_PATH "; each has less in proportion"));
    return 0;
}

static int put_together(struct shares *s)
{
    struct share_given *all = calloc(s->told.tenants.count + s->file.count + 1, sizeof *all);
    if (all == NULL)
        return -ENOMEM;
    size_t told = gather_told(s, all);
    size_t count = told + share_tree_rows(&s->file, all + told);
    int rc = make_room(s, all, told, count);
    rc = rc < 0 ? rc : fair_shares(s->fair, all, count);
    free(all);
    return rc;
}

/* ---- the file ---- */

static int check_names(const struct shares_file *file, struct err *err)
{
    const struct io_share *v = file->tenants.v;
    for (size_t i = 0; i < file->tenants.count; i++)
        if (parse_tenant_path(v[i].tenant, err) < 0)
            return err_wrap(err, -EINVAL, SHARES_PATH ": tenants");
    return 0;
}

static int check_reserved(const struct share_tree *file, struct err *err)
{
    uint64_t reserved = share_tree_reserved_ppm(file);
    if (reserved > ARBITER_RESERVED_MAX_PPM)
        return err_set(err, -EINVAL,
                       SHARES_PATH ": %" PRIu64 " %% are reserved together; at most %u, so that nobody starves",
                       reserved / PERCENT_PPM, IO_RESERVED_MAX);
    return 0;
}

static int keep(struct shares *s, const struct shares_file *file)
{
    const struct io_share *v = file->tenants.v;
    size_t count = file->tenants.count;
    struct share_given *all = calloc(count + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < count; i++)
        all[i] = (struct share_given){v[i].tenant, share_of(&v[i].is)};
    int rc = all == NULL ? -ENOMEM : share_tree_set(&s->file, all, count);
    free(all);
    return rc;
}

static int load(struct shares *s, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct shares_file file = {0};
    int rc = file_read(SHARES_PATH, YAML_FILE_MAX, &text, err);
    if (rc == -ENOENT)
        return 0;
    rc = rc < 0 ? rc : yaml_read(&shares_fields, SHARES_PATH, buf_text(&text), text.len, &file, err);
    if (rc < 0)
        return rc;
    rc = check_names(&file, err);
    if (rc == 0) {
        rc = keep(s, &file);
        rc = rc < 0 ? err_set(err, rc, SHARES_PATH ": %s", strerror(-rc)) : check_reserved(&s->file, err);
    }
    if (rc == 0) {
        rc = put_together(s);
        rc = rc < 0 ? err_set(err, rc, SHARES_PATH ": %s", strerror(-rc)) : 0;
    }
    fields_clear(&shares_fields, &file);
    return rc;
}

int shares_new(struct shares **ret, struct fair *f, struct err *err)
{
    struct shares *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    s->fair = f;
    int rc = load(s, err);
    if (rc < 0) {
        shares_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void shares_free(struct shares *s)
{
    if (s == NULL)
        return;
    fields_clear(&shares_fields, &s->told);
    share_tree_fini(&s->file);
    free(s);
}

/* ---- the policy ---- */

static bool is_due(const struct shares *s, const struct shares_call *call)
{
    if (call->term != s->term)
        return call->term > s->term && call->whole;
    return call->whole ? call->version >= s->version : call->version == s->version;
}

static struct io_share *find(const struct shares *s, const char *tenant)
{
    struct io_share *v = s->told.tenants.v;
    for (size_t i = 0; i < s->told.tenants.count; i++)
        if (strcmp(v[i].tenant, tenant) == 0)
            return &v[i];
    return NULL;
}

static int take_one(struct shares *s, const struct io_share *row, bool *changed)
{
    struct io_share *known = find(s, row->tenant), copy = {0};
    if (known != NULL && fields_equal(&io_share_fields, known, row))
        return 0;
    *changed = true;
    if (known != NULL) {
        known->is = row->is;
        return 0;
    }
    int rc = fields_copy(&io_share_fields, row, &copy);
    struct io_share *at = rc < 0 || s->told.tenants.count >= SHARES_CALL_MAX
                              ? NULL : list_add(&s->told.tenants, sizeof copy);
    if (at == NULL) {
        fields_clear(&io_share_fields, &copy);
        return -ENOMEM;
    }
    *at = copy;
    return 0;
}

static int take_more(struct shares *s, const struct list *rows, bool *changed)
{
    const struct io_share *v = rows->v;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->count; i++)
        rc = take_one(s, &v[i], changed);
    return rc;
}

static int take_whole(struct shares *s, const struct list *rows, bool *changed)
{
    const struct shares_file now = {*rows};
    bool first = s->term == 0; /* what an agent before this one made of it isn't known */
    *changed = first || !fields_equal(&shares_fields, &s->told, &now);
    if (!*changed)
        return 0;
    fields_clear(&shares_fields, &s->told);
    return fields_copy(&shares_fields, &now, &s->told);
}

bool shares_told(struct shares *s, const struct shares_call *call)
{
    bool changed = false;
    if (!is_due(s, call))
        return false;
    int rc = call->whole ? take_whole(s, &call->tenants, &changed) : take_more(s, &call->tenants, &changed);
    rc = rc == 0 && changed ? put_together(s) : rc;
    s->term = rc < 0 ? 0 : call->term; /* then all of it is taken again with the next hello */
    s->version = call->version;
    if (rc < 0)
        log_line(LOG_WARN, "shares.not_taken", "version=%" PRIu64 " error=%s", call->version, log_quote(strerror(-rc)));
    else if (changed)
        log_line(LOG_INFO, "shares.taken", "version=%" PRIu64 " tenants=%zu file_tenants=%zu", call->version,
                 s->told.tenants.count, s->file.count);
    return changed && rc == 0;
}

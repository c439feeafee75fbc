#include "scheduler/core/policy_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* One thing a rule says, as text; empty = it says nothing about it. */
struct aspect {
    const char *name;
    void (*write)(const struct tenant_rule *rule, struct buf *out);
};

static void add_counts(const struct counts *counts, struct buf *out)
{
    for (size_t i = 0; i < counts->count; i++)
        buf_addf(out, "%s%s %" PRIu64, i > 0 ? " " : "", counts->v[i].name, counts->v[i].value);
}

static void add_strs(const struct strs *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++)
        buf_addf(out, "%s%s", i > 0 ? " " : "", s->v[i]);
}

static void write_cpu(const struct tenant_rule *r, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    if (r->quota.max.cpu_milli != 0)
        buf_add_str(out, format_cpu(r->quota.max.cpu_milli, text));
}

static void write_size(uint64_t bytes, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    if (bytes != 0)
        buf_add_str(out, format_size(bytes, text));
}

static void write_memory(const struct tenant_rule *r, struct buf *out)
{
    write_size(r->quota.max.mem_bytes, out);
}

static void write_scratch(const struct tenant_rule *r, struct buf *out)
{
    write_size(r->quota.max.scratch_bytes, out);
}

static void write_generic(const struct tenant_rule *r, struct buf *out)
{
    add_counts(&r->quota.max.generic, out);
}

static void write_number(uint64_t value, struct buf *out)
{
    if (value != 0)
        buf_addf(out, "%" PRIu64, value);
}

static void write_running(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->quota.max_running, out);
}

static void write_queued(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->quota.max_queued, out);
}

/* "cpu 4 memory 16Gi gpu 2" */
static void write_amounts(struct resource_bounds b, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    const char *between = "";
    if (is_measured(b.cpu_milli)) {
        buf_addf(out, "cpu %s", format_cpu(measured(b.cpu_milli), text));
        between = " ";
    }
    if (is_measured(b.mem_bytes)) {
        buf_addf(out, "%smemory %s", between, format_size(measured(b.mem_bytes), text));
        between = " ";
    }
    if (is_measured(b.scratch_bytes)) {
        buf_addf(out, "%sscratch %s", between, format_size(measured(b.scratch_bytes), text));
        between = " ";
    }
    if (b.generic.count > 0)
        buf_add_str(out, between);
    add_counts(&b.generic, out);
}

static struct measure unless_0(uint64_t amount)
{
    return amount != 0 ? measure_of(amount) : (struct measure){0};
}

static void write_guaranteed(const struct tenant_rule *r, struct buf *out)
{
    const struct resources *g = &r->quota.guaranteed;
    write_amounts((struct resource_bounds){unless_0(g->cpu_milli), unless_0(g->mem_bytes),
                                           unless_0(g->scratch_bytes), g->generic}, out);
}

static void write_borrow(const struct tenant_rule *r, struct buf *out)
{
    write_amounts(r->quota.borrow, out);
}

static void write_lend(const struct tenant_rule *r, struct buf *out)
{
    write_amounts(r->quota.lend, out);
}

static void write_submits(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->quota.submits_per_minute, out);
}

static void write_starts(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->quota.starts_per_minute, out);
}

static void write_budget(const struct tenant_rule *r, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    if (r->budget.present)
        buf_add_str(out, format_money(r->budget.limit_micros, text));
}

static void write_period(const struct tenant_rule *r, struct buf *out)
{
    if (r->budget.present)
        buf_add_str(out, names_get(&period_kind_names, r->budget.period));
}

static void budget_days(const struct budget_rule *b, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    if (b->from_utc_us != 0)
        buf_addf(out, "%s%.10s", out->len > 0 ? " " : "", format_time(b->from_utc_us, text));
    if (b->to_utc_us != 0)
        buf_addf(out, "..%.10s", format_time(b->to_utc_us, text));
    if (b->every_days != 0)
        buf_addf(out, "+%ud", b->every_days);
}

static void budget_carry(const struct budget_rule *b, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    if (b->carry != CARRY_NONE)
        buf_addf(out, "%s%s%s", names_get(&carry_kind_names, b->carry), b->carry == CARRY_CAPPED ? " " : "",
                 b->carry == CARRY_CAPPED ? format_money(b->carry_max_micros, text) : "");
}

static void budget_thresholds(const struct budget_rule *b, struct buf *out)
{
    const struct threshold_rule *t = b->thresholds.v;
    for (size_t i = 0; i < b->thresholds.count; i++)
        buf_addf(out, "%s%u%% %s", i > 0 ? " " : "", t[i].percent, names_get(&threshold_of_names, t[i].of));
}

static void write_window(const struct tenant_rule *r, struct buf *out)
{
    budget_days(&r->budget, out);
}

static void write_zone(const struct tenant_rule *r, struct buf *out)
{
    buf_add_str(out, r->budget.zone != NULL ? r->budget.zone : "");
}

static void write_carry(const struct tenant_rule *r, struct buf *out)
{
    budget_carry(&r->budget, out);
}

static void write_soft(const struct tenant_rule *r, struct buf *out)
{
    if (r->budget.soft)
        buf_add_str(out, "yes");
}

static void write_thresholds(const struct tenant_rule *r, struct buf *out)
{
    budget_thresholds(&r->budget, out);
}

/* Each further budget in one bracket. */
static void write_budgets(const struct tenant_rule *r, struct buf *out)
{
    char text[PARSE_TEXT_MAX];
    const struct budget_rule *b = r->budgets.v;
    for (size_t i = 0; i < r->budgets.count; i++, b++) {
        struct buf carry = {0}, thresholds = {0};
        budget_carry(b, &carry);
        budget_thresholds(b, &thresholds);
        buf_addf(out, "%s(%s %s %s%s", i > 0 ? " " : "", b->name, b->resource != NULL ? b->resource : "money",
                 format_money(b->limit_micros, text), b->soft ? " soft" : "");
        buf_addf(out, " %s", names_get(&period_kind_names, b->period));
        budget_days(b, out);
        buf_addf(out, "%s%s%s%s%s%s)", b->zone != NULL ? " " : "", b->zone != NULL ? b->zone : "",
                 carry.len > 0 ? " carry " : "", buf_text(&carry), thresholds.len > 0 ? " " : "",
                 buf_text(&thresholds));
        buf_fini(&carry);
        buf_fini(&thresholds);
    }
}

static void write_users(const struct tenant_rule *r, struct buf *out)
{
    add_strs(&r->users, out);
}

static void write_network(const struct tenant_rule *r, struct buf *out)
{
    if (r->network_host)
        buf_add_str(out, "yes");
}

static void write_devices(const struct tenant_rule *r, struct buf *out)
{
    add_strs(&r->devices, out);
}

static void write_seccomp(const struct tenant_rule *r, struct buf *out)
{
    add_strs(&r->seccomp, out);
}

static void write_private(const struct tenant_rule *r, struct buf *out)
{
    if (r->network_private)
        buf_add_str(out, "yes");
}

static void write_volumes(const struct tenant_rule *r, struct buf *out)
{
    for (size_t i = 0; i < r->volumes.count; i++)
        buf_addf(out, "%s%s %s", i > 0 ? " " : "", r->volumes.v[i].key, r->volumes.v[i].value);
}

static void write_paid_end(const struct tenant_rule *r, struct buf *out)
{
    if (r->paid_end != PAID_END_STOP)
        buf_add_str(out, names_get(&paid_end_names, r->paid_end));
}

static void write_weight(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->weight, out);
}

static void write_weights(const struct tenant_rule *r, struct buf *out)
{
    for (size_t i = 0; i < r->weights.count; i++)
        buf_addf(out, "%s%s %" PRIu64, i > 0 ? ", " : "", r->weights.v[i].name, r->weights.v[i].value);
}

static void write_io_weight(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->io.weight, out);
}

static void write_percent(uint32_t percent, struct buf *out)
{
    if (percent != 0)
        buf_addf(out, "%u%%", percent);
}

static void write_io_reserved(const struct tenant_rule *r, struct buf *out)
{
    write_percent(r->io.reserved_percent, out);
}

static void write_io_limit(const struct tenant_rule *r, struct buf *out)
{
    write_percent(r->io.limit_percent, out);
}

static void write_io_bytes(const struct tenant_rule *r, struct buf *out)
{
    write_size(r->io.bytes_per_s, out);
}

static void write_io_ops(const struct tenant_rule *r, struct buf *out)
{
    write_number(r->io.ops_per_s, out);
}

static const struct aspect aspects[] = {
    {"quota.cpu", write_cpu},
    {"quota.memory", write_memory},
    {"quota.scratch", write_scratch},
    {"quota.generic", write_generic},
    {"quota.max_running", write_running},
    {"quota.max_queued", write_queued},
    {"quota.guaranteed", write_guaranteed},
    {"quota.borrow", write_borrow},
    {"quota.lend", write_lend},
    {"quota.submits_per_minute", write_submits},
    {"quota.starts_per_minute", write_starts},
    {"budget.limit", write_budget},
    {"budget.period", write_period},
    {"budget.window", write_window},
    {"budget.zone", write_zone},
    {"budget.carry", write_carry},
    {"budget.soft", write_soft},
    {"budget.thresholds", write_thresholds},
    {"budgets", write_budgets},
    {"users", write_users},
    {"network_host", write_network},
    {"devices", write_devices},
    {"seccomp", write_seccomp},
    {"volumes", write_volumes},
    {"network_private", write_private},
    {"weight", write_weight},
    {"weights", write_weights},
    {"at_paid_end", write_paid_end},
    {"io.weight", write_io_weight},
    {"io.reserved_percent", write_io_reserved},
    {"io.limit_percent", write_io_limit},
    {"io.bytes_per_s", write_io_bytes},
    {"io.ops_per_s", write_io_ops},
};

static void add_line(struct strs *lines, struct buf *line)
{
    int rc = strs_add(lines, buf_text(line));
    BUG(rc < 0);
    buf_fini(line);
}

void lines_added(struct strs *lines, const struct tenant_rule *rule)
{
    struct buf line = {0};
    bool first = true;
    buf_addf(&line, "+ %s", rule->path);
    for (size_t i = 0; i < COUNT_OF(aspects); i++) {
        struct buf text = {0};
        aspects[i].write(rule, &text);
        if (text.len > 0) {
            buf_addf(&line, "%s%s %s", first ? "  " : ", ", aspects[i].name, buf_text(&text));
            first = false;
        }
        buf_fini(&text);
    }
    add_line(lines, &line);
}

void lines_removed(struct strs *lines, const char *path)
{
    struct buf line = {0};
    buf_addf(&line, "- %s", path);
    add_line(lines, &line);
}

void lines_text(struct strs *lines, const char *what, const char *before, const char *after)
{
    struct buf line = {0};
    buf_addf(&line, "~ %s  %s -> %s", what, before[0] != '\0' ? before : "none",
             after[0] != '\0' ? after : "none");
    add_line(lines, &line);
}

void lines_changed(struct strs *lines, const struct tenant_rule *before, const struct tenant_rule *after)
{
    for (size_t i = 0; i < COUNT_OF(aspects); i++) {
        struct buf old = {0}, new = {0}, what = {0};
        aspects[i].write(before, &old);
        aspects[i].write(after, &new);
        buf_addf(&what, "%s  %s", after->path, aspects[i].name);
        if (strcmp(buf_text(&old), buf_text(&new)) != 0)
            lines_text(lines, buf_text(&what), buf_text(&old), buf_text(&new));
        buf_fini(&old);
        buf_fini(&new);
        buf_fini(&what);
    }
}

void lines_list(struct strs *lines, const char *what, const struct strs *before, const struct strs *after)
{
    struct buf old = {0}, new = {0};
    add_strs(before, &old);
    add_strs(after, &new);
    lines_text(lines, what, buf_text(&old), buf_text(&new));
    buf_fini(&old);
    buf_fini(&new);
}

static const struct price_version *version_from(const struct list *l, int64_t from_utc_us)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct price_version *v = &((const struct price_version *)l->v)[i];
        if (v->from_utc_us == from_utc_us)
            return v;
    }
    return NULL;
}

static void moneys_text(const struct counts *moneys, const char *after, struct buf *out)
{
    char money[PARSE_TEXT_MAX];
    for (size_t i = 0; i < moneys->count; i++)
        buf_addf(out, "%s%s %s%s", i > 0 ? ", " : "", moneys->v[i].name,
                 format_money((int64_t)moneys->v[i].value, money), after);
}

/* "cpu 0.04, memory 0.005, io 0.002 a GiB" */
static void prices_text(const struct counts *per_hour, const struct counts *per_gib, struct buf *out)
{
    moneys_text(per_hour, "", out);
    if (per_hour->count > 0 && per_gib->count > 0)
        buf_add_str(out, ", ");
    moneys_text(per_gib, " a GiB", out);
}

/* "cpu 0.04, memory 0.005; class big: cpu 0.08; discounts: acme 12.50%; preemptible 40%; cpu by use; io allowance 1Gi"
 */
static void price_text(const struct price_version *v, struct buf *out)
{
    if (v == NULL)
        return;
    char size[PARSE_TEXT_MAX];
    prices_text(&v->per_hour, &v->per_gib, out);
    for (size_t i = 0; i < v->classes.count; i++) {
        const struct price_class *class = &((const struct price_class *)v->classes.v)[i];
        buf_addf(out, "; class %s: ", class->name);
        prices_text(&class->per_hour, &class->per_gib, out);
    }
    if (v->discounts.count > 0) {
        buf_add_str(out, "; discounts: ");
        moneys_text(&v->discounts, "%", out);
    }
    if (v->preemptible_percent != 0)
        buf_addf(out, "; preemptible %" PRIu32 "%%", v->preemptible_percent);
    for (size_t i = 0; i < v->by.count; i++)
        buf_addf(out, "; %s by %s", v->by.v[i].key, v->by.v[i].value);
    if (v->io_allowance != 0)
        buf_addf(out, "; io allowance %s", format_size(v->io_allowance, size));
}

static void price_line(struct strs *lines, const struct price_version *old, const struct price_version *new)
{
    char when[PARSE_TEXT_MAX];
    struct buf before = {0}, after = {0}, line = {0};
    price_text(old, &before);
    price_text(new, &after);
    format_time(new != NULL ? new->from_utc_us : old->from_utc_us, when);
    if (old == NULL)
        buf_addf(&line, "+ prices from %s  %s", when, buf_text(&after));
    else if (new == NULL)
        buf_addf(&line, "- prices from %s", when);
    else if (strcmp(buf_text(&before), buf_text(&after)) != 0)
        buf_addf(&line, "~ prices from %s  %s -> %s", when, buf_text(&before), buf_text(&after));
    if (line.len > 0)
        add_line(lines, &line);
    buf_fini(&line);
    buf_fini(&before);
    buf_fini(&after);
}

void lines_prices(struct strs *lines, const struct list *before, const struct list *after)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct price_version *v = &((const struct price_version *)before->v)[i];
        price_line(lines, v, version_from(after, v->from_utc_us));
    }
    for (size_t i = 0; i < after->count; i++) {
        const struct price_version *v = &((const struct price_version *)after->v)[i];
        if (version_from(before, v->from_utc_us) == NULL)
            price_line(lines, NULL, v);
    }
}

#include "policies/admit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "base/parse.h"

static bool is_bytes(const char *resource)
{
    return strcmp(resource, "memory") == 0 || strcmp(resource, "scratch") == 0;
}

const char *admit_amount(const char *resource, uint64_t amount, char out[48])
{
    _Static_assert(PARSE_TEXT_MAX <= 48, "an amount is as long as any other number");
    if (strcmp(resource, "cpu") == 0)
        return format_cpu(amount, out);
    if (is_bytes(resource))
        return format_size(amount, out);
    snprintf(out, 48, "%" PRIu64, amount);
    return out;
}

/* One resource as a node must have it: memory and scratch share the node's memory. */
struct demand {
    const char *resource, *where;
    uint64_t need;
    uint64_t beside; /* of the same pool, asked for under another name */
};

static uint64_t has(const struct resources *r, const char *resource)
{
    if (strcmp(resource, "cpu") == 0)
        return r->cpu_milli;
    if (strcmp(resource, "memory") == 0)
        return r->mem_bytes;
    return counts_get(&r->generic, resource);
}

static bool node_has(const struct resources *need, const struct resources *node)
{
    if (need->cpu_milli > node->cpu_milli || need->mem_bytes + need->scratch_bytes > node->mem_bytes)
        return false;
    for (size_t i = 0; i < need->generic.count; i++)
        if (need->generic.v[i].value > counts_get(&node->generic, need->generic.v[i].name))
            return false;
    return true;
}

/* Does the largest node have enough of this one resource? Fills *ret when not. */
static bool largest_has(struct demand d, const struct admit_node *nodes, size_t count, struct admit_answer *ret)
{
    uint64_t most = 0;
    const char *name = nodes[0].name;
    for (size_t i = 0; i < count; i++) {
        uint64_t here = has(nodes[i].capacity, d.resource);
        if (here > most) {
            most = here;
            name = nodes[i].name;
        }
    }
    if (d.need + d.beside <= most)
        return true;
    char need[48], have[48], limit[48], beside[48];
    admit_amount(d.resource, d.need + d.beside, need);
    admit_amount(d.resource, most, have);
    snprintf(ret->where, sizeof ret->where, "%s", d.where);
    if (most == 0) {
        snprintf(ret->message, sizeof ret->message, "needs %s %s on one node, no node has any", need,
                 d.resource);
        ret->hint[0] = '\0';
        return false;
    }
    int n = snprintf(ret->message, sizeof ret->message, "needs %s %s on one node", need, d.resource);
    if (d.beside > 0 && n > 0 && (size_t)n < sizeof ret->message)
        n += snprintf(ret->message + n, sizeof ret->message - (size_t)n, " (%s of it scratch)",
                      admit_amount(d.resource, d.beside, beside));
    if (n > 0 && (size_t)n < sizeof ret->message)
        snprintf(ret->message + n, sizeof ret->message - (size_t)n, ", the largest node has %s (%s)", have,
                 name);
    ret->hint[0] = '\0';
    if (most > d.beside)
        snprintf(ret->hint, sizeof ret->hint, "%s <= %s", d.where,
                 admit_amount(d.resource, most - d.beside, limit));
    else
        snprintf(ret->hint, sizeof ret->hint, "resources.memory + resources.scratch <= %s", have);
    return false;
}

bool admit_by_nodes(const struct resources *need, const struct admit_node *nodes, size_t count,
                    struct admit_answer *ret)
{
    if (count == 0)
        return true; /* nothing is known about the nodes to come */
    for (size_t i = 0; i < count; i++)
        if (node_has(need, nodes[i].capacity))
            return true;
    struct demand d = {"cpu", "resources.cpu", need->cpu_milli, 0};
    if (!largest_has(d, nodes, count, ret))
        return false;
    d = (struct demand){"memory", "resources.memory", need->mem_bytes, need->scratch_bytes};
    if (!largest_has(d, nodes, count, ret))
        return false;
    for (size_t i = 0; i < need->generic.count; i++) {
        char where[ADMIT_TEXT_MAX];
        snprintf(where, sizeof where, "resources.generic.%s", need->generic.v[i].name);
        d = (struct demand){need->generic.v[i].name, where, need->generic.v[i].value, 0};
        if (!largest_has(d, nodes, count, ret))
            return false;
    }
    char cpu[48], mem[48];
    snprintf(ret->where, sizeof ret->where, "resources");
    snprintf(ret->message, sizeof ret->message, "no node has %s cpu and %s memory%s together",
             admit_amount("cpu", need->cpu_milli, cpu),
             admit_amount("memory", need->mem_bytes + need->scratch_bytes, mem),
             need->generic.count > 0 ? " and the generic resources" : "");
    ret->hint[0] = '\0';
    return false;
}

static bool has_word(const struct strs *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->v[i], word) == 0)
            return true;
    return false;
}

static size_t lacks(const struct strs *need, const struct strs *have)
{
    size_t count = 0;
    for (size_t i = 0; i < need->count; i++)
        count += !has_word(have, need->v[i]);
    return count;
}

/* Appends as far as there is room. */
static void append(char text[ADMIT_TEXT_MAX], const char *before, const char *word)
{
    size_t len = strlen(text);
    snprintf(text + len, ADMIT_TEXT_MAX - len, "%s%s", before, word);
}

/* What no node has at all, or, where each has some, everything that is asked for. */
static void name_features(const struct strs *need, const struct admit_node *nodes, size_t count,
                          struct admit_answer *ret)
{
    size_t named = 0;
    char key[FEATURE_NAME_MAX + sizeof "limits."];
    for (int all = 0; all < 2 && named == 0; all++)
        for (size_t i = 0; i < need->count; i++) {
            bool any = all != 0;
            for (size_t k = 0; k < count && !any; k++)
                any = has_word(nodes[k].features, need->v[i]);
            if (any && all == 0)
                continue;
            if (named++ == 0)
                snprintf(ret->where, sizeof ret->where, "%s", feature_key(need->v[i], key));
            append(ret->message, named == 1 ? "" : " and ", need->v[i]);
        }
}

#define LACKING_NODES_MAX 3 /* nodes that are named */

bool admit_by_features(const struct strs *need, const struct admit_node *nodes, size_t count, struct admit_answer *ret)
{
    if (count == 0 || need->count == 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (lacks(need, nodes[i].features) == 0)
            return true;
    *ret = (struct admit_answer){.message = "no node can enforce "};
    name_features(need, nodes, count, ret);
    for (size_t i = 0; i < MIN(count, (size_t)LACKING_NODES_MAX); i++) {
        append(ret->message, "; ", nodes[i].name);
        const char *before = " lacks: ";
        for (size_t k = 0; k < need->count; k++) {
            if (has_word(nodes[i].features, need->v[k]))
                continue;
            append(ret->message, before, need->v[k]);
            before = ", ";
        }
    }
    if (count > LACKING_NODES_MAX)
        append(ret->message, "; ", "and others");
    snprintf(ret->hint, sizeof ret->hint, "without %.200s", ret->where);
    return false;
}

bool admit_by_where(const struct where *w, struct admit_node *nodes, size_t *count, struct admit_answer *ret)
{
    size_t kept = 0, nearest = 0;
    unsigned fewest = UINT_MAX;
    struct buf lacks = {.max = WHERE_TEXT_MAX};
    if (w == NULL || *count == 0)
        return true;
    for (size_t i = 0; i < *count; i++) {
        struct buf text = {.max = WHERE_TEXT_MAX};
        unsigned here = where_lacks(w, nodes[i].name, nodes[i].labels, &text);
        if (here == 0)
            nodes[kept++] = nodes[i];
        if (here < fewest) {
            struct buf swap = lacks;
            lacks = text;
            text = swap;
            fewest = here;
            nearest = i;
        }
        buf_fini(&text);
    }
    *ret = (struct admit_answer){.where = "where"};
    snprintf(ret->message, sizeof ret->message,
             "no node matches where; %.63s comes nearest, where this doesn't hold: %s", nodes[nearest].name,
             buf_text(&lacks));
    snprintf(ret->hint, sizeof ret->hint, "where without %.200s", buf_text(&lacks));
    buf_fini(&lacks);
    *count = kept;
    return kept > 0;
}

static bool quota_has(const char *resource, uint64_t need, uint64_t max, const char *path,
                      struct admit_answer *ret)
{
    if (max == 0 || need <= max)
        return true;
    char need_text[48], max_text[48];
    bool fixed = strcmp(resource, "cpu") == 0 || is_bytes(resource);
    admit_amount(resource, max, max_text);
    snprintf(ret->where, sizeof ret->where, "%s", path);
    snprintf(ret->message, sizeof ret->message, "needs %s %s, %s may use at most %s at once",
             admit_amount(resource, need, need_text), resource, path, max_text);
    snprintf(ret->hint, sizeof ret->hint, "resources.%s%s <= %s", fixed ? "" : "generic.", resource, max_text);
    return false;
}

bool admit_by_quota(const struct resources *need, const struct tenant_rule *rule, struct admit_answer *ret)
{
    const struct resources *max = &rule->quota.max;
    if (!quota_has("cpu", need->cpu_milli, max->cpu_milli, rule->path, ret) ||
        !quota_has("memory", need->mem_bytes, max->mem_bytes, rule->path, ret) ||
        !quota_has("scratch", need->scratch_bytes, max->scratch_bytes, rule->path, ret))
        return false;
    for (size_t i = 0; i < need->generic.count; i++) {
        const struct count *c = &need->generic.v[i];
        if (!quota_has(c->name, c->value, counts_get(&max->generic, c->name), rule->path, ret))
            return false;
    }
    return true;
}

bool admit_by_budget(int64_t hold_micros, const struct tenant_rule *rule, struct admit_answer *ret)
{
    if (!rule->budget.present || hold_micros <= rule->budget.limit_micros)
        return true;
    char need[PARSE_TEXT_MAX], limit[PARSE_TEXT_MAX];
    snprintf(ret->where, sizeof ret->where, "%s", rule->path);
    snprintf(ret->message, sizeof ret->message, "its first hold is %s, the whole budget of %s is %s per %s",
             format_money(hold_micros, need), rule->path, format_money(rule->budget.limit_micros, limit),
             rule->budget.period == PERIOD_TOTAL ? "lifetime"
                                                 : names_get(&period_kind_names, rule->budget.period));
    snprintf(ret->hint, sizeof ret->hint,
             "a shorter time_limit, less resources, or a budget of the job itself below %s", limit);
    return false;
}

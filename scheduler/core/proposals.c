/*
 * Raises that wait for a second person: proposed, approved, dropped. What is approved is asked again as if it had been
 * applied now: the same checks, against the policy as it is; only against the version it was made for.
 */
#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"

/* ---- records ---------------------------------------------------------------------------------------- */

static struct fact *proposal_at(const struct core *c, size_t i)
{
    return &((struct fact *)c->proposals.v)[i];
}

static size_t proposal_index(const struct core *c, uint64_t number)
{
    size_t i = 0;
    while (i < c->proposals.count && proposal_at(c, i)->policy_proposed.proposal != number)
        i++;
    return i;
}

static const struct fact_policy_proposed *proposal_find(const struct core *c, uint64_t number)
{
    size_t i = proposal_index(c, number);
    return i < c->proposals.count ? &proposal_at(c, i)->policy_proposed : NULL;
}

static void proposal_remove(struct core *c, uint64_t number)
{
    size_t i = proposal_index(c, number);
    BUG(i == c->proposals.count);
    fact_clear(proposal_at(c, i));
    memmove(proposal_at(c, i), proposal_at(c, i + 1), (c->proposals.count - i - 1) * sizeof(struct fact));
    c->proposals.count--;
}

void proposals_fini(struct core *c)
{
    for (size_t i = 0; i < c->proposals.count; i++)
        fact_clear(proposal_at(c, i));
    free(c->proposals.v);
}

uint64_t proposals_hash(const struct core *c, uint64_t hash)
{
    hash = hash_u64(hash, c->next_proposal);
    for (size_t i = 0; i < c->proposals.count; i++)
        hash = hash_fields(hash, fact_fields(FACT_POLICY_PROPOSED), &proposal_at(c, i)->policy_proposed);
    return hash;
}

int proposals_snapshot(const struct core *c, int (*fn)(void *arg, const struct fact *fact), void *arg)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->proposals.count; i++) {
        struct fact f = *proposal_at(c, i); /* borrows */
        f.at_utc_us = c->fact_utc_us;
        rc = fn(arg, &f);
    }
    return rc;
}

static bool is_stale(const struct core *c, const struct fact_policy_proposed *p)
{
    return p->change.version != c->policy_version + 1;
}

/* ---- facts ------------------------------------------------------------------------------------------ */

static int proposed_check(const struct core *c, const struct fact *f, struct err *err)
{
    uint64_t number = f->policy_proposed.proposal;
    if (number == 0 || proposal_find(c, number) != NULL || c->proposals.count >= PROPOSALS_MAX)
        return err_set(err, -EPROTO, "policy.proposed: %llu can't be a new proposal's number",
                       (unsigned long long)number);
    return 0;
}

static void proposed_apply(struct core *c, const struct fact *f)
{
    struct fact *copy = list_add(&c->proposals, sizeof *copy);
    BUG(copy == NULL);
    int rc = fact_copy(f, copy);
    BUG(rc < 0);
    c->next_proposal = MAX(c->next_proposal, f->policy_proposed.proposal + 1);
}
const struct fact_rule rule_policy_proposed = {proposed_check, proposed_apply};

static int dropped_check(const struct core *c, const struct fact *f, struct err *err)
{
    uint64_t number = f->policy_dropped.proposal;
    if (proposal_find(c, number) == NULL)
        return err_set(err, -EPROTO, "policy.dropped: there is no proposal %llu", (unsigned long long)number);
    return 0;
}

static void dropped_apply(struct core *c, const struct fact *f)
{
    proposal_remove(c, f->policy_dropped.proposal);
}
const struct fact_rule rule_policy_dropped = {dropped_check, dropped_apply};

int proposals_policy_check(const struct core *c, const struct policy_change *change, struct err *err)
{
    if (change->proposal == 0)
        return 0;
    const struct fact_policy_proposed *p = proposal_find(c, change->proposal);
    if (p == NULL || p->change.version != change->version || change->approved_by == NULL)
        return err_set(err, -EPROTO, "policy.set: version %llu is not what proposal %llu would make",
                       (unsigned long long)change->version, (unsigned long long)change->proposal);
    return 0;
}

void proposals_policy_apply(struct core *c, const struct policy_change *change)
{
    if (change->proposal != 0)
        proposal_remove(c, change->proposal);
}

/* ---- proposing -------------------------------------------------------------------------------------- */

/* The same change again, whoever asks, is the proposal that waits already. */
static uint64_t proposed_already(const struct core *c, const struct fact *f)
{
    for (size_t i = 0; i < c->proposals.count; i++) {
        const struct fact_policy_proposed *p = &proposal_at(c, i)->policy_proposed;
        struct policy_change same = f->policy_proposed.change; /* borrows */
        same.who = p->change.who;
        if (p->past_prices == f->policy_proposed.past_prices &&
            fields_equal(&policy_change_fields, &p->change, &same))
            return p->proposal;
    }
    return 0;
}

int propose_policy(struct core *c, struct fact *f, const struct apply_reply *reply, uint32_t uid, bool past_prices,
                   uint64_t *ret_proposal, struct refusal *refusal)
{
    struct fact p = {.kind = FACT_POLICY_PROPOSED, .at_utc_us = f->at_utc_us};
    p.policy_proposed = (struct fact_policy_proposed){.proposal = c->next_proposal,
                                                      .change = f->policy,
                                                      .uid = uid,
                                                      .past_prices = past_prices,
                                                      .proposed_utc_us = f->at_utc_us};
    f->kind = FACT_NONE; /* the change is the proposal's now */
    *ret_proposal = proposed_already(c, &p);
    bool full = *ret_proposal == 0 && c->proposals.count >= PROPOSALS_MAX;
    if (full)
        refusal_from(refusal, "state", "proposals", "approve or drop some: reeve admin proposals",
                     "%d proposals wait already", PROPOSALS_MAX);
    if (*ret_proposal != 0 || full) {
        fact_clear(&p);
        return full ? CORE_REFUSED : CORE_FACT;
    }
    core_copy_strs(&reply->changes, &p.policy_proposed.lines);
    core_copy_strs(&reply->raises, &p.policy_proposed.raises);
    *ret_proposal = p.policy_proposed.proposal;
    *f = p;
    return CORE_FACT;
}

/* ---- approving and dropping ------------------------------------------------------------------------- */

static const struct fact_policy_proposed *known(const struct core *c, uint64_t number, struct refusal *refusal)
{
    const struct fact_policy_proposed *p = proposal_find(c, number);
    if (p == NULL)
        refusal_from(refusal, "not_found", "proposal", "see which do: reeve admin proposals",
                     "no proposal %llu waits: it was approved or dropped, or there never was one",
                     (unsigned long long)number);
    return p;
}

static bool may_approve(const struct core *c, const struct fact_policy_proposed *p, const char *who, uint32_t uid,
                        struct refusal *refusal)
{
    unsigned long long number = (unsigned long long)p->proposal;
    if (p->uid == uid || (p->change.who != NULL && strcmp(p->change.who, who) == 0))
        refusal_from(refusal, "two_persons", "proposal", "another admin has to approve it",
                     "proposal %llu is your own", number);
    else if (!core_user_is_admin(c, who, uid)) /* the scheduler's own user is nobody in particular */
        refusal_from(refusal, "forbidden", "proposal", NULL, "'%s' is not one of the policy's admins", who);
    else if (is_stale(c, p))
        refusal_from(refusal, "stale_version", "proposal", "drop it, and have it proposed again",
                     "proposal %llu was made against version %llu of the policy, which has version %llu now", number,
                     (unsigned long long)p->change.version - 1, (unsigned long long)c->policy_version);
    else
        return true;
    return false;
}

static void put_rule(struct list *tenants, const struct tenant_rule *rule)
{
    struct tenant_rule *v = tenants->v, *to = NULL;
    for (size_t i = 0; i < tenants->count; i++)
        if (strcmp(v[i].path, rule->path) == 0)
            to = &v[i];
    if (to != NULL)
        fields_clear(&tenant_rule_fields, to);
    else
        to = list_add(tenants, sizeof *to);
    BUG(to == NULL);
    int rc = fields_copy(&tenant_rule_fields, rule, to);
    BUG(rc < 0);
}

static void take_rule(struct list *tenants, const char *path)
{
    struct tenant_rule *v = tenants->v;
    for (size_t i = 0; i < tenants->count; i++) {
        if (strcmp(v[i].path, path) != 0)
            continue;
        fields_clear(&tenant_rule_fields, &v[i]);
        memmove(&v[i], &v[i + 1], (tenants->count - i - 1) * sizeof *v);
        tenants->count--;
        return;
    }
}

static void put_prices(struct list *to, const struct list *from)
{
    for (size_t i = 0; i < to->count; i++)
        fields_clear(&price_version_fields, &((struct price_version *)to->v)[i]);
    free(to->v);
    *to = (struct list){0};
    for (size_t i = 0; i < from->count; i++) {
        struct price_version *v = list_add(to, sizeof *v);
        BUG(v == NULL);
        int rc = fields_copy(&price_version_fields, &((const struct price_version *)from->v)[i], v);
        BUG(rc < 0);
    }
}

/* The policy as it would be. */
static void policy_with(const struct core *c, const struct policy_change *change, struct policy_file *ret)
{
    struct policy_reply now;
    int rc = core_policy(c, &now);
    BUG(rc < 0);
    *ret = now.policy;
    for (size_t i = 0; i < change->removed.count; i++)
        take_rule(&ret->tenants, change->removed.v[i]);
    for (size_t i = 0; i < change->tenants.count; i++)
        put_rule(&ret->tenants, &((const struct tenant_rule *)change->tenants.v)[i]);
    if (change->set_prices)
        put_prices(&ret->prices, &change->prices);
    if (change->set_admins) {
        core_clear_strs(&ret->admins);
        core_copy_strs(&change->admins, &ret->admins);
    }
    if (change->currency != NULL) {
        free(ret->currency);
        ret->currency = core_text(change->currency);
    }
    if (change->set_billing) {
        fields_clear(&billing_rule_fields, &ret->billing);
        rc = fields_copy(&billing_rule_fields, &change->billing, &ret->billing);
        BUG(rc < 0);
    }
    if (change->set_order)
        ret->order = change->order;
    if (change->set_two_persons)
        ret->two_persons = change->two_persons;
}

int core_check_approve(struct core *c, const struct approve_call *call, const char *who, uint32_t uid,
                       struct core_now now, struct fact *ret, struct apply_reply *reply, struct refusal *refusal)
{
    *ret = (struct fact){0};
    *reply = (struct apply_reply){0};
    if (c->policy_in_flight > 0 || c->plans_in_flight > 0)
        return CORE_LATER;
    const struct fact_policy_proposed *p = known(c, call->proposal, refusal);
    if (p == NULL || !may_approve(c, p, who, uid, refusal))
        return CORE_REFUSED;
    struct policy_file file;
    policy_with(c, &p->change, &file);
    core_offer_zones(c, &p->change.zones); /* as they were when it was proposed */
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = core_utc(c, now)};
    int answer = policy_difference(c, &file, p->past_prices, &f, &reply->changes, refusal);
    fields_clear(&policy_file_fields, &file);
    if (answer != CORE_FACT) {
        fact_clear(&f);
        fields_clear(&apply_reply_fields, reply);
        return answer;
    }
    f.policy.version = reply->version = c->policy_version + 1;
    f.policy.who = core_text(p->change.who);
    f.policy.approved_by = core_text(who);
    f.policy.proposal = p->proposal;
    *ret = f;
    flight_begin(c, ret);
    return CORE_FACT;
}

int core_check_drop(struct core *c, const struct drop_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct refusal *refusal)
{
    *ret = (struct fact){0};
    if (c->policy_in_flight > 0)
        return CORE_LATER;
    if (known(c, call->proposal, refusal) == NULL)
        return CORE_REFUSED;
    *ret = (struct fact){.kind = FACT_POLICY_DROPPED, .at_utc_us = core_utc(c, now)};
    ret->policy_dropped =
        (struct fact_policy_dropped){call->proposal, core_text(who), core_text(call->reason)};
    flight_begin(c, ret);
    return CORE_FACT;
}

/* ---- for people ------------------------------------------------------------------------------------- */

int core_proposals(const struct core *c, struct proposals_reply *ret)
{
    *ret = (struct proposals_reply){.version = c->policy_version};
    for (size_t i = 0; i < c->proposals.count; i++) {
        const struct fact_policy_proposed *p = &proposal_at(c, i)->policy_proposed;
        struct proposal_row *row = list_add(&ret->proposals, sizeof *row);
        if (row == NULL) {
            fields_clear(&proposals_reply_fields, ret);
            return -ENOMEM;
        }
        *row = (struct proposal_row){.proposal = p->proposal,
                                     .who = core_text(p->change.who),
                                     .proposed_utc_us = p->proposed_utc_us,
                                     .version = p->change.version - 1,
                                     .stale = is_stale(c, p)};
        core_copy_strs(&p->lines, &row->changes);
        core_copy_strs(&p->raises, &row->raises);
    }
    return 0;
}

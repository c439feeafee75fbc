#include "scheduler/core/quarantine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policies/retry.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/reserve.h"

#define FAULTS_MAX 16 /* jobs of which it is known */

struct faults {
    struct fault {
        uint64_t job;
        struct tenant *tenant; /* compared only: it may be gone */
        int64_t first_utc_us, at_utc_us; /* the first and the last time */
        bool ran;              /* it had begun to run here */
        bool proven;           /* it has begun to run elsewhere since */
    } v[FAULTS_MAX];           /* oldest first */
    size_t count;
};

/* ---- what went wrong ------------------------------------------------------------------------------- */

static bool counts(uint32_t cause)
{
    return cause == END_LAUNCH_FAILED || cause == END_KEEPER_LOST;
}

static void drop(struct faults *k, size_t at)
{
    k->count--;
    memmove(&k->v[at], &k->v[at + 1], (k->count - at) * sizeof k->v[0]);
}

static struct fault *of_job(const struct node *n, uint64_t job)
{
    for (size_t i = 0; n->faults != NULL && i < n->faults->count; i++)
        if (n->faults->v[i].job == job)
            return &n->faults->v[i];
    return NULL;
}

static void forget_job(const struct node *n, uint64_t job)
{
    struct fault *k = of_job(n, job);
    if (k != NULL)
        drop(n->faults, (size_t)(k - n->faults->v));
}

static void forget_old(struct faults *k, int64_t utc_us)
{
    while (k->count > 0 && k->v[0].at_utc_us < utc_us - QUARANTINE_WINDOW_US)
        drop(k, 0);
}

static void add(struct node *n, const struct task *t, bool ran, int64_t at_utc_us)
{
    if (n->faults == NULL)
        n->faults = core_alloc(sizeof *n->faults);
    const struct fault *before = of_job(n, t->job->id);
    int64_t first_utc_us = before != NULL ? before->first_utc_us : at_utc_us;
    forget_job(n, t->job->id);
    if (n->faults->count == FAULTS_MAX)
        drop(n->faults, 0);
    n->faults->v[n->faults->count++] =
        (struct fault){t->job->id, t->job->shape->tenant, first_utc_us, at_utc_us, ran, false};
}

/* Something went well: what can still be held against it? */
static void forgive(const struct node *n, bool all)
{
    for (size_t i = n->faults != NULL ? n->faults->count : 0; i-- > 0;)
        if (all || !n->faults->v[i].ran)
            drop(n->faults, i);
}

static void look_soon(struct core *c, struct node *n)
{
    if (n->suspect)
        return;
    core_stir(c);
    n->suspect = true;
    n->suspect_next = c->suspects;
    c->suspects = n;
}

void quarantine_note_running(struct core *c, const struct task *t)
{
    struct node *failed = t->avoid;
    struct fault *k = failed != NULL && failed != t->node ? of_job(failed, t->job->id) : NULL;
    forgive(t->node, false);
    if (t->node->quarantined)
        t->node->well = true;
    if (k != NULL) {
        k->proven = true;
        look_soon(c, failed);
    }
    if (t->node->quarantined)
        look_soon(c, t->node);
}

void quarantine_note_end(struct core *c, const struct task *t, struct node *n, uint32_t cause, int64_t at_utc_us)
{
    if (!retry_is_node_fault(cause)) {
        forgive(n, true);
        return;
    }
    if (!counts(cause))
        return;
    bool ran = t->started_utc_us != 0;
    if (t->avoid != NULL && t->avoid != n) {
        forget_job(t->avoid, t->job->id); /* it failed there, too: it is its own fault */
        forget_job(n, t->job->id);
    } else {
        add(n, t, ran, at_utc_us);
    }
    n->failed |= n->quarantined && n->probing;
    look_soon(c, n);
}

void quarantine_free(struct node *n)
{
    free(n->faults);
    free(n->quarantine_reason);
}

/* ---- is it out -------------------------------------------------------------------------------------- */

bool quarantine_keeps_out(const struct node *n)
{
    return n->going_out || (n->quarantined && (!n->probing || n->probes > 0));
}

void quarantine_probe(struct core *c, struct node *n, bool more)
{
    if (!n->quarantined)
        return;
    n->probes += more ? 1 : (n->probes > 0 ? UINT32_MAX : 0);
    node_reindex(c, n);
}

void quarantine_set(struct core *c, struct node *n, const struct fact_quarantined *q)
{
    c->nodes_quarantined += (uint64_t)q->quarantined - (uint64_t)n->quarantined;
    c->quarantines_total += q->quarantined;
    n->quarantined = q->quarantined;
    n->quarantine_level = q->level;
    n->quarantine_until_utc_us = q->until_utc_us;
    free(n->quarantine_reason);
    n->quarantine_reason = core_text(q->reason);
    n->probing = n->well = n->failed = n->going_out = false;
    n->probes = 0;
    forgive(n, true);
    if (n->quarantined)
        look_soon(c, n);
    node_refresh(c, n);
    reserve_node_changed(c, n);
}

void quarantine_refused(struct core *c, struct node *n)
{
    n->going_out = false;
    node_refresh(c, n);
    look_soon(c, n);
}

static int quarantined_check(const struct core *c, const struct fact *f, struct err *err)
{
    if (node_find(c, f->quarantined.node) == NULL)
        return err_set(err, -EPROTO, "node.quarantined: no node '%s'",
                       f->quarantined.node != NULL ? f->quarantined.node : "");
    return 0;
}

static void quarantined_apply(struct core *c, const struct fact *f)
{
    quarantine_set(c, node_find(c, f->quarantined.node), &f->quarantined);
}
const struct fact_rule rule_quarantined = {quarantined_check, quarantined_apply};

/* ---- what is to be said ----------------------------------------------------------------------------- */

static bool is_counted(const struct fault *k, bool proven, int64_t since_utc_us)
{
    return proven ? k->proven : k->first_utc_us <= since_utc_us;
}

/* Those that others have run, or that nobody else has failed since then: how many, and of how many tenants. */
static size_t count_jobs(const struct faults *k, bool proven, int64_t since_utc_us, size_t *ret_tenants)
{
    size_t jobs = 0;
    *ret_tenants = 0;
    for (size_t i = 0; i < k->count; i++) {
        size_t before = 0;
        if (!is_counted(&k->v[i], proven, since_utc_us))
            continue;
        while (before < i &&
               (k->v[before].tenant != k->v[i].tenant || !is_counted(&k->v[before], proven, since_utc_us)))
            before++;
        *ret_tenants += before == i;
        jobs++;
    }
    return jobs;
}

static char *verdict(const struct node *n, int64_t utc_us)
{
    size_t tenants, others;
    if (n->faults == NULL)
        return NULL;
    size_t proven = count_jobs(n->faults, true, utc_us, &tenants);
    size_t likely = count_jobs(n->faults, false, utc_us - QUARANTINE_DOUBT_US, &others);
    if ((proven >= QUARANTINE_PROVEN && tenants >= 2) || proven >= QUARANTINE_PROVEN * 2)
        return text_of("%zu jobs failed here and run elsewhere", proven);
    if (likely >= QUARANTINE_LIKELY && others >= QUARANTINE_TENANTS)
        return text_of("%zu jobs of %zu tenants failed here and nowhere else", likely, others);
    return NULL;
}

static bool may_go(const struct core *c, const struct node *n)
{
    size_t usable = 0, known = 0;
    for (size_t i = 0; i < c->nodes_count; i++) {
        known += !c->nodes[i]->lost;
        usable += c->nodes[i] != n && node_is_usable(c->nodes[i]);
    }
    return usable > 0 && c->nodes_quarantined < MAX(known / 4, 1);
}

static int64_t pause_us(uint32_t level)
{
    int64_t us = QUARANTINE_FIRST_US;
    for (uint32_t i = 1; i < level && us < QUARANTINE_MAX_US; i++)
        us *= 2;
    return MIN(us, QUARANTINE_MAX_US);
}

void quarantine_fact(const struct node *n, bool out, const char *who, int64_t utc_us, struct fact *ret)
{
    *ret = (struct fact){.kind = FACT_NODE_QUARANTINED, .at_utc_us = utc_us};
    ret->quarantined = (struct fact_quarantined){
        .node = core_text(n->name),
        .quarantined = out,
        .level = out ? n->quarantine_level + 1 : 0,
        .who = core_text(who)};
}

static void put_out(struct core *c, struct plan *p, struct node *n, char *reason)
{
    struct fact *f = plan_add(p, FACT_NODE_QUARANTINED);
    quarantine_fact(n, true, "reeved", p->now.utc_us, f);
    f->quarantined.until_utc_us = p->now.utc_us + pause_us(f->quarantined.level);
    f->quarantined.reason = reason;
    flight_begin(c, f);
    n->going_out = true; /* nothing is placed there beside it */
    node_refresh(c, n);
}

/* It may be tried, was, or has to wait. */
static void look_at_quarantined(struct core *c, struct plan *p, struct node *n)
{
    if (n->well) {
        struct fact *f = plan_add(p, FACT_NODE_QUARANTINED);
        quarantine_fact(n, false, "reeved", p->now.utc_us, f);
        flight_begin(c, f);
    } else if (n->failed) {
        put_out(c, p, n, text_of("tried again, and it failed again; %.300s",
                                 n->quarantine_reason != NULL ? n->quarantine_reason : ""));
    } else if (!n->probing && n->quarantine_until_utc_us <= p->now.utc_us) {
        n->probing = true;
        node_refresh(c, n);
        reserve_node_changed(c, n);
    } else if (!n->probing) {
        plan_wake_at(p, n->quarantine_until_utc_us);
    }
}

/* true: look again. */
static bool look_at(struct core *c, struct plan *p, struct node *n)
{
    if (n->in_flight || p->count == p->max)
        return true;
    if (n->quarantined) {
        look_at_quarantined(c, p, n);
        return true;
    }
    if (n->faults != NULL)
        forget_old(n->faults, p->now.utc_us);
    char *reason = verdict(n, p->now.utc_us);
    bool goes = reason != NULL && may_go(c, n);
    if (goes)
        put_out(c, p, n, reason);
    else
        free(reason);
    bool many = !goes && n->faults != NULL && n->faults->count >= QUARANTINE_LIKELY;
    if (many)
        plan_wake_at(p, p->now.utc_us + QUARANTINE_DOUBT_US / 6);
    return many; /* until they are old enough, or too old */
}

void decide_quarantine(struct core *c, struct plan *p)
{
    struct node *n = c->suspects;
    c->suspects = NULL;
    for (struct node *next; n != NULL; n = next) {
        next = n->suspect_next;
        n->suspect = false;
        n->suspect_next = NULL;
        if (look_at(c, p, n))
            look_soon(c, n);
    }
}

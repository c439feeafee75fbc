/* Under two_persons a raise waits for a second admin. */
#include <check.h>
#include <errno.h>

#include "tests/run.h"
#include "scheduler/core/policy_raise.h"
#include "tests/scheduler/core/world.h"

#define ALICE "alice", 1001
#define BOB "bob", 1002
#define DAY (24 * HOUR)

static struct world w;
static struct apply_reply reply;

static struct policy_file base(void)
{
    struct policy_file p = {.two_persons = true};
    ck_assert_int_eq(str_set(&p.currency, "EUR"), 0);
    ck_assert_int_eq(strs_add(&p.admins, "alice"), 0);
    ck_assert_int_eq(strs_add(&p.admins, "uid:1002"), 0);
    world_price(&p, 0, 3600000, 100000);
    struct price_version *v = p.prices.v;
    ck_assert_int_eq(counts_set(&v->discounts, "acme", 10000000), 0);
    v->preemptible_percent = 50;
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = 8000;
    rule->quota.max_running = 10;
    ck_assert_int_eq(counts_set(&rule->quota.max.generic, "gpu", 4), 0);
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 400 * EUR, .period = PERIOD_MONTH};
    struct budget_rule *time = list_add(&rule->budgets, sizeof *time);
    *time = (struct budget_rule){.present = true, .limit_micros = 1000 * EUR, .period = PERIOD_MONTH};
    ck_assert_int_eq(str_set(&time->name, "cores"), 0);
    ck_assert_int_eq(str_set(&time->resource, "cpu"), 0);
    ck_assert_int_eq(strs_add(&rule->users, "carol"), 0);
    ck_assert_int_eq(strs_add(&rule->users, "dave"), 0);
    ck_assert_int_eq(pairs_set(&rule->volumes, "data", "rw"), 0);
    rule->network_private = true;
    rule->io = (struct io_rule){.reserved_percent = 20, .bytes_per_s = 10 << 20};
    (void)world_rule(&p, "acme/etl");
    return p;
}

/* Takes the policy. The number of the proposal, 0 = in force, -1 = refused. */
static int64_t apply(const char *who, uint32_t uid, struct policy_file *p)
{
    struct apply_call call = {.policy = *p};
    struct fact f;
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_policy(w.core, &call, who, uid, w.now, &f, &reply, &w.refusal);
    ck_assert_int_ne(rc, CORE_LATER);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    fields_clear(&policy_file_fields, p);
    return rc == CORE_FACT ? (int64_t)reply.proposal : -1;
}

static const char *approve(const char *who, uint32_t uid, int64_t proposal)
{
    struct approve_call call = {.proposal = (uint64_t)proposal};
    struct fact f;
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_approve(w.core, &call, who, uid, w.now, &f, &reply, &w.refusal);
    if (rc == CORE_FACT) {
        ck_assert_str_eq(f.policy.approved_by, who);
        ck_assert_uint_eq(f.policy.proposal, call.proposal);
        world_commit(&w, &f);
    }
    return rc == CORE_FACT ? "" : rc == CORE_LATER ? "later" : w.refusal.code;
}

static const char *drop(const char *who, int64_t proposal)
{
    struct drop_call call = {.proposal = (uint64_t)proposal};
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_drop(w.core, &call, who, w.now, &f, &w.refusal);
    if (rc == CORE_FACT)
        world_commit(&w, &f);
    return rc == CORE_FACT ? "" : rc == CORE_LATER ? "later" : w.refusal.code;
}

static struct policy_file policy(void)
{
    struct policy_reply r;
    ck_assert_int_eq(core_policy(w.core, &r), 0);
    return r.policy;
}

static int64_t limit_of_acme(void)
{
    struct policy_file p = policy();
    int64_t limit = ((struct tenant_rule *)p.tenants.v)[0].budget.limit_micros;
    fields_clear(&policy_file_fields, &p);
    return limit;
}

static struct policy_file with_limit(int64_t eur)
{
    struct policy_file p = policy();
    ((struct tenant_rule *)p.tenants.v)[0].budget.limit_micros = eur * EUR;
    return p;
}

static size_t waiting(void)
{
    struct proposals_reply r;
    ck_assert_int_eq(core_proposals(w.core, &r), 0);
    size_t count = r.proposals.count;
    fields_clear(&proposals_reply_fields, &r);
    return count;
}

static void begin(void)
{
    struct policy_file p = base();
    world_init(&w, NULL);
    ck_assert_int_eq(apply("root", 0, &p), 0); /* nothing was asked before this */
    fields_clear(&apply_reply_fields, &reply);
}

static void end(void)
{
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err_text(&err));
    fields_clear(&apply_reply_fields, &reply);
    world_fini(&w);
}

START_TEST(a_raise_waits_for_another_and_a_lowering_does_not)
{
    begin();
    struct policy_file p = with_limit(300);
    ck_assert_int_eq(apply(ALICE, &p), 0);
    ck_assert_int_eq(limit_of_acme(), 300 * EUR);
    p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    ck_assert_uint_eq(reply.version, 2); /* what is in force */
    ck_assert_uint_eq(reply.raises.count, 1);
    ck_assert_str_eq(reply.raises.v[0], "acme  budget.limit");
    ck_assert_str_eq(reply.changes.v[0], "~ acme  budget.limit  300.00 -> 500.00");
    ck_assert_int_eq(limit_of_acme(), 300 * EUR);
    ck_assert_str_eq(approve(BOB, 1), "");
    ck_assert_uint_eq(reply.version, 3);
    ck_assert_str_eq(reply.changes.v[0], "~ acme  budget.limit  300.00 -> 500.00");
    ck_assert_int_eq(limit_of_acme(), 500 * EUR);
    ck_assert_uint_eq(waiting(), 0);
    end();
}
END_TEST

START_TEST(nobody_approves_their_own)
{
    begin();
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    ck_assert_str_eq(approve(ALICE, 1), "two_persons");
    ck_assert_str_eq(approve("root", 1001, 1), "two_persons");  /* the same uid by another name */
    ck_assert_str_eq(approve("alice", 1003, 1), "two_persons"); /* the same name under another uid */
    p = with_limit(600);
    ck_assert_int_eq(apply("root", 0, &p), 2);
    ck_assert_str_eq(approve("root", 0, 2), "two_persons"); /* root is one person */
    ck_assert_str_eq(approve("reeve", 990, 1), "forbidden"); /* the scheduler's own user is no admin of the policy */
    ck_assert_str_eq(approve("carol", 1004, 1), "forbidden");
    ck_assert_int_eq(limit_of_acme(), 400 * EUR);
    ck_assert_str_eq(approve("root", 0, 1), "");
    ck_assert_int_eq(limit_of_acme(), 500 * EUR);
    end();
}
END_TEST

START_TEST(a_proposal_is_approved_once)
{
    begin();
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    ck_assert_str_eq(approve(BOB, 2), "not_found");
    ck_assert_str_eq(approve(BOB, 0), "not_found");
    ck_assert_str_eq(approve(BOB, 1), "");
    uint64_t hash = core_hash(w.core);
    ck_assert_str_eq(approve(BOB, 1), "not_found");
    ck_assert_str_eq(approve("root", 0, 1), "not_found");
    ck_assert_str_eq(drop("bob", 1), "not_found");
    ck_assert_uint_eq(core_hash(w.core), hash);
    end();
}
END_TEST

START_TEST(of_two_proposals_the_second_is_stale_once_the_first_is_in_force)
{
    begin();
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    p = with_limit(600);
    ck_assert_int_eq(apply(BOB, &p), 2);
    ck_assert_uint_eq(waiting(), 2);
    ck_assert_str_eq(approve(BOB, 1), "");
    ck_assert_str_eq(approve(ALICE, 2), "stale_version");
    ck_assert_str_eq(w.refusal.message,
                     "proposal 2 was made against version 1 of the policy, which has version 2 now");
    ck_assert_int_eq(limit_of_acme(), 500 * EUR);
    struct proposals_reply r;
    ck_assert_int_eq(core_proposals(w.core, &r), 0);
    const struct proposal_row *row = r.proposals.v;
    ck_assert_uint_eq(r.proposals.count, 1);
    ck_assert(row->stale);
    ck_assert_str_eq(row->who, "bob");
    ck_assert_uint_eq(row->version, 1);
    fields_clear(&proposals_reply_fields, &r);
    ck_assert_str_eq(drop("alice", 2), "");
    ck_assert_uint_eq(waiting(), 0);
    p = with_limit(700);
    ck_assert_int_eq(apply(ALICE, &p), 3); /* numbers are never used again */
    end();
}
END_TEST

START_TEST(the_same_again_is_the_same_proposal)
{
    begin();
    for (int i = 0; i < 3; i++) {
        struct policy_file p = with_limit(500);
        ck_assert_int_eq(apply(ALICE, &p), 1);
    }
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(BOB, &p), 1); /* that isn't an approval */
    ck_assert_int_eq(limit_of_acme(), 400 * EUR);
    ck_assert_str_eq(approve(BOB, 1), "");
    end();
}
END_TEST

START_TEST(proposals_are_bounded_and_what_is_dropped_makes_room)
{
    begin();
    for (int i = 0; i < PROPOSALS_MAX; i++) {
        struct policy_file p = with_limit(500 + i);
        ck_assert_int_eq(apply(ALICE, &p), i + 1);
    }
    struct policy_file p = with_limit(900);
    ck_assert_int_eq(apply(ALICE, &p), -1);
    ck_assert_str_eq(w.refusal.where, "proposals");
    ck_assert_str_eq(drop("alice", 7), "");
    p = with_limit(900);
    ck_assert_int_eq(apply(ALICE, &p), PROPOSALS_MAX + 1);
    p = with_limit(100); /* a lowering never waits */
    ck_assert_int_eq(apply(ALICE, &p), 0);
    end();
}
END_TEST

START_TEST(what_is_checked_at_an_apply_is_checked_again)
{
    begin();
    world_hello(&w, "n1", "b", 16, 64 * GIB);
    struct policy_file p = with_limit(500);
    struct tenant_rule *rules = p.tenants.v;
    fields_clear(&tenant_rule_fields, &rules[1]); /* acme/etl goes */
    p.tenants.count = 1;
    ck_assert_int_eq(apply(ALICE, &p), 1);
    uint64_t job = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    ck_assert_str_eq(approve(BOB, 1), "state"); /* it has work by now */
    ck_assert_uint_eq(waiting(), 1);
    (void)world_decide(&w);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_str_eq(approve(BOB, 1), "");
    end();
}
END_TEST

START_TEST(a_price_that_has_come_into_force_meanwhile_is_refused)
{
    begin();
    world_hello(&w, "n1", "b", 16, 64 * GIB);
    struct policy_file p = policy();
    world_price(&p, w.now.utc_us + HOUR, 3000000, 100000);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    uint64_t job = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    (void)world_decide(&w);
    world_pass(&w, 2 * HOUR);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_str_eq(approve(BOB, 1), "state");
    ck_assert_str_eq(w.refusal.where, "prices");
    end();
}
END_TEST

START_TEST(while_something_about_it_is_in_flight_who_asks_is_told_later)
{
    begin();
    struct policy_file p = with_limit(500);
    struct apply_call call = {.policy = p};
    struct fact f, other;
    fields_clear(&apply_reply_fields, &reply);
    ck_assert_int_eq(core_check_policy(w.core, &call, ALICE, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_int_eq(f.kind, FACT_POLICY_PROPOSED);
    struct apply_reply second;
    ck_assert_int_eq(core_check_policy(w.core, &call, BOB, w.now, &other, &second, &w.refusal), CORE_LATER);
    ck_assert_str_eq(approve(BOB, 1), "later");
    ck_assert_str_eq(drop("bob", 1), "later");
    core_refused(w.core, &f, "dropped", "", w.now);
    fact_clear(&f);
    ck_assert_str_eq(approve(BOB, 1), "not_found"); /* it never was */
    ck_assert_int_eq(apply(ALICE, &p), 1);
    end();
}
END_TEST

/* The same state from the journal, and from a snapshot. */
static int take(void *arg, const struct fact *fact)
{
    struct err err = {0};
    ck_assert_msg(core_apply_check(arg, fact, &err) == 0, "%s", err_text(&err));
    core_apply(arg, 0, fact);
    return 0;
}

START_TEST(proposals_survive_replay_and_snapshots)
{
    struct err err = {0};
    struct core *other;
    begin();
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    p = with_limit(600);
    ck_assert_int_eq(apply(ALICE, &p), 2);
    ck_assert_str_eq(drop("alice", 1), "");
    world_pass(&w, HOUR);
    ck_assert_int_eq(core_new(&other, &core_limits_default, &err), 0);
    ck_assert_int_eq(core_snapshot(w.core, take, other), 0);
    ck_assert_uint_eq(core_hash(other), core_hash(w.core));
    core_free(w.core);
    w.core = other; /* goes on there */
    ck_assert_str_eq(approve(ALICE, 2), "two_persons");
    ck_assert_str_eq(approve(BOB, 2), "");
    ck_assert_int_eq(limit_of_acme(), 600 * EUR);
    p = with_limit(700);
    ck_assert_int_eq(apply(ALICE, &p), 3);

    ck_assert_int_eq(core_new(&other, &core_limits_default, &err), 0);
    for (size_t i = 0; i < w.journal.count; i++) {
        const struct bytes *entry = &((struct bytes *)w.journal.v)[i];
        struct fact f;
        ck_assert_int_eq(fact_decode(entry->data, entry->len, &f, &err), 0);
        ck_assert_msg(core_apply_check(other, &f, &err) == 0, "%s", err_text(&err));
        core_apply(other, i + 1, &f);
        fact_clear(&f);
    }
    ck_assert_uint_eq(core_hash(other), core_hash(w.core));
    core_free(other);
    end();
}
END_TEST

START_TEST(a_journal_that_approves_what_was_not_proposed_is_damaged)
{
    begin();
    struct err err = {0};
    struct policy_file p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 1);
    struct fact f = {.kind = FACT_POLICY_SET};
    f.policy = (struct policy_change){
        .version = 2, .who = (char *)"alice", .proposal = 2, .approved_by = (char *)"bob"};
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), -EPROTO);
    f.policy.proposal = 1;
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), 0);
    f.policy.approved_by = NULL;
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), -EPROTO);
    f.policy.approved_by = (char *)"bob";
    f.policy.version = 3;
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), -EPROTO);
    struct fact dropped = {.kind = FACT_POLICY_DROPPED, .policy_dropped = {.proposal = 2}};
    ck_assert_int_eq(core_apply_check(w.core, &dropped, &err), -EPROTO);
    struct fact again = {.kind = FACT_POLICY_PROPOSED, .policy_proposed = {.proposal = 1}};
    ck_assert_int_eq(core_apply_check(w.core, &again, &err), -EPROTO);
    end();
}
END_TEST

START_TEST(two_persons_need_a_second_and_two_switch_it_off)
{
    begin();
    struct policy_file p = policy();
    p.two_persons = false;
    ck_assert_int_eq(apply(ALICE, &p), 1);
    ck_assert_str_eq(reply.raises.v[0], "two_persons");
    p = policy();
    free(p.admins.v[1]);
    p.admins.count = 1;
    free(p.admins.v[0]);
    p.admins.v[0] = strdup("uid:0");
    ck_assert_int_eq(apply(ALICE, &p), -1); /* then nobody could approve anything */
    ck_assert_str_eq(w.refusal.where, "two_persons");
    ck_assert_str_eq(approve(BOB, 1), "");
    p = with_limit(500);
    ck_assert_int_eq(apply(ALICE, &p), 0);
    ck_assert_int_eq(limit_of_acme(), 500 * EUR);
    end();
}
END_TEST

START_TEST(a_move_cannot_be_made_by_one)
{
    begin();
    struct move_call call = {.from = (char *)"acme/etl", .to = (char *)"etl", .dry_run = true};
    struct fact f;
    ck_assert_int_eq(core_check_move(w.core, &call, "alice", w.now, &f, &reply, &w.refusal), CORE_FACT);
    fields_clear(&apply_reply_fields, &reply);
    call.dry_run = false;
    ck_assert_int_eq(core_check_move(w.core, &call, "alice", w.now, &f, &reply, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "two_persons");
    end();
}
END_TEST

/* ---- what a raise is -------------------------------------------------------------------------------- */

static struct tenant_rule *acme(struct policy_file *p)
{
    return p->tenants.v;
}
static struct price_version *price(struct policy_file *p)
{
    return p->prices.v;
}
#define CHANGE(name, ...) \
    static void name(struct policy_file *p) { __VA_ARGS__; }
CHANGE(cpu_more, acme(p)->quota.max.cpu_milli = 9000)
CHANGE(cpu_unbound, acme(p)->quota.max.cpu_milli = 0)
CHANGE(cpu_less, acme(p)->quota.max.cpu_milli = 7000)
CHANGE(memory_bound, acme(p)->quota.max.mem_bytes = GIB)
CHANGE(running_more, acme(p)->quota.max_running = 11)
CHANGE(gpu_more, MUST(counts_set(&acme(p)->quota.max.generic, "gpu", 5) == 0))
CHANGE(gpu_none, MUST(counts_set(&acme(p)->quota.max.generic, "gpu", 0) == 0))
CHANGE(licence_bound, MUST(counts_set(&acme(p)->quota.max.generic, "licence", 5) == 0))
CHANGE(gpu_unbound, free(acme(p)->quota.max.generic.v[0].name); acme(p)->quota.max.generic.count = 0)
CHANGE(budget_more, acme(p)->budget.limit_micros++)
CHANGE(budget_less, acme(p)->budget.limit_micros--)
CHANGE(budget_gone, acme(p)->budget = (struct budget_rule){0})
CHANGE(budget_shorter, acme(p)->budget.period = PERIOD_DAY)
CHANGE(budget_new, acme(p)[1].budget = (struct budget_rule){.present = true, .limit_micros = EUR})
CHANGE(budget_soft, acme(p)->budget.soft = true)
CHANGE(budget_carries, acme(p)->budget.carry = CARRY_ALL)
CHANGE(budget_warns, struct threshold_rule *t = list_add(&acme(p)->budget.thresholds, sizeof *t); t->percent = 80)
CHANGE(budget_named, struct budget_rule *b = list_add(&acme(p)[1].budgets, sizeof *b); b->present = true;
       b->limit_micros = EUR; b->name = strdup("more"))
CHANGE(time_more, ((struct budget_rule *)acme(p)->budgets.v)->limit_micros++)
CHANGE(time_less, ((struct budget_rule *)acme(p)->budgets.v)->limit_micros--)
CHANGE(time_gone, fields_clear(&budget_rule_fields, acme(p)->budgets.v); acme(p)->budgets.count = 0)
CHANGE(user_more, MUST(strs_add(&acme(p)->users, "erin") == 0))
CHANGE(user_less, free(acme(p)->users.v[--acme(p)->users.count]))
CHANGE(user_other, free(acme(p)->users.v[0]); acme(p)->users.v[0] = strdup("erin"))
CHANGE(admin_more, MUST(strs_add(&p->admins, "erin") == 0))
CHANGE(admin_less, free(p->admins.v[--p->admins.count]))
CHANGE(host_on, acme(p)->network_host = true)
CHANGE(private_off, acme(p)->network_private = false)
CHANGE(weight_other, acme(p)->weight = 2)
CHANGE(device_more, MUST(strs_add(&acme(p)->devices, "fuse") == 0))
CHANGE(profile_more, MUST(strs_add(&acme(p)->seccomp, "trace") == 0))
CHANGE(volume_less, MUST(pairs_set(&acme(p)->volumes, "data", "ro") == 0))
CHANGE(volume_more, MUST(pairs_set(&acme(p)->volumes, "more", "ro") == 0))
CHANGE(tenant_more, (void)world_rule(p, "labs"))
CHANGE(tenant_less, fields_clear(&tenant_rule_fields, &acme(p)[1]); p->tenants.count = 1)
CHANGE(price_less, world_price(p, WORLD_START_UTC + DAY, 3599999, 100000); price(p)[1].preemptible_percent = 50)
CHANGE(price_more, world_price(p, WORLD_START_UTC + DAY, 3600001, 100000); price(p)[1].preemptible_percent = 50)
CHANGE(price_gone, world_price(p, WORLD_START_UTC + DAY, 3600000, 0); price(p)[1].preemptible_percent = 50)
CHANGE(discount_more, MUST(counts_set(&price(p)->discounts, "acme", 10000001) == 0))
CHANGE(discount_less, MUST(counts_set(&price(p)->discounts, "acme", 9999999) == 0))
CHANGE(discount_nearer, MUST(counts_set(&price(p)->discounts, "acme/etl", 20000000) == 0))
CHANGE(discount_withheld, MUST(counts_set(&price(p)->discounts, "acme/etl", 0) == 0))
CHANGE(preemptible_less, price(p)->preemptible_percent = 49)
CHANGE(preemptible_full, price(p)->preemptible_percent = 0)
CHANGE(by_use, MUST(pairs_set(&price(p)->by, "cpu", "use") == 0))
CHANGE(by_greater, MUST(pairs_set(&price(p)->by, "cpu", "greater") == 0))
CHANGE(class_less, struct price_class *c = list_add(&price(p)->classes, sizeof *c); c->name = strdup("old");
       MUST(counts_set(&c->per_hour, "cpu", 1) == 0))
CHANGE(class_more, struct price_class *c = list_add(&price(p)->classes, sizeof *c); c->name = strdup("new");
       MUST(counts_set(&c->per_hour, "cpu", 9000000) == 0))
CHANGE(io_priced, MUST(counts_set(&price(p)->per_gib, "io", 1000) == 0))
CHANGE(guarantee, acme(p)->quota.guaranteed.cpu_milli = 1000)
CHANGE(borrow_bound, acme(p)->quota.borrow.cpu_milli = measure_of(0))
CHANGE(rate_bound, acme(p)->quota.submits_per_minute = 10)
CHANGE(pause, acme(p)->paid_end = PAID_END_PAUSE)
CHANGE(io_weight, acme(p)->io.weight = 50)
CHANGE(io_reserved_more, acme(p)->io.reserved_percent = 21)
CHANGE(io_reserved_less, acme(p)->io.reserved_percent = 19)
CHANGE(io_reserved_none, acme(p)->io.reserved_percent = 0)
CHANGE(io_limit, acme(p)->io.limit_percent = 50)
CHANGE(io_bytes_more, acme(p)->io.bytes_per_s = 11 << 20)
CHANGE(io_bytes_less, acme(p)->io.bytes_per_s = 9 << 20)
CHANGE(io_bytes_unbound, acme(p)->io.bytes_per_s = 0)
CHANGE(up_and_down, acme(p)->quota.max.cpu_milli = 9000; acme(p)->quota.max_running = 1)

static const struct {
    const char *name;
    void (*change)(struct policy_file *p);
    const char *raise; /* NULL: none */
} raises[] = {
    {"more cores", cpu_more, "acme  quota.cpu"},
    {"no limit of cores any more", cpu_unbound, "acme  quota.cpu"},
    {"fewer cores", cpu_less, NULL},
    {"a limit where there was none", memory_bound, NULL},
    {"more at once", running_more, "acme  quota.max_running"},
    {"more gpus", gpu_more, "acme  quota.generic"},
    {"no gpus at all", gpu_none, NULL},
    {"a limit of another generic resource", licence_bound, NULL},
    {"gpus without limit", gpu_unbound, "acme  quota.generic"},
    {"a micro-unit more", budget_more, "acme  budget.limit"},
    {"a micro-unit less", budget_less, NULL},
    {"no budget any more", budget_gone, "acme  budget"},
    {"the same for a shorter time", budget_shorter, "acme  budget.period"},
    {"a budget where there was none", budget_new, NULL},
    {"a budget that only warns", budget_soft, "acme  budget.soft"},
    {"a budget that carries over", budget_carries, "acme  budget.carry"},
    {"a warning more", budget_warns, NULL},
    {"one more budget", budget_named, NULL},
    {"more of a resource's time", time_more, "acme  budgets.cores.limit"},
    {"less of it", time_less, NULL},
    {"as much of it as one likes", time_gone, "acme  budgets.cores"},
    {"a user more", user_more, "acme  users"},
    {"a user less", user_less, NULL},
    {"another user instead", user_other, "acme  users"},
    {"an admin more", admin_more, "admins"},
    {"an admin less", admin_less, NULL},
    {"the node's network", host_on, "acme  network_host"},
    {"no network any more", private_off, NULL},
    {"another weight", weight_other, "acme  weight"},
    {"a device", device_more, "acme  devices"},
    {"a profile", profile_more, "acme  seccomp"},
    {"a volume read only", volume_less, NULL},
    {"a volume more", volume_more, "acme  volumes"},
    {"a tenant more", tenant_more, "labs  new tenant"},
    {"a tenant less", tenant_less, NULL},
    {"a later price that is lower", price_less, "prices  cpu from 2026-11-25T00:00:00Z"},
    {"a later price that is higher, without the discount", price_more, NULL},
    {"a resource that becomes free", price_gone, "prices  memory from 2026-11-25T00:00:00Z"},
    {"a larger discount", discount_more, "prices  discount acme from 1970-01-01T00:00:00Z"},
    {"a smaller discount", discount_less, NULL},
    {"a larger one further down", discount_nearer, "prices  discount acme/etl from 1970-01-01T00:00:00Z"},
    {"a discount withheld further down", discount_withheld, NULL},
    {"cheaper when preemptible", preemptible_less, "prices  preemptible_percent from 1970-01-01T00:00:00Z"},
    {"not cheaper when preemptible", preemptible_full, NULL},
    {"charged by use", by_use, "prices  by cpu from 1970-01-01T00:00:00Z"},
    {"charged by what is greater", by_greater, NULL},
    {"a cheap class of nodes", class_less, "prices  cpu from 1970-01-01T00:00:00Z"},
    {"a dear class of nodes", class_more, NULL},
    {"a price of I/O", io_priced, NULL},
    {"a guarantee", guarantee, "acme  quota.guaranteed.cpu"},
    {"a limit of borrowing", borrow_bound, NULL},
    {"a limit of submits", rate_bound, NULL},
    {"a pause at the paid end", pause, "acme  at_paid_end"},
    {"another weight on disks", io_weight, "acme  io.weight"},
    {"more of a disk reserved", io_reserved_more, "acme  io.reserved_percent"},
    {"less of a disk reserved", io_reserved_less, NULL},
    {"nothing of a disk reserved any more", io_reserved_none, NULL},
    {"a limit on disks where there was none", io_limit, NULL},
    {"more bytes a second", io_bytes_more, "acme  io.bytes_per_s"},
    {"fewer bytes a second", io_bytes_less, NULL},
    {"bytes without limit", io_bytes_unbound, "acme  io.bytes_per_s"},
    {"more of one and less of another", up_and_down, "acme  quota.cpu"},
};

/* Does so much for a GiB, and so much on nodes of a class (0: as elsewhere), ask less than 1000 everywhere? */
static bool io_is_less(uint64_t price, uint64_t in_class)
{
    struct price_version before = {.version = 1}, after = {.version = 2};
    struct strs found = {0};
    MUST(counts_set(&before.per_gib, "io", 1000) == 0);
    MUST(price == 0 || counts_set(&after.per_gib, "io", price) == 0);
    struct price_class *class = list_add(&after.classes, sizeof *class);
    MUST(str_set(&class->name, "old") == 0);
    MUST(in_class == 0 || counts_set(&class->per_gib, "io", in_class) == 0);
    raises_prices(&(struct list){.v = &before, .count = 1}, &(struct list){.v = &after, .count = 1}, &found);
    bool less = found.count > 0;
    ck_assert(!less || strcmp(found.v[0], "prices  io from 1970-01-01T00:00:00Z") == 0);
    fields_clear(&price_version_fields, &before);
    fields_clear(&price_version_fields, &after);
    for (size_t i = 0; i < found.count; i++)
        free(found.v[i]);
    free(found.v);
    return less;
}

START_TEST(cheaper_io_is_a_raise)
{
    ck_assert(!io_is_less(1000, 0));
    ck_assert(!io_is_less(1001, 1000));
    ck_assert(io_is_less(999, 0));
    ck_assert(io_is_less(0, 0));
    ck_assert(io_is_less(1000, 999));
}
END_TEST

START_TEST(what_a_raise_is)
{
    begin();
    struct policy_file p = policy();
    raises[_i].change(&p);
    int64_t proposal = apply(ALICE, &p);
    ck_assert_msg(proposal == (raises[_i].raise != NULL), "%s: proposal %" PRId64 "%s%s", raises[_i].name, proposal,
                  proposal < 0 ? ": " : "", proposal < 0 ? w.refusal.message : "");
    if (raises[_i].raise != NULL) {
        ck_assert_uint_eq(reply.raises.count, 1);
        ck_assert_str_eq(reply.raises.v[0], raises[_i].raise);
        ck_assert_str_eq(approve(BOB, 1), "");
    }
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/proposals");
    TCase *t = tcase_create("proposals");
    tcase_add_test(t, a_raise_waits_for_another_and_a_lowering_does_not);
    tcase_add_test(t, nobody_approves_their_own);
    tcase_add_test(t, a_proposal_is_approved_once);
    tcase_add_test(t, of_two_proposals_the_second_is_stale_once_the_first_is_in_force);
    tcase_add_test(t, the_same_again_is_the_same_proposal);
    tcase_add_test(t, proposals_are_bounded_and_what_is_dropped_makes_room);
    tcase_add_test(t, what_is_checked_at_an_apply_is_checked_again);
    tcase_add_test(t, a_price_that_has_come_into_force_meanwhile_is_refused);
    tcase_add_test(t, while_something_about_it_is_in_flight_who_asks_is_told_later);
    tcase_add_test(t, proposals_survive_replay_and_snapshots);
    tcase_add_test(t, a_journal_that_approves_what_was_not_proposed_is_damaged);
    tcase_add_test(t, two_persons_need_a_second_and_two_switch_it_off);
    tcase_add_test(t, a_move_cannot_be_made_by_one);
    tcase_add_loop_test(t, what_a_raise_is, 0, COUNT_OF(raises));
    tcase_add_test(t, cheaper_io_is_a_raise);
    suite_add_tcase(s, t);
    return run_suite(s);
}

/* What lies in Redis: idempotency keys, a full memory, trim, wipe, seed. */
#include "tests/quotas/store/store_program.h"
#include "tests/run.h"

/* ---- keys, trim, wipe, seed ------------------------------------------------------------------------------------ */

static struct store_result write_fact(struct store_sync *s, uint64_t seq, const struct fact *fact)
{
    struct err err = {0};
    struct store_result result = {0};
    CLEANUP(buf_fini) struct buf bytes = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    fact_encode(fact, &bytes);
    struct store_entry e = {seq, (const uint8_t *)bytes.data, bytes.len, fact};
    struct store_head head = {s->prefix, "w", 1, 0, ""};
    size_t n;
    ck_assert_int_eq(store_call_build(&s->call, &head, &e, 1, &n), 0);
    ck_assert_msg(store_sync_call(s, &r, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_reply_results(r, &result, 1, &err) == 0, "%s", err_text(&err));
    return result;
}

/* Opens on both sides what a hold needs. */
static void open_for(struct store_sync *s, struct ledger *l, uint64_t *seq, const struct fact *hold)
{
    struct fact opening;
    while (ledger_opening_for(l, hold, &opening)) {
        if (s) {
            ck_assert_uint_eq(write_fact(s, (*seq)++, &opening).outcome, STORE_OK);
        }
        ledger_apply(l, &opening);
        fact_clear(&opening);
    }
}

static void both(struct store_sync *s, struct ledger *l, uint64_t seq, struct fact fact)
{
    struct store_result r = write_fact(s, seq, &fact);
    ck_assert_msg(r.outcome == STORE_OK, "%s %s", r.refusal, r.detail);
    ledger_apply(l, &fact);
    fact_clear(&fact);
}

START_TEST(an_idempotency_key_outlives_its_job_for_a_day)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct ledger *l = NULL;
    struct attempt_id id = {1, 0, 1};
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact policy = fact_policy(AT_NOVEMBER);
    fact_tenant(&policy, "acme")->quota.max_queued = 1;
    both(s, l, 1, policy);
    struct fact again = fact_submit(l, AT_NOVEMBER, 2, "acme", "k", 1, 0);
    struct fact other = fact_submit(l, AT_NOVEMBER, 3, "acme", "k", 2, 0);
    both(s, l, 2, fact_submit(l, AT_NOVEMBER, 1, "acme", "k", 1, 0));
    NUMBER_IS(s, "-1", "TTL", "reeve3:{test}:i:acme:k");
    /* found also when the queue is full by now */
    struct store_result result = write_fact(s, 3, &again);
    ck_assert_str_eq(result.refusal, "key_exists");
    ck_assert_str_eq(result.detail, "1");
    result = write_fact(s, 4, &other);
    ck_assert_str_eq(result.refusal, "key_conflict");
    ck_assert_str_eq(result.detail, "1");
    uint64_t seq = 5;
    struct fact hold = fact_place(l, AT_NOVEMBER, id, "acme", false, 5);
    open_for(s, l, &seq, &hold);
    both(s, l, seq++, hold);
    both(s, l, seq++, fact_end(AT_NOVEMBER, id, 5, NEXT_FINAL, true));
    NUMBER_IS(s, "86400", "TTL", "reeve3:{test}:i:acme:k");
    NUMBER_IS(s, "0", "HEXISTS", "reeve3:{test}:c", "k:1");
    ck_assert_str_eq(write_fact(s, seq++, &again).refusal, "key_exists");
    COMMAND(s, "DEL", "reeve3:{test}:i:acme:k"); /* expired */
    ck_assert_uint_eq(write_fact(s, seq++, &again).outcome, STORE_OK);
    fact_clear(&again);
    fact_clear(&other);
    ledger_free(l);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(memory_that_is_full_refuses_before_anything_is_written)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct program p = {0};
    program_start(&p, r.url);
    until_up(&p);
    COMMAND(s, "CONFIG", "SET", "maxmemory", "1");
    ck_assert_int_eq(commit_notes(&p, 1, 1, 4), 0);
    while (p.downs == 0) {
        ck_assert(program_run(&p, 5000));
    }
    ck_assert_msg(strstr(p.why, "OOM") != NULL, "%s", p.why);
    ck_assert_uint_eq(p.results[0].outcome, STORE_UNKNOWN);
    ck_assert_uint_eq(status_of(s).seq, 0);
    COMMAND(s, "CONFIG", "SET", "maxmemory", "0");
    until_up(&p);
    ck_assert_int_eq(commit_notes(&p, 1, 1, 4), 0);
    int batches = p.batches;
    while (p.batches == batches) {
        ck_assert(program_run(&p, 5000));
    }
    ck_assert_uint_eq(p.results[3].outcome, STORE_OK);
    program_stop(&p);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

START_TEST(a_wipe_takes_only_its_own_cell_and_a_trim_only_what_is_older)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r), *other = NULL;
    struct err err = {0};
    struct fact note = {.kind = FACT_ATTEMPT_RUNNING, .running = {.id = {1, 0, 1}}};
    ck_assert_int_eq(store_sync_open(&other, r.url, "tes", &err), 0);
    ck_assert_int_eq(store_take_term(other, "w", 1, &err), 0);
    for (uint64_t seq = 1; seq <= 300; seq++) {
        ck_assert_uint_eq(write_fact(s, seq, &note).outcome, STORE_OK);
        ck_assert_uint_eq(write_fact(other, seq, &note).outcome, STORE_OK);
    }
    COMMAND(s, "SET", "theirs", "1");
    ck_assert_int_eq(store_trim(s, 100, &err), 0);
    ck_assert_uint_eq(status_of(s).first_seq, 100);
    ck_assert_uint_eq(status_of(s).seq, 300);
    ck_assert_int_eq(store_trim(s, 301, &err), 0);
    ck_assert_uint_eq(status_of(s).first_seq, 301);
    ck_assert_uint_eq(write_fact(s, 301, &note).outcome, STORE_OK);
    ck_assert_int_eq(store_wipe(s, &err), 0);
    ck_assert(status_of(s).empty);
    ck_assert_uint_eq(write_fact(s, 302, &note).outcome, STORE_FENCED); /* without its meta a cell takes nothing */
    ck_assert_uint_eq(status_of(other).seq, 300);
    NUMBER_IS(s, "1", "GET", "theirs");
    NUMBER_IS(s, "3", "DBSIZE"); /* theirs; the other's hash and journal */
    store_sync_close(other);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

static bool snapshot_account(const struct account_view *v, void *arg)
{
    struct snapshot_account *a = list_add(arg, sizeof *a);
    ck_assert_ptr_nonnull(a);
    set_text(&a->name, v->name);
    a->limit_micros = v->limit_micros;
    a->spent_micros = v->spent_micros;
    set_text(&a->resource, v->resource);
    a->from_utc_us = v->from_utc_us;
    a->to_utc_us = v->to_utc_us;
    return true;
}

#define TIME "acme#gpu@2026-11-23"
static void add_time(struct list *to, int64_t spent, int64_t micros)
{
    struct time_hold *t = list_add(to, sizeof *t);
    ck_assert_ptr_nonnull(t);
    set_text(&t->account, TIME);
    t->spent = spent;
    t->hold = micros;
}

/* What was posted before is known, what was not is posted. */
static void posted_once(struct store_sync *s)
{
    struct fact credit = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = AT_NOVEMBER, .adjusted = {.micros = -10}};
    set_text(&credit.adjusted.tenant, "acme");
    set_text(&credit.adjusted.key, "credit");
    must(strs_add(&credit.adjusted.accounts, "/@total"));
    ck_assert_str_eq(write_fact(s, 45, &credit).refusal, "duplicate");
    set_text(&credit.adjusted.key, "another");
    credit.adjusted.tenant_id = 3;
    ck_assert_uint_eq(write_fact(s, 46, &credit).outcome, STORE_OK);
    /* The first was posted when seven billing periods were closed, the second at eight. */
    struct fact month = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = AT_NOVEMBER};
    ck_assert_uint_eq(write_fact(s, 47, &month).outcome, STORE_OK);
    ck_assert_str_eq(write_fact(s, 48, &credit).refusal, "duplicate");
    NUMBER_IS(s, "1", "EXISTS", "reeve3:{test}:x:7");
    ck_assert_uint_eq(write_fact(s, 49, &month).outcome, STORE_OK);
    NUMBER_IS(s, "0", "EXISTS", "reeve3:{test}:x:7");
    NUMBER_IS(s, "1", "HEXISTS", "reeve3:{test}:x:8", "#3:another");
    ck_assert_uint_eq(write_fact(s, 50, &month).outcome, STORE_OK);
    NUMBER_IS(s, "0", "EXISTS", "reeve3:{test}:x:8");
    credit.adjusted.micros = 10;
    ck_assert_uint_eq(write_fact(s, 51, &credit).outcome, STORE_OK);
    fact_clear(&credit);
}

static void shares_are_seeded(struct store_sync *s)
{
    counter_is(s, "t:acme gpu", STORE_G_SHARE + STORE_S_NOMINAL, 3);
    counter_is(s, "t:/ gpu", STORE_G_SHARE + STORE_S_TOTAL, 3);
    counter_is(s, "q:acme/ml", STORE_S_LEND, 500);
    counter_is(s, "q:acme/ml", STORE_S_HAVE, 2000);
    counter_is(s, "q:acme", STORE_S_HAVE, 4500); /* of ml's other core one half is lent */
    counter_is(s, "q:acme", STORE_Q_STARTS + STORE_R_PARTS, 4 * 60000000);
    counter_is(s, "q:/", STORE_S_TOTAL, 5000);
    counter_is(s, "t:acme", STORE_T_EXTRA, 1);
}

static void is_seeded(struct store_sync *s)
{
    struct store_status status = status_of(s);
    ck_assert_uint_eq(status.seq, 40);
    ck_assert_uint_eq(status.durable, 40);
    ck_assert_uint_eq(status.first_seq, 41);
    counter_is(s, "t:acme gpu", STORE_G_USED, 2);
    counter_is(s, "t:acme gpu", STORE_G_LIMIT, 4);
    counter_is(s, "t:/", STORE_T_QUEUED, 2);
    shares_are_seeded(s);
    counter_is(s, "t:acme", STORE_T_CHILDREN, 1);
    counter_is(s, "a:acme@2026-11", STORE_A_LIMIT, 1000);
    counter_is(s, "a:acme@2026-11", STORE_A_TO, INT64_C(1796083200000000)); /* 2026-12-01 */
    counter_is(s, "a:/@total", STORE_A_TO, LEDGER_COUNT_MAX);
    counter_is(s, "t:acme/ml", STORE_T_LIMIT_CPU, 2000);
    counter_is(s, "a:job:1", STORE_A_HELD, 50);
    counter_is(s, "a:acme@2026-11", STORE_A_SPENT, 60);
    NUMBER_IS(s, "-1", "TTL", "reeve3:{test}:i:acme/ml:k");
    NUMBER_IS(s, "86400", "TTL", "reeve3:{test}:i:acme:done");
}

static void seeded_rules(struct fact *policy)
{
    struct tenant_rule *acme = fact_tenant(policy, "acme");
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 1000, .period = PERIOD_MONTH};
    must(counts_set(&acme->quota.max.generic, "gpu", 4));
    struct budget_rule *hours = list_add(&acme->budgets, sizeof *hours);
    *hours = (struct budget_rule){.limit_micros = 5000, .period = PERIOD_DAY};
    set_text(&hours->name, "gpu");
    set_text(&hours->resource, "gpu");
    must(counts_set(&acme->quota.guaranteed.generic, "gpu", 3));
    acme->quota.guaranteed.cpu_milli = 3000;
    acme->quota.starts_per_minute = 5;
    struct tenant_rule *ml = fact_tenant(policy, "acme/ml");
    ml->quota.max.cpu_milli = 2000;
    ml->quota.guaranteed.cpu_milli = 2000;
    ml->quota.lend.cpu_milli = measure_of(500);
}

static void add_starts(const struct ledger *l, const char *tenant, struct list *rates)
{
    struct snapshot_rate *rate = list_add(rates, sizeof *rate);
    struct rate_view bucket = ledger_rate(l, tenant, true);
    *rate = (struct snapshot_rate){.starts = true, .parts = bucket.parts, .at_utc_us = bucket.at_utc_us};
    set_text(&rate->tenant, tenant);
}

START_TEST(a_seeded_redis_goes_on_where_the_ledger_stands)
{
    struct redis_server r = redis_start(false);
    struct store_sync *s = sync_ready(&r);
    struct ledger *l = NULL;
    struct err err = {0};
    struct attempt_id id = {1, 0, 1};
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    /* The state as a journal of facts made it. */
    struct fact snapshot[4] = {fact_policy(AT_NOVEMBER)};
    seeded_rules(&snapshot[0]);
    ledger_apply(l, &snapshot[0]);
    struct fact submitted = fact_submit(l, AT_NOVEMBER, 1, "acme/ml", "k", 3, 500);
    must(counts_set(&submitted.submitted.spec.resources.generic, "gpu", 2));
    struct fact placed = fact_place(l, AT_NOVEMBER, id, "acme/ml", true, 100);
    must(counts_set(&placed.placed.resources.generic, "gpu", 2));
    add_time(&placed.placed.times, 0, 700);
    ledger_apply(l, &submitted);
    open_for(NULL, l, NULL, &placed);
    ledger_apply(l, &placed);
    struct fact renewed = fact_renew(l, AT_NOVEMBER, id, "acme/ml", true, 60, 50);
    add_time(&renewed.renewed.times_settled, 400, 0);
    add_time(&renewed.renewed.times, 400, 300);
    ledger_apply(l, &renewed);
    /* The same as a snapshot. */
    snapshot[1].kind = FACT_SNAPSHOT_CELL;
    ledger_each_account(l, snapshot_account, &snapshot[1].snapshot_cell.accounts);
    struct snapshot_adjusted *adjusted = list_add(&snapshot[1].snapshot_cell.adjusted, sizeof *adjusted);
    set_text(&adjusted->key, "acme:credit");
    adjusted->hash = 7;
    adjusted->periods_closed = 7;
    snapshot[1].snapshot_cell.periods_closed = 8;
    add_starts(l, "acme", &snapshot[1].snapshot_cell.rates);
    snapshot[2].kind = FACT_SNAPSHOT_JOB;
    snapshot[2].snapshot_job.submitted = submitted.submitted;
    struct snapshot_task *t = list_add(&snapshot[2].snapshot_job.tasks, sizeof *t);
    *t = (struct snapshot_task){.epoch = 1, .state = TASK_RUNNING, .spent_micros = 60, .hold_micros = 50};
    add_texts(&t->accounts, &renewed.renewed.accounts);
    add_time(&t->times, 400, 300);
    snapshot[3] = (struct fact){.kind = FACT_SNAPSHOT_JOB};
    snapshot[3].snapshot_job.submitted = fact_submit(l, AT_NOVEMBER, 2, "acme", "done", 1, 0).submitted;
    must(counts_set(&snapshot[3].snapshot_job.ended, "succeeded", 1));

    ck_assert_int_eq(store_seed(s, "w", 1, 40, snapshot, 4, &err), -EEXIST);
    ck_assert_int_eq(store_wipe(s, &err), 0);
    ck_assert_msg(store_seed(s, "w", 1, 40, snapshot, 4, &err) == 0, "%s", err_text(&err));
    is_seeded(s);
    /* It goes on: the limits hold, the attempt settles, the keys are known. */
    struct fact more = fact_place(l, AT_NOVEMBER, (struct attempt_id){1, 1, 2}, "acme/ml", true, 900);
    ck_assert_str_eq(write_fact(s, 41, &more).refusal, "budget");
    ck_assert_str_eq(write_fact(s, 42, &submitted).refusal, "key_exists");
    struct fact gone = fact_policy(AT_NOVEMBER);
    must(strs_add(&gone.policy.removed, "acme"));
    ck_assert_str_eq(write_fact(s, 43, &gone).refusal, "in_use");
    counter_is(s, "a:" TIME, STORE_A_SPENT, 400);
    counter_is(s, "a:" TIME, STORE_A_HELD, 300);
    struct fact end = fact_end(AT_NOVEMBER, id, 110, NEXT_FINAL, false);
    add_time(&end.ended.times_settled, 650, 0);
    both(s, l, 44, end);
    counter_is(s, "a:" TIME, STORE_A_SPENT, 650);
    counter_is(s, "a:" TIME, STORE_A_HELD, 0);
    posted_once(s);
    uint64_t holds;
    int64_t micros;
    ck_assert_int_eq(store_holds(s, &holds, &micros, &err), 0);
    ck_assert_uint_eq(holds, 0);
    counter_is(s, "t:acme gpu", STORE_G_USED, 0);
    counter_is(s, "a:/@total", STORE_A_SPENT, 110); /* less ten, and ten again */
    fact_clear(&gone);
    fact_clear(&more);
    fact_clear(&placed);
    fact_clear(&renewed);
    for (size_t i = 0; i < COUNT_OF(snapshot); i++) {
        fact_clear(&snapshot[i]); /* the submitted one lies in snapshot[2] */
    }
    ledger_free(l);
    store_sync_close(s);
    redis_stop(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/store/state");
    TCase *t = tcase_create("state");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_idempotency_key_outlives_its_job_for_a_day);
    tcase_add_test(t, memory_that_is_full_refuses_before_anything_is_written);
    tcase_add_test(t, a_wipe_takes_only_its_own_cell_and_a_trim_only_what_is_older);
    tcase_add_test(t, a_seeded_redis_goes_on_where_the_ledger_stands);
    suite_add_tcase(s, t);
    test_top_make();
    int rc = run_suite(s);
    test_top_remove();
    return rc;
}

#include <check.h>
#include <errno.h>

#include "base/wire.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;
static uint64_t running, queued, finished;
static char *names[] = {(char[]){"acme"}, (char[]){"/"}};
static struct strs path = {names, 2};

/* One job of each kind: running (one task of three), queued, finished. */
static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 2, 16 * GIB);
    finished = world_submit(&w, "acme", world_spec(1000, GIB));
    (void)world_decide(&w);
    ck_assert(world_run(&w, finished, 0));
    ck_assert(world_end(&w, finished, 0, END_EXIT, 0, SECOND));
    struct job_spec spec = world_spec(2000, GIB);
    spec.array = (struct job_array){true, 0, 2, 0};
    running = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, running, 0));
    queued = world_submit(&w, "acme", world_spec(2000, GIB));
}

static int check(struct fact f)
{
    struct err err = {0};
    int rc = core_apply_check(w.core, &f, &err);
    ck_assert_msg(rc == 0 || err.text[0] != '\0', "a refusal says why");
    return rc;
}

static struct fact of(uint32_t kind)
{
    return (struct fact){.kind = kind, .at_utc_us = w.now.utc_us};
}

static struct fact placed(uint64_t job, uint32_t task, uint32_t epoch, const char *node)
{
    struct fact f = of(FACT_ATTEMPT_PLACED);
    f.placed =
        (struct fact_placed){.id = {job, task, epoch},
                             .node = (char *)(uintptr_t)node,
                             .path = path,
                             .resources = {.cpu_milli = 2000, .mem_bytes = GIB, .scratch_bytes = 64 << 20}};
    return f;
}

static struct fact ended(uint64_t job, uint32_t task, uint32_t epoch, int64_t spent)
{
    struct fact f = of(FACT_ATTEMPT_ENDED);
    f.ended = (struct fact_ended){.id = {job, task, epoch},
                                  .node = (char[]){"n1"},
                                  .next = NEXT_FINAL,
                                  .state = TASK_SUCCEEDED,
                                  .record = {.cause = END_EXIT},
                                  .spent_micros = spent};
    return f;
}

static struct fact range(uint32_t kind, uint64_t job, uint32_t first, uint32_t count, bool done)
{
    struct fact f = of(kind);
    f.cancelled =
        (struct fact_tasks){.job = job, .first = first, .count = count, .job_done = done, .path = path};
    return f;
}

START_TEST(facts_that_contradict_the_state_are_named)
{
    begin();
    ck_assert_int_eq(check(of(FACT_NONE)), -EPROTO);
    ck_assert_int_eq(check((struct fact){.kind = 4711}), -EPROTO);
    ck_assert_int_eq(check(placed(running, 0, 2, "n1")), -EPROTO); /* it runs */
    ck_assert_int_eq(check(placed(running, 1, 2, "n1")), -EPROTO); /* its first epoch is 1 */
    ck_assert_int_eq(check(placed(running, 3, 1, "n1")), -EPROTO); /* there is no such task */
    ck_assert_int_eq(check(placed(running, 1, 1, "n9")), -EPROTO); /* nor node */
    ck_assert_int_eq(check(placed(running, 1, 1, NULL)), -EPROTO);
    ck_assert_int_eq(check(placed(99, 0, 1, "n1")), -EPROTO);
    ck_assert_int_eq(check(placed(finished, 0, 2, "n1")), -EPROTO); /* final states absorb */
    ck_assert_int_eq(check(placed(running, 1, 1, "n1")), 0);
    ck_assert_int_eq(check(ended(running, 0, 2, 0)), -EPROTO);          /* another epoch */
    ck_assert_int_eq(check(ended(running, 1, 1, 0)), -EPROTO);          /* not started */
    ck_assert_int_eq(check(ended(running, 0, 1, 1000 * EUR)), -EPROTO); /* more than it holds */
    ck_assert_int_eq(check(ended(finished, 0, 1, 0)), -EPROTO);
    ck_assert_int_eq(check(ended(running, 0, 1, 10)), 0);
    struct fact f = ended(running, 0, 1, 0);
    f.ended.job_done = true; /* two more to go */
    ck_assert_int_eq(check(f), -EPROTO);
    f = ended(running, 0, 1, 0);
    f.ended.state = TASK_RUNNING;
    ck_assert_int_eq(check(f), -EPROTO);
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, running, 0, 1, false)), -EPROTO); /* it runs */
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, running, 1, 3, false)), -EPROTO); /* one too many */
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, running, 1, UINT32_MAX, false)), -EPROTO);
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, running, 1, 0, false)), -EPROTO);
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, queued, 0, 1, false)), 0);
    ck_assert_int_eq(check(range(FACT_TASKS_CANCELLED, running, 1, 2, true)), -EPROTO); /* one is left */
    ck_assert_int_eq(check(range(FACT_TASK_RELEASED, queued, 0, 1, false)), -EPROTO);   /* not held */
    ck_assert_int_eq(check(range(FACT_TASK_HELD, queued, 0, 1, false)), 0);
    f = of(FACT_ATTEMPT_RUNNING);
    f.running.id = (struct attempt_id){running, 0, 1};
    ck_assert_int_eq(check(f), -EPROTO); /* known */
    f = of(FACT_NODE_LOST);
    f.lost.node = (char[]){"n1"};
    ck_assert_int_eq(check(f), -EPROTO); /* something runs there */
    f = of(FACT_JOB_SUBMITTED);
    f.submitted =
        (struct fact_submitted){.job = running, .tenant = (char[]){"acme"}, .key = (char[]){"k"}, .path = path};
    ck_assert_int_eq(check(f), -EPROTO); /* the id is taken */
    f.submitted.job = 100;
    f.submitted.tenant = (char[]){"nobody"};
    ck_assert_int_eq(check(f), -EPROTO);
    ck_assert_int_eq(check(of(FACT_SNAPSHOT_CELL)), -EPROTO); /* into an empty core only */
    world_fini(&w);
}
END_TEST

START_TEST(held_tasks_wait_for_a_person_and_keep_their_place)
{
    begin();
    struct fact f = range(FACT_TASK_HELD, running, 1, 2, false);
    struct err err = {0};
    f.held.path = (struct strs){0};
    ck_assert(ledger_path(core_ledger(w.core), "acme", &f.held.path));
    world_commit(&w, &f);
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
    ck_assert(world_end(&w, running, 0, END_EXIT, 0, SECOND));
    ck_assert(world_is(&w, running, "held"));
    ck_assert_uint_eq(world_decide(&w), 1); /* the other job */
    struct core *restarted = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(restarted), core_hash(w.core));
    core_free(restarted);
    world_fini(&w);
}
END_TEST

/* A spec's bytes are only how it is found among what is known: written otherwise, as by another version, or not said at
 * all, it comes to the same. */
START_TEST(how_a_spec_was_written_makes_no_difference)
{
    struct buf spec = {0}, longer = {0};
    uint64_t hash = 0;
    for (int how = 0; how < 3; how++) {
        begin();
        for (uint64_t job = 100; job < 102; job++) {
            struct fact f = of(FACT_JOB_SUBMITTED);
            f.submitted = (struct fact_submitted){.job = job, .spec = world_spec(2000, GIB)};
            ck_assert(str_set(&f.submitted.tenant, "acme") == 0 && str_set(&f.submitted.key, "k") == 0);
            ck_assert(ledger_path(core_ledger(w.core), "acme", &f.submitted.path));
            buf_reset(&spec);
            fields_encode(&job_spec_fields, &f.submitted.spec, &spec);
            buf_reset(&longer);
            buf_add(&longer, spec.data, spec.len);
            wire_put_u64(&longer, 9999 << 1);
            wire_put_u64(&longer, 1);
            if (how != 0)
                f.submitted.spec_from = how == 1 ? (struct bytes){(uint8_t *)spec.data, spec.len}
                                                 : (struct bytes){(uint8_t *)longer.data, longer.len};
            core_apply(w.core, ++w.seq, &f);
            fact_clear(&f);
        }
        hash = how == 0 ? core_hash(w.core) : hash;
        ck_assert_uint_eq(core_hash(w.core), hash);
        world_fini(&w);
    }
    buf_fini(&spec);
    buf_fini(&longer);
}
END_TEST

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

static void take_or_name(const struct fact *f, int seed)
{
    struct err err = {0};
    if (core_apply_check(w.core, f, &err) < 0) {
        ck_assert_msg(err.text[0] != '\0', "seed %d", seed);
        return;
    }
    struct core *copy = world_restored(&w, NULL);
    core_apply(copy, w.seq + 1, f);
    ck_assert_msg(core_verify(copy, &err) == 0, "seed %d: %s: %s", seed, names_get(&fact_names, f->kind),
                  err.text);
    core_free(copy);
}

/* Bytes from a damaged journal: whatever still decodes is taken or named, and what is taken leaves a sound
 * state. */
START_TEST(damaged_facts_never_crash)
{
    uint64_t r = (uint64_t)_i * 2654435761u + 88172645463325252u;
    begin();
    for (int i = 0; i < 4000; i++) {
        const struct bytes *b = &((const struct bytes *)w.journal.v)[draw(&r, w.journal.count)];
        uint8_t copy[4096];
        ck_assert_uint_le(b->len, sizeof copy);
        memcpy(copy, b->data, b->len);
        for (uint64_t k = draw(&r, 4); k > 0 && b->len > 0; k--)
            copy[draw(&r, b->len)] = (uint8_t)draw(&r, 256);
        struct fact f = {0};
        struct err err = {0};
        if (fact_decode(copy, b->len, &f, &err) == 0)
            take_or_name(&f, _i);
        fact_clear(&f);
    }
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core apply");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, facts_that_contradict_the_state_are_named);
    tcase_add_test(t, held_tasks_wait_for_a_person_and_keep_their_place);
    tcase_add_test(t, how_a_spec_was_written_makes_no_difference);
    tcase_add_loop_test(t, damaged_facts_never_crash, 0, 10);
    suite_add_tcase(s, t);
    return run_suite(s);
}

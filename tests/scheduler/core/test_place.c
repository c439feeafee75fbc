/* Where tasks go: only where their job says, and as soon as there is room. */
#include <check.h>
#include <stdlib.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

/* "zone=eu disk=ssd" */
static void join(const char *node, uint64_t cores, const char *labels)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char[]){"b"},
                              .capacity = {.cpu_milli = cores * 1000, .mem_bytes = 64 * GIB}};
    char text[128], *at = text, *pair;
    snprintf(text, sizeof text, "%s", labels);
    while ((pair = strtok_r(at, " ", &at)) != NULL) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        ck_assert_int_eq(pairs_set(&call.labels, pair, value), 0);
    }
    world_hello_as(&w, &call);
    for (size_t i = 0; i < call.labels.count; i++) {
        free(call.labels.v[i].key);
        free(call.labels.v[i].value);
    }
    free(call.labels.v);
}

static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    join("n1", 4, "zone=eu disk=ssd gen=3");
    join("n2", 8, "zone=eu disk=hdd gen=4");
    join("n3", 16, "zone=us disk=ssd gen=5");
}

static void end(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

static struct job_spec spec_where(uint64_t cores, const char *where)
{
    struct job_spec spec = world_spec(cores * 1000, GIB);
    ck_assert_int_eq(str_set(&spec.where, where), 0);
    return spec;
}

static const char *node_of(uint64_t job, uint32_t task)
{
    struct attempt_id id = {job, task, 0};
    const char *node = world_node_of(&w, &id);
    return node != NULL ? node : "";
}

static char *why(uint64_t job)
{
    struct why_reply reply;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &reply));
    struct buf text = {0};
    for (size_t i = 0; i < reply.blockers.count; i++)
        buf_addf(&text, "%s\n", ((struct blocker *)reply.blockers.v)[i].text);
    if (reply.change != NULL)
        buf_addf(&text, "or: %s\n", reply.change);
    fields_clear(&why_reply_fields, &reply);
    return buf_take(&text);
}

static void ck_why(uint64_t job, const char *expected)
{
    char *text = why(job);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* ---- where ------------------------------------------------------------------------------------------ */

static const struct {
    const char *where, *node;
} goes[] = {
    {NULL, "n1"}, {"zone == us", "n3"}, {"zone==eu && disk != ssd", "n2"}, {"gen >= 4", "n2"}, {"node == n3", "n3"},
    {"zone == us || disk == hdd", "n2"}, {"!exists rack", "n1"}, {"zone in (us, ap)", "n3"},
};

START_TEST(a_task_goes_where_its_job_says)
{
    begin();
    uint64_t job = world_submit(&w, "acme", spec_where(1, goes[_i].where));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(node_of(job, 0), goes[_i].node);
    end();
}
END_TEST

static const struct {
    const char *where, *code, *at, *message, *hint;
    uint64_t cores;
} never[] = {
    {"zone == mars", "never_fits", "where",
     "no node matches where; n1 comes nearest, where this doesn't hold: zone == mars",
     "where without zone == mars", 1},
    {"zone == us && disk == hdd && gen > 4", "never_fits", "where",
     "no node matches where; n3 comes nearest, where this doesn't hold: disk == hdd", "where without disk == hdd", 1},
    {"zone == eu", "never_fits", "resources.cpu",
     "needs 9 cpu on one node, the largest node has 8 (n2), of 2 that match where", "resources.cpu <= 8", 9},
    {"zone = eu", "bad_request", "where",
     "where: character 6: '= eu', where ==, !=, <, <=, >, >= or in should be", NULL, 1},
};

START_TEST(what_no_node_could_satisfy_is_refused_with_what_would_help)
{
    uint64_t job;
    begin();
    struct job_spec spec = spec_where(never[_i].cores, never[_i].where);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, never[_i].code);
    ck_assert_str_eq(w.refusal.where, never[_i].at);
    ck_assert_str_eq(w.refusal.message, never[_i].message);
    ck_assert_pstr_eq(w.refusal.hint, never[_i].hint);
    end();
}
END_TEST

START_TEST(it_waits_for_room_where_it_may_run_though_there_is_room_elsewhere)
{
    begin();
    uint64_t full = world_submit(&w, "acme", spec_where(7, "zone == eu && gen == 4"));
    uint64_t job = world_submit(&w, "acme", spec_where(5, "zone == eu"));
    uint64_t other = world_submit(&w, "acme", spec_where(5, NULL));
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_str_eq(node_of(full, 0), "n2");
    ck_assert_str_eq(node_of(other, 0), "n3");
    ck_why(job, "placement: no node of those that match `where` has room now; "
                "nearest is n2 with 1 cpu free, needs 5\nor: cpu free on n2 grows by 4\n");
    ck_assert(world_run(&w, full, 0));
    world_pass(&w, SECOND);
    ck_assert(world_end(&w, full, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(node_of(job, 0), "n2");
    end();
}
END_TEST

START_TEST(equal_conditions_are_one_verdict_however_they_are_written)
{
    struct core_stats before, after;
    begin();
    (void)world_submit(&w, "acme", spec_where(8, "disk == hdd"));
    ck_assert_uint_eq(world_decide(&w), 1);
    for (int i = 0; i < 20; i++)
        (void)world_submit(&w, "acme", spec_where(8, i % 2 == 0 ? "disk==hdd" : " ( \"disk\" == \"hdd\" ) "));
    core_stats(w.core, &before);
    ck_assert_uint_eq(world_decide(&w), 0);
    core_stats(w.core, &after);
    ck_assert_uint_eq(after.decisions_total, before.decisions_total); /* the same as that one's, seen by then */
    end();
}
END_TEST

START_TEST(a_node_that_comes_back_with_other_labels_is_another_node_to_who_waits)
{
    begin();
    uint64_t stays = world_submit(&w, "acme", spec_where(1, "zone == us"));
    uint64_t fills = world_submit(&w, "acme", spec_where(15, "zone == us"));
    uint64_t waits = world_submit(&w, "acme", spec_where(4, "zone == us"));
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_str_eq(node_of(waits, 0), "");
    join("n1", 4, "zone=us");
    join("n3", 16, "zone=ap");
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(node_of(waits, 0), "n1");
    ck_assert_str_eq(node_of(stays, 0), "n3"); /* what runs goes on */
    ck_assert_str_eq(node_of(fills, 0), "n3");
    end();
}
END_TEST

START_TEST(when_the_last_node_that_matches_is_gone_why_says_never)
{
    begin();
    uint64_t fills = world_submit(&w, "acme", spec_where(8, "disk == hdd"));
    uint64_t waits = world_submit(&w, "acme", spec_where(8, "disk == hdd"));
    ck_assert_uint_eq(world_decide(&w), 1);
    join("n2", 8, "zone=eu disk=ssd gen=4");
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_why(waits, "can never run as things are: no node matches where; n1 comes nearest, where this doesn't hold: "
                  "disk == hdd\nor: where without disk == hdd\n");
    ck_assert_str_eq(node_of(fills, 0), "n2");
    end();
}
END_TEST

/* Nothing else waits: nobody's demand is known but to who came before. */
START_TEST(what_came_before_the_first_node_that_has_its_resource_starts_there)
{
    struct policy_file p = {0};
    struct hello_call call = {.node = (char[]){"n1"}, .boot_id = (char[]){"b"},
                              .capacity = {.cpu_milli = 4000, .mem_bytes = 64 * GIB}};
    struct job_spec spec = world_spec(1000, GIB);
    struct fact f;
    world_init(&w, NULL);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_int_eq(counts_set(&spec.resources.generic, "gpu", 1), 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert_int_eq(counts_set(&call.capacity.generic, "gpu", 2), 0);
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(node_of(job, 0), "n1");
    fields_clear(&resources_fields, &call.capacity);
    end();
}
END_TEST

START_TEST(a_drained_node_takes_none_of_them)
{
    struct drain_call call = {.node = (char[]){"n3"}, .drain = true, .reason = (char[]){"disk"}};
    struct fact f;
    begin();
    ck_assert_int_eq(core_check_drain(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    uint64_t job = world_submit(&w, "acme", spec_where(1, "zone == us"));
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_why(job, "placement: every node that is large enough and matches `where` is drained, silent or quarantined: "
           "n3 is drained: disk\nor: an admin takes n3 back: reeve undrain n3\n");
    struct fact out = {.kind = FACT_NODE_QUARANTINED, .at_utc_us = w.now.utc_us};
    out.quarantined = (struct fact_quarantined){.quarantined = true, .level = 1, .until_utc_us = w.now.utc_us + HOUR};
    MUST(str_set(&out.quarantined.node, "n3") == 0 && str_set(&out.quarantined.reason, "3 jobs failed there") == 0);
    world_commit(&w, &out);
    ck_why(job, "placement: every node that is large enough and matches `where` is drained, silent or quarantined: "
           "n3 is drained: disk\nor: an admin takes n3 back: reeve undrain n3, twice\n");
    call.drain = false;
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(world_decide(&w), 0);
        ck_assert_int_eq(core_check_drain(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
        world_commit(&w, &f);
    }
    ck_assert_uint_eq(world_decide(&w), 1);
    end();
}
END_TEST

/* Against a walk over all nodes: pools come and go, nodes fill up, change labels and fall silent. */
START_TEST(a_pool_finds_what_a_walk_finds)
{
    static const char *const wheres[] = {"zone == a",        "zone != a && gen >= 2", "gen < 1 || zone == c",
                                         "node in (m3, m7)", "exists gen",            "!(zone in (a, b))"};
    uint64_t state = (uint64_t)_i * 7919 + 88172645463325252u;
    struct err err = {0};
    char name[8], labels[32];
    begin();
    for (int step = 0; step < 300; step++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        snprintf(name, sizeof name, "m%u", (unsigned)(state >> 8) % 12);
        snprintf(labels, sizeof labels, "zone=%c gen=%u", (int)('a' + (state >> 16) % 3), (unsigned)(state >> 24) % 4);
        uint64_t job = 0;
        struct job_spec spec = spec_where(1 + (state >> 32) % 4, wheres[(state >> 40) % COUNT_OF(wheres)]);
        switch (state % 4) {
        case 0: join(name, 6 + state % 3, labels); break;
        case 1: (void)world_try_submit(&w, "acme", NULL, &spec, &job); break;
        case 2: (void)world_decide(&w); break;
        default:
            job = 1 + (state >> 48) % 100;
            if (world_run(&w, job, 0))
                (void)world_end(&w, job, 0, END_EXIT, 0, 0);
        }
        fields_clear(&job_spec_fields, &spec);
        ck_assert_msg(core_verify(w.core, &err) == 0, "seed %d, step %d: %s", _i, step, err_text(&err));
    }
    end();
}
END_TEST

START_TEST(a_journal_with_a_condition_that_is_none_is_damaged)
{
    struct err err = {0};
    char *path[] = {(char[]){"acme"}, (char[]){"/"}};
    begin();
    struct fact f = {.kind = FACT_JOB_SUBMITTED,
                     .at_utc_us = w.now.utc_us,
                     .submitted = {.job = 1, .tenant = path[0], .key = path[0], .path = {path, 2}}};
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), 0);
    f.submitted.spec.where = (char[]){"zone =="};
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    ck_assert_str_eq(err_text(&err), "job.submitted: job 1: where: it ends where a value should be");
    end();
}
END_TEST

/* Three nodes of 4, 8 and 16 cores. */
START_TEST(who_spreads_goes_to_the_emptiest_who_packs_to_the_fullest)
{
    static const char *const order[] = {"n3", "n3", "n3", "n2"};
    begin();
    for (unsigned i = 0; i < COUNT_OF(order); i++) {
        struct job_spec spec = spec_where(3, _i == 0 ? NULL : "exists zone");
        spec.placement = PLACEMENT_SPREAD;
        uint64_t job = world_submit(&w, "acme", spec);
        ck_assert_uint_eq(world_decide(&w), 1);
        ck_assert_str_eq(node_of(job, 0), order[i]); /* 16, 13, 10 free; then n2 has 8 and n3 7 */
    }
    uint64_t packs = world_submit(&w, "acme", spec_where(3, _i == 0 ? NULL : "exists zone"));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(node_of(packs, 0), "n1");
    end();
}
END_TEST

START_TEST(who_spreads_and_who_packs_are_two_shapes)
{
    begin();
    struct job_spec spec = spec_where(1, NULL);
    spec.placement = PLACEMENT_SPREAD;
    uint64_t packs = world_submit(&w, "acme", spec_where(1, NULL)), spreads = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_str_eq(node_of(packs, 0), "n1");
    ck_assert_str_eq(node_of(spreads, 0), "n3");
    end();
}
END_TEST

static const char *few_nodes_wheres(unsigned i)
{
    static char text[32];
    snprintf(text, sizeof text, "gen != %u", i + 10);
    return text;
}

START_TEST(a_cell_keeps_so_many_conditions_and_no_more)
{
    uint64_t job;
    begin();
    for (unsigned i = 0; i < 1024; i++)
        (void)world_submit(&w, "acme", spec_where(16, few_nodes_wheres(i)));
    struct job_spec spec = spec_where(16, few_nodes_wheres(1024));
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "queue_full");
    ck_assert_str_eq(w.refusal.where, "where");
    (void)world_submit(&w, "acme", spec_where(16, few_nodes_wheres(7))); /* others have it */
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core place");
    TCase *tests = tcase_create("place");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_task_goes_where_its_job_says, 0, (int)COUNT_OF(goes));
    tcase_add_loop_test(tests, what_no_node_could_satisfy_is_refused_with_what_would_help, 0, (int)COUNT_OF(never));
    tcase_add_test(tests, what_came_before_the_first_node_that_has_its_resource_starts_there);
    tcase_add_test(tests, it_waits_for_room_where_it_may_run_though_there_is_room_elsewhere);
    tcase_add_test(tests, equal_conditions_are_one_verdict_however_they_are_written);
    tcase_add_test(tests, a_node_that_comes_back_with_other_labels_is_another_node_to_who_waits);
    tcase_add_test(tests, when_the_last_node_that_matches_is_gone_why_says_never);
    tcase_add_test(tests, a_drained_node_takes_none_of_them);
    tcase_add_loop_test(tests, a_pool_finds_what_a_walk_finds, 0, 8);
    tcase_add_loop_test(tests, who_spreads_goes_to_the_emptiest_who_packs_to_the_fullest, 0, 2);
    tcase_add_test(tests, who_spreads_and_who_packs_are_two_shapes);
    tcase_add_test(tests, a_journal_with_a_condition_that_is_none_is_damaged);
    tcase_add_test(tests, a_cell_keeps_so_many_conditions_and_no_more);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

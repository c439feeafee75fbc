/* What a job needs of a node, and what its tenant may: limits, devices, profiles, images, volumes, networks. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin_with(const struct core_limits *limits)
{
    struct policy_file p = {0};
    world_init(&w, limits);
    world_price(&p, 0, 36 * EUR / 10, 0); /* 1000 micro-units per core-second */
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = 32000;
    rule->quota.max_queued = 20;
    ck_assert_int_eq(strs_add(&rule->users, "alice"), 0);
    ck_assert_int_eq(strs_add(&rule->seccomp, "docker"), 0);
    ck_assert_int_eq(strs_add(&rule->seccomp, "trace"), 0);
    ck_assert_int_eq(strs_add(&rule->seccomp, "inline"), 0);
    (void)world_rule(&p, "acme/ml");
    rule = world_rule(&p, "acme/etl");
    rule->network_host = true;
    ck_assert_int_eq(strs_add(&rule->seccomp, "docker"), 0);
    ck_assert_int_eq(strs_add(&rule->seccomp, "wide"), 0);
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 10 * EUR, .period = PERIOD_DAY};
    rule = world_rule(&p, "globex");
    ck_assert_int_eq(strs_add(&rule->users, "uid:1001"), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 16, 64 * GIB);
}

static void begin(void)
{
    begin_with(NULL);
}

/* ---- system call profiles ------------------------------------------------------------------------------ */

static const struct profile_row {
    const char *fact, *tenant, *seccomp, *code; /* NULL: taken */
} profiles[] = {
    {"the default is everybody's", "globex", "default", NULL},
    {"any other needs the tenant's permission", "globex", "docker", "forbidden"},
    {"tracing too", "globex", "trace", "forbidden"},
    {"and bringing one", "globex", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "forbidden"},
    {"one that is listed is taken", "acme", "docker", NULL},
    {"one that is not isn't", "acme", "wide", "forbidden"},
    {"one of its own where it may bring one", "acme", "\n {\"defaultAction\":\"SCMP_ACT_ALLOW\"}", NULL},
    {"who says nothing has what the parent has", "acme/ml", "trace", NULL},
    {"who says something narrows it", "acme/etl", "trace", "forbidden"},
    {"what parent and child list is taken", "acme/etl", "docker", NULL},
    {"what only the child lists isn't", "acme/etl", "wide", "forbidden"},
    {"a path is no name", "acme", "../docker", "bad_request"},
    {"the floor is no profile to ask for", "acme", "floor", "bad_request"},
};

static void begin_with_profile(void)
{
    static char *features[] = {"seccomp.docker"};
    struct hello_call call = {.node = (char[]){"n1"}, .boot_id = (char[]){"b"}, .instance = (char[]){"i"},
                              .capacity = {.cpu_milli = 16000, .mem_bytes = 64 * GIB}, .features = {features, 1}};
    struct fact f;
    begin();
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
}

/* Permission is one thing, a node that has it another. */
START_TEST(a_profile_that_no_node_has_is_refused_by_name)
{
    uint64_t job;
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(str_set(&spec.seccomp, "docker"), 0);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.where, "seccomp");
    ck_assert_str_eq(w.refusal.message, "no node can enforce seccomp.docker; n1 lacks: seccomp.docker");
    world_fini(&w);
}
END_TEST

START_TEST(who_may_use_which_profile)
{
    const struct profile_row *r = &profiles[_i];
    begin_with_profile();
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(str_set(&spec.seccomp, r->seccomp), 0);
    struct submit_call call = {.tenant = (char *)(uintptr_t)r->tenant, .spec = spec};
    struct fact f;
    int rc = core_check_submit(w.core, &call, 0, "root", w.now, &f, &w.quote, &w.refusal);
    ck_assert_msg((rc == CORE_FACT) == (r->code == NULL), "%s: %s", r->fact, w.refusal.message);
    if (rc == CORE_FACT)
        world_commit(&w, &f);
    else
        ck_assert_msg(strcmp(w.refusal.code, r->code) == 0 && strcmp(w.refusal.where, "seccomp") == 0,
                      "%s: %s at %s", r->fact, w.refusal.code, w.refusal.where);
    fields_clear(&job_spec_fields, &spec);
    world_fini(&w);
}
END_TEST

/* n1 can limit what is read, n2 swap; n1 has a device. */
static void begin_with_features(void)
{
    struct hello_call call = {.node = (char[]){"n1"}, .boot_id = (char[]){"b"}, .instance = (char[]){"i"},
                              .capacity = {.cpu_milli = 16000, .mem_bytes = 64 * GIB}};
    static char *first[] = {"io.read_bps", "devices.fuse"}, *second[] = {"swap"};
    struct fact f;
    begin();
    call.features = (struct strs){first, 2};
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    ck_assert_int_eq(f.kind, FACT_NODE_JOINED); /* the same node, other features: a fact */
    world_commit(&w, &f);
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    ck_assert_int_eq(f.kind, FACT_NONE); /* nothing new */
    call.node = (char[]){"n2"};
    call.features = (struct strs){second, 1};
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    core_node_seen(w.core, "n2", w.now);
}

START_TEST(a_limit_places_the_task_where_it_is_enforced_or_is_refused_by_name)
{
    begin_with_features();
    struct job_spec spec = world_spec(1000, GIB);
    spec.limits.swap_bytes = GIB;
    uint64_t job = world_submit(&w, "globex", spec), plain = world_submit(&w, "globex", world_spec(15000, GIB));
    ck_assert_uint_eq(world_decide(&w), 2);
    struct attempt_id id = {job, 0, 1};
    ck_assert_str_eq(world_node_of(&w, &id), "n2"); /* though n1 comes first */
    id = (struct attempt_id){plain, 0, 1};
    ck_assert_str_eq(world_node_of(&w, &id), "n2"); /* packed: what needs nothing goes where it is fuller */
    spec = world_spec(1000, GIB);
    spec.limits.swap_bytes = GIB;
    job = world_submit(&w, "globex", spec); /* n2 is full, n1 is empty and can't */
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply r;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &r));
    ck_assert_str_eq(((const struct blocker *)r.blockers.v)[0].text,
                     "placement: no node has room now; nearest is n2 with 0 cpu free, needs 1");
    fields_clear(&why_reply_fields, &r);
    struct core *again = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(again), core_hash(w.core));
    core_free(again);
    spec = world_spec(1000, GIB);
    spec.limits.swap_bytes = GIB;
    spec.limits.io.read_bps = 1000;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.message, "no node can enforce swap and io.read_bps; n1 lacks: swap; n2 lacks: "
                                        "io.read_bps");
    spec = world_spec(1000, GIB);
    spec.limits.io.write_bps = 1000;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.where, "limits.io.write_bps");
    world_fini(&w);
}
END_TEST

START_TEST(who_has_files_copied_goes_where_somebody_copies)
{
    begin(); /* n1 is of an agent from before movers: it says nothing of them */
    struct job_spec spec = world_spec(1000, GIB);
    uint64_t job;
    spec.transfer = true;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.where, "transfer");
    ck_assert_str_eq(w.refusal.message, "no node can enforce transfer; n1 lacks: transfer");
    struct hello_call call = {.node = (char[]){"n2"}, .boot_id = (char[]){"b"}, .instance = (char[]){"i"},
                              .capacity = {.cpu_milli = 16000, .mem_bytes = 64 * GIB}};
    static char *has[] = {FEATURE_TRANSFER};
    struct fact f;
    call.features = (struct strs){has, 1};
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    core_node_seen(w.core, "n2", w.now);
    spec = world_spec(1000, GIB);
    spec.transfer = true;
    job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    struct attempt_id id = {job, 0, 1};
    ck_assert_str_eq(world_node_of(&w, &id), "n2"); /* though n1 comes first and is as empty */
    world_fini(&w);
}
END_TEST

START_TEST(a_device_needs_the_tenants_permission_and_a_node_that_has_it)
{
    uint64_t job;
    begin_with_features();
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(strs_add(&spec.limits.devices, "fuse"), 0);
    struct submit_call call = {.tenant = (char[]){"globex"}, .spec = spec};
    struct fact f;
    ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &f, &w.quote, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "forbidden");
    ck_assert_str_eq(w.refusal.message, "globex may not use the device 'fuse'");
    struct policy_file p = {0};
    struct tenant_rule *rule = world_rule(&p, "globex");
    ck_assert_int_eq(strs_add(&rule->devices, "fuse"), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    struct attempt_id id = {job, 0, 1};
    ck_assert_str_eq(world_node_of(&w, &id), "n1");
    world_fini(&w);
}
END_TEST

static void begin_with_images(void)
{
    struct hello_call call = {.node = (char[]){"n2"}, .boot_id = (char[]){"b"}, .instance = (char[]){"i"},
                              .capacity = {.cpu_milli = 16000, .mem_bytes = 64 * GIB}};
    static char *has[] = {"image.debian", "volume.ref", "volume.out", "volume.out:w"};
    struct fact f;
    begin();
    call.features = (struct strs){has, COUNT_OF(has)};
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    core_node_seen(w.core, "n2", w.now);
}

START_TEST(an_image_places_the_task_where_it_is_or_is_refused_by_name)
{
    uint64_t job;
    begin_with_images();
    struct job_spec spec = world_spec(1000, GIB);
    spec.image = strdup("debian");
    struct attempt_id id = {world_submit(&w, "globex", spec), 0, 1};
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(world_node_of(&w, &id), "n2"); /* though n1 comes first */
    spec = world_spec(1000, GIB);
    spec.image = strdup("fedora");
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.where, "image");
    ck_assert_ptr_nonnull(strstr(w.refusal.message, "image.fedora"));
    spec = world_spec(1000, GIB);
    spec.image = strdup("debian");
    spec.root = ROOT_OVERLAY;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.where, "root");
    world_fini(&w);
}
END_TEST

static int ask_volume(const char *name, bool writable)
{
    struct job_spec spec = world_spec(1000, GIB);
    struct job_volume *v = calloc(1, sizeof *v);
    *v = (struct job_volume){.name = strdup(name), .writable = writable};
    spec.volumes = (struct list){v, 1};
    uint64_t job;
    return world_try_submit(&w, "globex", NULL, &spec, &job);
}

START_TEST(a_volume_needs_the_tenants_permission_to_read_and_to_write)
{
    begin_with_images();
    ck_assert_int_eq(ask_volume("ref", false), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "globex may not use the volume 'ref'");
    struct policy_file p = {0};
    struct tenant_rule *rule = world_rule(&p, "globex");
    ck_assert(pairs_set(&rule->volumes, "ref", "ro") == 0 && pairs_set(&rule->volumes, "out", "rw") == 0 &&
              pairs_set(&rule->volumes, "gone", "ro") == 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_int_eq(ask_volume("ref", false), CORE_FACT);
    ck_assert_int_eq(ask_volume("out", true), CORE_FACT);
    ck_assert_int_eq(ask_volume("ref", true), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "globex may not write to the volume 'ref'");
    ck_assert_int_eq(ask_volume("gone", false), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits"); /* no node has it */
    world_fini(&w);
}
END_TEST

START_TEST(a_private_network_needs_the_tenants_permission)
{
    uint64_t job;
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    spec.network = NET_PRIVATE;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "globex may not use a private network");
    struct policy_file p = {0};
    world_rule(&p, "globex")->network_private = true;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    spec = world_spec(1000, GIB);
    spec.network = NET_PRIVATE;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_FACT);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler/core/features");
    TCase *t = tcase_create("features");
    tcase_add_test(t, a_profile_that_no_node_has_is_refused_by_name);
    tcase_add_loop_test(t, who_may_use_which_profile, 0, COUNT_OF(profiles));
    tcase_add_test(t, a_limit_places_the_task_where_it_is_enforced_or_is_refused_by_name);
    tcase_add_test(t, who_has_files_copied_goes_where_somebody_copies);
    tcase_add_test(t, a_device_needs_the_tenants_permission_and_a_node_that_has_it);
    tcase_add_test(t, an_image_places_the_task_where_it_is_or_is_refused_by_name);
    tcase_add_test(t, a_volume_needs_the_tenants_permission_to_read_and_to_write);
    tcase_add_test(t, a_private_network_needs_the_tenants_permission);
    suite_add_tcase(s, t);
    return run_suite(s);
}

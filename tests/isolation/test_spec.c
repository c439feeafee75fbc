#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/job_spec.h"
#include "isolation/spec/keeper.h"
#include "isolation/spec/network.h"
#include "isolation/spec/ops.h"
#include "isolation/spec/step.h"
#include "tests/run.h"

static struct sandbox_spec good(void)
{
    return (struct sandbox_spec){
        .id = {812, 17, 1},
        .cpu_milli = 1000,
        .mem_bytes = SANDBOX_MEM_MIN,
        .scratch_bytes = 1 << 20,
        .scratch_inodes = 100,
        .pids_max = 10,
        .network = NET_NONE,
        .paid_us = 1,
        .hostname = "job-812",
    };
}

#define SPEC_FIELD(field) offsetof(struct sandbox_spec, field), sizeof good().field, #field

static const struct number_row {
    const char *sentence;
    size_t at, size;
    const char *name;
    uint64_t value;
    int rc;
} numbers[] = {
    {"the smallest memory is allowed", SPEC_FIELD(mem_bytes), SANDBOX_MEM_MIN, 0},
    {"memory below what a launch needs is refused", SPEC_FIELD(mem_bytes), SANDBOX_MEM_MIN - 1, -EINVAL},
    {"memory so large that sums overflow is refused", SPEC_FIELD(mem_bytes), UINT64_MAX, -EINVAL},
    {"no cpu is refused", SPEC_FIELD(cpu_milli), 0, -EINVAL},
    {"a thousandth of a core is allowed", SPEC_FIELD(cpu_milli), 1, 0},
    {"scratch of size 0 would be unlimited", SPEC_FIELD(scratch_bytes), 0, -EINVAL},
    {"no inodes would be unlimited", SPEC_FIELD(scratch_inodes), 0, -EINVAL},
    {"one process is the keeper alone", SPEC_FIELD(pids_max), 1, -EINVAL},
    {"more processes than the cap are refused", SPEC_FIELD(pids_max), SANDBOX_PIDS_MAX + 1, -EINVAL},
    {"a network nobody knows is refused", SPEC_FIELD(network), NET_MODE_COUNT, -EINVAL},
    {"nothing paid is nothing to run for", SPEC_FIELD(paid_us), 0, -EINVAL},
    {"a time limit that overflows a sum is refused", SPEC_FIELD(time_limit_us), UINT64_MAX, -EINVAL},
    {"a grace that overflows a sum is refused", SPEC_FIELD(grace_us), UINT64_MAX, -EINVAL},
    {"a lease that overflows a sum is refused", SPEC_FIELD(lease_us), UINT64_MAX, -EINVAL},
};

START_TEST(test_number)
{
    const struct number_row *row = &numbers[_i];
    struct sandbox_spec spec = good();
    struct err err = {0};
    memcpy((char *)&spec + row->at, &row->value, row->size); /* little-endian, as all machines we run on */
    ck_assert_msg(sandbox_spec_check(&spec, &err) == row->rc, "%s: %s", row->sentence, err.text);
    ck_assert_msg(row->rc == 0 || strncmp(err.text, row->name, strlen(row->name)) == 0, "%s: says '%s'",
                  row->sentence, err.text);
}
END_TEST

START_TEST(test_epoch_zero_is_no_attempt)
{
    struct sandbox_spec spec = good();
    spec.id.epoch = 0;
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
}
END_TEST

static const struct host_row {
    const char *name;
    int rc;
} hosts[] = {
    {"a", 0},       {"job-1", 0},     {"", -EINVAL},    {"-a", -EINVAL},   {"a-", -EINVAL},
    {"A", -EINVAL}, {"a.b", -EINVAL}, {"a b", -EINVAL}, {"a\nb", -EINVAL}, {"\xc3\xa4", -EINVAL},
};

START_TEST(test_hostname)
{
    struct sandbox_spec spec = good();
    memset(spec.hostname, 0, sizeof spec.hostname);
    memcpy(spec.hostname, hosts[_i].name, strlen(hosts[_i].name));
    ck_assert_msg(sandbox_spec_check(&spec, NULL) == hosts[_i].rc, "'%s'", hosts[_i].name);
}
END_TEST

START_TEST(test_hostname_without_an_end_is_refused)
{
    struct sandbox_spec spec = good();
    memset(spec.hostname, 'a', sizeof spec.hostname);
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
}
END_TEST

static struct root_spec root_with(const char *image, uint32_t mode, const char *first, const char *second)
{
    struct root_spec r = {.mode = mode};
    const char *const paths[] = {first, second};
    strncpy(r.image, image, sizeof r.image - 1);
    for (; r.volumes_count < 2 && paths[r.volumes_count] != NULL; r.volumes_count++) {
        struct root_volume *v = &r.volumes[r.volumes_count];
        strncpy(v->name, "v", sizeof v->name - 1);
        strncpy(v->path, paths[r.volumes_count], sizeof v->path - 1);
    }
    return r;
}

static const struct root_row {
    const char *sentence, *image, *first, *second;
    uint32_t mode;
    int rc;
} roots[] = {
    {"the node's own root", "", NULL, NULL, ROOT_READ_ONLY, 0},
    {"an image with a volume", "debian-12.sqfs", "/data", NULL, ROOT_OVERLAY, 0},
    {"a name is no path", "a/b", NULL, NULL, ROOT_READ_ONLY, -EINVAL},
    {"a name does not begin with a dot", "..", NULL, NULL, ROOT_READ_ONLY, -EINVAL},
    {"an overlay lies over an image", "", NULL, NULL, ROOT_OVERLAY, -EINVAL},
    {"a root nobody knows", "a", NULL, NULL, ROOT_MODE_COUNT, -EINVAL},
    {"a path is absolute", "a", "data", NULL, ROOT_READ_ONLY, -EINVAL},
    {"a path never goes up", "a", "/data/../etc", NULL, ROOT_READ_ONLY, -EINVAL},
    {"a path has no empty part", "a", "/data//x", NULL, ROOT_READ_ONLY, -EINVAL},
    {"a path does not end in a slash", "a", "/data/", NULL, ROOT_READ_ONLY, -EINVAL},
    {"/dev is ours", "a", "/dev/shm", NULL, ROOT_READ_ONLY, -EINVAL},
    {"/device is not /dev", "a", "/device", NULL, ROOT_READ_ONLY, 0},
    {"the scratch is ours", "a", "/tmp", NULL, ROOT_READ_ONLY, -EINVAL},
    {"a folder on it is not", "a", "/tmp/x", "/tmp/y", ROOT_READ_ONLY, 0},
    {"one place twice", "a", "/x", "/x", ROOT_READ_ONLY, -EINVAL},
    {"one place in the other", "a", "/x/y", "/x", ROOT_READ_ONLY, -EINVAL},
};

START_TEST(test_root)
{
    struct sandbox_spec spec = good();
    struct err err = {0};
    spec.root = root_with(roots[_i].image, roots[_i].mode, roots[_i].first, roots[_i].second);
    ck_assert_msg(sandbox_spec_check(&spec, &err) == roots[_i].rc, "%s: %s", roots[_i].sentence, err.text);
}
END_TEST

START_TEST(test_texts_without_an_end_are_refused)
{
    struct sandbox_spec spec = good();
    memset(spec.root.image, 'a', sizeof spec.root.image);
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
    spec.root = root_with("a", ROOT_READ_ONLY, "/x", NULL);
    memset(spec.root.volumes[0].name, 'a', sizeof spec.root.volumes[0].name);
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
    spec.root = root_with("a", ROOT_READ_ONLY, "/x", NULL);
    memset(spec.root.volumes[0].path, '/', sizeof spec.root.volumes[0].path);
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
    spec.root = root_with("a", ROOT_READ_ONLY, "/x", NULL);
    spec.root.volumes_count = UINT32_MAX;
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
    spec.root = root_with("a", ROOT_READ_ONLY, "/x", NULL);
    spec.root.volumes[0].writable = 2;
    ck_assert_int_eq(sandbox_spec_check(&spec, NULL), -EINVAL);
}
END_TEST

START_TEST(test_no_slot_has_the_gateways_address)
{
    uint32_t seen[14], address;
    const uint32_t gateway = 0x0a000005;
    for (uint32_t slot = 0; slot < 13; slot++) {
        ck_assert_int_eq(network_address(gateway, 28, slot, &address), 0);
        ck_assert(address > 0x0a000000 && address < 0x0a00000f && address != gateway);
        for (uint32_t i = 0; i < slot; i++)
            ck_assert_uint_ne(seen[i], address);
        seen[slot] = address;
    }
    ck_assert_int_eq(network_address(gateway, 28, 13, &address), -EADDRNOTAVAIL);
    ck_assert_int_eq(network_address(gateway, 31, 0, &address), -EADDRNOTAVAIL);
    ck_assert_int_eq(network_address(gateway, 0, 0, &address), -EADDRNOTAVAIL);
}
END_TEST

START_TEST(test_any_changed_byte_breaks_a_record)
{
    struct keeper_record r = {.magic = KEEPER_RECORD_MAGIC, .version = KEEPER_VERSION, .id = {1, 2, 3}, .run_us = 77};
    r.check = keeper_record_sum(&r);
    ck_assert(keeper_record_is_whole(&r));
    for (size_t i = 0; i < sizeof r; i++) {
        ((unsigned char *)&r)[i] ^= 1;
        ck_assert_msg(!keeper_record_is_whole(&r), "byte %zu", i);
        ((unsigned char *)&r)[i] ^= 1;
    }
}
END_TEST

START_TEST(test_every_step_has_a_name_that_fits)
{
    for (uint32_t i = 0; i < STEP_COUNT; i++) {
        ck_assert_str_ne(launch_step_name(i), "unknown");
        ck_assert_uint_lt(strlen(launch_step_name(i)), sizeof((struct op_reply *)0)->step);
        ck_assert_uint_eq(launch_step_find(launch_step_name(i)), i);
        ck_assert_msg(i == STEP_NONE || launch_step_says(i)[0] != '\0', "step '%s' says nothing", launch_step_name(i));
    }
    ck_assert_str_eq(launch_step_name(STEP_COUNT), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/spec");
    TCase *t = tcase_create("spec");
    tcase_add_loop_test(t, test_number, 0, (int)COUNT_OF(numbers));
    tcase_add_loop_test(t, test_hostname, 0, (int)COUNT_OF(hosts));
    tcase_add_test(t, test_epoch_zero_is_no_attempt);
    tcase_add_test(t, test_hostname_without_an_end_is_refused);
    tcase_add_loop_test(t, test_root, 0, (int)COUNT_OF(roots));
    tcase_add_test(t, test_texts_without_an_end_are_refused);
    tcase_add_test(t, test_no_slot_has_the_gateways_address);
    tcase_add_test(t, test_any_changed_byte_breaks_a_record);
    tcase_add_test(t, test_every_step_has_a_name_that_fits);
    suite_add_tcase(s, t);
    return run_suite(s);
}

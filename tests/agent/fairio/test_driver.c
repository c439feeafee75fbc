/* Grants on a real file, by a ring and by plain calls: the shares are as configured in both, whatever the disk does. */
#include <check.h>

#include "tests/agent/fairio/driver.h"
#include "tests/run.h"
#include "tests/scratch.h"

#define FILE_BYTES ((uint64_t)8 << 20)

static struct driver d;
static struct scratch scratch;

static void make(bool plain)
{
    struct err err = {0};
    struct moves_setup with = {.depth = DRIVER_DEPTH, .buffers = DRIVER_DEPTH, .buffer_bytes = DRIVER_BUFFER,
                               .plain = plain};
    struct fairq_setup queue = {
        .cost = {.of = {{.sequential_ns = 9400, .random_ns = 9400, .per_byte_ps = 862},
                        {.sequential_ns = 9400, .random_ns = 9400, .per_byte_ps = 400}}},
        .tenants_max = 64, .jobs_max = 64, .streams_max = 64, .requests_max = 8192, .grants_max = DRIVER_DEPTH};
    scratch = scratch_new();
    d.seed = 88172645463325252u;
    d.file_bytes = FILE_BYTES;
    d.fd = open(scratch_path(&scratch, "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(d.fd, (off_t)FILE_BYTES), 0);
    ck_assert_msg(moves_new(&d.moves, &with, &err) == 0, "%s", err.text);
    ck_assert_int_eq(arbiter_new(&d.arbiter, &queue, driver_now_ns()), 0);
}

static void end(void)
{
    driver_end(&d);
    arbiter_free(d.arbiter);
    moves_free(d.moves);
    close(d.fd);
    scratch_remove(&scratch);
}

/* Until they have been granted enough of them to tell: a number of requests, not a time. */
static void run_until_told(void)
{
    for (int64_t for_ns = 20000000;; for_ns *= 2) { /* what a tenant was charged goes with its last stream */
        uint64_t done = 0;
        for (unsigned i = 0; i < d.clients_count; i++)
            d.clients[i].done = 0;
        driver_run(&d, for_ns);
        for (unsigned i = 0; i < d.clients_count; i++)
            done += d.clients[i].done;
        if (done >= 3000)
            return;
        driver_end(&d);
    }
}

START_TEST(shares_are_as_configured_by_ring_and_by_plain_calls)
{
    struct driver_client clients[] = {
        {.tenant = "one", .share = {.weight = 1}, .request_bytes = 4096, .depth = 64, .random = true},
        {.tenant = "three", .share = {.weight = 3}, .request_bytes = 256 << 10, .depth = 32},
        {.tenant = "six", .share = {.weight = 6}, .request_bytes = 64 << 10, .depth = 64, .writes = true},
    };
    double shares[COUNT_OF(clients)];
    make(_i == 1);
    d.clients = clients;
    d.clients_count = COUNT_OF(clients);
    run_until_told();
    driver_shares(&d, shares);
    for (unsigned i = 0; i < COUNT_OF(clients); i++) {
        double want = clients[i].share.weight / 10.0;
        ck_assert_uint_eq(clients[i].errors, 0);
        ck_assert_msg(shares[i] > want * 0.9 && shares[i] < want * 1.1, "%s has %.3f", clients[i].tenant, shares[i]);
    }
    end();
}
END_TEST

START_TEST(errors_cost_their_own_tenant_and_nobody_hangs)
{
    struct driver_client clients[] = {
        {.tenant = "good", .share = {.weight = 1}, .request_bytes = 64 << 10, .depth = 8},
        {.tenant = "bad", .share = {.weight = 1}, .request_bytes = 64 << 10, .depth = 8, .writes = true},
    };
    make(_i == 1);
    close(d.fd); /* may be read only: every write fails */
    d.fd = open(scratch_path(&scratch, "file"), O_RDONLY | O_CLOEXEC);
    d.clients = clients;
    d.clients_count = COUNT_OF(clients);
    run_until_told();
    ck_assert_uint_gt(clients[0].moved_bytes, 0);
    ck_assert_uint_eq(clients[0].errors, 0);
    ck_assert_uint_gt(clients[1].errors, 0);
    ck_assert_uint_eq(clients[1].moved_bytes, 0);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/driver");
    TCase *t = tcase_create("driver");
    tcase_add_loop_test(t, shares_are_as_configured_by_ring_and_by_plain_calls, 0, 2);
    tcase_add_loop_test(t, errors_cost_their_own_tenant_and_nobody_hangs, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}

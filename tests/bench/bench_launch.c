/*
 * What confinement costs: a launch by warden, zygote and keeper beside a bare clone3 with the same namespaces and
 * execve.
 *
 *   launch_floor_clone3_exec  clone3 {user, pid, mnt, ipc, uts, cgroup, net}, execve /bin/true, wait; no limits
 *   launch                    LAUNCH to its answer: groups limited and read back, ids, root, filter, exec of /bin/true
 *   launch_reap_remove        LAUNCH to the answer of REMOVE: record fsynced, output read, usage read, groups gone
 *   launches_per_s            the whole of it, eight at a time
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/system/driver.h"

#define ROUNDS 300
#define PARALLEL 8
#define PARALLEL_ROUNDS 100

static struct driver d;
static struct ended e;
static const char *const argv_true[] = {"/bin/true", NULL};

static void print_values(const char *name, double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    printf("%s_p50 %.0f us\n%s_p99 %.0f us\n", name, values[count / 2], name, values[count * 99 / 100]);
}

static void launch_once(double *ret_launch, double *ret_all)
{
    struct run r = driver_run(&d, argv_true);
    struct task t;
    double before = now_us();
    if (driver_launch(&d, &r, &t) != OP_DONE)
        abort();
    *ret_launch = (double)t.launch.launch_us;
    driver_end(&d, &t, &e);
    *ret_all = now_us() - before;
}

/* Interleaved, so that what else the machine does meets both. */
static void bench_one(void)
{
    static double floor_us[ROUNDS], launch_us[ROUNDS], all_us[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double before = now_us();
        floor_once();
        floor_us[i] = now_us() - before;
        launch_once(&launch_us[i], &all_us[i]);
    }
    print_values("launch_floor_clone3_exec", floor_us, ROUNDS);
    print_values("launch", launch_us, ROUNDS);
    print_values("launch_reap_remove", all_us, ROUNDS);
    printf("launch_over_floor %.2f x\n", launch_us[ROUNDS / 2] / floor_us[ROUNDS / 2]);
}

static void bench_many(void)
{
    struct task tasks[PARALLEL];
    double before = now_us();
    for (int round = 0; round < PARALLEL_ROUNDS; round++) {
        for (int i = 0; i < PARALLEL; i++) {
            struct run r = driver_run(&d, argv_true);
            driver_launch_begin(&d, &r, &tasks[i]);
        }
        driver_launch_finish(&d, tasks, PARALLEL);
        driver_end_all(&d, tasks, PARALLEL, &e);
    }
    printf("launches_per_s %.0f launches/s\n", PARALLEL * PARALLEL_ROUNDS / ((now_us() - before) / 1e6));
}

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "bench_launch: needs root\n");
        return 1;
    }
    driver_init(&d);
    bench_one();
    bench_many();
    driver_fini(&d);
    return driver_groups_gone(&d) ? 0 : 1;
}

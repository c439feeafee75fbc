/*
 * The fair queue on a real disk: who waits how long beside whom, who gets how much, and what deciding costs.
 * Reads without the page cache from one file; rounds take turns (none, fair, none, fair, ...), medians with least and
 * most. The dispatcher runs with SCHED_FIFO 1, but for hogs_ordinary_*. The victim arrives at times of its own
 * (Poisson), and its latency counts from when it was meant to start.
 *
 *   raw_*          one tenant, nobody decides; fio the same, if it is installed
 *   none_*, fair_* a 4 KiB victim beside 1 MiB x 32 of a neighbour: nobody decides; the arbiter does
 *   weights_*      device time as charged against the weights, all backlogged
 *   hogs_*         the same as fair_* with four processes that only compute
 *   kernel_*       the same on a loop device under the kernel's own elevators, each tenant a process
 *   decide_ns      post, grant and done of one request, without a disk
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/calibrate.h"
#include "tests/agent/fairio/driver.h"

#define FILE_BYTES ((uint64_t)1 << 30)
#define ROUND_NS INT64_C(2000000000)
#define ROUNDS 5
#define VICTIM_RATE 500
#define HOGS 4

static char path[256];
static struct io_cost cost;
static int64_t samples[DRIVER_SAMPLES_MAX];
static double device_mbs; /* what the neighbour reads alone, nobody deciding */

/* ---- figures ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct figures {
    double p50_us[ROUNDS], p99_us[ROUNDS], p999_us[ROUNDS], window_us[ROUNDS], victim_ops[ROUNDS];
    double neighbour_mbs[ROUNDS], total_mbs[ROUNDS];
};

static double print_one(const char *name, const char *what, double v[ROUNDS], const char *unit)
{
    qsort(v, ROUNDS, sizeof *v, by_double);
    printf("%s_%s %.1f %s (%.1f to %.1f)\n", name, what, v[ROUNDS / 2], unit, v[0], v[ROUNDS - 1]);
    fflush(stdout);
    return v[ROUNDS / 2];
}

static void print_figures(const char *name, struct figures *f)
{
    print_one(name, "victim_p50", f->p50_us, "us");
    print_one(name, "victim_p99", f->p99_us, "us");
    print_one(name, "victim_p999", f->p999_us, "us");
    if (f->window_us[0] > 0)
        print_one(name, "window", f->window_us, "us");
    print_one(name, "victim_ops", f->victim_ops, "a second");
    print_one(name, "neighbour", f->neighbour_mbs, "MB/s");
    print_one(name, "total", f->total_mbs, "MB/s");
}

/* ---- one run ---- */

static void driver_open(struct driver *d, const char *file, struct driver_client *clients, unsigned count, bool fair)
{
    struct moves_setup with = {.depth = DRIVER_DEPTH, .buffers = DRIVER_DEPTH, .buffer_bytes = DRIVER_BUFFER};
    struct fairq_setup queue = {.cost = cost, .tenants_max = 64, .jobs_max = 64, .streams_max = 64,
                                .requests_max = 16384, .grants_max = DRIVER_DEPTH};
    struct err err = {0};
    memset(d, 0, sizeof *d);
    d->seed = (uint64_t)driver_now_ns() | 1;
    d->file_bytes = FILE_BYTES;
    d->clients = clients;
    d->clients_count = count;
    for (unsigned i = 0; i < count; i++)
        clients[i].at = FILE_BYTES / count * i / DRIVER_BUFFER * DRIVER_BUFFER;
    d->fd = open(file, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (d->fd < 0 || moves_new(&d->moves, &with, &err) < 0 ||
        (fair && arbiter_new(&d->arbiter, &queue, driver_now_ns()) < 0)) {
        perror(file);
        exit(1);
    }
}

static void driver_close(struct driver *d)
{
    driver_end(d);
    arbiter_free(d->arbiter);
    moves_free(d->moves);
    close(d->fd);
}

static double mbs(uint64_t bytes, int64_t ns)
{
    return (double)bytes * 1e3 / (double)ns;
}

static double percentile_us(int64_t *v, unsigned count, unsigned percent)
{
    if (count == 0)
        return 0;
    qsort(v, count, sizeof *v, by_number);
    return (double)v[(uint64_t)count * percent / 100] / 1e3;
}

/* The dispatcher waits for nobody but the disk: else what is measured is the load of others. */
static void come_first(bool first)
{
    struct sched_param usual = {0}, fifo = {.sched_priority = 1};
    if (sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, first ? &fifo : &usual) < 0)
        printf("no SCHED_FIFO: needs root\n");
}

static struct driver driver;

/* clients[0] is the victim. */
static void run_beside(const char *file, struct driver_client *clients, unsigned count, bool fair, struct figures *f,
                       int round)
{
    struct driver *d = &driver;
    clients[0].samples = samples;
    driver_open(d, file, clients, count, fair);
    int64_t since = driver_now_ns();
    driver_run(d, ROUND_NS);
    int64_t took = driver_now_ns() - since;
    uint64_t others = 0;
    for (unsigned i = 1; i < count; i++)
        others += clients[i].moved_bytes;
    f->p50_us[round] = percentile_us(samples, clients[0].samples_count, 50);
    f->p99_us[round] = percentile_us(samples, clients[0].samples_count, 99);
    f->p999_us[round] = (double)samples[(uint64_t)clients[0].samples_count * 999 / 1000] / 1e3;
    f->window_us[round] = fair ? (double)fairq_window(arbiter_queue(d->arbiter))->limit_ns / 1e3 : 0;
    f->victim_ops[round] = (double)clients[0].done * 1e9 / (double)took;
    f->neighbour_mbs[round] = mbs(others, took);
    f->total_mbs[round] = mbs(others + clients[0].moved_bytes, took);
    driver_close(d);
}

static const struct driver_client victim = {.tenant = "victim", .share = {.weight = 100}, .request_bytes = 4096,
                                            .rate_per_s = VICTIM_RATE, .random = true};
static const struct driver_client neighbour = {.tenant = "neighbour", .share = {.weight = 100},
                                               .request_bytes = 1 << 20, .depth = 32};

static double alone_mbs(bool fair)
{
    struct driver_client one[] = {neighbour};
    driver_open(&driver, path, one, 1, fair);
    int64_t since = driver_now_ns();
    driver_run(&driver, ROUND_NS);
    double got = mbs(one[0].moved_bytes, driver_now_ns() - since);
    driver_close(&driver);
    return got;
}

static double fio_mbs(void)
{
    int ends[2];
    char name[300], text[4096];
    snprintf(name, sizeof name, "--filename=%s", path);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execlp("fio", "fio", "--name=raw", name, "--rw=read", "--bs=1M", "--iodepth=32", "--ioengine=io_uring",
               "--direct=1", "--runtime=2", "--time_based", "--output-format=terse", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t n; len < sizeof text - 1 && (n = read(ends[0], text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    waitpid(pid, NULL, 0);
    char *at = text;
    for (int field = 1; field < 7 && at != NULL; field++) /* the seventh: KiB a second read */
        at = (at = strchr(at, ';')) != NULL ? at + 1 : NULL;
    return at == NULL ? 0 : strtod(at, NULL) * 1024 / 1e6;
}

static void bench_alone(void)
{
    double raw[ROUNDS], lone[ROUNDS], fio[ROUNDS], ratio[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        raw[i] = alone_mbs(false);
        lone[i] = alone_mbs(true);
        fio[i] = fio_mbs();
        ratio[i] = lone[i] / raw[i];
    }
    print_one("raw", "alone", raw, "MB/s");
    print_one("fio", "alone", fio, "MB/s");
    print_one("fair", "alone", lone, "MB/s");
    print_one("fair", "alone_over_raw", ratio, "x");
}

static void bench_victim(void)
{
    static struct figures none, fair, quiet, many;
    for (int i = 0; i < ROUNDS; i++) {
        struct driver_client alone[] = {victim}, a[] = {victim, neighbour}, b[] = {victim, neighbour};
        struct driver_client noisy[17] = {victim};
        char names[17][8];
        for (unsigned k = 1; k < 17; k++) {
            noisy[k] = neighbour;
            snprintf(names[k], sizeof names[k], "n%u", k);
            noisy[k].tenant = names[k];
        }
        run_beside(path, alone, 1, false, &quiet, i);
        run_beside(path, a, 2, false, &none, i);
        run_beside(path, b, 2, true, &fair, i);
        run_beside(path, noisy, 17, true, &many, i);
    }
    print_one("quiet", "victim_p99", quiet.p99_us, "us");
    print_figures("none", &none);
    print_figures("fair", &fair);
    print_figures("fair_16", &many);
}

/* ---- shares ---- */

struct weights_row {
    const char *name;
    unsigned count;
    uint32_t weights[4];
    uint64_t bytes[4];
};
static const struct weights_row weights[] = {
    {"1_1", 2, {1, 1}, {4096, 1 << 20}},
    {"1_3", 2, {1, 3}, {1 << 20, 4096}},
    {"1_10", 2, {1, 10}, {65536, 1 << 20}},
    {"1_2_7", 3, {1, 2, 7}, {4096, 1 << 20, 131072}},
};

static void run_weights(const struct weights_row *row)
{
    struct driver_client clients[4];
    double shares[4], sum = 0, squares = 0, all = 0, worst = 0;
    char names[4][8];
    for (unsigned i = 0; i < row->count; i++) {
        snprintf(names[i], sizeof names[i], "w%u", i);
        clients[i] = (struct driver_client){.tenant = names[i], .share = {.weight = row->weights[i]},
                                            .request_bytes = row->bytes[i], .depth = row->bytes[i] > 65536 ? 32 : 256,
                                            .random = row->bytes[i] == 4096};
        all += row->weights[i];
    }
    driver_open(&driver, path, clients, row->count, true);
    driver_run(&driver, ROUND_NS);
    driver_shares(&driver, shares);
    for (unsigned i = 0; i < row->count; i++) {
        double want = row->weights[i] / all, per = shares[i] / want;
        double error = per > 1 ? per - 1 : 1 - per;
        worst = error > worst ? error : worst;
        sum += per;
        squares += per * per;
    }
    printf("weights_%s_error %.2f %% of cost\nweights_%s_jain %.5f\n", row->name, worst * 100, row->name,
           sum * sum / (row->count * squares));
    driver_close(&driver);
}

/* ---- groups of the kernel's: a device that is slowed down, a neighbour that is throttled ---- */

#define GROUP "/sys/fs/cgroup/blkio/reeve-bench-fairio"

static bool group_write(const char *file, const char *text)
{
    char name[128];
    snprintf(name, sizeof name, GROUP "/%s", file);
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool group_limit(dev_t device, double bytes_per_s)
{
    char text[64];
    snprintf(text, sizeof text, "%u:%u %.0f", major(device), minor(device), bytes_per_s);
    return group_write("blkio.throttle.read_bps_device", text);
}

static bool group_make(void)
{
    return mkdir(GROUP, 0755) == 0 || errno == EEXIST;
}

static void leave_group(void)
{
    FILE *all = fopen("/sys/fs/cgroup/blkio/cgroup.procs", "w");
    if (all == NULL)
        return;
    fprintf(all, "%d", getpid());
    fclose(all);
}

static void bench_reservation(double whole_mbs)
{
    struct stat st;
    struct driver_client clients[] = {
        {.tenant = "reserved", .share = {.weight = 1, .reserved_ppm = 500000}, .request_bytes = 1 << 20, .depth = 32},
        {.tenant = "heavy", .share = {.weight = 9}, .request_bytes = 1 << 20, .depth = 32}};
    double shares[2];
    if (stat(path, &st) < 0 || !group_make() || !group_limit(st.st_dev, whole_mbs * 1e6 / 2) ||
        !group_write("cgroup.procs", "0")) {
        printf("reservation_slow: not tried: no blkio controller of cgroup v1 here\n");
        return;
    }
    driver_open(&driver, path, clients, 2, true);
    driver_run(&driver, 2 * ROUND_NS);
    driver_shares(&driver, shares);
    printf("reservation_slow_share %.4f of 0.5000 wanted, at %.0f of %.0f MB/s\n", shares[0],
           mbs(clients[0].moved_bytes + clients[1].moved_bytes, 2 * ROUND_NS), whole_mbs);
    driver_close(&driver);
    leave_group();
    rmdir(GROUP);
}

/* ---- four that only compute ---- */

static void bench_hogs(void)
{
    static struct figures ordinary, nicer, first;
    pid_t hogs[HOGS];
    for (int i = 0; i < HOGS; i++) {
        hogs[i] = fork();
        if (hogs[i] == 0) {
            come_first(false);
            for (volatile unsigned long n = 0;; n++)
                continue;
        }
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct driver_client a[] = {victim, neighbour}, b[] = {victim, neighbour}, c[] = {victim, neighbour};
        come_first(false);
        run_beside(path, a, 2, true, &ordinary, i);
        setpriority(PRIO_PROCESS, 0, -15); /* as the warden starts its agent */
        run_beside(path, c, 2, true, &nicer, i);
        setpriority(PRIO_PROCESS, 0, 0);
        come_first(true);
        run_beside(path, b, 2, true, &first, i);
    }
    for (int i = 0; i < HOGS; i++) {
        kill(hogs[i], SIGKILL);
        waitpid(hogs[i], NULL, 0);
    }
    print_figures("hogs_ordinary", &ordinary);
    print_figures("hogs_nice", &nicer);
    print_figures("hogs_fifo", &first);
}

/* ---- the kernel's own ---- */

static bool call(const char *const argv[], char *out, size_t size)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = out == NULL ? 0 : read(ends[0], out, size - 1);
    if (out != NULL)
        out[MAX(n, 0)] = '\0';
    close(ends[0]);
    int status = -1;
    waitpid(pid, &status, 0);
    return status == 0;
}

/* The neighbour as a process of its own; how much it moved comes through the pipe. */
static pid_t fork_neighbour(const char *file, bool in_group, int *ret_end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        struct driver_client one[] = {neighbour};
        if (in_group && !group_write("cgroup.procs", "0"))
            _exit(1);
        driver_open(&driver, file, one, 1, false);
        driver_run(&driver, ROUND_NS);
        _exit(write(ends[1], &one[0].moved_bytes, sizeof one[0].moved_bytes) < 0);
    }
    close(ends[1]);
    *ret_end = ends[0];
    return pid;
}

static void run_kernel(const char *file, bool throttled, struct figures *f, int round)
{
    struct driver_client one[] = {victim};
    uint64_t moved = 0;
    int end;
    pid_t pid = fork_neighbour(file, throttled, &end);
    run_beside(file, one, 1, false, f, round);
    if (read(end, &moved, sizeof moved) != (ssize_t)sizeof moved)
        fprintf(stderr, "bench_fairio: the neighbour failed\n");
    close(end);
    waitpid(pid, NULL, 0);
    f->neighbour_mbs[round] = mbs(moved, ROUND_NS);
    f->total_mbs[round] = f->neighbour_mbs[round] + f->total_mbs[round];
}

static void bench_kernel(void)
{
    static const char *const elevators[] = {"none", "mq-deadline", "bfq"};
    static struct figures f[COUNT_OF(elevators)], throttled, fair;
    char device[64] = "", name[128];
    struct stat st;
    const char *const make[] = {"losetup", "--find", "--show", "--direct-io=on", path, NULL};
    if (!call(make, device, sizeof device)) {
        printf("kernel: not tried: no loop device to be had\n");
        return;
    }
    device[strcspn(device, "\n")] = '\0';
    snprintf(name, sizeof name, "/sys/block/%s/queue/scheduler", strrchr(device, '/') + 1);
    bool group = stat(device, &st) == 0 && group_make() && group_limit(st.st_rdev, device_mbs * 1e6 / 2);
    for (int i = 0; i < ROUNDS; i++) {
        for (size_t e = 0; e < COUNT_OF(elevators); e++) {
            int fd = open(name, O_WRONLY | O_CLOEXEC);
            if (fd < 0 || write(fd, elevators[e], strlen(elevators[e])) < 0)
                printf("kernel_%s: this kernel has it not\n", elevators[e]);
            close(fd);
            run_kernel(device, false, &f[e], i);
        }
        int fd = open(name, O_WRONLY | O_CLOEXEC);
        if (write(fd, "none", 4) < 0)
            printf("kernel: the elevator can't be set\n");
        close(fd);
        if (group)
            run_kernel(device, true, &throttled, i);
        struct driver_client both[] = {victim, neighbour};
        run_beside(device, both, 2, true, &fair, i);
    }
    for (size_t e = 0; e < COUNT_OF(elevators); e++) {
        snprintf(name, sizeof name, "kernel_%s", elevators[e]);
        print_figures(name, &f[e]);
    }
    if (group)
        print_figures("kernel_throttle_half", &throttled);
    print_figures("loop_fair", &fair);
    const char *const unmake[] = {"losetup", "--detach", device, NULL};
    call(unmake, NULL, 0);
    rmdir(GROUP);
}

/* ---- deciding ---- */

static uint64_t granted;
static struct arbiter *deciding;

static void answer_at_once(void *owner, uint64_t token, const struct fq_grant *g)
{
    (void)owner;
    (void)token;
    granted++;
    arbiter_done(deciding, g, g->bytes, driver_now_ns());
}

static void bench_deciding(unsigned tenants)
{
    struct fairq_setup queue = {.cost = cost, .tenants_max = 2048, .jobs_max = 2048, .streams_max = 2048,
                                .requests_max = 16384, .grants_max = 256};
    static arbiter_id streams[2048];
    char name[16];
    if (arbiter_new(&deciding, &queue, driver_now_ns()) < 0)
        abort();
    for (unsigned i = 0; i < tenants; i++) {
        snprintf(name, sizeof name, "t%u", i);
        struct arbiter_stream s = {.tenant = name, .job = 1, .out_max = 8, .go = answer_at_once};
        if (arbiter_open(deciding, &s, &streams[i]) < 0)
            abort();
    }
    struct rusage before, after;
    granted = 0;
    getrusage(RUSAGE_SELF, &before);
    struct fq_request r = {.dir = IO_READ, .random = true, .bytes = 4096};
    for (unsigned round = 0; granted < 2000000; round++) {
        int64_t now = driver_now_ns();
        for (unsigned i = 0; i < 32; i++) /* as many as come with one turn at that rate */
            if (arbiter_post(deciding, streams[(round * 32 + i) % tenants], &r, now) < 0)
                abort();
        arbiter_pump(deciding, now);
    }
    getrusage(RUSAGE_SELF, &after);
    double us = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e6 +
                (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
                (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e6 +
                (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    double ns = us * 1e3 / (double)granted;
    printf("decide_%u_tenants %.0f ns: %.2f %% of a core at 70,000 a second\n", tenants, ns, ns * 70000 / 1e7);
    arbiter_free(deciding);
}

static void prepare(const char *build)
{
    struct calibrate_setup setup = {.dir = build, .file_bytes = FILE_BYTES, .total_us = 3000000};
    struct calibrate_found found;
    struct io_model model = {0};
    struct err err = {0};
    if (calibrate(&setup, &model, &found, &err) < 0) {
        fprintf(stderr, "bench_fairio: %s\n", err_text(&err));
        exit(1);
    }
    cost = model.cost;
    fields_clear(&io_model_fields, &model);
    printf("model read %.1f us + %.3f ns a byte\n", (double)cost.of[IO_READ].random_ns / 1e3,
           (double)cost.of[IO_READ].per_byte_ps / 1e3);
    snprintf(path, sizeof path, "%s/bench-fairio.data", build);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    void *block = NULL;
    if (fd < 0 || posix_memalign(&block, 4096, 1 << 20) != 0)
        abort();
    memset(block, 'r', 1 << 20);
    for (uint64_t at = 0; at < FILE_BYTES; at += 1 << 20)
        if (write(fd, block, 1 << 20) != 1 << 20) {
            perror(path);
            exit(1);
        }
    free(block);
    close(fd);
}

static void bench_decide(void)
{
    for (unsigned n = 2; n <= 2048; n *= 32)
        bench_deciding(n);
}

static void bench_weights(void)
{
    for (size_t i = 0; i < COUNT_OF(weights); i++)
        run_weights(&weights[i]);
    bench_reservation(device_mbs);
}

static const struct section {
    const char *name;
    void (*run)(void);
} sections[] = {
    {"decide", bench_decide},   {"alone", bench_alone}, {"victim", bench_victim},
    {"weights", bench_weights}, {"hogs", bench_hogs},   {"kernel", bench_kernel},
};

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_fairio BUILD [SECTION]\n");
        return 2;
    }
    prepare(argv[1]);
    come_first(true);
    device_mbs = alone_mbs(false);
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        double load[1] = {-1};
        if (argc > 2 && strcmp(argv[2], sections[i].name) != 0)
            continue;
        (void)!getloadavg(load, 1);
        printf("## %s, load %.2f\n", sections[i].name, load[0]);
        sections[i].run();
    }
    unlink(path);
    return 0;
}

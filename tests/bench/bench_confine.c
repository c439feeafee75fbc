/*
 * The sandbox beside its peers, and under attack. usage: bench_confine BUILD. Prints `name value unit`.
 * BENCH_ONLY=round|live|bomb|beside runs that part alone.
 *
 *   round_*   `true` from the request to the reaped end, one after the other, interleaved: the floor (clone3 with the
 *             same namespaces, exec), ours with groups, ids, filter and limits, bubblewrap (no groups, no filter), crun
 *             (groups, its own default filter absent: `crun spec` has none)
 *   live_*    1,000 sandboxes at once: starts a second for the first and the last hundred; a keeper's PSS
 *   bomb_*    a fork bomb of 1,000 processes, from the order to the empty group
 *   beside_*  a cpu loop and a page-fault loop alone and beside 4 memory and 4 fork bombs: p99 of a turn of the loop;
 *             the loops' job as any other, then with `pin_cpus`, which an operator would give who may not be disturbed
 *
 * The rate of starts side by side is bench_launch's. A peer that isn't installed is named and left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/bench/measure.h"
#include "tests/system/driver.h"

#define ROUNDS 200
#define LIVE 1000
#define LIVE_STEP 100
#define BOMBS 20
#define BOMB_PROCESSES 1000

static struct driver d;
static struct ended e;
static const char *const argv_true[] = {"/bin/true", NULL};

static double percentile(double *values, size_t count, size_t percent)
{
    qsort(values, count, sizeof *values, by_value);
    return values[MIN(count * percent / 100, count - 1)];
}

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_confine: %s: %s\n", what, strerror(errno));
    driver_fini(&d);
    exit(1);
}

/* ---- one after the other, beside the peers ---- */

static void wait_for(pid_t pid, const char *what)
{
    int status = -1;
    need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, what);
}

static void ours_once(void)
{
    struct run r = driver_run(&d, argv_true);
    driver_do(&d, &r, &e);
    need(e.record.cause == END_EXIT && e.record.exit_code == 0, "our own `true`");
}

static void spawn(const char *const argv[], const char *what)
{
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    wait_for(pid, what);
}

static void bwrap_once(void)
{
    static const char *const argv[] = {"bwrap",     "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind",
                                       "/usr",      "/usr",          "--symlink",         "usr/bin",       "/bin",
                                       "--symlink", "usr/lib",       "/lib",              "--symlink",     "usr/lib64",
                                       "/lib64",    "--proc",        "/proc",             "--dev",         "/dev",
                                       "--tmpfs",   "/tmp",          argv_true[0],        NULL};
    spawn(argv, "bwrap");
}

static char bundle[128];
static int crun_orders = -1, crun_answers = -1;

/* crun refuses a hybrid host: a child in a mount namespace of its own, without the second hierarchy, starts it. */
_Noreturn static void serve_crun(int orders, int answers)
{
    need(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "unshare");
    umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    char byte, name[32];
    for (unsigned n = 0; read(orders, &byte, 1) == 1; n++) {
        snprintf(name, sizeof name, "reeve-bench-%d-%u", (int)getpid(), n);
        pid_t pid = fork();
        int status = -1;
        if (pid == 0) {
            execlp("crun", "crun", "run", "-b", bundle, name, (char *)NULL);
            _exit(127);
        }
        waitpid(pid, &status, 0);
        byte = status == 0 ? 'y' : 'n';
        if (write(answers, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

/* `crun spec` with `true` for the shell, without a terminal, on a root that has the host's /usr. */
static bool crun_prepare(void)
{
    char command[1536];
    snprintf(bundle, sizeof bundle, "%s/bundle", d.dir);
    snprintf(command, sizeof command,
             "set -e; mkdir -p %s; cd %s; mkdir rootfs rootfs/usr rootfs/proc rootfs/dev rootfs/sys rootfs/tmp; "
             "ln -s usr/bin rootfs/bin; ln -s usr/lib rootfs/lib; ln -s usr/lib64 rootfs/lib64; crun spec; "
             "jq '.process.terminal=false | .process.args=[\"/bin/true\"] | .mounts += [{\"destination\":\"/usr\","
             "\"type\":\"bind\",\"source\":\"/usr\",\"options\":[\"rbind\",\"ro\"]}] | .linux.namespaces += "
             "[{\"type\":\"user\"}] | .linux.uidMappings=[{\"containerID\":0,\"hostID\":1000000,\"size\":65536}] | "
             ".linux.gidMappings=.linux.uidMappings | .linux.resources.memory={\"limit\":134217728} | "
             ".linux.resources.pids={\"limit\":64}' config.json > c && mv c config.json",
             bundle, bundle);
    const char *const argv[] = {"sh", "-c", command, NULL};
    spawn(argv, "crun's bundle");
    int orders[2], answers[2];
    need(pipe2(orders, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "pipe");
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        close(orders[1]);
        close(answers[0]);
        serve_crun(orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    crun_orders = orders[1];
    crun_answers = answers[0];
    return true;
}

static void crun_once(void)
{
    char byte = 'g';
    need(write(crun_orders, &byte, 1) == 1 && read(crun_answers, &byte, 1) == 1 && byte == 'y', "crun");
}

static bool is_installed(const char *program)
{
    char path[128];
    snprintf(path, sizeof path, "/usr/bin/%s", program);
    return access(path, X_OK) == 0;
}

static void bench_rounds(void)
{
    static struct row {
        const char *name;
        void (*once)(void);
        double us[ROUNDS];
        bool there;
    } rows[] = {{.name = "floor", .once = floor_once, .there = true},
                {.name = "ours", .once = ours_once, .there = true},
                {.name = "bwrap", .once = bwrap_once},
                {.name = "crun", .once = crun_once}};
    rows[2].there = is_installed("bwrap");
    rows[3].there = is_installed("crun") && is_installed("jq") && crun_prepare();
    for (int i = 0; i < ROUNDS; i++)
        for (size_t k = 0; k < COUNT_OF(rows); k++) {
            double before = now_us();
            if (rows[k].there)
                rows[k].once();
            rows[k].us[i] = now_us() - before;
        }
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        if (!rows[k].there) {
            printf("# round_%s: not installed\n", rows[k].name);
            continue;
        }
        double p50 = percentile(rows[k].us, ROUNDS, 50), p99 = percentile(rows[k].us, ROUNDS, 99);
        printf("round_%s_p50 %.0f us\nround_%s_p99 %.0f us\n", rows[k].name, p50, rows[k].name, p99);
    }
    double ours = percentile(rows[1].us, ROUNDS, 50);
    for (size_t k = 0; k < COUNT_OF(rows); k++)
        if (k != 1 && rows[k].there)
            printf("round_ours_over_%s %.2f x\n", rows[k].name, ours / percentile(rows[k].us, ROUNDS, 50));
    close_p(&crun_orders);
    close_p(&crun_answers);
}

/* Until it is gone: a warden says "busy" when dying takes longer than its patience. */
static void remove_it(struct task *t)
{
    enum op_status status = OP_BUSY;
    for (int tries = 0; tries < 60 && status == OP_BUSY; tries++)
        status = driver_ask(&d, OP_REMOVE, t->id).status;
    need(status == OP_DONE, "remove");
    driver_drop(t);
}

/* ---- a thousand at once ---- */

static unsigned pss_kib(pid_t pid)
{
    char path[64], line[128];
    unsigned kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Pss: %u kB", &kib) == 1) /* lint: allow in tests */
            break;
    if (f != NULL)
        fclose(f);
    return kib;
}

/* The keepers are the zygote's children, and it the warden's. */
static double mean_keeper_pss(void)
{
    char command[256];
    snprintf(command, sizeof command,
             "for z in $(cat /proc/%d/task/%d/children); do cat /proc/$z/task/$z/children; done", (int)d.pid,
             (int)d.pid);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    int pid;
    unsigned long sum = 0, count = 0;
    while (f != NULL && fscanf(f, "%d", &pid) == 1 && count < 100) { /* lint: allow in tests */
        sum += pss_kib((pid_t)pid);
        count++;
    }
    if (f != NULL)
        pclose(f);
    return count > 0 ? (double)sum / (double)count : 0;
}

static void bench_live(void)
{
    static struct task tasks[LIVE];
    static const char *const argv[] = {"/bin/sleep", "1000", NULL};
    double first = 0, last = 0;
    for (int from = 0; from < LIVE; from += LIVE_STEP) {
        double before = now_us();
        for (int i = from; i < from + LIVE_STEP; i++) {
            struct run r = driver_run(&d, argv);
            r.spec.mem_bytes = (uint64_t)16 << 20;
            need(driver_launch(&d, &r, &tasks[i]) == OP_DONE, "launch of a thousand");
        }
        double rate = LIVE_STEP / ((now_us() - before) / 1e6);
        first = from == 0 ? rate : first;
        last = rate;
    }
    printf("live_start_first_100 %.0f per_s\nlive_start_last_100 %.0f per_s\n", first, last);
    printf("live_last_over_first %.2f x\nlive_keeper_pss %.0f KiB\n", last / first, mean_keeper_pss());
    for (int i = 0; i < LIVE; i++)
        remove_it(&tasks[i]);
}

/* ---- bombs ---- */

static const char fork_bomb[] = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nn = 0\n"
                                "while True:\n    try:\n        if os.fork(): n += 1\n    except OSError: pass\n"
                                "    if n >= 1: os.write(1, b'x'); n = -10**9\n";
/* It stays below its limit: one that dies of it disturbs nobody any more. */
static const char memory_bomb[] = "while True:\n    b = bytearray(90 << 20)\n    del b\n";

static struct run python(const char *text, const char **argv)
{
    argv[0] = "/usr/bin/python3";
    argv[1] = "-c";
    argv[2] = text;
    argv[3] = NULL;
    return driver_run(&d, argv);
}

static void bench_bombs(void)
{
    double us[BOMBS];
    for (int i = 0; i < BOMBS; i++) {
        const char *argv[4];
        struct run r = python(fork_bomb, argv);
        struct task t;
        r.spec.pids_max = BOMB_PROCESSES;
        r.spec.mem_bytes = (uint64_t)4 << 30;
        need(driver_launch(&d, &r, &t) == OP_DONE, "launch of a bomb");
        struct op_reply now = {0};
        for (int tries = 0; tries < 2000 && measured(now.usage.pids_peak) < BOMB_PROCESSES; tries++) {
            now = driver_ask(&d, OP_READ, t.id);
            poll(NULL, 0, 5);
        }
        double before = now_us();
        remove_it(&t);
        us[i] = now_us() - before;
    }
    printf("bomb_kill_p50 %.0f us\nbomb_kill_worst %.0f us\n", percentile(us, BOMBS, 50), percentile(us, BOMBS, 99));
}

/* ---- neighbours ---- */

static const char loops[] =
    "import mmap, time\n"
    "def cpu():\n    s = 0\n    for i in range(20000): s += i\n"
    "def fault():\n    m = mmap.mmap(-1, 1 << 20)\n    for i in range(0, 1 << 20, 4096): m[i] = 1\n    m.close()\n"
    "for f in (cpu, fault):\n    t = []\n    for i in range(1000):\n        a = time.perf_counter(); f()\n"
    "        t.append(time.perf_counter() - a)\n    t.sort(); print(int(t[990] * 1e6))\n";

static void measure_loops(unsigned us[2], bool pinned)
{
    const char *argv[4];
    struct run r = python(loops, argv);
    r.spec.limits.pinned_cpus = pinned ? 1 : 0;
    driver_do(&d, &r, &e);
    need(sscanf(e.out, "%u\n%u\n", &us[0], &us[1]) == 2, "the loops' figures"); /* lint: allow in tests */
}

static void bench_neighbours(void)
{
    static const char *const names[] = {"beside", "beside_pinned"};
    struct task bombs[8];
    unsigned alone[2][2], beside[2][2];
    for (int pinned = 0; pinned < 2; pinned++)
        measure_loops(alone[pinned], pinned);
    for (int i = 0; i < 8; i++) {
        const char *argv[4];
        struct run r = python(i % 2 == 0 ? fork_bomb : memory_bomb, argv);
        r.spec.pids_max = 200;
        r.spec.cpu_milli = 100; /* with the loops' own core no more than two are promised */
        need(driver_launch(&d, &r, &bombs[i]) == OP_DONE, "launch of a neighbour");
    }
    for (int pinned = 0; pinned < 2; pinned++)
        measure_loops(beside[pinned], pinned);
    for (int i = 0; i < 8; i++)
        remove_it(&bombs[i]);
    for (int k = 0; k < 2; k++) {
        const char *n = names[k];
        printf("%s_cpu_p99_alone %u us\n%s_cpu_p99 %u us\n", n, alone[k][0], n, beside[k][0]);
        printf("%s_fault_p99_alone %u us\n%s_fault_p99 %u us\n", n, alone[k][1], n, beside[k][1]);
        printf("%s_cpu_over_alone %.2f x\n%s_fault_over_alone %.2f x\n", n, (double)beside[k][0] / alone[k][0], n,
               (double)beside[k][1] / alone[k][1]);
    }
}

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "bench_confine: needs root\n");
        return 1;
    }
    driver_init(&d);
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"round", bench_rounds}, {"live", bench_live}, {"bomb", bench_bombs}, {"beside", bench_neighbours}};
    const char *only = getenv("BENCH_ONLY");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (only == NULL || strcmp(only, parts[i].name) == 0)
            parts[i].run();
        fflush(stdout);
    }
    driver_fini(&d);
    return driver_groups_gone(&d) ? 0 : 1;
}

/*
 * What capturing logs costs: writers that are processes of their own, their pipes, loop, ring and fair queue as in the
 * agent, files on the disk below BUILD.
 *
 *   logs_floor    a loop of splice(2) from one pipe to one file
 *   logs_64k      one writer of 64 KiB at a time
 *   logs_lines    one writer of lines of 100 bytes, each a write of its own
 *   logs_many     1,000 streams of 200 tenants at once, 64 KiB each, one line after the other
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/logs.h"
#include "base/io/clock.h"
#include "base/io/fd.h"

#define ROUNDS 3
#define BLOCKS_BYTES ((uint64_t)2 << 30)
#define LINES_BYTES ((uint64_t)128 << 20)
#define MANY 1000
#define MANY_BYTES ((uint64_t)64 << 10)
#define LINE 100

static char dir_path[256];
static struct loop *loop;
static struct ring *ring;
static struct fair *fair;
static struct logs *logs;
static unsigned left;

static void on_done(void *owner, uint64_t token, enum log_stream which)
{
    (void)owner, (void)token, (void)which;
    if (--left == 0)
        loop_stop(loop);
}

static const struct logs_events events = {.on_done = on_done};

static pid_t start_writer(int fd, uint64_t bytes, size_t piece)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    static char text[65536];
    memset(text, 'x', sizeof text);
    text[piece - 1] = '\n';
    for (uint64_t at = 0; at < bytes; at += piece)
        if (fd_write_all(fd, text, (size_t)MIN(piece, bytes - at)) < 0)
            _exit(1);
    _exit(0);
}

static double cpu_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r); /* with the ring's kernel threads */
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int open_dir(unsigned i)
{
    char name[300];
    snprintf(name, sizeof name, "%s/%u", dir_path, i);
    mkdir(name, 0700);
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void check(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench_logs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void print(const char *name, uint64_t bytes, int64_t since_ns, double cpu)
{
    double s = (double)(clock_mono_ns() - since_ns) / 1e9;
    printf("%s %.0f MB/s\n%s_cpu %.2f s/GiB\n", name, (double)bytes / 1e6 / s, name,
           (cpu_s() - cpu) * 1073741824.0 / (double)bytes);
    fflush(stdout);
}

static void run_streams(const char *name, unsigned count, uint64_t bytes, size_t piece)
{
    static int dirs[MANY];
    static pid_t pids[MANY];
    static int ends[MANY][2];
    struct err err = {0};
    check(loop_new(&loop, &err) == 0 && ring_new(&ring, loop, 4096, &err) == 0, err.text);
    check(fair_new(&fair, loop, NULL, &err) == 0, err.text);
    struct logs_setup with = {.loop = loop, .ring = ring, .fair = fair, .events = &events};
    check(logs_new(&logs, &with) == 0, "logs");
    for (unsigned i = 0; i < count; i++)
        check(pipe2(ends[i], O_CLOEXEC) == 0, "pipe");
    int64_t since = clock_mono_ns();
    double cpu = cpu_s();
    left = count;
    for (unsigned i = 0; i < count; i++) {
        char tenant[16];
        logs_id id;
        snprintf(tenant, sizeof tenant, "t%u", i % 200);
        dirs[i] = open_dir(i);
        pids[i] = start_writer(ends[i][1], bytes, piece);
        close(ends[i][1]);
        struct logs_source source = {.dir = dirs[i], .which = STREAM_OUT, .name = "1.0.1", .tenant = tenant,
                                     .job = i, .pipe = ends[i][0], .cap = UINT64_C(1) << 40, .token = i};
        check(logs_open(logs, &source, &id) == 0, "open");
        /* Its end is the end of its file. */
    }
    while (logs_counts(logs).moved_bytes < count * bytes) {
        struct timer *t;
        check(timer_new(&t, loop, (void (*)(void *))loop_stop, loop) == 0, "timer");
        timer_set_ms(t, 20);
        check(loop_run(loop, NULL) == 0, "loop");
        timer_free(t);
    }
    print(name, count * bytes, since, cpu);
    ring_free(ring);
    logs_free(logs);
    fair_free(fair);
    loop_free(loop);
    for (unsigned i = 0; i < count; i++) {
        waitpid(pids[i], NULL, 0);
        unlinkat(dirs[i], "out", 0);
        close(dirs[i]);
    }
}

static void run_floor(void)
{
    int ends[2], dir = open_dir(0);
    check(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    fcntl(ends[0], F_SETPIPE_SZ, LOGS_PIPE);
    int file = openat(dir, "floor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int64_t since = clock_mono_ns();
    double cpu = cpu_s();
    pid_t pid = start_writer(ends[1], BLOCKS_BYTES, 65536);
    close(ends[1]);
    while (splice(ends[0], NULL, file, NULL, LOGS_PIPE, 0) > 0)
        continue;
    print("logs_floor", BLOCKS_BYTES, since, cpu);
    waitpid(pid, NULL, 0);
    unlinkat(dir, "floor", 0);
    close(file), close(ends[0]), close(dir);
}

int main(int argc, char **argv)
{
    double load[1] = {-1};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_logs BUILD [PART]\n");
        return 2;
    }
    snprintf(dir_path, sizeof dir_path, "%s/bench-logs", argv[1]);
    mkdir(dir_path, 0700);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 0; i < ROUNDS; i++) {
        (void)!getloadavg(load, 1);
        printf("load %.2f\n", load[0]);
        const char *only = argc > 2 ? argv[2] : "";
        if (strstr("logs_floor", only) != NULL)
            run_floor();
        if (strstr("logs_64k", only) != NULL)
            run_streams("logs_64k", 1, BLOCKS_BYTES, 65536);
        if (strstr("logs_lines", only) != NULL)
            run_streams("logs_lines", 1, LINES_BYTES, LINE);
        if (strstr("logs_many", only) != NULL)
            run_streams("logs_many", MANY, MANY_BYTES, LINE);
    }
    struct err err = {0};
    return dir_remove(dir_path, &err) < 0;
}

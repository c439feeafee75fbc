/*
 * transfer_program - what a job does with its mover, by hand: a line for each thing it tried. Run inside, as a script.
 *
 *   transfer_program MODE: copy | refuse | many | look | lose | slow | none
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/transfer_client.h"

#define SIZE ((size_t)5000000)

static void fill(const char *path, size_t size, off_t at)
{
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 31 + i / 251);
    for (size_t done = 0; done < size;) {
        size_t some = size - done < sizeof block ? size - done : sizeof block;
        ssize_t n = pwrite(fd, block, some, at + (off_t)done);
        if (n <= 0)
            exit(9);
        done += (size_t)n;
    }
    close(fd);
}

static int same(const char *a, const char *b)
{
    static char x[65536], y[65536];
    int fa = open(a, O_RDONLY | O_CLOEXEC), fb = open(b, O_RDONLY | O_CLOEXEC);
    ssize_t n, m;
    do {
        n = read(fa, x, sizeof x);
        m = read(fb, y, sizeof y);
    } while (n > 0 && n == m && memcmp(x, y, (size_t)n) == 0);
    close(fa);
    close(fb);
    return n == 0 && m == 0;
}

static int copy(const char *from, int from_flags, const char *to, int to_flags, struct transfer_reply *how)
{
    int a = open(from, from_flags | O_CLOEXEC, 0600), b = open(to, to_flags | O_CLOEXEC, 0600);
    int mover = transfer_connect();
    if (mover < 0)
        return mover;
    int rc = transfer_copy(mover, a, b, 0, 0, TRANSFER_ALL, NULL, NULL, how);
    close(a);
    close(b);
    close(mover);
    return rc;
}

static void say(const char *what, int rc, const struct transfer_reply *how)
{
    printf("%s %d %llu %s\n", what, rc, (unsigned long long)how->moved_bytes, how->text);
    fflush(stdout);
}

static void copies(void)
{
    struct transfer_reply how;
    struct stat a, b;
    fill("/tmp/from", SIZE, 0);
    int rc = copy("/tmp/from", O_RDONLY, "/tmp/to", O_WRONLY | O_CREAT, &how);
    say("plain", rc, &how);
    printf("same %d\n", same("/tmp/from", "/tmp/to"));
    fill("/tmp/sparse", 4096, 8 << 20);
    if (truncate("/tmp/sparse", 16 << 20) < 0)
        exit(8);
    rc = copy("/tmp/sparse", O_RDONLY, "/tmp/thin", O_WRONLY | O_CREAT, &how);
    say("sparse", rc, &how);
    stat("/tmp/sparse", &a);
    stat("/tmp/thin", &b);
    printf("same %d thin %d\n", same("/tmp/sparse", "/tmp/thin"), b.st_blocks <= a.st_blocks);
    fill("/tmp/thin", 100000, 0); /* what lies where the source has a hole goes */
    rc = copy("/tmp/sparse", O_RDONLY, "/tmp/thin", O_WRONLY, &how);
    say("over", rc, &how);
    printf("same %d\n", same("/tmp/sparse", "/tmp/thin"));
    fill("/tmp/empty", 0, 0);
    say("empty", copy("/tmp/empty", O_RDONLY, "/tmp/nothing", O_WRONLY | O_CREAT, &how), &how);
}

static void refusals(void)
{
    struct transfer_reply how;
    fill("/tmp/from", 100000, 0);
    mkdir("/tmp/folder", 0700);
    if (mkfifo("/tmp/fifo", 0600) < 0)
        exit(8);
    int fifo = open("/tmp/fifo", O_RDWR | O_CLOEXEC);
    say("proc", copy("/proc/self/status", O_RDONLY, "/tmp/to", O_WRONLY | O_CREAT, &how), &how);
    say("folder", copy("/tmp/folder", O_RDONLY, "/tmp/to", O_WRONLY, &how), &how);
    say("fifo", copy("/tmp/fifo", O_RDONLY | O_NONBLOCK, "/tmp/to", O_WRONLY, &how), &how);
    say("device", copy("/dev/zero", O_RDONLY, "/tmp/to", O_WRONLY, &how), &how);
    say("append", copy("/tmp/from", O_RDONLY, "/tmp/to", O_WRONLY | O_APPEND, &how), &how);
    say("readonly", copy("/tmp/from", O_RDONLY, "/tmp/to", O_RDONLY, &how), &how);
    say("path", copy("/tmp/from", O_PATH, "/tmp/to", O_WRONLY, &how), &how);
    say("itself", copy("/tmp/from", O_RDONLY, "/tmp/from", O_WRONLY, &how), &how);
    close(fifo);
    int mover = transfer_connect(), file = open("/tmp/from", O_RDWR | O_CLOEXEC);
    char junk[7] = "junk!!", answer[sizeof(struct transfer_reply)];
    if (send(mover, junk, sizeof junk, 0) < 0 || recv(mover, answer, sizeof answer, 0) <= 0)
        exit(8);
    printf("junk %u %s\n", ((struct transfer_reply *)answer)->status, ((struct transfer_reply *)answer)->text);
    close(mover);
    mover = transfer_connect();
    printf("offset %d\n", transfer_copy(mover, file, file, UINT64_MAX - 5, 0, 1, NULL, NULL, &how));
    close(mover);
    printf("unlink %d\n", unlink(TRANSFER_SOCKET) < 0 ? errno : 0);
    say("after", copy("/tmp/from", O_RDONLY, "/tmp/to", O_WRONLY, &how), &how);
}

/* More at once than it takes, some that go away in the middle. */
static void many(void)
{
    enum { AT_ONCE = 12 };
    pid_t pids[AT_ONCE];
    int status, done = 0;
    fill("/tmp/from", SIZE, 0);
    for (int i = 0; i < AT_ONCE; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        char to[32];
        struct transfer_reply how;
        snprintf(to, sizeof to, "/tmp/to%d", i);
        if (i % 3 == 0) { /* asks and is gone */
            int a = open("/tmp/from", O_RDONLY | O_CLOEXEC), b = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            struct sigaction alarm_dies = {.sa_handler = SIG_DFL};
            sigaction(SIGALRM, &alarm_dies, NULL);
            alarm(1);
            int mover = transfer_connect();
            transfer_copy(mover, a, b, 0, 0, 4096, NULL, NULL, &how);
            raise(SIGKILL);
        }
        _exit(copy("/tmp/from", O_RDONLY, to, O_WRONLY | O_CREAT, &how) == 0 && same("/tmp/from", to) ? 0 : 1);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        waitpid(pids[i], &status, 0);
        done += i % 3 != 0 && status == 0;
    }
    printf("done %d\n", done);
}

/* Can it be seen, traced, or looked into? Where the kernel scopes signals (Landlock, Linux 6.12) it can't be killed;
 * elsewhere it can, and then it is gone, for this job alone. */
static void look(void)
{
    struct transfer_reply how;
    char path[64], name[32];
    int seen = 0, taken = 0;
    for (pid_t pid = 2; pid < 64; pid++) {
        if (pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        seen += fd >= 0 && read(fd, name, sizeof name) > 0;
        close(fd);
        snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
        fd = open(path, O_RDWR | O_CLOEXEC);
        taken += fd >= 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0;
        close(fd);
    }
    printf("seen %d taken %d\n", seen, taken);
    kill(-1, SIGKILL);
    fill("/tmp/from", 1000, 0);
    int rc = copy("/tmp/from", O_RDONLY, "/tmp/to", O_WRONLY | O_CREAT, &how);
    printf("copies or is gone %d\n", rc == 0 || rc == -ECONNREFUSED || rc == -EPIPE || rc == -ECONNRESET);
}

/* Who dies closes one thing after the other: until it is refused, a connection may stand in a queue that goes too. */
static int connect_to_nobody(void)
{
    char byte;
    int fd;
    while ((fd = transfer_connect()) >= 0) {
        ssize_t n = read(fd, &byte, 1); /* until that is closed */
        close(fd);
        if (n > 0)
            return fd;
    }
    return fd;
}

/* Its copy is never granted: the mover is killed from outside meanwhile. */
static void lose(void)
{
    struct transfer_reply how;
    fill("/tmp/from", 1000, 0);
    int rc = copy("/tmp/from", O_RDONLY, "/tmp/to", O_WRONLY | O_CREAT, &how);
    printf("gone %d %s\nconnect %d\n", rc == -EPIPE || rc == -ECONNRESET, how.text, connect_to_nobody());
}

/* Onto a volume whose file system stands still meanwhile. */
static void slow(void)
{
    struct transfer_reply how;
    fill("/tmp/from", 100000, 0);
    int rc = copy("/tmp/from", O_RDONLY, "/mnt/slow/to", O_WRONLY | O_CREAT, &how);
    say("slow", rc, &how);
    printf("same %d\n", same("/tmp/from", "/mnt/slow/to"));
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "copy") == 0)
        copies();
    else if (strcmp(mode, "refuse") == 0)
        refusals();
    else if (strcmp(mode, "many") == 0)
        many();
    else if (strcmp(mode, "look") == 0)
        look();
    else if (strcmp(mode, "lose") == 0)
        lose();
    else if (strcmp(mode, "slow") == 0)
        slow();
    else if (strcmp(mode, "none") == 0)
        printf("connect %d\n", transfer_connect());
    return 0;
}

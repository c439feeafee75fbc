/* Using up what isn't theirs, and outliving the job. Run with 128 MiB of memory, 16 MiB and 1000 inodes of scratch, 64
 * processes. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

#define MIB ((size_t)1 << 20)
#define TOO_MUCH (200 * MIB) /* the group has 144 */
#define PIECE 65536

static char piece[PIECE];

static void more_files(void)
{
    struct rlimit most;
    if (prlimit(0, RLIMIT_NOFILE, NULL, &most) == 0) {
        most.rlim_cur = most.rlim_max;
        prlimit(0, RLIMIT_NOFILE, &most, NULL);
    }
}

static void memory(void)
{
    for (size_t total = 0; total < TOO_MUCH; total += MIB) {
        char *at = malloc(MIB);
        if (at == NULL)
            return;
        memset(at, 1, MIB);
    }
    got("%zu MiB of memory", TOO_MUCH / MIB);
}

static void memory_of_children(void)
{
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            char *at = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(at, 1, 32 * MIB);
            pause();
        }
    }
    pause();
}

static void anonymous_files(void)
{
    more_files();
    for (size_t total = 0; total < TOO_MUCH; total += MIB) {
        int fd = memfd_create("x", 0);
        for (size_t i = 0; i < MIB / PIECE; i++) {
            if (fd < 0 || write(fd, piece, PIECE) != PIECE)
                return;
        }
    }
    got("%zu MiB in memory files", TOO_MUCH / MIB);
}

static void address_space(void)
{
    size_t step = 2 * MIB, touched = 0;
    for (int part = 0; part < 64; part++) {
        char *at =
            mmap(NULL, (size_t)1 << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            break;
        madvise(at, (size_t)1 << 40, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < 2048; i++, touched++)
            at[i * step * 64] = 1;
    }
    if (touched * 8192 > TOO_MUCH) /* a page and the page of its table */
        got("%zu pages and tables", touched);
}

static size_t fill_folder(const char *folder)
{
    char path[64];
    size_t total = 0;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/f%d", folder, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        for (ssize_t n; (n = write(fd, piece, PIECE)) > 0;)
            total += (size_t)n;
        close(fd);
    }
    return total;
}

static void scratch(void)
{
    size_t tmp = fill_folder("/tmp");
    if (tmp > 16 * MIB)
        got("%zu bytes of scratch", tmp);
    int fd = open("/tmp/sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fallocate(fd, 0, 0, (off_t)(1024 * MIB)) == 0)
        got("a gibibyte allocated");
}

static void shared_memory(void)
{
    size_t shm = fill_folder("/dev/shm");
    if (shm > 64 * MIB)
        got("%zu bytes in /dev/shm", shm);
}

static void inodes(void)
{
    static const char *const folders[] = {"/tmp", "/dev/shm"};
    for (size_t f = 0; f < COUNT_OF(folders); f++) {
        size_t count = 0;
        for (int i = 0; i < 5000; i++) {
            char path[64];
            snprintf(path, sizeof path, "%s/%d", folders[f], i);
            count += i % 3 == 0   ? mkdir(path, 0700) == 0
                     : i % 3 == 1 ? symlink("x", path) == 0
                                  : mknod(path, 0600, 0) == 0;
        }
        for (int i = 0; i < 5000; i++) {
            char path[64];
            snprintf(path, sizeof path, "%s/l%d", folders[f], i);
            char first[64];
            snprintf(first, sizeof first, "%s/2", folders[f]);
            count += link(first, path) == 0;
        }
        if (count > 1001)
            got("%zu names in %s", count, folders[f]);
    }
}

static void attributes(void)
{
    size_t total = 0;
    int fd = open("/tmp/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 20000 && total <= TOO_MUCH; i++) {
        char name[32];
        snprintf(name, sizeof name, "user.%d", i);
        if (fsetxattr(fd, name, piece, 60000, 0) < 0)
            break;
        total += 60000;
    }
    if (total > TOO_MUCH)
        got("%zu bytes of attributes", total);
}

static void descriptors(void)
{
    more_files();
    int most = 0, pipes[2];
    for (int fd = 0; (fd = dup(0)) >= 0;)
        most = fd;
    if (most > 65536)
        got("%d files", most);
    if (pipe(pipes) == 0)
        got("a pipe beyond the limit");
}

static void pipes(void)
{
    size_t total = 0;
    more_files();
    for (int i = 0; i < 4096 && total <= TOO_MUCH; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) < 0)
            break;
        fcntl(ends[1], F_SETPIPE_SZ, MIB);
        for (ssize_t n; (n = write(ends[1], piece, PIECE)) > 0;)
            total += (size_t)n;
    }
    if (total > TOO_MUCH)
        got("%zu bytes in pipes", total);
}

static void unix_sockets(void)
{
    size_t total = 0;
    more_files();
    for (int i = 0; i < 8192 && total <= TOO_MUCH; i++) {
        int ends[2], most = 1 << 28;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
            break;
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
        for (ssize_t n; (n = write(ends[0], piece, 32768)) > 0;)
            total += (size_t)n;
    }
    if (total > TOO_MUCH)
        got("%zu bytes in sockets", total);
}

static void udp_sockets(void)
{
    size_t total = 0;
    more_files();
    int from = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    for (int i = 0; i < 16384 && total <= TOO_MUCH; i++) {
        int most = 1 << 28, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof name;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof most);
        if (fd < 0 || bind(fd, (struct sockaddr *)&name, len) < 0 ||
            getsockname(fd, (struct sockaddr *)&name, &len) < 0)
            break;
        for (int k = 0; k < 16; k++)
            sendto(from, piece, 60000, 0, (struct sockaddr *)&name, len);
        int queued = 0;
        while (recv(fd, piece, 1, MSG_PEEK | MSG_TRUNC) > 0 && queued < 1)
            queued++;
        total += queued > 0 ? 3 * 60000 : 0; /* what the usual buffer takes */
    }
    if (total > TOO_MUCH)
        got("%zu bytes in datagrams", total);
}

static void message_queues(void)
{
    static struct {
        long type;
        char text[8000];
    } m = {.type = 1};
    size_t total = 0;
    for (int i = 0; i < 32000 && total <= TOO_MUCH; i++) {
        int q = msgget(IPC_PRIVATE, 0600);
        if (q < 0)
            break;
        while (msgsnd(q, &m, sizeof m.text, IPC_NOWAIT) == 0)
            total += sizeof m.text;
    }
    if (total > TOO_MUCH)
        got("%zu bytes in messages", total);
}

static void posix_queues(void)
{
    size_t total = 0;
    for (int i = 0; i < 1000; i++) {
        char name[32];
        struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 8192};
        snprintf(name, sizeof name, "/q%d", i);
        if (mq_open(name, O_RDWR | O_CREAT, 0600, &attr) < 0)
            break;
        total += 81920;
    }
    if (total > 819200)
        got("%zu bytes of queues", total);
}

static void semaphores(void)
{
    size_t count = 0;
    while (count * 64 <= TOO_MUCH && semget(IPC_PRIVATE, 32000, 0600) >= 0)
        count += 32000;
    if (count * 64 > TOO_MUCH)
        got("%zu semaphores", count);
}

static void segments(void)
{
    for (size_t total = 0; total < TOO_MUCH; total += MIB) {
        int id = shmget(IPC_PRIVATE, MIB, 0600);
        char *at = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
        if (at == (char *)-1)
            return;
        memset(at, 1, MIB);
        shmdt(at); /* lives on without anybody */
    }
    got("%zu MiB of segments", TOO_MUCH / MIB);
}

static void locked_memory(void)
{
    char *at = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mlock(at, 16 * MIB) == 0)
        got("more than 8 MiB locked");
    if (mmap(NULL, 16 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) != MAP_FAILED)
        got("16 MiB mapped and locked");
    int id = shmget(IPC_PRIVATE, 16 * MIB, 0600);
    if (shmctl(id, SHM_LOCK, NULL) == 0)
        got("a segment locked");
}

static void *sit(void *unused)
{
    pause();
    return unused;
}

static void threads(void)
{
    int count = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (pthread_t t; count < 1000 && pthread_create(&t, &attr, sit, NULL) == 0;)
        count++;
    if (count > 64)
        got("%d threads", count);
}

static void processes(void)
{
    int count = 0;
    for (; count < 1000; count++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            signal(SIGTERM, SIG_IGN);
            pause();
        }
    }
    if (count > 64)
        got("%d processes", count);
}

static void watches_and_timers(void)
{
    size_t count = 0;
    more_files();
    while (count < 100000 && inotify_init1(0) >= 0)
        count++;
    if (count >= 100000)
        got("%zu watchers", count);
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    for (count = 0; count < 2000000 && timer_create(CLOCK_MONOTONIC, &none, &timer) == 0; count++)
        continue;
    if (count >= 2000000)
        got("%zu timers", count);
}

static void signals_waiting(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    size_t count = 0;
    while (count < 2000000 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0)
        count++;
    if (count >= 2000000)
        got("%zu signals", count);
}

/* --- outliving ------------------------------------------------------------------------------------------------- */

static void stay(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, 0);
    for (;;)
        pause();
}

static void daemons(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            setsid();
            if (fork() == 0) {
                setsid();
                if (fork() == 0)
                    stay();
                stay();
            }
            _exit(0);
        }
    }
}

static void stopped_ones(void)
{
    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            raise(SIGSTOP);
            stay();
        }
    }
}

static void vforks(void)
{
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            if (CALL(SYS_vfork, 0) == 0) /* the parent waits for it, uninterruptible but for SIGKILL */
                CALL(SYS_pause, 0);
            _exit(0);
        }
    }
}

static void *exec_from_thread(void *unused)
{
    execl("/bin/sleep", "sleep", "1000", NULL);
    return unused;
}

static void threads_that_exec(void)
{
    if (fork() == 0) {
        pthread_t t;
        pthread_create(&t, NULL, exec_from_thread, NULL);
        stay();
    }
}

static void chain(void)
{
    for (int i = 0; i < 200; i++) { /* always one step ahead of who looks at it */
        pid_t pid = fork();
        if (pid > 0 && i > 0)
            _exit(0);
        if (pid != 0)
            break;
        setsid();
    }
}

static void all_killed(void)
{
    for (int i = 0; i < 5; i++) {
        if (fork() == 0)
            stay();
    }
    kill(-1, SIGKILL);
    kill(getpid(), SIGKILL);
}

static void crash(void)
{
    struct rlimit most;
    prlimit(0, RLIMIT_CORE, NULL, &most);
    most.rlim_cur = most.rlim_max;
    prlimit(0, RLIMIT_CORE, &most, NULL);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    (void)!chdir("/tmp");
    abort();
}

/* Where cores are piped to a program, that program is the host's, started by the kernel: a limit of 0 doesn't stop it.
 */
static void crash_without_limit(void)
{
    struct rlimit none = {0, 0};
    prlimit(0, RLIMIT_CORE, &none, NULL);
    CALL(SYS_setrlimit, RLIMIT_CORE, &none);
    CALL(SYS_setrlimit, (1L << 32) | RLIMIT_CORE, &none);
    CALL(SYS_prlimit64, 0, (1L << 32) | RLIMIT_CORE, &none, NULL);
    struct rlimit now = {0, 0};
    prlimit(0, RLIMIT_CORE, NULL, &now);
    if (now.rlim_cur != 1)
        got("the limit of a core is %lu: a program that cores are piped to would be started",
            (unsigned long)now.rlim_cur);
    crash();
}

static void cores(void)
{
    int status = in_child(crash), again = in_child(crash_without_limit);
    if ((status & 0x80) != 0 || (again & 0x80) != 0)
        got("a core was dumped");
    static const char *const paths[] = {"/tmp/core", "/core", "/dev/shm/core", "/tmp/core.3"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (access(paths[i], F_OK) == 0)
            got("%s is there", paths[i]);
    }
}

const struct attack attacks_exhaust[] = {
    {"memory ends where the job's does", "memory", memory, ENDS_OOM, true},
    {"children's memory counts too", "memory_of_children", memory_of_children, ENDS_OOM, false},
    {"files in memory count", "anonymous_files", anonymous_files, ENDS_BOUNDED, true},
    {"page tables count", "address_space", address_space, ENDS_BOUNDED, false},
    {"scratch ends where it was said to", "scratch", scratch, ENDS_BOUNDED, false},
    {"so does /dev/shm", "shared_memory", shared_memory, ENDS_BOUNDED, false},
    {"names and links are counted", "inodes", inodes, ENDS_BOUNDED, false},
    {"attributes of files count", "attributes", attributes, ENDS_BOUNDED, false},
    {"open files end at their limit", "descriptors", descriptors, ENDS_BOUNDED, false},
    {"bytes in pipes count", "pipes", pipes, ENDS_BOUNDED, true},
    {"bytes in UNIX sockets count", "unix_sockets", unix_sockets, ENDS_BOUNDED, true},
    {"bytes in datagrams count", "udp_sockets", udp_sockets, ENDS_BOUNDED, false},
    {"System V messages count", "message_queues", message_queues, ENDS_BOUNDED, false},
    {"POSIX queues have a limit", "posix_queues", posix_queues, ENDS_BOUNDED, false},
    {"semaphores count", "semaphores", semaphores, ENDS_BOUNDED, false},
    {"segments that nobody holds count", "segments", segments, ENDS_BOUNDED, false},
    {"8 MiB may be locked", "locked_memory", locked_memory, ENDS, true},
    {"threads are counted", "threads", threads, ENDS, true},
    {"processes are counted", "processes", processes, ENDS, false},
    {"watchers and timers have limits", "watches_and_timers", watches_and_timers, ENDS_BOUNDED, false},
    {"so have signals that wait", "signals_waiting", signals_waiting, ENDS_BOUNDED, false},
    {"daemons of daemons don't outlive the job", "daemons", daemons, ENDS, false},
    {"nor do stopped processes", "stopped_ones", stopped_ones, ENDS, false},
    {"nor parents stuck in vfork", "vforks", vforks, ENDS, false},
    {"nor what a thread became", "threads_that_exec", threads_that_exec, ENDS, false},
    {"nor a process that is always another", "chain", chain, ENDS, false},
    {"killing everything kills the job and spares the keeper", "all_killed", all_killed, ENDS_SIGKILL, false},
    {"no core is dumped, to no file and to no program of the host's", "cores", cores, ENDS, false},
};
const size_t attacks_exhaust_count = COUNT_OF(attacks_exhaust);

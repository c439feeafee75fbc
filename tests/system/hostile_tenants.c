/* One tenant and the next: beside it, and after it in the same place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

#define KEY 0x52455655 /* as host_ipc asks for */
static const char secret[] = "REEVE-SECRET-0123456789";

static void put_secret(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    for (int i = 0; i < 1000; i++)
        (void)!write(fd, secret, sizeof secret);
    close(fd);
}

static void victim(void)
{
    umask(0);
    shmget(KEY, 4096, IPC_CREAT | 0666);
    semget(KEY, 1, IPC_CREAT | 0666);
    msgget(KEY, IPC_CREAT | 0666);
    CALL(SYS_mq_open, "reeve-hostile", O_CREAT | O_RDWR, 0666, NULL);
    put_secret("/tmp/reeve-hostile");
    put_secret("/dev/shm/reeve-hostile");
    char *memory = malloc(16 << 20);
    for (size_t i = 0; i + sizeof secret < 16 << 20; i += sizeof secret)
        memcpy(memory + i, secret, sizeof secret);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0reeve-hostile"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&name, sizeof name.sun_family + 14) == 0 && listen(fd, 1) == 0)
        got("up");
    for (;;)
        pause();
}

/* Arguments, environment and files of anybody but oneself. */
static void neighbours(void)
{
    static const char *const files[] = {"cmdline",           "environ", "maps", "root/tmp/reeve-hostile",
                                        "cwd/reeve-hostile", "comm"};
    for (int pid = 1; pid < 20000; pid++) {
        for (size_t i = 0; i < COUNT_OF(files) && pid != getpid(); i++) {
            char path[64];
            snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0) {
                got("%s", path);
                close(fd);
            }
        }
    }
    char name[65] = "";
    gethostname(name, sizeof name);
    if (CALL(SYS_sethostname, "mine", 4) >= 0)
        got("renamed %s", name);
}

static void look_for_secret(const char *where, const char *bytes, size_t size)
{
    if (memmem(bytes, size, "REEVE-SECRET-0", 14) != NULL)
        got("%s holds another tenant's secret", where);
}

static void leftovers(void)
{
    static const char *const folders[] = {"/tmp", "/dev/shm"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        DIR *dir = opendir(folders[i]);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            if (entry->d_name[0] != '.')
                got("%s/%s was there before us", folders[i], entry->d_name);
        }
    }
    size_t size = 8 << 20;
    int fd = open("/tmp/new", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fallocate(fd, 0, 0, (off_t)size) < 0)
        got("nothing was tried: %s", strerror(errno));
    const char *file = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    look_for_secret("a new file", file, size);
    size = 64 << 20;
    const char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    look_for_secret("new memory", memory, size);
    if (shmget(KEY, 1, 0) >= 0 || msgget(KEY, 0) >= 0 || semget(KEY, 1, 0) >= 0)
        got("an IPC object outlived its job");
}

const struct attack attacks_tenants[] = {
    {"somebody to be looked for", "victim", victim, ENDS_NEVER, false},
    {"nothing is told of a neighbour", "neighbours", neighbours, ENDS, false},
    {"who comes next finds a clean place", "leftovers", leftovers, ENDS, false},
};
const size_t attacks_tenants_count = COUNT_OF(attacks_tenants);

#include "tests/system/second_node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/system.h"

static pid_t warden, owner; /* Check forks each test: only who started it takes it down */

static void need(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "second node: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* A folder as `reeve up` makes them for a node; the agents' socket is the same. */
static struct stat make_folder(const char *dir)
{
    char path[4300];
    struct stat up, agent;
    snprintf(path, sizeof path, "%s/node", system_dir());
    need(stat(system_dir(), &up) < 0 || stat(path, &agent) < 0, path);
    need(mkdir(dir, 0755), dir);
    need(chown(dir, up.st_uid, up.st_gid), dir);
    snprintf(path, sizeof path, "%s/node", dir);
    need(mkdir(path, 0700), path);
    need(chown(path, agent.st_uid, agent.st_gid), path);
    snprintf(path, sizeof path, "%s/agent", dir);
    need(symlink("../agent", path), path);
    return agent;
}

static _Noreturn void be_warden(const char *build, const char *dir, const struct stat *agent)
{
    char program[3][4200], group[32], user[16], users[16];
    static const char *const names[] = {"reeve-warden", "reeve-agent", "reeve-keeper"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        snprintf(program[i], sizeof program[i], "%s/%s", build, names[i]);
    system_cell(group);
    snprintf(group + strlen(group), 3, "-2");
    snprintf(user, sizeof user, "%u", agent->st_uid);
    snprintf(users, sizeof users, "%u", agent->st_gid);
    const char *argv[] = {program[0], "--dir", ".", "--cgroup", group, "--agent-uid", user, "--agent-gid", users,
                          "--kill-on-exit", "--at-root", "--agent", program[1], "--keeper", program[2], "--",
                          "reeve-agent", "--dir", ".", "--name", "n2", "--cpus", "4", "--memory", "4Gi", NULL};
    if (setsid() < 0 || chdir(dir) < 0)
        _exit(126);
    int log = open("../log/node-2", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    dup2(log, 1);
    dup2(log, 2);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void stop_at_exit(void)
{
    if (getpid() == owner)
        second_node_stop();
}

void second_node_start(const char *build)
{
    char dir[4200], top[4096];
    need(realpath(build, top) == NULL, build);
    snprintf(dir, sizeof dir, "%s/n2", system_dir());
    struct stat agent = make_folder(dir);
    owner = getpid();
    need(atexit(stop_at_exit), "atexit");
    warden = fork();
    need(warden < 0, "fork");
    if (warden == 0)
        be_warden(top, dir, &agent);
}

void second_node_stop(void)
{
    int status;
    if (warden <= 0)
        return;
    kill(warden, SIGTERM);
    while (waitpid(warden, &status, 0) < 0 && errno == EINTR)
        continue;
    warden = 0;
}

pid_t second_node_agent(void)
{
    return system_child(warden, "reeve-agent");
}

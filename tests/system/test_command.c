/* `reeve confine` from the outside: exit codes, bytes, signals, what is left. Root. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "cli/confine.h"
#include "cli/confine_inspect.h"
#include "isolation/spec/step.h"
#include "tests/system/suite.h"

#define WAIT_MS 120000 /* reached only by a defect */
#define OUTPUT_MAX (12u << 20)
#define WORDS_MAX 24

static char program[512];

struct child {
    pid_t pid;
    int out, err;
};
static struct {
    char out[OUTPUT_MAX], err[OUTPUT_MAX];
    size_t out_len, err_len;
    int code; /* as a shell would see it */
} got;

static void find_program(void)
{
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[MAX(n, 0)] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = '\0';
    snprintf(program, sizeof program, "%s/reeve", self);
}

static struct child start_as(uid_t uid, const char *const *words)
{
    int out[2], err[2];
    const char *argv[WORDS_MAX] = {"reeve", "confine"};
    for (size_t i = 0; words[i] != NULL; i++)
        argv[i + 2] = words[i];
    ck_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    struct child c = {fork(), out[0], err[0]};
    ck_assert_int_ge(c.pid, 0);
    if (c.pid == 0) {
        int self = open(program, O_PATH | O_CLOEXEC);
        dup2(out[1], 1);
        dup2(err[1], 2);
        signal(SIGPIPE, SIG_DFL);
        if (uid == 0 || (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0))
            execveat(self, "", (char *const *)(uintptr_t)argv, environ, AT_EMPTY_PATH);
        _exit(126);
    }
    close(out[1]);
    close(err[1]);
    return c;
}

static void finish(struct child *c)
{
    struct pollfd at[] = {{c->out, POLLIN, 0}, {c->err, POLLIN, 0}};
    char *into[] = {got.out, got.err};
    size_t *used[] = {&got.out_len, &got.err_len};
    got.out_len = got.err_len = 0;
    while (at[0].fd >= 0 || at[1].fd >= 0) {
        ck_assert_int_gt(poll(at, 2, WAIT_MS), 0);
        for (int i = 0; i < 2; i++) {
            if (at[i].fd < 0 || at[i].revents == 0)
                continue;
            ssize_t n = read(at[i].fd, into[i] + *used[i], OUTPUT_MAX - 1 - *used[i]);
            ck_assert_int_ge(n, 0);
            *used[i] += (size_t)n;
            if (n == 0)
                close_p(&at[i].fd);
        }
    }
    got.out[got.out_len] = got.err[got.err_len] = '\0';
    int status;
    ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
    got.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void run(const char *const *words)
{
    struct child c = start_as(0, words);
    finish(&c);
}

/* Everything that a run of ours could leave has its pid in the name. */
static bool is_gone(pid_t pid)
{
    char command[256];
    snprintf(command, sizeof command,
             "for m in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts); do find $m -name 'reeve-confine-%d-*' "
             "2>/dev/null; done",
             (int)pid);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    bool any = fgetc(f) != EOF;
    pclose(f);
    return !any;
}

/* ---- exit codes ------------------------------------------------------------------------------------------- */

#define SH(text) "--", "sh", "-c", text
static const struct exit_row {
    const char *sentence;
    const char *words[WORDS_MAX];
    int code;
    const char *out, *err; /* out: all of it; err: a part of it, NULL: nothing at all */
} exit_rows[] = {
    {"success is 0", {SH("echo out; echo err >&2")}, 0, "out\n", "err\n"},
    {"the command's code is ours", {SH("exit 7")}, 7, "", NULL},
    {"also one that looks like ours", {SH("exit 125")}, 125, "", NULL},
    {"a signal is 128 and its number", {SH("kill -TERM $$")}, 143, "", "killed by signal 15"},
    {"a denied call is SIGSYS or an error, here an error", {"--", "unshare", "-U", "true"}, 1, "", "unshare"},
    {"an absent command is 127", {"--", "no-such-program"}, 127, "", "no-such-program"},
    {"a folder is no command: 126", {"--", "/usr"}, 126, "", "/usr"},
    {"an absent folder to work in is 127", {"--cwd", "/nowhere", "--", "true"}, 127, "", "/nowhere"},
    {"out of memory is 137 and said",
     {"--memory", "32Mi", "--scratch", "4Mi", "--", "python3", "-c", "b=b'x'*(300<<20)"},
     137, "", "memory"},
    {"the time limit is 124 and said",
     {"--time", "200ms", "--grace", "100ms", "--", "sleep", "60"},
     124, "", "time limit"},
    {"stdin is empty", {"--", "cat"}, 0, "", NULL},
    {"nothing of our environment comes along",
     {"--", "sh", "-c", "echo \"$CK_FORK|$HOME_OF_TEST|$GIVEN\""},
     0, "||\n", NULL},
    {"but what is given", {"--env", "GIVEN=two words", SH("echo \"$GIVEN\"")}, 0, "two words\n", NULL},
    {"or taken by name", {"--env", "HOME_OF_TEST", SH("echo \"$HOME_OF_TEST\"")}, 0, "here\n", NULL},
    {"the host's name is given", {"--hostname", "box-9", "--", "hostname"}, 0, "box-9\n", NULL},
    {"pids are limited", {"--pids", "3", SH("sleep 60 & sleep 60 & echo both")}, 2, "", "fork"},
    {"options may end by themselves", {"sh", "-c", "echo $0 --json", "x"}, 0, "x --json\n", NULL},
    {"no network but the loopback", {SH("cat /proc/net/dev | grep -c :")}, 0, "1\n", NULL},
    {"stats are a line", {"--stats", "--", "true"}, 0, "", "memory peak"},
    {"or an object", {"--stats", "--json", SH("exit 4")}, 4, "", "\"exit_code\":4"},
    {"an unknown option is refused", {"--frobnicate", "--", "true"}, 125, "", "'--frobnicate' is not an option"},
    {"so is a job's option without a meaning here", {"--budget", "3", "--", "true"}, 125, "", "--budget"},
    {"a size that is none", {"--memory", "4 Gigs", "--", "true"}, 125, "", "--memory: '4 Gigs'"},
    {"too little memory", {"--memory", "1Ki", "--", "true"}, 125, "", "resources.memory: at least 4Mi"},
    {"a host name that is none", {"--hostname", "-x", "--", "true"}, 125, "", "hostname: "},
    {"a host name without an end",
     {"--hostname", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "--", "true"},
     125, "", "hostname: "},
    {"one process is too few", {"--pids", "1", "--", "true"}, 125, "", "pids_max"},
    {"a variable of Reeve's own", {"--env", "REEVE_JOB=9", "--", "true"}, 125, "", "REEVE_"},
    {"no command", {"--stats"}, 125, "", "a command is missing"},
    {"an empty command", {"--", ""}, 125, "", "name is empty"},
};

static void run_row(const struct exit_row *row)
{
    setenv("HOME_OF_TEST", "here", 1);
    struct child c = start_as(0, row->words);
    pid_t pid = c.pid;
    finish(&c);
    ck_assert_msg(got.code == row->code, "%s: code %d, stderr %s", row->sentence, got.code, got.err);
    ck_assert_msg(strcmp(got.out, row->out) == 0, "%s: printed '%s'", row->sentence, got.out);
    ck_assert_msg(row->err == NULL ? got.err_len == 0 : strstr(got.err, row->err) != NULL, "%s: stderr '%s'",
                  row->sentence, got.err);
    ck_assert_msg(is_gone(pid), "%s: a cgroup is left", row->sentence);
}

START_TEST(exit_codes_are_the_commands)
{
    run_row(&exit_rows[_i]);
}
END_TEST

START_TEST(who_is_not_root_is_told_so_in_one_sentence)
{
    static const char *const words[] = {"--", "true", NULL};
    struct child c = start_as(65534, words);
    finish(&c);
    ck_assert_int_eq(got.code, 125);
    ck_assert_str_eq(got.err, "reeve: confine: needs root: it makes cgroups, namespaces and mounts for the command\n");
}
END_TEST

/* v1 alone lets no group have more than the one above it. */
START_TEST(a_failed_step_is_named)
{
    char group[128], text[512];
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/reeve-test-command-%d", (int)getpid());
    if (access("/sys/fs/cgroup/cpu/cpu.shares", F_OK) < 0 || mkdir(group, 0755) < 0) {
        printf("skipped: only with cgroup v1 a limit can be made to fail\n");
        return;
    }
    snprintf(text, sizeof text, "echo 10000 > %s/cpu.cfs_quota_us && echo $$ > %s/cgroup.procs && exec \"$0\" \"$@\"",
             group, group);
    int out[2];
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], 2);
        execl("/bin/sh", "sh", "-c", text, program, "confine", "--cpu", "2", "--", "true", NULL);
        _exit(126);
    }
    close(out[1]);
    char said[1024] = "";
    (void)!fd_read_full(out[0], said, sizeof said - 1);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(rmdir(group), 0);
    ck_assert_msg(WEXITSTATUS(status) == 125 && strstr(said, "launch failed at step 'cgroup'") != NULL &&
                      strstr(said, "cpu.cfs_quota_us: cannot be set") != NULL,
                  "code %d: %s", WEXITSTATUS(status), said);
    ck_assert(is_gone(pid));
}
END_TEST

/* ---- bytes ------------------------------------------------------------------------------------------------ */

#define BYTES (10u << 20)

START_TEST(ten_megabytes_of_both_streams_come_byte_by_byte)
{
    static const char *const words[] = {
        "--memory",
        "256Mi",
        "--",
        "python3",
        "-c",
        "import os,threading\nn=10<<20\nb=bytearray((i*7+(i>>8)*13)&255 for i in range(n))\nc=bytes(255-x for x in b)\n"
        "def put(f,b):\n v=memoryview(b)\n while len(v): v=v[os.write(f,v[:100001]):]\n"
        "t=[threading.Thread(target=put,args=a) for a in ((1,b),(2,c))]\n[x.start() for x in t]\n[x.join() for x in t]",
        NULL};
    run(words);
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.out_len, BYTES);
    ck_assert_uint_eq(got.err_len, BYTES);
    size_t same = 0; /* one assertion: Check keeps a record of each */
    for (; same < BYTES; same++) {
        unsigned char want = (unsigned char)(same * 7 + (same >> 8) * 13);
        if ((unsigned char)got.out[same] != want || (unsigned char)got.err[same] != 255 - want)
            break;
    }
    ck_assert_uint_eq(same, BYTES);
}
END_TEST

static void wait_for(int fd, const char *word)
{
    char text[64] = "";
    struct pollfd at = {fd, POLLIN, 0};
    ck_assert_int_eq(poll(&at, 1, WAIT_MS), 1);
    ck_assert_int_eq(read(fd, text, strlen(word)), (ssize_t)strlen(word)); /* live: nothing has ended yet */
    ck_assert_str_eq(text, word);
}

START_TEST(a_reader_that_leaves_ends_the_job)
{
    static const char *const words[] = {"--", "sh", "-c", "echo up; while :; do echo more; done", NULL};
    struct child c = start_as(0, words);
    wait_for(c.out, "up\n");
    close_p(&c.out);
    c.out = open("/dev/null", O_RDONLY | O_CLOEXEC);
    finish(&c);
    ck_assert_int_eq(got.code, 128 + SIGPIPE);
    ck_assert(is_gone(c.pid));
}
END_TEST

/* ---- signals ---------------------------------------------------------------------------------------------- */

static const struct signal_row {
    const char *sentence, *script;
    int signal, times, code;
    const char *out; /* after "up" */
} signal_rows[] = {
    {"SIGINT lets the job say good-bye", "trap 'echo bye; exit 3' TERM; echo up; sleep 60 & wait", SIGINT, 1, 130,
     "bye\n"},
    {"SIGTERM too", "trap 'echo bye; exit 3' TERM; echo up; sleep 60 & wait", SIGTERM, 1, 143, "bye\n"},
    {"a second one leaves no time", "trap 'echo no' TERM; echo up; while :; do sleep 60 & wait; done", SIGINT, 2, 130,
     "no\n"},
};

START_TEST(signals_stop_the_job)
{
    const struct signal_row *row = &signal_rows[_i];
    const char *const words[] = {"--grace", "1h", "--", "sh", "-c", row->script, NULL};
    struct child c = start_as(0, words);
    wait_for(c.out, "up\n");
    kill(c.pid, row->signal);
    wait_for(c.out, row->out);
    if (row->times > 1)
        kill(c.pid, row->signal);
    finish(&c);
    ck_assert_msg(got.code == row->code, "%s: code %d, stderr %s", row->sentence, got.code, got.err);
    ck_assert(is_gone(c.pid));
}
END_TEST

static pid_t child_of(pid_t parent)
{
    pid_t pid = inspect_child(parent, NULL);
    ck_assert_msg(pid > 0, "process %d has no child", (int)parent);
    return pid;
}

static void wait_end(pid_t pid, int pidfd)
{
    struct pollfd at = {pidfd, POLLIN, 0};
    ck_assert_msg(poll(&at, 1, WAIT_MS) == 1, "process %d is left", (int)pid);
    close(pidfd);
}

START_TEST(killed_it_leaves_nothing)
{
    static const char *const words[] = {"--", "sh", "-c", "trap '' TERM; echo up; (setsid sleep 600 &) ; sleep 600",
                                        NULL};
    struct child c = start_as(0, words);
    wait_for(c.out, "up\n");
    pid_t pids[4] = {child_of(c.pid)}; /* the warden, the zygote, the keeper, the command */
    int pidfds[4];
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            pids[i] = child_of(pids[i - 1]);
        ck_assert_int_gt(pids[i], 0);
        pidfds[i] = pidfd_open(pids[i], 0);
        ck_assert_int_ge(pidfds[i], 0);
    }
    kill(c.pid, SIGKILL);
    for (int i = 3; i >= 0; i--)
        wait_end(pids[i], pidfds[i]);
    finish(&c);
    ck_assert_int_eq(got.code, 128 + SIGKILL);
    ck_assert(is_gone(c.pid));
}
END_TEST

START_TEST(a_killed_warden_is_named_and_leaves_nothing)
{
    static const char *const words[] = {"--", "sh", "-c", "echo up; sleep 600", NULL};
    struct child c = start_as(0, words);
    wait_for(c.out, "up\n");
    pid_t warden = child_of(c.pid), keeper = child_of(child_of(warden));
    int pidfd = pidfd_open(keeper, 0);
    kill(warden, SIGKILL);
    finish(&c);
    ck_assert_int_eq(got.code, 125);
    ck_assert_msg(strstr(got.err, "the warden ") != NULL, "%s", got.err); /* before or after its answer was read */
    wait_end(keeper, pidfd);
    ck_assert(is_gone(c.pid));
}
END_TEST

START_TEST(a_killed_keeper_is_named)
{
    static const char *const words[] = {"--", "sh", "-c", "echo up; sleep 600", NULL};
    struct child c = start_as(0, words);
    wait_for(c.out, "up\n");
    kill(child_of(child_of(child_of(c.pid))), SIGKILL);
    finish(&c);
    ck_assert_int_eq(got.code, 125);
    ck_assert_ptr_nonnull(strstr(got.err, "its keeper was killed"));
    ck_assert(is_gone(c.pid));
}
END_TEST

/* ---- --explain -------------------------------------------------------------------------------------------- */

START_TEST(explain_names_every_step_in_order_and_the_job_runs)
{
    static const char *const words[] = {"--explain", "--memory", "64Mi",   "--scratch", "1Mi",
                                        "--cpu",     "0.3",      "--pids", "77",        "--hostname",
                                        "seen",      "--",       "sh",     "-c",        "echo ran; exit 6",
                                        NULL};
    run(words);
    ck_assert_int_eq(got.code, 6);
    ck_assert_str_eq(got.out, "ran\n");
    const char *at = got.err;
    for (uint32_t step = STEP_NONE + 1; step < STEP_COUNT; step++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %-10s ", launch_step_name(step));
        at = strstr(at, line);
        ck_assert_msg(at != NULL, "'%s' is missing or out of order", launch_step_name(step));
        ck_assert_msg(launch_step_says(step)[0] != '\0', "'%s' says nothing", launch_step_name(step));
    }
    static const char *const facts[] = {
        "68157440", "pids.max = 77",           "30000",      "seen",          "NoNewPrivs 1",
        "mode 2",   "CapBnd 0000000000000000", "size=1028k", "user 0, uts 0", "net:["};
    for (size_t i = 0; i < COUNT_OF(facts); i++)
        ck_assert_msg(strstr(got.err, facts[i]) != NULL, "'%s' is missing in\n%s", facts[i], got.err);
}
END_TEST

START_TEST(two_at_once_are_two)
{
    static const char *const words[] = {"--", "sh", "-c", "echo up; sleep 0.2; hostname", NULL};
    struct child a = start_as(0, words), b = start_as(0, words);
    finish(&a);
    ck_assert_int_eq(got.code, 0);
    ck_assert_str_eq(got.out, "up\njob-1\n");
    finish(&b);
    ck_assert_int_eq(got.code, 0);
    ck_assert_str_eq(got.out, "up\njob-1\n");
}
END_TEST

/* On v2 alone, the warden needs a group without us in it. A systemd-run of ours stands in for the real one. */
START_TEST(on_v2_a_scope_is_asked_of_systemd)
{
    static const char fake[] =
        "#!/bin/sh\necho \"$*\" > /run/systemd/asked\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    struct statfs fs;
    if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
        printf("skipped: only where all of cgroup is v2\n");
        return;
    }
    ck_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    bool made = mkdir("/run/systemd", 0755) == 0;
    ck_assert(mount("run", "/run/systemd", "tmpfs", 0, NULL) == 0 && mkdir("/run/systemd/system", 0755) == 0);
    int fd = open("/run/systemd/systemd-run", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert(fd >= 0 && fd_write_all(fd, fake, sizeof fake - 1) == 0);
    close(fd);
    setenv("PATH", "/run/systemd:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    static const char *const words[] = {"--", "echo", "ran", NULL};
    run(words);
    ck_assert_msg(got.code == 0, "code %d: %s", got.code, got.err);
    ck_assert_str_eq(got.out, "ran\n");
    struct buf asked = {0};
    ck_assert_int_eq(file_read("/run/systemd/asked", 4096, &asked, NULL), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&asked), "--scope --quiet --collect -p Delegate=yes -- "));
    buf_fini(&asked);
    ck_assert(umount2("/run/systemd", MNT_DETACH) == 0 && (!made || rmdir("/run/systemd") == 0));
}
END_TEST

/* ---- what a node offers ------------------------------------------------------------------------------------- */

/* In a folder of our own: an image, folders for volumes, profiles. Paths are given as one would type them there. */
static char home[64];

static void host(const char *line)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && { %s; }", home, line);
    ck_assert_msg(system(command) == 0, "failed: %s", line); /* lint: allow in tests */
}

static void make_home(void)
{
    char command[1024];
    snprintf(home, sizeof home, "/tmp/reeve-command-%d", (int)getpid());
    ck_assert_int_eq(mkdir(home, 0755), 0);
    snprintf(command, sizeof command,
             "%.*s/tests/system/make_image.sh images/plain && mkdir ref profiles bad && echo reference > ref/file && "
             "echo '{' > half.json && echo '{\"defaultAction\":\"SCMP_ACT_ALLOW\"}' > all.json && "
             "echo '{\"defaultAction\":\"SCMP_ACT_ERRNO\"}' > nothing.json && "
             "echo '{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],"
             "\"action\":\"SCMP_ACT_ERRNO\"}]}' > profiles/nodirs.json && "
             "sed s/ERRNO/NOTIFY/ profiles/nodirs.json > notify.json && cp all.json bad && chmod 666 bad/all.json && "
             "printf '#!/bin/sh\n#REEVE --env A=of-file\necho $0 $A' > script && "
             "printf 'command: [sh, -c, ulimit -u; exit 3]\nlimits: {processes: 17}\nbudget: 1\n' > job.yaml",
             (int)(strstr(program, "/build") - program), program);
    host(command);
    ck_assert_int_eq(chdir(home), 0);
}

static void remove_home(void)
{
    struct err err = {0};
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_msg(dir_remove(home, &err) == 0, "%s", err.text);
}

#define IMAGES "--images", "images", "--image"
static const struct exit_row node_rows[] = {
    {"an image is the root", {IMAGES, "plain", "--", "cat", "/etc/issue"}, 0, "of the image\n", NULL},
    {"an absent image", {IMAGES, "none", "--", "true"}, 125, "", "image 'none': No such file"},
    {"an image that leads away", {IMAGES, "../ref", "--", "true"}, 125, "", "image"},
    {"an image where there are none", {"--image", "plain", "--", "true"}, 125, "", "this node has no images"},
    {"a folder of images that is none", {"--images", "nowhere", "--", "true"}, 125, "", "--images: 'nowhere': No such"},
    {"an overlay of nothing", {"--root", "overlay", "--", "true"}, 125, "", "an overlay needs an image"},
    {"a volume lies where it is wanted",
     {"--node-volume", "ref=ref:ro", "--volume", "ref=/tmp/deep/er", "--", "cat", "/tmp/deep/er/file"},
     0, "reference\n", NULL},
    {"else at its name", {"--node-volume", "ref=ref:ro", "--volume", "ref", "--", "cat", "/mnt/ref/file"}, 0,
     "reference\n", NULL},
    {"to read is not to write",
     {"--node-volume", "ref=ref:ro", "--volume", "ref:rw", "--", "true"},
     125, "", "only for reading"},
    {"what is root's is for reading", {"--node-volume", "ref=ref", "--", "true"}, 125, "",
     "its folder is of user 0 and group 0, and jobs write there as its owner, which can't be root: chown it"},
    {"a volume nobody offers", {"--volume", "ref", "--", "true"}, 125, "", "this node has none of that name"},
    {"a volume that isn't there", {"--node-volume", "ref=nowhere", "--", "true"}, 125, "", "'nowhere': No such file"},
    {"a volume without a path", {"--node-volume", "ref", "--", "true"}, 125, "", "NAME=PATH"},
    {"a profile of the node",
     {"--profiles", "profiles", "--seccomp", "nodirs", "--", "mkdir", "/tmp/x"},
     1, "", "Operation not permitted"},
    {"a profile it lacks", {"--profiles", "profiles", "--seccomp", "other", "--", "true"}, 125, "",
     "this node has no profile 'other'"},
    {"a profile that others may write", {"--profiles", "bad", "--", "true"}, 125, "", "only root may write"},
    {"a profile of our own", {"--seccomp", "profiles/nodirs.json", "--", "mkdir", "/tmp/x"}, 1, "", "not permitted"},
    {"one that is no JSON", {"--seccomp", "half.json", "--", "true"}, 125, "", "seccomp: line 2, column 0: not JSON"},
    {"one that isn't there", {"--seccomp", "absent.json", "--", "true"}, 125, "", "absent.json"},
    {"one that nothing could run under", {"--seccomp", "nothing.json", "--", "true"}, 125, "",
     "'execve' is not allowed"},
    {"one that asks for a listener", {"--seccomp", "notify.json", "--", "true"}, 125, "", "SCMP_ACT_NOTIFY"},
    {"one that allows all gets what the floor leaves", {"--seccomp", "all.json", "--", "unshare", "-U", "true"}, 1, "",
     "unshare failed"},
    {"a trace without a place to write", {"--seccomp", "trace", "--", "true"}, 125, "", "--profile FILE"},
    {"a place to write without a trace", {"--profile", "x.json", "--", "true"}, 125, "", "--seccomp trace"},
    {"a bridge that isn't there", {"--private-net", "nobridge9=10.0.0.1/24", "--", "true"}, 125, "", "'nobridge9'"},
    {"a device that isn't there", {"--device", "x=/dev/none", "--", "true"}, 125, "", "--device"},
    {"private without a bridge is a loopback", {"--network", "private", SH("grep -c : /proc/net/dev")}, 0, "1\n", NULL},
    {"a script with its options", {"--file", "script"}, 0, "/tmp/.script of-file\n", NULL},
    {"which others override", {"--env", "A=mine", "--file", "script"}, 0, "/tmp/.script mine\n", NULL},
    {"a job file's command and limits", {"--file", "job.yaml"}, 3, "", ""},
    {"another command in its sandbox", {"--file", "job.yaml", "--stats", "--", "true"}, 0, "", "memory peak"},
    {"an absent job file", {"--file", "absent.yaml"}, 125, "", "absent.yaml"},
    {"a script can't be explained", {"--explain", "--file", "script"}, 125, "", "--explain needs a command"},
};

START_TEST(what_a_node_offers_is_taken_by_name)
{
    run_row(&node_rows[_i]);
}
END_TEST

START_TEST(an_overlay_is_written_where_ids_can_be_mapped)
{
    static const char *const words[] = {
        IMAGES, "plain", "--root", "overlay", SH("echo x > /etc/issue; cat /etc/issue"), NULL};
    run(words);
    if (got.code == CONFINE_FAILED && strstr(got.err, "step 'image'") != NULL) {
        printf("skipped: this file system can't map ids; refused by name\n");
        return;
    }
    ck_assert_msg(got.code == 0, "%s", got.err);
    ck_assert_str_eq(got.out, "x\n");
}
END_TEST

START_TEST(a_traced_run_leaves_the_profile_that_lets_it_run)
{
    static const char *const trace[] = {"--seccomp", "trace", "--profile", "made.json", SH("keyctl show; true"), NULL};
    static const char *const again[] = {"--seccomp", "made.json", SH("echo ran"), NULL};
    run(trace);
    ck_assert_msg(got.code == 0, "%s", got.err);
    run(again);
    ck_assert_msg(got.code == 0, "%s", got.err);
    ck_assert_str_eq(got.out, "ran\n");
}
END_TEST

START_TEST(a_private_network_is_the_nodes)
{
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    host("ip link set lo up && ip link add jobs9 type bridge && ip addr add 10.214.0.1/24 dev jobs9 && "
         "ip link set jobs9 up");
    static const char *const words[] = {"--private-net", "jobs9=10.214.0.1/24", "--network", "private",
                                        SH("grep -c : /proc/net/dev"), NULL};
    run(words);
    ck_assert_msg(got.code == 0, "%s", got.err);
    ck_assert_str_eq(got.out, "2\n");
    host("test $(ip -o link | grep -c ' rv') = 0");
}
END_TEST

START_TEST(explain_tells_image_volume_and_profile)
{
    static const char *const words[] = {
        IMAGES, "plain", "--node-volume", "ref=ref:ro", "--volume", "ref=/data", "--seccomp", "all.json", "--explain",
        SH("exit 4"), NULL};
    run(words);
    ck_assert_msg(got.code == 4, "%s", got.err);
    char want[2][128];
    snprintf(want[0], sizeof want[0], "/ is %s/images/plain of ", strrchr(home, '/'));
    snprintf(want[1], sizeof want[1], "/data is %s/ref of ", strrchr(home, '/'));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const char *behind = strstr(want[i], " is ") + 4; /* /tmp may be a file system of its own, or not */
        ck_assert_msg(strstr(got.err, behind) != NULL, "'%s' is missing in\n%s", behind, got.err);
    }
    ck_assert_ptr_nonnull(strstr(got.err, "filters 3"));
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_command: needs root\n");
        return 1;
    }
    find_program();
    TCase *t = tcase_create("command");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, exit_codes_are_the_commands, 0, (int)COUNT_OF(exit_rows));
    tcase_add_loop_test(t, signals_stop_the_job, 0, (int)COUNT_OF(signal_rows));
    tcase_add_test(t, who_is_not_root_is_told_so_in_one_sentence);
    tcase_add_test(t, a_failed_step_is_named);
    tcase_add_test(t, ten_megabytes_of_both_streams_come_byte_by_byte);
    tcase_add_test(t, a_reader_that_leaves_ends_the_job);
    tcase_add_test(t, killed_it_leaves_nothing);
    tcase_add_test(t, a_killed_warden_is_named_and_leaves_nothing);
    tcase_add_test(t, a_killed_keeper_is_named);
    tcase_add_test(t, explain_names_every_step_in_order_and_the_job_runs);
    tcase_add_test(t, two_at_once_are_two);
    tcase_add_test(t, on_v2_a_scope_is_asked_of_systemd);
    TCase *n = tcase_create("node");
    tcase_set_timeout(n, 300);
    tcase_add_unchecked_fixture(n, make_home, remove_home);
    tcase_add_loop_test(n, what_a_node_offers_is_taken_by_name, 0, (int)COUNT_OF(node_rows));
    tcase_add_test(n, an_overlay_is_written_where_ids_can_be_mapped);
    tcase_add_test(n, a_traced_run_leaves_the_profile_that_lets_it_run);
    tcase_add_test(n, a_private_network_is_the_nodes);
    tcase_add_test(n, explain_tells_image_volume_and_profile);
    Suite *s = suite_create("reeve confine");
    suite_add_tcase(s, t);
    suite_add_tcase(s, n);
    return run_suite(s);
}

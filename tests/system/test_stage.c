/*
 * Inputs and outputs of a sandbox, with this program as the agent that grants: what arrives and how, what is refused
 * and in which words, and what becomes of it all when somebody writes, links, kills or fills the disk meanwhile. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/sha256.h"
#include "tests/system/driver.h"
#include "tests/system/granter.h"
#include "tests/system/suite.h"

#define OWNER 4321 /* of both volumes, on disk */
#define IN 0
#define OUT STAGE_OUT
#define ANY_END (STAGE_OUT | STAGE_IF_FAILED)

static struct driver d;
static struct ended e;
static struct task task;
static struct granter g = {.sock = -1};
static struct stage_report report;
static char base[64], in_option[96], out_option[96];
static const char *options[] = {"--volume", in_option, "--volume", out_option, NULL};

/* ---- helpers ---- */

/* A line of shell where the volumes `in` and `out` are; it must succeed. */
static void host(const char *line)
{
    char command[4096];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    ck_assert_msg(system(command) == 0, "failed: %s", line); /* lint: allow in tests */
}

static void setup_at(const char *template)
{
    snprintf(base, sizeof base, "%s", template);
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(in_option, sizeof in_option, "in=%s/in:ro", base);
    snprintf(out_option, sizeof out_option, "out=%s/out", base);
    host("mkdir in out && chown 4321:4321 in out && chmod 755 .");
    driver_init_with(&d, options);
}

static void setup(void)
{
    setup_at("/var/tmp/reeve-stage-XXXXXX");
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
    host("chmod -R u+rwx . && rm -rf in out");
    ck_assert_int_eq(rmdir(base), 0);
}

static struct run run_of(const char *script, const struct stage_try *stages, size_t count)
{
    static const char *argv[4] = {"/bin/sh", "-c", NULL, NULL};
    argv[2] = script;
    struct run r = driver_run(&d, argv);
    r.spec.root.volumes_count = 2;
    r.spec.root.volumes[0] = (struct root_volume){.name = "in", .path = "/mnt/in"};
    r.spec.root.volumes[1] = (struct root_volume){.name = "out", .path = "/mnt/out", .writable = 1};
    r.spec.scratch_bytes = (uint64_t)64 << 20;
    r.spec.scratch_inodes = 5000;
    for (size_t i = 0; i < count; i++)
        r.spec.stages |= (stages[i].flags & STAGE_OUT) != 0 ? STAGE_OUTPUTS : STAGE_INPUTS;
    r.stages = stages;
    r.stages_count = count;
    return r;
}

static void launch(const char *script, const struct stage_try *stages, size_t count)
{
    struct run r = run_of(script, stages, count);
    ck_assert_msg(driver_launch(&d, &r, &task) == OP_DONE, "%s: %s", task.launch.step, strerror(task.launch.error));
}

static void look(void)
{
    ck_assert_msg(driver_stage(&task, &report), "no sound report");
}

static void finish(void)
{
    close_p(&g.sock);
    driver_end(&d, &task, &e);
    look();
}

static void serve_all(void)
{
    g.totals = (struct mover_totals){{0}, {0}};
    if (granter_take(&g, &task)) /* else it has ended without */
        granter_serve(&g, UINT32_MAX / 2);
    finish();
}

/* ---- what arrives, and what doesn't ---- */

#define FILES_MAX 3
static const struct row {
    const char *sentence;
    const char *prepare, *script;
    struct stage_try stages[FILES_MAX];
    uint32_t cause;
    int32_t code;
    uint32_t why;
    int error;
    const char *path;  /* that the report is about */
    const char *check; /* on the host, afterwards */
    const char *out;   /* what was printed */
} rows[] = {
    {"a file is there before the command, with its bytes and mode",
     "head -c 3000000 /dev/urandom >in/a && chmod 750 in/a && chown 4321 in/a",
     "cmp /tmp/a /mnt/in/a && stat -c %a.%U /tmp/a", {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}}, END_EXIT, 0, 0, 0, "",
     "true", "750.job\n"},
    {"an empty one too, in a folder that is made for it", "touch in/a", "stat -c %s /tmp/x/y/a",
     {{IN, "/mnt/in/a", "/tmp/x/y/a", 0, NULL}}, END_EXIT, 0, 0, 0, "", "true", "0\n"},
    {"holes stay holes, and don't count as room",
     "truncate -s 1G in/a && printf x | dd of=in/a bs=1 seek=500000000 conv=notrunc status=none",
     "cmp /tmp/a /mnt/in/a && [ $(du -k /tmp/a | cut -f1) -lt 100 ] && stat -c %s /tmp/a",
     {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}}, END_EXIT, 0, 0, 0, "", "true", "1073741824\n"},
    {"a folder with folders, links that stay in it, and names of any bytes",
     "mkdir -p in/d/e/f in/d/none && echo 1 >in/d/one && echo 2 >in/d/e/two && echo 3 >\"in/d/e/f/new\nline\" &&"
     " ln -s e/two in/d/link && ln -s ../../one in/d/e/f/up && chmod 500 in/d/none && chown -R 4321 in/d",
     "cd /tmp/d && cat one link e/f/up e/f/new* && readlink link && stat -c %a none",
     {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}}, END_EXIT, 0, 0, 0, "", "true", "1\n2\n1\n3\ne/two\n500\n"},
    {"more names than fit into one look",
     "mkdir in/d && cd in/d && seq -f 'a-name-that-is-rather-long-%g' 3000 | xargs touch",
     "ls /tmp/d | wc -l", {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}}, END_EXIT, 0, 0, 0, "", "true", "3000\n"},
    {"what is missing is named, and the command never runs", "true", "echo ran",
     {{IN, "/mnt/in/none", "/tmp/a", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_LOOK, ENOENT, "/mnt/in/none", "true", ""},
    {"so is what the job may not read", "install -m 600 /dev/null in/a", "echo ran",
     {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_LOOK, EACCES, "/mnt/in/a", "true", ""},
    {"a pipe in a folder is refused by name", "mkdir in/d && mkfifo in/d/p", "echo ran",
     {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_KIND, 0, "/mnt/in/d/p", "true", ""},
    {"a socket, a device", "mkdir in/d && mknod in/d/n c 1 3", "echo ran", {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}},
     END_INPUTS, 0, STAGE_WHY_KIND, 0, "/mnt/in/d/n", "true", ""},
    {"a pipe itself", "mkfifo in/p", "echo ran", {{IN, "/mnt/in/p", "/tmp/p", 0, NULL}}, END_INPUTS, 0,
     STAGE_WHY_KIND, 0, "/mnt/in/p", "true", ""},
    {"a link that leads out", "mkdir in/d && ln -s ../secret in/d/l", "echo ran",
     {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_LINK, 0, "/mnt/in/d/l", "true", ""},
    {"an absolute one", "mkdir in/d && ln -s /etc/passwd in/d/l", "echo ran", {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}},
     END_INPUTS, 0, STAGE_WHY_LINK, 0, "/mnt/in/d/l", "true", ""},
    {"a link itself", "ln -s /etc/passwd in/l", "echo ran", {{IN, "/mnt/in/l", "/tmp/l", 0, NULL}}, END_INPUTS, 0,
     STAGE_WHY_LINK, 0, "/mnt/in/l", "true", ""},
    {"a link on the way", "ln -s /etc in/l", "echo ran", {{IN, "/mnt/in/l/passwd", "/tmp/l", 0, NULL}}, END_INPUTS, 0,
     STAGE_WHY_LINK, 0, "/mnt/in/l/passwd", "true", ""},
    {"more than its max is refused before a byte is copied", "mkdir in/d && truncate -s 1M in/d/a in/d/b", "echo ran",
     {{IN, "/mnt/in/d", "/tmp/d", 2000000, NULL}}, END_INPUTS, 0, STAGE_WHY_MAX, 0, NULL, "true", ""},
    {"a huge file of holes too", "truncate -s 1T in/a", "echo ran", {{IN, "/mnt/in/a", "/tmp/a", 1 << 30, NULL}},
     END_INPUTS, 0, STAGE_WHY_MAX, 0, "/mnt/in/a", "true", ""},
    {"deeper than anybody needs", "d=in; for i in $(seq 70); do d=$d/d; done; mkdir -p $d", "echo ran",
     {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_DEEP, 0, NULL, "true", ""},
    {"more than the scratch holds", "head -c 80000000 /dev/zero >in/a", "echo ran",
     {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}}, END_INPUTS, 0, STAGE_WHY_COPY, ENOSPC, "/mnt/in/a", "true", ""},
    {"to where nothing can be written", "echo 1 >in/a", "echo ran", {{IN, "/mnt/in/a", "/usr/a", 0, NULL}}, END_INPUTS,
     0, STAGE_WHY_MAKE, EROFS, "/mnt/in/a", "true", ""},
    {"what is no known file system", "true", "echo ran", {{IN, "/proc/self/status", "/tmp/a", 0, NULL}}, END_INPUTS,
     0, STAGE_WHY_LINK, 0, "/proc/self/status", "true", ""},
    {"an output appears, whole, with its mode, and nothing else does", "true",
     "head -c 3000000 /dev/zero | tr '\\0' x >/tmp/a; chmod 640 /tmp/a", {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}},
     END_EXIT, 0, 0, 0, "",
     "[ $(ls -A out) = a ] && [ $(stat -c %s.%a.%u.%h out/a) = 3000000.640.4321.1 ] &&"
     " [ $(tr -d x <out/a | wc -c) = 0 ]",
     ""},
    {"folders that lead to it are made", "true", "echo 1 >/tmp/a", {{OUT, "/tmp/a", "/mnt/out/x/y/a", 0, NULL}},
     END_EXIT, 0, 0, 0, "", "[ $(cat out/x/y/a) = 1 ]", ""},
    {"it replaces a file", "echo old >out/a && chown 4321:4321 out/a", "echo new >/tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_EXIT, 0, 0, 0, "", "[ $(cat out/a) = new ] && [ $(ls -A out) = a ]",
     ""},
    {"and a link, not what it points to", "echo old >out/b && ln -s b out/a && chown -h 4321:4321 out/b out/a",
     "echo new >/tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_EXIT, 0, 0, 0, "",
     "[ \"$(cat out/a) $(cat out/b)\" = 'new old' ]", ""},
    {"a folder, one that forbids writing in it too", "true",
     "mkdir -p /tmp/d/e && echo 1 >/tmp/d/e/f && chmod 444 /tmp/d/e/f && chmod 555 /tmp/d/e /tmp/d",
     {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}}, END_EXIT, 0, 0, 0, "",
     "[ $(cat out/d/e/f) = 1 ] && [ $(stat -c %a out/d) = 555 ] && [ $(ls -A out) = d ]", ""},
    {"nobody's folder is not replaced", "mkdir out/d && touch out/d/keep && chown -R 4321:4321 out/d", "mkdir /tmp/d",
     {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_TAKEN, 0, "/mnt/out/d",
     "[ -e out/d/keep ] && [ $(ls -A out) = d ]", ""},
    {"nor by a file", "mkdir out/d && touch out/d/keep && chown -R 4321:4321 out/d", "echo 1 >/tmp/d",
     {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_TAKEN, 0, "/mnt/out/d", "[ -e out/d/keep ]",
     ""},
    {"nor what isn't the volume's owner's", "echo old >out/a", "echo new >/tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_PUBLISH, EPERM, "/mnt/out/a",
     "[ $(cat out/a) = old ] && [ $(ls -A out) = a ]", ""},
    {"an empty one is", "mkdir out/d && chown 4321:4321 out/d", "echo 1 >/tmp/d",
     {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}},
     END_EXIT, 0, 0, 0, "", "[ $(cat out/d) = 1 ] && [ $(ls -A out) = d ]", ""},
    {"what a failed command made stays inside", "true", "echo 1 >/tmp/a; exit 3",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_EXIT, 3, 0, 0, "", "[ -z \"$(ls -A out)\" ]", ""},
    {"unless it is wanted always; what it did not make is not missed", "true", "echo 1 >/tmp/a; exit 3",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}, {ANY_END, "/tmp/none", "/mnt/out/n", 0, NULL},
      {ANY_END, "/tmp/a", "/mnt/out/b", 0, NULL}}, END_EXIT, 3, 0, 0, "", "[ $(ls -A out) = b ]", ""},
    {"a command that succeeded but didn't make it has failed", "true", "true",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_LOOK, ENOENT, "/tmp/a", "true", ""},
    {"what comes before the one that fails is there, what comes after isn't", "true", "echo 1 >/tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}, {OUT, "/mnt/in/none", "/mnt/out/b", 0, NULL},
      {OUT, "/tmp/a", "/mnt/out/c", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_LOOK, ENOENT, "/mnt/in/none",
     "[ -z \"$(ls -A out)\" ]", ""}, /* all are weighed first */
    {"a job leaves a link to a secret as its output", "true", "ln -s /etc/passwd /tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_OUTPUTS, 0, STAGE_WHY_LINK, 0, "/tmp/a", "[ -z \"$(ls -A out)\" ]",
     ""},
    {"a pipe with nobody at its other end", "true", "mkfifo /tmp/a", {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}},
     END_OUTPUTS, 0, STAGE_WHY_KIND, 0, "/tmp/a", "[ -z \"$(ls -A out)\" ]", ""},
    {"a device of the sandbox", "true", "true", {{OUT, "/dev/zero", "/mnt/out/a", 0, NULL}}, END_OUTPUTS, 0,
     STAGE_WHY_KIND, 0, "/dev/zero", "[ -z \"$(ls -A out)\" ]", ""},
    {"a set-id bit does not leave", "true", "echo 1 >/tmp/a; chmod 6755 /tmp/a",
     {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}}, END_EXIT, 0, 0, 0, "", "[ $(stat -c %a out/a) = 755 ]", ""},
    {"a name that is ours, taken by a file: it goes", "true",
     "echo 1 >/tmp/a; touch /mnt/out/.reeve-stage.${REEVE_TEST_JOB:-1}.0.o0", {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}},
     END_EXIT, 0, 0, 0, "", "[ $(cat out/a) = 1 ]", ""},
};

START_TEST(what_arrives_and_what_does_not)
{
    const struct row *row = &rows[_i];
    size_t count = 0;
    while (count < FILES_MAX && row->stages[count].from != NULL)
        count++;
    host(row->prepare);
    launch(row->script, row->stages, count);
    serve_all();
    ck_assert_msg(e.record.cause == row->cause && e.record.exit_code == row->code,
                  "%s: cause %u exit %d signal %d, why %u (%s) error %d path %s, %s%s", row->sentence, e.record.cause,
                  e.record.exit_code, e.record.signal, report.why, stage_why_says(report.why), report.error,
                  report.path, e.out, e.err);
    ck_assert_msg(report.why == row->why && report.error == row->error, "%s: %s, error %d, about %s", row->sentence,
                  stage_why_says(report.why), report.error, report.path);
    ck_assert_msg(row->path == NULL || strcmp(report.path, row->path) == 0, "%s: about %s", row->sentence, report.path);
    ck_assert_msg(row->out == NULL || strcmp(e.out, row->out) == 0, "%s: printed %s", row->sentence, e.out);
    ck_assert(report.phase == STAGE_OVER || report.phase == STAGE_RUN);
    ck_assert_uint_eq(e.record.stray_procs, 0); /* the helpers are none of the job's */
    host(row->check);
}
END_TEST

/* ---- digests ---- */

static const uint8_t *digest_of(const char *file)
{
    static uint8_t digest[SHA256_BYTES];
    char path[128];
    CLEANUP(buf_fini) struct buf bytes = {0};
    snprintf(path, sizeof path, "%s/%s", base, file);
    ck_assert_int_eq(file_read(path, 64 << 20, &bytes, NULL), 0);
    sha256(&(struct sha256_part){bytes.data, bytes.len}, 1, digest);
    return digest;
}

static const char *const contents[] = {
    "head -c 5000001 /dev/urandom >in/a",
    "truncate -s 20000000 in/a && head -c 100000 /dev/urandom | dd of=in/a bs=1M seek=3 conv=notrunc status=none",
    "head -c 100000 /dev/urandom >in/a && truncate -s 5000003 in/a",
    "touch in/a",
};

START_TEST(a_digest_is_that_of_the_bytes_holes_and_all)
{
    host(contents[_i]);
    struct stage_try tries[] = {{IN | STAGE_HASHED, "/mnt/in/a", "/tmp/a", 0, NULL},
                                {IN | STAGE_HASHED | STAGE_HASH_KNOWN, "/mnt/in/a", "/tmp/b", 0, NULL}};
    tries[1].digest = digest_of("in/a");
    launch("cmp /tmp/a /mnt/in/a && cmp /tmp/b /mnt/in/a && du -k /tmp/a | cut -f1", tries, 2);
    serve_all();
    ck_assert_msg(e.record.cause == END_EXIT && e.record.exit_code == 0, "cause %u, %s %s", e.record.cause,
                  stage_why_says(report.why), e.err);
    ck_assert(_i == 0 || _i == 3 || atoi(e.out) < 2000); /* lint: allow holes stayed holes */
    for (int i = 0; i < 2; i++)
        ck_assert(report.results[i].hashed == 1 &&
                  memcmp(report.results[i].digest, digest_of("in/a"), SHA256_BYTES) == 0);
}
END_TEST

START_TEST(another_digest_than_was_given_is_refused)
{
    static const uint8_t other[SHA256_BYTES] = {1};
    const struct stage_try tries[] = {{IN | STAGE_HASHED | STAGE_HASH_KNOWN, "/mnt/in/a", "/tmp/a", 0, other}};
    host("head -c 100000 /dev/urandom >in/a");
    launch("echo ran", tries, 1);
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_INPUTS);
    ck_assert_uint_eq(report.why, STAGE_WHY_DIGEST);
    ck_assert_str_eq(e.out, "");
}
END_TEST

/* ---- somebody writes, moves, links meanwhile ---- */

static void begin(const char *prepare, const char *script, const struct stage_try *tries, size_t count, unsigned grants)
{
    host(prepare);
    launch(script, tries, count);
    g.totals = (struct mover_totals){{0}, {0}};
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, grants);
}

/* As the next agent: what was granted by halves is wanted again. */
static void serve_rest(void)
{
    close_p(&g.sock);
    if (granter_take(&g, &task))
        granter_serve(&g, UINT32_MAX / 2);
    finish();
}

static const struct stage_try bring_d[] = {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}};
static const char many[] = "mkdir -p in/d/e && for i in 1 2 3 4 5 6; do head -c 400000 /dev/zero >in/d/e/$i; done";

START_TEST(a_file_that_is_written_to_meanwhile_is_refused)
{
    static const struct stage_try tries[] = {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}};
    static const char *const writes[] = {"echo x >>in/a", "truncate -s 100 in/a", "touch in/a", "chmod 600 in/a"};
    begin("head -c 4000000 /dev/zero >in/a", "echo ran", tries, 1, 4);
    host(writes[_i]);
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_INPUTS);
    ck_assert_msg(report.why == STAGE_WHY_CHANGED, "%s", stage_why_says(report.why));
    ck_assert_str_eq(report.path, "/mnt/in/a");
}
END_TEST

START_TEST(a_folder_that_moves_while_it_is_copied_arrives_as_it_was)
{
    begin(many, "ls /tmp/d/e | wc -l; cmp -n 400000 /tmp/d/e/6 /dev/zero && echo same", bring_d, 1, 8);
    host("mkdir in/x && mv in/d in/x/y && mkdir in/d && echo secret >in/d/s");
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    ck_assert_str_eq(e.out, "6\nsame\n");
}
END_TEST

/* A folder and a link to a secret change places as fast as they can. Whatever is copied, it is never the secret. */
START_TEST(no_link_is_followed_however_fast_it_appears)
{
    host("mkdir -p in/d/real secret && echo secret >secret/x && echo plain >in/d/real/x && chmod 711 secret");
    char real[128], link[128], away[128], target[128];
    snprintf(real, sizeof real, "%s/in/d/real", base);
    snprintf(link, sizeof link, "%s/in/d/link", base);
    snprintf(away, sizeof away, "%s/in/d/.away", base);
    snprintf(target, sizeof target, "%s/secret", base);
    ck_assert_int_eq(symlink("/tmp", link), 0);
    pid_t racer = fork();
    if (racer == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (racer == 0)
        syscall(SYS_renameat2, AT_FDCWD, real, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
    for (int i = 0; i < 12; i++) {
        static const struct stage_try tries[] = {{IN, "/mnt/in/d/real", "/tmp/x", 0, NULL},
                                                 {IN, "/mnt/in/d/real/x", "/tmp/y", 0, NULL}};
        launch("cat /tmp/x/x /tmp/y", tries, 2);
        serve_all();
        bool came = e.record.cause == END_EXIT && strcmp(e.out, "plain\nplain\n") == 0;
        bool refused = e.record.cause == END_INPUTS && (report.why == STAGE_WHY_LINK || report.why == STAGE_WHY_LOOK);
        ck_assert_msg(came || refused, "cause %u: %s at %s, %s", e.record.cause, stage_why_says(report.why),
                      report.path, e.out);
    }
    kill(racer, SIGKILL);
    waitpid(racer, NULL, 0);
    host("rm -rf secret");
}
END_TEST

START_TEST(what_a_job_leaves_running_writes_no_more)
{
    static const struct stage_try tries[] = {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}};
    launch("mkdir /tmp/d; cd /tmp/d; for i in 1 2 3; do (trap '' TERM HUP; while :; do echo x >>$i; echo y >new$i; "
           "mv new$i old$i; done) & done; sleep 0.2", tries, 1);
    serve_all();
    ck_assert_msg(e.record.cause == END_EXIT && report.why == 0, "cause %u: %s %s", e.record.cause,
                  stage_why_says(report.why), report.path);
    host("[ -s out/d/1 ] && [ -s out/d/2 ] && [ -s out/d/3 ]");
}
END_TEST

START_TEST(a_job_that_kills_all_it_can_does_not_kill_its_helpers)
{
    static const struct stage_try tries[] = {{ANY_END, "/tmp/a", "/mnt/out/a", 0, NULL}};
    launch("echo 1 >/tmp/a; kill -9 -1; exit 0", tries, 1);
    serve_all();
    ck_assert_uint_eq(report.why, 0);
    host("[ $(cat out/a) = 1 ]");
}
END_TEST

/* ---- somebody dies ---- */

static const struct stage_try out_d[] = {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}};
static const char makes_d[] = "mkdir -p /tmp/d/e; for i in 1 2 3 4 5 6; do head -c 400000 /dev/zero >/tmp/d/e/$i; done";
static const char out_is_empty[] = "[ -z \"$(ls -A out)\" ]";
static const char d_is_whole[] = "[ $(ls -A out) = d ] && [ $(cat out/d/e/* | wc -c) = 2400000 ]";

static void kill_one(const char *name)
{
    char status[DRIVER_STATUS_MAX];
    pid_t pid = driver_find(&d, name, status);
    ck_assert_msg(pid > 0, "no %s", name);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
}

static const struct death {
    const char *name;
    bool out;
    uint32_t cause;
} deaths[] = {
    {"reeve-mover", false, END_INPUTS},       {"reeve-stager", false, END_INPUTS},
    {"reeve-keeper", false, END_KEEPER_LOST}, {"reeve-mover", true, END_OUTPUTS},
    {"reeve-stager", true, END_OUTPUTS},      {"reeve-keeper", true, END_KEEPER_LOST},
};

START_TEST(whoever_dies_nothing_half_is_seen_and_the_next_attempt_brings_it)
{
    const struct death *row = &deaths[_i];
    begin(many, row->out ? makes_d : "echo ran", row->out ? out_d : bring_d, 1, 20);
    struct attempt_id id = task.id;
    kill_one(row->name);
    if (row->cause == END_KEEPER_LOST)
        finish();
    else
        serve_rest();
    ck_assert_msg(e.record.cause == row->cause, "cause %u, %s", e.record.cause, stage_why_says(report.why));
    ck_assert_str_eq(e.out, "");
    host("[ ! -e out/d ]"); /* but maybe a folder of our own name */
    struct run r = run_of(row->out ? makes_d : "ls /tmp/d/e | wc -l", row->out ? out_d : bring_d, 1);
    r.spec.id = (struct attempt_id){id.job, id.task, id.epoch + 1};
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    host(row->out ? d_is_whole : out_is_empty);
}
END_TEST

START_TEST(agents_come_and_go)
{
    begin(many, makes_d, out_d, 1, 3);
    for (unsigned life = 0; life < 6; life++) {
        close_p(&g.sock);
        ck_assert(granter_take(&g, &task));
        granter_serve(&g, life + 1);
    }
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    host(d_is_whole);
}
END_TEST

/* The older of two attempts of a task, thought dead, is slow: it has copied all when the later one publishes. */
START_TEST(an_older_attempt_never_replaces_what_a_later_one_published)
{
    static const struct stage_try file[] = {{OUT, "/tmp/f", "/mnt/out/d", 0, NULL}};
    const struct stage_try *tries = _i == 0 ? file : out_d;
    const char *old = _i == 0 ? "head -c 100000 /dev/zero >/tmp/f" : makes_d;
    const char *new = _i == 0 ? "echo new >/tmp/f" : "mkdir /tmp/d; echo new >/tmp/d/f";
    struct task older, later;
    launch(old, tries, 1);
    older = task;
    struct granter old_g = {.sock = -1};
    ck_assert(granter_take(&old_g, &older));
    granter_serve(&old_g, 1);
    struct run r = run_of(new, tries, 1);
    r.spec.id = (struct attempt_id){older.id.job, older.id.task, older.id.epoch + 1};
    ck_assert_int_eq(driver_launch(&d, &r, &later), OP_DONE);
    task = later;
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    task = older;
    g = old_g;
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_OUTPUTS);
    ck_assert_msg(report.why == STAGE_WHY_NEWER || (_i == 1 && report.why != 0), "%s", stage_why_says(report.why));
    host("[ $(ls -A out) = d ]");
    host(_i == 0 ? "[ $(cat out/d) = new ]" : "[ $(cat out/d/f) = new ] && [ $(ls -A out/d) = f ]");
}
END_TEST

/* ---- it has to end ---- */

static void stop(uint32_t grace_ms)
{
    driver_say(&task, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = grace_ms});
}

START_TEST(a_stop_while_inputs_come_is_the_end)
{
    begin(many, "echo ran", bring_d, 1, 8);
    stop(60000);
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    ck_assert_str_eq(e.out, "");
}
END_TEST

START_TEST(a_stop_while_outputs_go_leaves_nothing)
{
    begin(many, makes_d, out_d, 1, 20);
    stop(60000); /* it doesn't wait for that: it cleans up and is done */
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    ck_assert_uint_eq(report.why, STAGE_WHY_STOPPED);
    host(out_is_empty);
}
END_TEST

START_TEST(the_time_limit_covers_what_is_brought)
{
    host(many);
    struct run r = run_of(_i == 0 ? "echo ran" : makes_d, _i == 0 ? bring_d : out_d, 1);
    r.spec.time_limit_us = 300000;
    r.spec.grace_us = 100000;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    ck_assert(granter_take(&g, &task)); /* and grants nothing */
    finish();
    ck_assert_uint_eq(e.record.cause, END_TIME_LIMIT);
    ck_assert_uint_ge(e.record.run_us, 300000);
    ck_assert_str_eq(e.out, "");
    host("[ ! -e out/d ]");
}
END_TEST

START_TEST(who_pauses_at_the_paid_end_goes_on_where_it_was)
{
    struct keeper_message m = {0};
    host(many);
    struct run r = run_of("ls /tmp/d/e | wc -l", bring_d, 1);
    r.spec.paid_us = 200000;
    r.spec.pauses_at_paid_end = 1;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, 5);
    while (m.op != KEEPER_PAUSED)
        ck_assert(fd_recv_packet(task.link, &m, sizeof m, NULL, NULL) == (ssize_t)sizeof m);
    ck_assert_uint_eq(m.run_us, 200000);
    driver_say(&task, (struct keeper_message){.op = KEEPER_PAID, .paid_us = 60000000, .pauses = 1});
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    ck_assert_str_eq(e.out, "6\n");
}
END_TEST

/* ---- a disk that is full ---- */

static char disk[40];

/* In a mount namespace of the test's own: whatever becomes of it, the disk goes with it. */
static void setup_small(void)
{
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    snprintf(disk, sizeof disk, "/var/tmp/reeve-small-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(disk));
    snprintf(base, sizeof base, "%s", disk);
    host("truncate -s 8M ../$(basename $PWD).disk && mkfs.ext4 -q -I 256 ../$(basename $PWD).disk &&"
         " mount -o loop ../$(basename $PWD).disk $PWD && rm ../$(basename $PWD).disk");
    char inner[64];
    snprintf(inner, sizeof inner, "%.39s/t-XXXXXX", disk);
    setup_at(inner);
}

static void teardown_small(void)
{
    teardown();
    snprintf(base, sizeof base, "%s", disk);
    ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
    ck_assert_int_eq(rmdir(disk), 0);
}

START_TEST(a_full_disk_is_said_and_nothing_stays)
{
    static const struct stage_try tries[] = {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}};
    launch(_i == 0 ? "head -c 20000000 /dev/zero >/tmp/a" : "mkdir /tmp/a; for i in $(seq 20); do head -c 1000000 "
           "/dev/zero >/tmp/a/$i; done", tries, 1);
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_OUTPUTS);
    ck_assert_msg(report.why == STAGE_WHY_COPY && report.error == ENOSPC, "%s: %d", stage_why_says(report.why),
                  report.error);
    host(out_is_empty);
    host("head -c 3000000 /dev/zero >out/room && rm out/room"); /* it is all given back */
}
END_TEST

/* ---- the floor ---- */

START_TEST(helpers_have_no_privilege)
{
    static const char *const names[] = {"reeve-mover", "reeve-stager"};
    static const char *const has[] = {"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
                                      "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
                                      "NoNewPrivs:\t1\n", "Seccomp:\t2\n"};
    char status[DRIVER_STATUS_MAX];
    begin(many, "true", bring_d, 1, 2);
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        unsigned real, effective, saved, fs;
        ck_assert_int_gt(driver_find(&d, names[k], status), 0);
        for (size_t i = 0; i < COUNT_OF(has); i++)
            ck_assert_msg(strstr(status, has[i]) != NULL, "%s: %s is not in\n%s", names[k], has[i], status);
        ck_assert_int_eq(sscanf(strstr(status, "Uid:"), "Uid: %u %u %u %u", &real, &effective, &saved, &fs), 4);
        ck_assert_uint_eq(effective, fs);
        ck_assert_uint_eq(real, saved);
        ck_assert_uint_eq(real, effective + 1 + (unsigned)k); /* not the job's: it can't be signalled by it */
    }
    serve_rest();
}
END_TEST

START_TEST(a_request_that_does_not_fit_is_refused)
{
    static const struct stage_try none[] = {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}};
    struct run r = run_of("true", none, 1);
    r.spec.stages = _i == 0 ? STAGE_NEEDS + 1 : STAGE_INPUTS;
    r.spec.reserved = _i == 1 ? 1 : 0;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_BAD_REQUEST);
    driver_drop(&task);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    Suite *s = suite_create("stage");
    TCase *t = tcase_create("stage");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, what_arrives_and_what_does_not, 0, (int)COUNT_OF(rows));
    tcase_add_loop_test(t, a_digest_is_that_of_the_bytes_holes_and_all, 0, (int)COUNT_OF(contents));
    tcase_add_test(t, another_digest_than_was_given_is_refused);
    tcase_add_loop_test(t, a_file_that_is_written_to_meanwhile_is_refused, 0, 4);
    tcase_add_test(t, a_folder_that_moves_while_it_is_copied_arrives_as_it_was);
    tcase_add_test(t, no_link_is_followed_however_fast_it_appears);
    tcase_add_test(t, what_a_job_leaves_running_writes_no_more);
    tcase_add_test(t, a_job_that_kills_all_it_can_does_not_kill_its_helpers);
    tcase_add_loop_test(t, whoever_dies_nothing_half_is_seen_and_the_next_attempt_brings_it, 0, (int)COUNT_OF(deaths));
    tcase_add_test(t, agents_come_and_go);
    tcase_add_loop_test(t, an_older_attempt_never_replaces_what_a_later_one_published, 0, 2);
    tcase_add_test(t, a_stop_while_inputs_come_is_the_end);
    tcase_add_test(t, a_stop_while_outputs_go_leaves_nothing);
    tcase_add_loop_test(t, the_time_limit_covers_what_is_brought, 0, 2);
    tcase_add_test(t, who_pauses_at_the_paid_end_goes_on_where_it_was);
    tcase_add_test(t, helpers_have_no_privilege);
    tcase_add_loop_test(t, a_request_that_does_not_fit_is_refused, 0, 2);
    suite_add_tcase(s, t);
    TCase *full = tcase_create("full");
    tcase_set_timeout(full, 120);
    tcase_add_checked_fixture(full, setup_small, teardown_small);
    if (suite_under_uml())
        puts("skip: user-mode-linux has no loop devices");
    else
        tcase_add_loop_test(full, a_full_disk_is_said_and_nothing_stays, 0, 2);
    suite_add_tcase(s, full);
    return suite_run(s);
}

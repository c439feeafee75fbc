/* What jobs have copied for them on the whole system: `reeve cp`, and descriptors of all kinds on a disk. Root. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io/json.h"
#include "tests/system/suite.h"
#include "tests/system/system.h"

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "tenants:\n"
                             "  acme: {users: [root], volumes: {disk: rw}}\n";

static char base[64];

static bool try(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    return system(command) == 0; /* lint: allow in tests */
}

/* All that the job printed. */
static char *output_of(const char *script)
{
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    struct buf spec = {0};
    buf_add_str(&spec, "{\"transfer\":true,\"resources\":{\"memory\":\"256Mi\"},\"cwd\":\"/mnt/disk/work\","
                       "\"volumes\":[{\"name\":\"disk\",\"path\":\"/mnt/disk\",\"writable\":true}],\"script\":");
    json_put_text(&spec, script);
    buf_add_str(&spec, "}");
    ck_assert_msg(try("rm -rf work && mkdir work && chown 4321:4321 work"), "no place to work in");
    uint64_t job = system_submit("acme", NULL, buf_text(&spec), &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    char *out = system_log(job, 0, STREAM_OUT);
    ck_assert_msg(strcmp(reply.row.state, "succeeded") == 0, "%s: %s%s", reply.row.state, out,
                  system_log(job, 0, STREAM_ERR));
    fields_clear(&wait_reply_fields, &reply);
    buf_fini(&spec);
    return out;
}

struct row {
    const char *sentence, *script, *out;
};

static void check(const char *prelude, const struct row *row)
{
    struct buf script = {0};
    buf_addf(&script, "%s%s", prelude, row->script);
    char *out = output_of(buf_text(&script));
    ck_assert_msg(strcmp(out, row->out) == 0, "%s: printed\n%s\nnot\n%s", row->sentence, out, row->out);
    free(out);
    buf_fini(&script);
}

/* ---- reeve cp ---- */

#define BASH "#!/bin/bash\nexec 2>&1\ncp() { /mnt/disk/reeve cp \"$@\"; }\n"

static const struct row commands[] = {
    {"a file gets its name in a folder that is there, its bytes and mode",
     "seq 100000 >a; chmod 640 a; mkdir d; cp a d; cmp a d/a && stat -c %a d/a; ls -A d\n", "640\na\n"},
    {"a folder arrives with all that is in it",
     "mkdir -p d/e/f; seq 100000 >d/a; seq 50000 >d/b; echo 1 >d/e/c; ln -s ../a d/e/l; chmod 500 d/e/f\n"
     "cp -r d x && diff -r d x && readlink x/e/l && stat -c %a x/e/f; ls -A x x/e\n",
     "../a\n500\nx:\na\nb\ne\n\nx/e:\nc\nf\nl\n"},
    {"one that can't be copied doesn't keep the others back", "mkdir d; echo 1 >d/a; mkfifo d/b; echo 3 >d/c\n"
     "cp -r d x; echo $?; ls x\n", "reeve: cp: b: neither a file nor a folder\n1\na\nc\n"},
    {"a folder isn't copied into itself", "mkdir -p d/e; echo 1 >d/a; cp -r d d/e/x; echo $?; find d | sort\n",
     "reeve: cp: d: a folder can't be copied into itself\n1\nd\nd/a\nd/e\n"},
    {"nor where it is", "mkdir d; echo 1 >d/a; cp -r d .; echo $?; find d | sort\n",
     "reeve: cp: d: a folder can't be copied into itself\n1\nd\nd/a\n"},
    {"names may be as long as they can be", "n=$(printf 'x%.0s' {1..255}); echo 1 >$n; mkdir d; cp $n d && cat d/*\n",
     "1\n"},
};

START_TEST(files_and_folders_are_copied)
{
    check(BASH, &commands[_i]);
}
END_TEST

/* ---- descriptors ---- */

#define PYTHON "#!/usr/bin/python3\n" \
    "import os, socket, struct, fcntl, select\n" \
    "def copy(a, b, start=0, to=0, size=2 ** 64 - 1):\n" \
    "  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n" \
    "  s.connect('/tmp/.reeve-transfer')\n" \
    "  socket.send_fds(s, [struct.pack('IIQQQ', 1, 0, start, to, size)], [a, b])\n" \
    "  status = 1\n" \
    "  while status == 1: _, status, _, _, moved, text = struct.unpack('IIiIQ104s', s.recv(128))\n" \
    "  print(status, moved, text.rstrip(b'\\0').decode())\n" \
    "data = os.urandom(1000003)\n" \
    "with open('a', 'wb') as f: f.write(data)\n" \
    "def a(flags=0): return os.open('a', os.O_RDONLY | flags)\n" \
    "def b(flags=0): return os.open('b', os.O_RDWR | os.O_CREAT | os.O_TRUNC | flags, 0o644)\n" \
    "def same(): print(open('b', 'rb').read() == data)\n"

static const struct row descriptors[] = {
    {"one that passes the page cache by is read to its last byte", "copy(a(os.O_DIRECT), b()); same()\n",
     "2 1000003 \nTrue\n"},
    {"and written", "copy(a(), b(os.O_DIRECT)); same()\n", "2 1000003 \nTrue\n"},
    {"from any place to any", "copy(a(os.O_DIRECT), b(os.O_DIRECT), 5, 7, 100); print(open('b', 'rb').read()[7:] == "
     "data[5:105])\n", "2 100 \nTrue\n"},
    {"the program's own flags and place stay", "x, y = a(os.O_DIRECT), b(os.O_DIRECT); copy(x, y); same()\n"
     "print([fcntl.fcntl(i, fcntl.F_GETFL) & os.O_DIRECT != 0 for i in (x, y)], os.lseek(y, 0, os.SEEK_CUR))\n",
     "2 1000003 \nTrue\n[True, True] 0\n"},
    {"what comes without a request is let go of",
     "for message, count in ((b'', 1), (b'', 2), (b'x', 2), (b'x' * 60000, 2), (b'', 200)):\n"
     "  r, w = os.pipe()\n"
     "  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
     "  s.connect('/tmp/.reeve-transfer')\n"
     "  socket.send_fds(s, [message], [w] * count); os.close(w)\n"
     "  while s.recv(128): pass\n"
     "  print(select.select([r], [], [], 10)[0] == [r])\n", "True\nTrue\nTrue\nTrue\nTrue\n"},
};

START_TEST(descriptors_are_what_they_are)
{
    check(PYTHON, &descriptors[_i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("copies");
    TCase *t = tcase_create("copies");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, files_and_folders_are_copied, 0, (int)COUNT_OF(commands));
    tcase_add_loop_test(t, descriptors_are_what_they_are, 0, (int)COUNT_OF(descriptors));
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    char volume[96], line[4400];
    strcpy(base, "/var/tmp/reeve-copies-XXXXXX"); /* lint: allow it fits */
    if (mkdtemp(base) == NULL || !try("chown 4321:4321 . && chmod 755 ."))
        return 1;
    snprintf(volume, sizeof volume, "disk=%s", base);
    const char *options[] = {"--volume", volume, NULL};
    system_start_with(argc > 1 ? argv[1] : "build", policy, options);
    snprintf(line, sizeof line, "cp %s reeve", system_program()); /* as jobs see it */
    bool ready = try(line);
    int code = suite_run_on_system(suite());
    return try("rm -rf ./*") && rmdir(base) == 0 && ready ? code : 1;
}

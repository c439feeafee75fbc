/*
 * What bringing a file costs, on a whole system with a volume on the disk below BUILD: a job that does nothing else,
 * its run time by its own record. The floors move the same file in the same rounds. To the scratch and back, which is
 * in memory; the disk past the page cache everywhere but in `cp`.
 *
 *   stage_in_floor_dd   dd, 512 KiB at a time, O_DIRECT from the disk to memory
 *   stage_in_floor_cp   cp, page cache dropped for it
 *   stage_in            an input
 *   stage_in_sha256     whose digest is recorded
 *   stage_out_floor_dd  dd from memory, O_DIRECT, synced
 *   stage_out_floor_cp  cp, synced
 *   stage_out           an output, synced and renamed; the command makes it first, which is taken off
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/system/system.h"

#define ROUNDS 3
#define MIB 256
#define BYTES ((double)((uint64_t)MIB << 20))

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "tenants:\n"
                             "  acme: {users: [root], volumes: {disk: rw}}\n";
static char base[256];

/* A line of shell where the file is; its seconds. */
static double shell(const char *line)
{
    char command[1200];
    snprintf(command, sizeof command, "cd %s && { %s; } 2>/dev/null", base, line);
    double since = now_us();
    if (system(command) != 0) { /* lint: allow in tests */
        fprintf(stderr, "bench_stage: failed: %s\n", line);
        exit(1);
    }
    return (now_us() - since) / 1e6;
}

static void print(const char *name, double seconds)
{
    printf("%s %.0f MB/s\n", name, BYTES / 1e6 / seconds);
    fflush(stdout);
}

/* Seconds that the job's only attempt ran. */
static double job(const char *rest)
{
    char spec[1024];
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    snprintf(spec, sizeof spec,
             "{\"resources\":{\"cpu\":1,\"memory\":\"64Mi\",\"scratch\":\"%dMi\"},"
             "\"volumes\":[{\"name\":\"disk\",\"path\":\"/mnt/disk\",\"writable\":true}],%s}", 2 * MIB, rest);
    uint64_t id = system_submit("acme", NULL, spec, &refusal);
    if (id == 0 || !system_wait(id, 120000, &reply)) {
        fprintf(stderr, "bench_stage: %s\n", refusal.message != NULL ? refusal.message : "a job did not end");
        exit(1);
    }
    struct job_view view = system_show(id);
    const struct attempt_view *a = view.attempts.v;
    if (strcmp(reply.row.state, "succeeded") != 0) {
        fprintf(stderr, "bench_stage: %s: %s\n", reply.row.state, a->record.detail != NULL ? a->record.detail : "");
        exit(1);
    }
    double seconds = (double)a->record.run_us / 1e6;
    fields_clear(&job_view_fields, &view);
    return seconds;
}

static void round_of_all(void)
{
    print("stage_in_floor_dd", shell("dd if=file of=/dev/shm/bench-stage bs=512k iflag=direct"));
    shell("rm /dev/shm/bench-stage; sync; echo 1 >/proc/sys/vm/drop_caches");
    print("stage_in_floor_cp", shell("cp file /dev/shm/bench-stage"));
    shell("rm /dev/shm/bench-stage");
    double nothing = job("\"command\":\"true\"");
    print("stage_in", job("\"command\":\"true\",\"inputs\":[{\"from\":\"/mnt/disk/file\"}]") - nothing);
    print("stage_in_sha256",
          job("\"command\":\"true\",\"inputs\":[{\"from\":\"/mnt/disk/file\",\"sha256\":\"record\"}]") - nothing);
    shell("cp file /dev/shm/bench-stage");
    print("stage_out_floor_dd", shell("dd if=/dev/shm/bench-stage of=out bs=512k oflag=direct conv=fsync"));
    shell("rm out");
    print("stage_out_floor_cp", shell("cp /dev/shm/bench-stage out && sync out"));
    shell("rm out /dev/shm/bench-stage");
    char make[128];
    snprintf(make, sizeof make, "\"command\":\"head -c %dM /dev/zero >out\"", MIB);
    double made = job(make);
    char out[256];
    snprintf(out, sizeof out, "%s,\"outputs\":[{\"from\":\"out\",\"to\":\"/mnt/disk/out\"}]", make);
    print("stage_out", job(out) - made);
    shell("rm out");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_stage BUILD\n");
        return 2;
    }
    char volume[300];
    snprintf(base, sizeof base, "%s/bench-stage", argv[1]);
    mkdir(base, 0755);
    snprintf(volume, sizeof volume, "disk=%s", base);
    shell("chown 4321:4321 . && head -c 256M /dev/urandom >file && chmod 644 file && sync");
    const char *const options[] = {"--volume", volume, NULL};
    system_start_with(argv[1], policy, options);
    for (int i = 0; i < ROUNDS; i++) {
        double load[1] = {-1};
        (void)!getloadavg(load, 1);
        printf("load %.2f\n", load[0]);
        round_of_all();
    }
    bool clean = system_stop();
    shell("rm -rf ../bench-stage");
    return clean ? 0 : 1;
}

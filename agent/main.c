/*
 * reeve-agent - one per node: takes orders from the scheduler, has the warden run them, and reports how they ended.
 *
 * No privilege: its own user, no capabilities. What needs one is asked of the warden through descriptor 3. It can be
 * killed at any moment: the keepers live on, and the next agent goes on where this one stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/attempts.h"
#include "agent/calibrate.h"
#include "agent/fair.h"
#include "agent/folder.h"
#include "agent/inventory.h"
#include "agent/io_check.h"
#include "agent/io_metrics.h"
#include "agent/io_report.h"
#include "agent/link.h"
#include "agent/log_read.h"
#include "agent/options.h"
#include "agent/shares.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

#define WARDEN_FD 3
#define COMPILER_FD 4 /* the reeve-seccomp program, from the warden */
#define BOOT_PATH "node/boot"
#define LOCK_PATH "node/lock"
#define AGENT_SOCKET "agent/agent.sock"

struct agent {
    struct agent_options options;
    char name[64];
    int lock;
    struct loop *loop;
    struct ring *ring;
    struct fair *fair;
    struct shares *shares;
    struct io_report *io_report;
    struct io_metrics *io_metrics;
    struct io_checker *io_checker;
    struct warden_link *warden;
    struct attempts *attempts;
    struct fence fence;
    struct link *link;
    struct log_reader *reader;
    const char *warden_gone; /* why */
    struct node_abilities able;
    struct strs features;    /* the same, as the scheduler hears it */
};

static bool on_turn(void *arg)
{
    struct agent *a = arg;
    log_reader_turn(a->reader);
    attempts_turn(a->attempts);
    link_turn(a->link);
    return false;
}

static void on_warden_gone(void *arg, const char *why)
{
    struct agent *a = arg;
    a->warden_gone = why;
    loop_stop(a->loop);
}

static int name_features(const struct node_abilities *able, struct strs *ret)
{
    int rc = strs_add(ret, FEATURE_TRANSFER); /* it grants; its warden, of the same version, makes the movers */
    rc = rc < 0 ? rc : strs_add(ret, FEATURE_STAGING);
    for (uint32_t f = 0; f < FEATURE_COUNT && rc == 0; f++)
        rc = (able->features & FEATURE_BIT(f)) != 0 ? strs_add(ret, names_get(&node_feature_names, f)) : 0;
    for (uint32_t i = 0; i < able->devices_count && i < NODE_DEVICES_MAX && rc == 0; i++) {
        char name[FEATURE_NAME_MAX + 1];
        snprintf(name, sizeof name, FEATURE_DEVICE "%.*s", NODE_DEVICE_NAME_MAX - 1, able->devices[i]);
        rc = strs_add(ret, name);
    }
    for (uint32_t i = 0; i < able->root.count && i < NODE_FEATURES_MAX && rc == 0; i++) {
        char name[FEATURE_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s", FEATURE_NAME_MAX, able->root.features[i]);
        rc = strs_add(ret, name);
    }
    for (uint32_t i = 0; i < able->profiles_count && i < NODE_PROFILES_MAX && rc == 0; i++) {
        char name[FEATURE_NAME_MAX + 1];
        snprintf(name, sizeof name, FEATURE_SECCOMP "%.*s", FILTER_NAME_MAX, able->profiles[i]);
        rc = strs_add(ret, name);
    }
    return rc;
}

/* What jobs read and write by themselves is the kernel's to hold, as far as it can here. */
static void say_direct(uint64_t features)
{
    bool weighed = (features & FEATURE_BIT(FEATURE_IO_WEIGHT)) != 0;
    bool limited = (features & FEATURE_BIT(FEATURE_IO_READ_BPS)) != 0;
    const char *note = weighed && limited
                           ? "what jobs read and write by themselves has their tenants' weight and limits"
                           : "what isn't held here counts for its tenant's turns afterwards; feature.missing says why, "
                             "`reeve doctor` what to do";
    log_line(weighed && limited ? LOG_INFO : LOG_WARN, "disk.direct", "weighed=%s limited=%s note=%s",
             weighed ? "yes" : "no", limited ? "yes" : "no", log_quote(note));
}

/* Only now is it known what may be promised: the scheduler hears of this node. */
static void on_able(void *arg, const struct node_abilities *able)
{
    struct agent *a = arg;
    if (able != NULL)
        a->able = *able;
    if (able == NULL || name_features(able, &a->features) < 0) {
        a->warden_gone = "the warden does not say what it can enforce";
        loop_stop(a->loop);
        return;
    }
    say_direct(able->features);
    link_start(a->link);
}

static void on_hurry(void *arg)
{
    struct agent *a = arg;
    link_hurry(a->link);
}

static void on_log(void *arg)
{
    struct agent *a = arg;
    if (a->reader != NULL)
        log_reader_wake(a->reader);
}

/* The warden's socket must be there before anything is touched: nobody starts this program by hand. */
static int check_warden(struct err *err)
{
    int type = 0;
    socklen_t len = sizeof type;
    if (getsockopt(WARDEN_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
        return err_set(err, -EBADF, "descriptor 3 is not the warden's socket; reeve-warden starts this program, "
                                    "`reeve up` starts reeve-warden");
    if (fcntl(COMPILER_FD, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(err, -errno, "descriptor 4, the profiles' compiler: %s", strerror(errno));
    return fcntl(WARDEN_FD, F_SETFD, FD_CLOEXEC) < 0 ? err_set(err, -errno, "descriptor 3: %s", strerror(errno)) : 0;
}

/* Every attempt takes up to seven descriptors. */
static void raise_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Taken until this process and everything it has in flight is gone, so that two never write one log. */
static int lock_node(struct agent *a, struct err *err)
{
    a->lock = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (a->lock < 0)
        return err_set(err, -errno, "%s: %s", LOCK_PATH, strerror(errno));
    if (flock(a->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    log_line(LOG_WARN, "agent.waits", "for=%s", log_quote("the agent before this one, which still holds " LOCK_PATH));
    int rc;
    do
        rc = flock(a->lock, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? err_set(err, -errno, "%s: %s", LOCK_PATH, strerror(errno)) : 0;
}

static int enter_dir(struct agent *a, struct err *err)
{
    umask(0077);
    if (chdir(a->options.dir) < 0) /* relative paths fit into socket addresses wherever DIR is */
        return err_set(err, -errno, "--dir: %s: %s", a->options.dir, strerror(errno));
    int rc = dir_make("node", 0700, err);
    rc = rc < 0 ? rc : dir_make(FOLDER_ROOT, 0700, err);
    rc = rc < 0 ? rc : lock_node(a, err);
    rc = rc < 0 ? rc : logs_check_place(FOLDER_ROOT, err);
    rc = rc < 0 ? rc : fence_load(&a->fence, err);
    return rc < 0 ? rc : fence_count_start(&a->fence, err);
}

static bool is_same_boot(void)
{
    CLEANUP(buf_fini) struct buf seen = {0};
    int rc = file_read(BOOT_PATH, 128, &seen, NULL);
    return rc == -ENOENT || (rc == 0 && strcmp(buf_text(&seen), clock_boot_id()) == 0);
}

/* What was left before a boot is judged as such before the new boot is noted. */
static int adopt(struct agent *a, struct err *err)
{
    bool same = is_same_boot();
    int rc = attempts_adopt(a->attempts, !same, err);
    if (rc < 0)
        return rc;
    return file_write_durable(BOOT_PATH, clock_boot_id(), strlen(clock_boot_id()), 0600, err);
}

/* Without io_uring logs move all the same, in the same shares; but a disk that stalls holds the agent up. */
static int build_ring(struct agent *a, struct err *err)
{
    struct err why = {0};
    if (ring_new(&a->ring, a->loop, RING_DEPTH_MAX, &why) == 0)
        return 0;
    log_line(LOG_WARN, "ring.plain", "why=%s", log_quote(why.text));
    return ring_new_plain(&a->ring, a->loop, RING_DEPTH_MAX, err);
}

static int build_fair(struct agent *a, struct err *err)
{
    char device[32] = "?";
    struct io_cost cost;
    const char *why = NULL;
    int rc = io_device_of("node", device);
    rc = rc < 0 ? err_set(err, rc, "node: %s", strerror(-rc)) : io_model_load(device, &cost, &why, err);
    if (rc < 0)
        return rc;
    log_line(why == NULL ? LOG_INFO : LOG_WARN, "disk.model", "device=%s read_ns=%" PRId64 " read_byte_ps=%" PRId64
             " write_ns=%" PRId64 " write_byte_ps=%" PRId64 " note=%s", device, cost.of[IO_READ].random_ns,
             cost.of[IO_READ].per_byte_ps, cost.of[IO_WRITE].random_ns, cost.of[IO_WRITE].per_byte_ps,
             log_quote(why == NULL ? "as measured" : why));
    rc = fair_new(&a->fair, a->loop, &cost, err);
    rc = rc < 0 ? rc : shares_new(&a->shares, a->fair, err);
    rc = rc < 0 ? rc : io_checker_new(&a->io_checker, a->loop, a->fair, err);
    rc = rc < 0 ? rc : io_report_new(&a->io_report, a->loop, a->fair, device, why == NULL ? "as measured" : why, err);
    if (rc == 0)
        io_report_check(a->io_report, io_checker_window(a->io_checker));
    return rc < 0 ? rc : io_metrics_new(&a->io_metrics, a->loop, a->fair, device, err);
}

static void on_moved(void *arg, const struct attempt_moved *m)
{
    io_report_moved(arg, m);
}

static void say_moved(void *arg, struct io_report *r)
{
    struct agent *a = arg;
    attempts_moved(a->attempts, on_moved, r);
}

static int build(struct agent *a, struct err *err)
{
    int rc = loop_new(&a->loop, err);
    rc = rc < 0 ? rc : build_ring(a, err);
    rc = rc < 0 ? rc : build_fair(a, err);
    rc = rc < 0 ? rc : warden_link_new(&a->warden, a->loop, WARDEN_FD, on_warden_gone, a, err);
    if (rc < 0)
        return rc;
    const struct shelf_limits keep = {.bytes = a->options.keep_bytes, .count = SHELF_MAX,
                                      .age_s = a->options.keep_ms / 1000};
    struct attempts_setup attempts = {.loop = a->loop, .ring = a->ring, .fair = a->fair, .warden = a->warden,
                                      .keep = keep,
                                      .able = &a->able, .compiler = COMPILER_FD, .on_log = on_log, .on_hurry = on_hurry,
                                      .arg = a};
    rc = attempts_new(&a->attempts, &attempts, err);
    struct link_setup link = {.loop = a->loop, .socket = AGENT_SOCKET, .node = a->name,
                              .capacity = &a->options.capacity, .labels = &a->options.labels, .features = &a->features,
                              .max_attempts = a->options.max_attempts, .shares = a->shares, .fence = &a->fence};
    link.attempts = a->attempts;
    rc = rc < 0 ? rc : link_new(&a->link, &link, err);
    if (rc < 0)
        return rc;
    struct log_reader_setup reader = {.loop = a->loop, .ring = a->ring, .attempts = a->attempts,
                                      .answer = link_answer_log, .refuse = link_refuse_log, .arg = a->link};
    if (log_reader_new(&a->reader, &reader) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    link_serve_logs(a->link, a->reader);
    io_report_ask(a->io_report, say_moved, a);
    loop_on_turn(a->loop, on_turn, a);
    return 0;
}

static int run(struct agent *a, struct err *err)
{
    int rc = check_warden(err);
    rc = rc < 0 ? rc : inventory_complete(&a->options.capacity, err);
    rc = rc < 0 ? rc : enter_dir(a, err);
    rc = rc < 0 ? rc : build(a, err);
    rc = rc < 0 ? rc : adopt(a, err);
    if (rc < 0)
        return rc;
    log_line(LOG_INFO, "agent.up", "node=%s version=%s", log_quote(a->name), REEVE_VERSION);
    rc = warden_link_able(a->warden, on_able, a);
    if (rc < 0)
        return err_set(err, rc, "the warden: %s", strerror(-rc));
    rc = loop_run(a->loop, err);
    if (rc == 0 && a->warden_gone != NULL)
        rc = err_set(err, -EPIPE, "%s; a new warden starts a new agent", a->warden_gone);
    return rc;
}

static void tear_down(struct agent *a)
{
    link_free(a->link);
    ring_free(a->ring); /* nothing is in flight any more: buffers and files may go */
    log_reader_free(a->reader);
    attempts_free(a->attempts);
    io_report_free(a->io_report);
    io_metrics_free(a->io_metrics);
    io_checker_free(a->io_checker);
    shares_free(a->shares);
    fair_free(a->fair);
    warden_link_free(a->warden);
    loop_free(a->loop);
    close_p(&a->lock);
    for (size_t i = 0; i < a->features.count; i++)
        free(a->features.v[i]);
    free(a->features.v);
    agent_options_fini(&a->options);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "calibrate") == 0)
        return calibrate_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "io-check") == 0)
        return io_check_command(argc - 1, argv + 1);
    struct agent a = {.lock = -1};
    struct err err = {0};
    int rc = options_read(&agent_options, &a.options, argc, argv);
    if (rc != OPTIONS_GO) {
        agent_options_fini(&a.options);
        return rc;
    }
    log_init("reeve-agent", a.options.debug ? LOG_DEBUG : LOG_INFO);
    if (a.options.name != NULL)
        snprintf(a.name, sizeof a.name, "%s", a.options.name);
    else
        inventory_name(a.name, sizeof a.name);
    raise_fds();
    rc = run(&a, &err);
    if (rc < 0)
        fprintf(stderr, "reeve-agent: %s\n", err_text(&err));
    tear_down(&a);
    return rc < 0 ? (rc == -EINVAL ? 2 : 1) : 0;
}

/*
 * Which device nodes a group's processes may open: the five that every sandbox has and, of those the node is configured
 * with, the ones an attempt was given. Nobody may make nodes.
 *
 * With a cgroup2 mount it is a program on the group there, by raw bpf(2): all programs from a group up to the root must
 * agree, so the base's allows everything that anybody may have and a group's own takes away. Without one it is the v1
 * controller's list, which a new group copies from the base.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/cgroup.h"

#define MINIMAL_MAJOR 1
static const uint32_t minimal[] = {3, 5, 7, 8, 9}; /* null, zero, full, random, urandom */

#define RULES_MAX (COUNT_OF(minimal) + NODE_DEVICES_MAX)
#define INSNS_MAX (16 + 5 * RULES_MAX)
#define ATTACHED_MAX 16

struct rules {
    struct node_device at[RULES_MAX];
    int count;
};

static void make_rules(const struct cg *cg, uint32_t granted, struct rules *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < COUNT_OF(minimal); i++)
        ret->at[ret->count++] = (struct node_device){.mode = S_IFCHR, .major = MINIMAL_MAJOR, .minor = minimal[i]};
    for (uint32_t i = 0; i < cg->able.devices_count; i++) {
        if ((granted >> i & 1) != 0)
            ret->at[ret->count++] = cg->devices[i];
    }
}

/* --- programs ---------------------------------------------------------------------------------------------------- */

static int call_bpf(int command, union bpf_attr *attr)
{
    int rc = (int)syscall(SYS_bpf, command, attr, sizeof *attr);
    return rc < 0 ? -errno : rc;
}

/* The registers are bit fields: what is assigned to them is masked, or compilers warn. */
static struct bpf_insn insn(int code, unsigned to, unsigned from)
{
    struct bpf_insn i = {.code = (uint8_t)code};
    i.dst_reg = to & 15;
    i.src_reg = from & 15;
    return i;
}

static struct bpf_insn load(unsigned to, size_t offset)
{
    struct bpf_insn i = insn(BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1);
    i.off = (int16_t)offset;
    return i;
}

static struct bpf_insn alu(int op, unsigned to, int32_t value)
{
    struct bpf_insn i = insn(BPF_ALU | op | BPF_K, to, 0);
    i.imm = value;
    return i;
}

static struct bpf_insn jump_unless(unsigned reg, uint32_t value, int16_t over)
{
    struct bpf_insn i = insn(BPF_JMP | BPF_JNE | BPF_K, reg, 0);
    i.off = over;
    i.imm = (int32_t)value;
    return i;
}

/* r2: type, r3: access, r4: major, r5: minor. */
static uint32_t assemble(const struct rules *rules, struct bpf_insn out[INSNS_MAX])
{
    static const struct bpf_insn leave = {.code = BPF_JMP | BPF_EXIT};
    uint32_t n = 0;
    out[n++] = load(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    out[n++] = load(BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    out[n++] = load(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
    out[n++] = load(BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
    out[n++] = alu(BPF_AND, BPF_REG_2, 0xffff);
    out[n++] = alu(BPF_RSH, BPF_REG_3, 16);
    out[n++] = alu(BPF_AND, BPF_REG_3, BPF_DEVCG_ACC_MKNOD);
    out[n++] = alu(BPF_MOV, BPF_REG_0, 0);
    out[n++] = jump_unless(BPF_REG_3, BPF_DEVCG_ACC_MKNOD, 1);
    out[n++] = leave;
    for (int i = 0; i < rules->count; i++) {
        const struct node_device *d = &rules->at[i];
        out[n++] = jump_unless(BPF_REG_2, d->mode == S_IFBLK ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, 4);
        out[n++] = jump_unless(BPF_REG_4, d->major, 3);
        out[n++] = jump_unless(BPF_REG_5, d->minor, 2);
        out[n++] = alu(BPF_MOV, BPF_REG_0, 1);
        out[n++] = leave;
    }
    out[n++] = leave;
    return n;
}

static int load_program(const struct rules *rules)
{
    struct bpf_insn insns[INSNS_MAX];
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)insns;
    attr.insn_cnt = assemble(rules, insns);
    attr.license = (uint64_t)(uintptr_t) "";
    memcpy(attr.prog_name, "reeve_devices", sizeof "reeve_devices");
    return call_bpf(BPF_PROG_LOAD, &attr); /* close-on-exec by itself */
}

bool cg_devices_by_program(void)
{
    CLEANUP(close_p) int program = load_program(&(struct rules){.count = 0});
    return program >= 0;
}

static int attach(int group, int program)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)group;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    return call_bpf(BPF_PROG_ATTACH, &attr);
}

/* How many programs a group has itself, and which. */
static int attached(int group, uint32_t ids[ATTACHED_MAX])
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = (uint32_t)group;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attr.query.prog_cnt = ATTACHED_MAX;
    int rc = call_bpf(BPF_PROG_QUERY, &attr);
    return rc < 0 ? rc : (int)attr.query.prog_cnt;
}

static int detach(int group, uint32_t id)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    CLEANUP(close_p) int program = call_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
    if (program < 0)
        return program;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)group;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    return call_bpf(BPF_PROG_DETACH, &attr);
}

/* The new one first: at no moment is there none. Then those of an earlier life go. */
static int replace(int group, int program)
{
    uint32_t before[ATTACHED_MAX], after[ATTACHED_MAX];
    int old = attached(group, before), rc = old < 0 ? old : attach(group, program);
    for (int i = 0; i < old && rc >= 0; i++)
        rc = detach(group, before[i]);
    int now = rc < 0 ? rc : attached(group, after);
    return now < 0 ? now : now == 1 ? 0 : -EIO;
}

static int limit_by_program(struct cg *cg, const char *group, uint32_t granted)
{
    struct rules rules;
    make_rules(cg, granted, &rules);
    CLEANUP(close_p) int own = granted != 0 || cg->no_devices < 0 ? load_program(&rules) : -1;
    int program = granted != 0 || cg->no_devices < 0 ? own : cg->no_devices;
    if (program < 0)
        return program;
    CLEANUP(close_p) int fd = openat(cg->at[cg->leaf].base, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int rc = fd < 0 ? -errno : replace(fd, program);
    if (rc == 0 && granted == 0 && own >= 0) {
        cg->no_devices = own;
        own = -1;
    }
    return rc;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static void write_rule(const struct node_device *d, char out[48])
{
    snprintf(out, 48, "%c %u:%u rw", d->mode == S_IFBLK ? 'b' : 'c', d->major, d->minor);
}

static bool is_allowed(const struct rules *rules, const char *line)
{
    char text[48];
    for (int i = 0; i < rules->count; i++) {
        write_rule(&rules->at[i], text);
        if (strcmp(text, line) == 0)
            return true;
    }
    return false;
}

/* Takes away what the list has and the rules don't. */
static int deny_others(int base, const char *group, const struct rules *rules)
{
    char text[4096];
    ssize_t n = cg_file_read(base, group, "devices.list", text, sizeof text);
    for (char *line = text, *next; n > 0 && line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        int rc = is_allowed(rules, line) ? 0 : cg_file_write(base, group, "devices.deny", line[0] == 'a' ? "a" : line);
        if (rc < 0)
            return rc;
    }
    return n < 0 ? (int)n : 0;
}

static int count_lines(const char *text)
{
    int count = text[0] != '\0';
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

static int limit_by_list(const struct cg *cg, const char *group, uint32_t granted)
{
    struct rules rules;
    char text[4096], rule[48];
    int base = cg->at[cg->of[CG_DEVICES]].base;
    make_rules(cg, granted, &rules);
    int rc = deny_others(base, group, &rules);
    for (int i = 0; i < rules.count && rc == 0; i++) {
        write_rule(&rules.at[i], rule);
        ssize_t n = cg_file_read(base, group, "devices.list", text, sizeof text);
        if (n < 0 || strstr(text, rule) == NULL)
            rc = n < 0 ? (int)n : cg_file_write(base, group, "devices.allow", rule);
    }
    ssize_t n = rc < 0 ? rc : cg_file_read(base, group, "devices.list", text, sizeof text);
    if (n < 0)
        return (int)n;
    for (int i = 0; i < rules.count; i++) {
        write_rule(&rules.at[i], rule);
        if (strstr(text, rule) == NULL)
            return -EIO;
    }
    return count_lines(text) == rules.count ? 0 : -EIO;
}

int cg_devices_limit(struct cg *cg, const char *group, uint32_t granted, struct err *err)
{
    int rc = cg->of[CG_DEVICES] >= 0 ? limit_by_list(cg, group, granted)
             : cg->leaf >= 0         ? limit_by_program(cg, group, granted)
                                     : -EOPNOTSUPP;
    return rc == 0 ? 0 : err_set(err, rc, "cgroups: devices cannot be limited: %s", strerror(-rc));
}

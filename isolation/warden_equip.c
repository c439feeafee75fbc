/* What the command line says of this node's devices, looked up once: root's words, never an agent's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "isolation/warden.h"

static bool is_device_name(const char *name, size_t len)
{
    return len > 0 && len < NODE_DEVICE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= len && name[0] >= 'a' && name[0] <= 'z';
}

/* What every sandbox's /dev holds anyway can't be a name. */
static bool is_own_name(const char *name)
{
    static const char *const own[] = {"null", "zero",  "full",   "random", "urandom",
                                      "fd",   "stdin", "stdout", "stderr", "shm"};
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (strcmp(own[i], name) == 0)
            return true;
    }
    return false;
}

static int take_device(const char *text, struct node_device *ret, struct err *err)
{
    const char *equals = strchr(text, '=');
    size_t len = equals != NULL ? (size_t)(equals - text) : 0;
    struct stat st;
    if (!is_device_name(text, len))
        return err_set(err, -EINVAL, "--device: '%s' is not NAME=PATH with a name of a-z, 0-9, '_', '-'", text);
    *ret = (struct node_device){0};
    memcpy(ret->name, text, len);
    if (is_own_name(ret->name))
        return err_set(err, -EINVAL, "--device: '%s' is a name that every sandbox has already", ret->name);
    if (stat(equals + 1, &st) < 0)
        return err_set(err, -errno, "--device: %s: %s", equals + 1, strerror(errno));
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(err, -EINVAL, "--device: %s is not a device", equals + 1);
    ret->mode = st.st_mode & S_IFMT;
    ret->major = major(st.st_rdev);
    ret->minor = minor(st.st_rdev);
    return 0;
}

static int take_devices(struct warden *w, struct err *err)
{
    const struct text_list *l = &w->options.devices;
    for (int i = 0; i < l->count; i++) {
        int rc = take_device(l->text[i], &w->devices[i], err);
        for (int k = 0; k < i && rc == 0; k++) {
            if (strcmp(w->devices[i].name, w->devices[k].name) == 0)
                rc = err_set(err, -EINVAL, "--device: '%s' is there twice", w->devices[i].name);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A path that is a block device stands for itself, any other for what it lies on. */
static int take_io_device(const char *path, dev_t *ret, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, -errno, "--io-device: %s: %s", path, strerror(errno));
    *ret = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    return 0;
}

int warden_equip(struct warden *w, struct err *err)
{
    const struct text_list *l = &w->options.io_devices;
    struct cg_equipment with = {.devices = w->devices, .devices_count = w->options.devices.count};
    struct stat here;
    if (stat(".", &here) == 0) /* the node's folder: scratch lies in memory, logs and staging here */
        with.io[with.io_count++] = here.st_dev;
    for (int i = 0; i < l->count; i++) {
        int rc = take_io_device(l->text[i], &with.io[with.io_count++], err);
        if (rc < 0)
            return rc;
    }
    int rc = take_devices(w, err);
    return rc < 0 ? rc : cg_equip(&w->cg, &with, err);
}

#include "isolation/loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io/fd.h"

#define TRIES 64 /* others may take the free device that we were told of */

static int configure(const char *path, int file)
{
    struct loop_config config = {.fd = (unsigned)file,
                                 .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int loop_attach(int file, char ret_path[LOOP_PATH_SIZE], struct err *err)
{
    CLEANUP(close_p) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_set(err, -errno, "/dev/loop-control: %s (is the loop module loaded?)", strerror(errno));
    for (int i = 0; i < TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return err_set(err, -errno, "no free loop device: %s", strerror(errno));
        snprintf(ret_path, LOOP_PATH_SIZE, "/dev/loop%d", number);
        int fd = configure(ret_path, file);
        if (fd >= 0)
            return fd;
        if (fd != -EBUSY)
            return err_set(err, fd, "%s: %s", ret_path, strerror(-fd));
    }
    return err_set(err, -EBUSY, "no free loop device after %d tries", TRIES);
}

#include <errno.h>
#include <unistd.h>

#include "isolation/keeper.h"
#include "isolation/keeper_sys.h"

int keeper_record_write(int fd, struct keeper_record *record)
{
    record->magic = KEEPER_RECORD_MAGIC;
    record->version = KEEPER_VERSION;
    record->check = keeper_record_sum(record);
    ssize_t n;
    do
        n = pwrite(fd, record, sizeof *record, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *record)
        return n < 0 ? -errno : -ENOSPC;
    return fsync(fd) < 0 ? -errno : 0;
}

void keeper_record_failed_launch(struct sandbox *box, uint32_t step, int error)
{
    struct keeper_record record = {
        .id = box->spec.id,
        .term = box->spec.term,
        .cause = END_LAUNCH_FAILED,
        .step = step,
        .step_errno = error,
        .started_utc_us = utc_us(),
    };
    keeper_record_write(box->exit, &record); /* the warden's answer says it as well */
}

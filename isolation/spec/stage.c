#include "isolation/spec/stage.h"

#include <stddef.h>
#include <string.h>

static const struct why_row {
    const char *says, *hint;
} whys[STAGE_WHY_COUNT] = {
    [STAGE_WHY_NONE] = {"", ""},
    [STAGE_WHY_LOOK] = {"can't be opened", ""},
    [STAGE_WHY_PLACE] = {"can't be made", ""},
    [STAGE_WHY_LINK] = {"is a link that may lead elsewhere", "name what it points to"},
    [STAGE_WHY_KIND] = {"is neither a file nor a folder nor a link", ""},
    [STAGE_WHY_MOUNT] = {"is another file system", "give it as an item of its own"},
    [STAGE_WHY_MAX] = {"is more than its max", "raise max"},
    [STAGE_WHY_FILES] = {"has more than a million files", "pack them"},
    [STAGE_WHY_DEEP] = {"lies too deep", "pack it"},
    [STAGE_WHY_MAKE] = {"can't be written", ""},
    [STAGE_WHY_COPY] = {"can't be copied", ""},
    [STAGE_WHY_REFUSED] = {"is not copied", "ext4, xfs, btrfs, tmpfs and overlay are"},
    [STAGE_WHY_CHANGED] = {"changed while it was copied", ""},
    [STAGE_WHY_DIGEST] = {"has another SHA-256 than was given", ""},
    [STAGE_WHY_MANY] = {"has more than 65536 files, too many for a SHA-256", "leave sha256 out, or pack it"},
    [STAGE_WHY_SYNC] = {"can't be made durable", ""},
    [STAGE_WHY_TAKEN] = {"is a folder that no job has brought there", "name another place, or move it away"},
    [STAGE_WHY_NEWER] = {"was published by a later attempt", ""},
    [STAGE_WHY_PUBLISH] = {"can't be put in its place", ""},
    [STAGE_WHY_STOPPED] = {"was not brought: the attempt had to end", ""},
    [STAGE_WHY_HELPER] = {"was not brought: who copies is gone", ""},
    [STAGE_WHY_STAYS] = {"can't be removed for what is to be there", "name another place, or move it away"},
};

const char *stage_why_says(uint32_t why)
{
    return why < STAGE_WHY_COUNT ? whys[why].says : "";
}

const char *stage_why_hint(uint32_t why)
{
    return why < STAGE_WHY_COUNT ? whys[why].hint : "";
}

static uint64_t sum_of(const struct stage_report *report)
{
    const unsigned char *bytes = (const unsigned char *)report;
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < offsetof(struct stage_report, check); i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

void stage_report_seal(struct stage_report *report)
{
    report->magic = STAGE_REPORT_MAGIC;
    report->version = STAGE_REPORT_VERSION;
    report->check = sum_of(report);
}

bool stage_report_is_sound(const struct stage_report *r, struct attempt_id id)
{
    if (r->magic != STAGE_REPORT_MAGIC || r->version != STAGE_REPORT_VERSION || r->check != sum_of(r))
        return false;
    bool numbers = r->phase < STAGE_PHASE_COUNT && r->why < STAGE_WHY_COUNT && r->items <= STAGE_ITEMS_MAX &&
                   (r->about < r->items || r->about == STAGE_ABOUT_NONE) && r->at <= r->items;
    return numbers && memcmp(&r->id, &id, sizeof id) == 0 && memchr(r->path, '\0', sizeof r->path) != NULL;
}

static size_t part_length(const char *at)
{
    const char *slash = strchr(at, '/');
    return slash != NULL ? (size_t)(slash - at) : strlen(at);
}

bool stage_link_stays(const char *target, uint32_t depth)
{
    if (target[0] == '/' || target[0] == '\0')
        return false;
    bool below = false; /* a name came: what it is, another link says */
    for (const char *at = target; *at != '\0';) {
        size_t len = part_length(at);
        bool up = len == 2 && at[0] == '.' && at[1] == '.';
        bool here = len == 0 || (len == 1 && at[0] == '.');
        if (up && (below || depth == 0))
            return false;
        if (up)
            depth--;
        below = below || (!up && !here);
        at += len + (at[len] == '/' ? 1 : 0);
    }
    return true;
}

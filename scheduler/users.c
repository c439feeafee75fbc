#include "scheduler/users.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"

enum { CACHE_SLOTS = 256 };

static struct cached {
    bool used;
    uid_t uid;
    uint64_t until_us;
    char name[USER_NAME_MAX];
} cache[CACHE_SLOTS];

static void name_ask(uid_t uid, char out[USER_NAME_MAX])
{
    char room[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found != NULL && found->pw_name[0] != '\0' &&
        strlen(found->pw_name) < USER_NAME_MAX)
        snprintf(out, USER_NAME_MAX, "%s", found->pw_name);
    else
        snprintf(out, USER_NAME_MAX, "uid:%u", (unsigned)uid);
}

const char *users_name(uid_t uid, char out[USER_NAME_MAX])
{
    struct cached *c = &cache[uid % CACHE_SLOTS];
    uint64_t now_us = clock_boot_us();
    if (!c->used || c->uid != uid || now_us > c->until_us) {
        name_ask(uid, c->name);
        c->used = true;
        c->uid = uid;
        c->until_us = now_us + (uint64_t)USERS_KEPT_S * 1000000;
    }
    memcpy(out, c->name, USER_NAME_MAX);
    return out;
}

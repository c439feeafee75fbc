#include "isolation/spec/mover.h"

bool mover_message_is_sound(const struct mover_message *m, bool from_agent)
{
    if (m->version != MOVER_VERSION || m->want >= MOVER_WANTS || m->dir >= MOVER_DIRS)
        return false;
    if (from_agent)
        return m->op == MOVER_GRANT && m->bytes > 0 && m->bytes <= MOVER_WANT_BYTES &&
               m->offset <= MOVER_WANT_BYTES - m->bytes;
    if (m->op == MOVER_WANT)
        return m->bytes > 0 && m->bytes <= MOVER_WANT_BYTES;
    return m->op == MOVER_DONE && m->bytes <= MOVER_WANT_BYTES && m->want < MOVER_PATHS;
}

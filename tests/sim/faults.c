/*
 * faults [--seed N] [--worlds N] [--seconds N] [--record FILE] [--replay FILE] [--shrink FILE] [--verbose]
 * Lives through worlds full of faults. A broken rule: exit 1, its sentence, the seed, and the record of all choices.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tests/sim/fault_world.h"

#define RECOUNT 256 /* events */

struct options {
    uint64_t seed, worlds, seconds, budget_s;
    const char *record, *replay, *shrink;
    bool verbose;
};

static int usage(void)
{
    fprintf(stderr,
            "usage: faults [--seed N] [--worlds N] [--seconds N] [--for SECONDS] [--record FILE] [--replay FILE] "
            "[--shrink FILE] [--verbose]\n");
    return 2;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    struct { const char *name; uint64_t *number; const char **text; } rows[] = {
        {"--seed", &o->seed, NULL}, {"--worlds", &o->worlds, NULL}, {"--seconds", &o->seconds, NULL},
        {"--for", &o->budget_s, NULL}, {"--record", NULL, &o->record}, {"--replay", NULL, &o->replay},
        {"--shrink", NULL, &o->shrink}};
    for (int i = 1; i < argc; i++) {
        size_t r = 0;
        while (r < COUNT_OF(rows) && strcmp(rows[r].name, argv[i]) != 0)
            r++;
        if (strcmp(argv[i], "--verbose") == 0)
            o->verbose = true;
        else if (strcmp(argv[i], "--trace") == 0)
            trace_on = true;
        else if (r == COUNT_OF(rows) || i + 1 == argc)
            return false;
        else if (rows[r].number != NULL)
            *rows[r].number = strtoull(argv[++i], NULL, 10);
        else
            *rows[r].text = argv[++i];
    }
    return true;
}

/* Of this process: the machine has other things to do, too. */
static uint64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void write_record(const char *path, const struct choices *c)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(c->bytes, 1, c->len, f) != c->len || fclose(f) != 0)
        fprintf(stderr, "faults: %s: can't be written\n", path);
}

static void read_record(const char *path, struct choices *c)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(CHOICES_MAX);
    MUST_NOT(bytes == NULL);
    size_t len = f == NULL ? 0 : fread(bytes, 1, CHOICES_MAX, f);
    if (f == NULL) {
        fprintf(stderr, "faults: %s: can't be read\n", path);
        exit(2);
    }
    fclose(f);
    choices_read(c, bytes, len);
    free(bytes);
}

static void tell(const struct world *w)
{
    printf("  nodes %zu, jobs %zu, placed %" PRIu64 ", launched %" PRIu64 ", ended %" PRIu64 ", recoveries %" PRIu64
           ", events %" PRIu64 "\n",
           w->nodes_count, w->jobs_count, w->placed, w->launched, w->ended, w->recovered, w->events);
    for (size_t f = 0; f < FAULT_COUNT; f++)
        if (w->seen[f] > 0)
            printf("  %6" PRIu64 " x %s\n", w->seen[f], fault_names[f]);
}

/* One world. The sentence of what broke, or "". */
static bool one(struct choices *c, const struct options *o, struct world *w)
{
    struct scene scene = {.seconds = (int64_t)o->seconds, .recount_every = RECOUNT};
    bool whole = world_live(w, c, &scene);
    if (o->verbose)
        tell(w);
    world_free(w);
    return whole;
}

/* Does it still break in the same place (its sentence without numbers)? */
static bool same_sentence(const char *a, const char *b)
{
    for (; *a != '\0' || *b != '\0';) {
        while (*a >= '0' && *a <= '9')
            a++;
        while (*b >= '0' && *b <= '9')
            b++;
        if (*a != *b)
            return false;
        if (*a != '\0') {
            a++;
            b++;
        }
    }
    return true;
}

static bool still_breaks(const uint8_t *bytes, size_t len, const struct options *o, const char *sentence)
{
    static struct world w;
    struct choices c;
    choices_read(&c, bytes, len);
    bool whole = one(&c, o, &w);
    choices_fini(&c);
    return !whole && same_sentence(w.broken, sentence);
}

/* Shorter, and with parts quieted, as long as the same rule breaks (Zeller's ddmin on zeroed spans). */
static void shrink(struct choices *c, const struct options *o, const char *sentence)
{
    uint64_t until = cpu_ms() + 60000;
    size_t len = c->len;
    for (size_t cut = len / 2; cut > 0 && cpu_ms() < until;)
        if (cut <= len && still_breaks(c->bytes, len - cut, o, sentence))
            len -= cut;
        else
            cut /= 2;
    uint8_t *saved = malloc(MAX(len, 1));
    MUST_NOT(saved == NULL);
    for (size_t span = len / 2; span > 0 && cpu_ms() < until; span /= 2)
        for (size_t at = 0; at < len && cpu_ms() < until; at += span) {
            size_t n = MIN(span, len - at);
            memcpy(saved, c->bytes + at, n);
            memset(c->bytes + at, 0, n);
            if (!still_breaks(c->bytes, len, o, sentence))
                memcpy(c->bytes + at, saved, n);
        }
    free(saved);
    c->len = len;
}

static int failed(struct choices *c, const struct options *o, const struct world *w, uint64_t seed)
{
    char sentence[sizeof w->broken];
    printf("seed %" PRIu64 ", after %.3f s: %s\n", seed, (double)w->now_us / 1e6, w->broken);
    snprintf(sentence, sizeof sentence, "%s", w->broken);
    if (o->shrink != NULL) {
        size_t before = c->at;
        c->len = MIN(c->len, c->at);
        shrink(c, o, sentence);
        write_record(o->shrink, c);
        size_t loud = 0;
        for (size_t i = 0; i < c->len; i++)
            loud += c->bytes[i] != 0;
        printf("shrunk from %zu to %zu choices, %zu of them loud: faults --seconds %" PRIu64 " --replay %s\n", before,
               c->len, loud, o->seconds, o->shrink);
    }
    if (o->record != NULL)
        write_record(o->record, c);
    return 1;
}

int main(int argc, char **argv)
{
    static struct world w;
    struct options o = {.seed = 1, .worlds = 20, .seconds = 60};
    struct choices c;
    if (!read_options(argc, argv, &o))
        return usage();
    uint64_t begin = cpu_ms(), simulated_us = 0, placed = 0, events = 0, hash = 0, lived = 0, node_s = 0;
    if (o.replay != NULL) {
        read_record(o.replay, &c);
        int code = one(&c, &o, &w) ? 0 : failed(&c, &o, &w, 0);
        choices_fini(&c);
        return code;
    }
    for (uint64_t i = 0; o.budget_s > 0 ? cpu_ms() - begin < o.budget_s * 1000 : i < o.worlds; i++, lived++) {
        choices_seed(&c, o.seed + i);
        bool whole = one(&c, &o, &w);
        int code = whole ? 0 : failed(&c, &o, &w, o.seed + i);
        choices_fini(&c);
        if (code != 0)
            return code;
        simulated_us += (uint64_t)w.now_us;
        node_s += (uint64_t)w.now_us / 1000000 * w.nodes_count;
        placed += w.placed;
        events += w.events;
        hash = (hash ^ w.hash) * UINT64_C(0x100000001b3);
    }
    uint64_t ms = MAX(cpu_ms() - begin, 1);
    printf("100%%: Checks: %" PRIu64 " worlds, Failures: 0: %" PRIu64 " simulated s (%" PRIu64 " node s), %" PRIu64
           " placements, %" PRIu64 " events in %" PRIu64 " ms; hash %016" PRIx64 "\n",
           lived, simulated_us / 1000000, node_s, placed, events, ms, hash);
    return 0;
}

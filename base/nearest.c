#include <string.h>

#include "base/macros.h"
#include "base/nearest.h"

struct nearest nearest_to(const char *word)
{
    return (struct nearest){.word = word};
}

/* Slips from a to b; both are at most NEAREST_MAX long. Three rows of the table are enough. */
static size_t slips_between(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3], *upper = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = MIN(MIN(up[j], now[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = MIN(now[j], upper[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(struct nearest *n, const char *name)
{
    size_t word_len = strlen(n->word), len = strlen(name);
    if (word_len > NEAREST_MAX || len > NEAREST_MAX)
        return;
    size_t slips = slips_between(n->word, word_len, name, len);
    if (slips <= (word_len + 2) / 3 && slips < len && (n->name == NULL || slips < n->slips)) {
        n->name = name;
        n->slips = slips;
    }
}

/* One page that needs nothing else: curves and bars as SVG, figures. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/sim/print.h"

#define WIDTH 720
#define HEIGHT 180
#define PPM 1000000
#define TENANTS_SHOWN 20
#define BAR 14
#define BARS_WIDTH (WIDTH - 90)

static const char head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Histories side by side</title><style>"
    ":root{color-scheme:light dark;--a:#2563a8;--b:#b3541e;--c:#3c7a3a;--d:#7a4fa3}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 15%,transparent)}"
    "th:first-child,td:first-child{text-align:left}svg{width:100%;height:auto;overflow:visible}"
    "svg text{font-size:12px;fill:currentColor}.axis{fill:none;stroke:currentColor;opacity:.3}"
    ".curve{fill:none;stroke-width:1.6}.k0{stroke:var(--a)}.k1{stroke:var(--b)}.k2{stroke:var(--c)}.k3{stroke:var(--d)}"
    ".key span{margin-right:1.5rem}.c0{color:var(--a)}.c1{color:var(--b)}.c2{color:var(--c)}.c3{color:var(--d)}"
    ".b0{fill:var(--a)}.b1{fill:var(--b)}.b2{fill:var(--c)}.b3{fill:var(--d)}"
    "pre{font-size:.8rem;line-height:1.45}.wide{overflow-x:auto}</style></head><body>";

static void text(struct buf *out, const char *t)
{
    for (; *t != '\0'; t++)
        switch (*t) {
        case '<': buf_add_str(out, "&lt;"); break;
        case '>': buf_add_str(out, "&gt;"); break;
        case '&': buf_add_str(out, "&amp;"); break;
        case '"': buf_add_str(out, "&quot;"); break;
        default: buf_add(out, t, 1);
        }
}

/* Each value stands at the end of its stretch. */
static void curve(struct buf *out, const struct measure_cell *m, const uint64_t *v, uint64_t most, int64_t longest_us,
                  size_t colour)
{
    buf_addf(out, "<polyline class=\"curve k%zu\" points=\"", colour % 4);
    for (size_t i = 0; i < m->stretches; i++)
        buf_addf(out, "%" PRId64 ",%" PRIu64 " ",
                 MIN((int64_t)(i + 1) * m->stretch_us, m->end_us) / MAX(longest_us / WIDTH, 1),
                 HEIGHT - MIN(v[i], most) * HEIGHT / MAX(most, 1));
    buf_add_str(out, "\"/>");
}

enum plot { PLOT_USED, PLOT_WAITING, PLOT_FAIR, PLOT_COUNT };
static const char *const plot_names[PLOT_COUNT] = {
    [PLOT_USED] = "Cores in use", [PLOT_WAITING] = "Tasks waiting",
    [PLOT_FAIR] = "Fairness of use between tenants (Jain)"};

static const uint64_t *plot_of(const struct history *h, enum plot which)
{
    return which == PLOT_USED ? h->measure->stretch_used_ppm
           : which == PLOT_FAIR ? h->measure->stretch_fair_ppm : h->measure->waiting;
}

static void plot(struct buf *out, const struct history *h, size_t count, enum plot which)
{
    uint64_t most = which == PLOT_WAITING ? 1 : PPM;
    char top[32], length[32];
    int64_t longest_us = 1;
    for (size_t i = 0; i < count; i++) {
        longest_us = MAX(longest_us, h[i].measure->end_us);
        for (size_t k = 0; k < h[i].measure->stretches; k++)
            most = MAX(most, plot_of(&h[i], which)[k]);
    }
    if (which == PLOT_WAITING)
        snprintf(top, sizeof top, "%" PRIu64, most);
    else
        print_ppm(most, top);
    buf_addf(out, "<h2>%s</h2><svg viewBox=\"-60 -12 %d %d\" role=\"img\" aria-label=\"%s over time\">",
             plot_names[which], WIDTH + 70, HEIGHT + 36, plot_names[which]);
    buf_addf(out, "<path class=\"axis\" d=\"M0 0V%dH%d\"/><text x=\"-6\" y=\"4\" text-anchor=\"end\">%s</text>"
             "<text x=\"-6\" y=\"%d\" text-anchor=\"end\">0</text>"
             "<text x=\"0\" y=\"%d\">begin</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s later</text>",
             HEIGHT, WIDTH, top, HEIGHT, HEIGHT + 18, WIDTH, HEIGHT + 18,
             print_time((uint64_t)longest_us, length));
    for (size_t i = 0; i < count; i++)
        curve(out, h[i].measure, plot_of(&h[i], which), most, longest_us, i);
    buf_add_str(out, "</svg>");
}

/* ---- tenants ---- */
static uint64_t wait_of(const struct history *h, size_t tenant)
{
    return series_mean(&h->measure->tenants[tenant].wait_us);
}

static void bars_of(struct buf *out, const struct history *h, size_t count, size_t tenant, uint64_t most, size_t y)
{
    char wait[32];
    buf_addf(out, "<text x=\"-6\" y=\"%zu\" text-anchor=\"end\">", y + count * BAR / 2 + 4);
    text(out, h[0].measure->tenants[tenant].path);
    buf_add_str(out, "</text>");
    for (size_t i = 0; i < count; i++) {
        uint64_t us = wait_of(&h[i], tenant), width = us / MAX(most / BARS_WIDTH, 1);
        buf_addf(out, "<rect class=\"b%zu\" x=\"0\" y=\"%zu\" width=\"%" PRIu64 "\" height=\"%d\"/>"
                 "<text x=\"%" PRIu64 "\" y=\"%zu\">%s</text>",
                 i % 4, y + i * BAR, MAX(width, 1), BAR - 2, width + 6, y + i * BAR + BAR - 4, print_time(us, wait));
    }
}

/* The same tenants in all histories. */
static void bars(struct buf *out, const struct history *h, size_t count)
{
    size_t tenants = MIN(h[0].measure->tenants_count, (size_t)TENANTS_SHOWN), each = count * BAR + BAR / 2;
    uint64_t most = 1;
    for (size_t t = 0; t < tenants; t++)
        for (size_t i = 0; i < count; i++)
            most = MAX(most, wait_of(&h[i], t));
    buf_addf(out, "<h2>Mean wait of a tenant%s</h2><svg viewBox=\"-150 0 %d %zu\" role=\"img\" "
             "aria-label=\"Mean wait of a tenant\">",
             h[0].measure->tenants_count > tenants ? ", the first of them" : "", WIDTH + 160, tenants * each);
    for (size_t t = 0; t < tenants; t++)
        bars_of(out, h, count, t, most, t * each);
    buf_add_str(out, "</svg>");
}

static void figures(struct buf *out, const struct history *h, size_t count)
{
    struct buf table = {0};
    print_table(h, count, &table);
    buf_add_str(out, "<h2>Figures</h2><div class=\"wide\"><pre>");
    text(out, buf_text(&table));
    buf_add_str(out, "</pre></div>");
    buf_fini(&table);
}

void print_html(const struct history *h, size_t count, struct buf *out)
{
    buf_add_str(out, head);
    buf_add_str(out, "<h1>");
    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, i == 0 ? "" : i == 1 ? " against " : " and ");
        text(out, h[count - 1 - i].name);
    }
    buf_add_str(out, "</h1><p class=\"key\">");
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "<span class=\"c%zu\">&#9632; ", i % 4);
        text(out, h[i].name);
        buf_add_str(out, "</span>");
    }
    buf_add_str(out, "</p>");
    for (size_t p = 0; p < PLOT_COUNT; p++)
        plot(out, h, count, (enum plot)p);
    bars(out, h, count);
    figures(out, h, count);
    buf_add_str(out, "</body></html>\n");
}

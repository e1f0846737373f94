/* Histograms (64 steps in each power of two: within 1.6 %), a series of tenths of a second, and
 * the report. */
#include <stdio.h>
#include <stdlib.h>

#include "swarm.h"

enum { STEPS = 64, POWERS = 34, TENTHS = 36000 };

static struct histogram {
    long count[STEPS * POWERS];
    long total;
    int64_t most;
} figures[FIGURES];

static const char *const names[FIGURES] = {"answered", "refused", "first", "relayed", "behind"};

static struct {
    long ok, refused;
} series[TENTHS];

static size_t step_of(int64_t us)
{
    if (us < STEPS) return us < 0 ? 0 : (size_t)us;
    int power = 63 - __builtin_clzll((unsigned long long)us); /* 6 or more */
    size_t step = (size_t)(us >> (power - 6)) & (STEPS - 1);
    size_t at = (size_t)(power - 5) * STEPS + step;
    return at < (size_t)STEPS * POWERS ? at : (size_t)STEPS * POWERS - 1;
}

static int64_t value_of(size_t step)
{
    if (step < STEPS) return (int64_t)step;
    size_t power = step / STEPS + 5;
    return (int64_t)(STEPS + step % STEPS) << (power - 6);
}

void report_add(enum figure figure, int64_t us)
{
    struct histogram *h = &figures[figure];

    h->count[step_of(us)]++;
    h->total++;
    if (us > h->most) h->most = us;
}

void report_tick(bool ok)
{
    int64_t tenth = (swarm.now_us - swarm.begin_us) / 100000;

    if (tenth < 0 || tenth >= TENTHS) return;
    if (ok)
        series[tenth].ok++;
    else
        series[tenth].refused++;
}

static int64_t quantile(const struct histogram *h, double share)
{
    long wanted = (long)((double)h->total * share), seen = 0;

    for (size_t i = 0; i < (size_t)STEPS * POWERS; i++) {
        seen += h->count[i];
        if (seen > wanted) return value_of(i);
    }
    return h->most;
}

static void print_figure(enum figure figure)
{
    const struct histogram *h = &figures[figure];

    (void)printf(",\"%s_us\":{\"n\":%ld,\"p50\":%ld,\"p90\":%ld,\"p99\":%ld,\"p999\":%ld,"
                 "\"max\":%ld}",
                 names[figure], h->total, (long)quantile(h, 0.5), (long)quantile(h, 0.9),
                 (long)quantile(h, 0.99), (long)quantile(h, 0.999), (long)h->most);
}

static void print_series(const char *name, bool ok)
{
    int64_t last = (swarm.now_us - swarm.begin_us) / 100000;

    (void)printf(",\"%s\":[", name);
    for (int64_t i = 0; i <= last && i < TENTHS; i++)
        (void)printf("%s%ld", i ? "," : "", ok ? series[i].ok : series[i].refused);
    (void)printf("]");
}

void report_print(void)
{
    const struct counts *n = &swarm.counts;
    const char *comma = "";

    (void)printf("{\"sent\":%ld,\"ok\":%ld,\"wrong\":%ld,\"broken\":%ld,\"unconnected\":%ld,"
                 "\"unanswered\":%ld,\"left\":%ld,\"events\":%ld,\"open\":%ld,"
                 "\"begin_us\":%lld,\"end_us\":%lld,\"status\":{",
                 n->sent, n->ok, n->wrong, n->broken, n->unconnected, n->unanswered, n->left,
                 n->events, swarm.open, (long long)swarm.begin_us, (long long)swarm.end_us);
    for (int i = 0; i < 600; i++) {
        if (!n->status[i]) continue;
        (void)printf("%s\"%d\":%ld", comma, i, n->status[i]);
        comma = ",";
    }
    (void)printf("}");
    for (int i = 0; i < FIGURES; i++)
        print_figure((enum figure)i);
    if (swarm.series) {
        print_series("tenths_ok", true);
        print_series("tenths_refused", false);
    }
    (void)printf("}\n");
    (void)fflush(stdout);
}

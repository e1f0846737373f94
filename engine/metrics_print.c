#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "metrics_internal.h"
#include "process.h"

enum { NUMBER = 40 };

/* ---- numbers ------------------------------------------------------------------------------
 */

/* The shortest text that reads back equal. */
static void print_number(double n, char out[NUMBER])
{
    if (isnan(n)) {
        (void)snprintf(out, NUMBER, "NaN");
    } else if (isinf(n)) {
        (void)snprintf(out, NUMBER, n > 0 ? "+Inf" : "-Inf");
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            (void)snprintf(out, NUMBER, "%.*g", digits, n);
            if (strtod(out, NULL) == n) return;
        }
    }
}

/* Nano-dollars as dollars, every digit. */
static void print_money(uint64_t nano, char out[NUMBER])
{
    int len =
        snprintf(out, NUMBER, "%" PRIu64 ".%09" PRIu64, nano / 1000000000, nano % 1000000000);

    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.') len--;
    out[len] = '\0';
}

/* A cell's sum over all workers. */
static double sum(const struct metrics *metrics, size_t cell)
{
    double n = 0;

    for (unsigned i = 0; i <= metrics->workers; i++)
        n += metrics_number(
            atomic_load_explicit(&metrics->cells[i][cell], memory_order_relaxed));
    return n;
}

static void print_value(const struct metrics *metrics, const struct series *series,
                        char out[NUMBER])
{
    uint64_t nano = 0;

    if (!series->family->money) {
        print_number(sum(metrics, series->cell), out);
        return;
    }
    for (unsigned i = 0; i <= metrics->workers; i++)
        nano += atomic_load_explicit(&metrics->cells[i][series->cell], memory_order_relaxed);
    print_money(nano, out);
}

/* ---- lines --------------------------------------------------------------------------------
 */

static bool put(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

/* name[suffix]{labels[,le="bound"]} value; bound may be NULL. */
static bool put_line(struct buf *out, const struct series *series, const char *suffix,
                     const char *bound, const char *value)
{
    bool ok = put(out, series->family->name) && put(out, suffix);

    if (series->len || bound) {
        ok = ok && put(out, "{") && buf_append(out, series->labels, series->len);
        if (bound)
            ok = ok && put(out, series->len ? ",le=\"" : "le=\"") && put(out, bound) &&
                 put(out, "\"");
        ok = ok && put(out, "}");
    }
    return ok && put(out, " ") && put(out, value) && put(out, "\n");
}

/* The count is what the buckets hold, read once: a scrape never contradicts itself. */
static bool put_histogram(struct buf *out, const struct metrics *metrics,
                          const struct series *series)
{
    const struct family *family = series->family;
    char bound[NUMBER], value[NUMBER];
    double count = 0;
    bool ok = true;

    for (size_t i = 0; i <= family->buckets && ok; i++) {
        count += sum(metrics, series->cell + i);
        print_number(i < family->buckets ? family->bounds[i] : INFINITY, bound);
        print_number(count, value);
        ok = put_line(out, series, "_bucket", bound, value);
    }
    char total[NUMBER];
    print_number(sum(metrics, series->cell + family->buckets + 1), total);
    return ok && put_line(out, series, "_sum", NULL, total) &&
           put_line(out, series, "_count", NULL, value);
}

static bool put_help(struct buf *out, const char *help)
{
    bool ok = true;

    for (; *help && ok; help++) {
        if (*help == '\n' || *help == '\\')
            ok = put(out, *help == '\n' ? "\\n" : "\\\\");
        else
            ok = buf_append(out, help, 1);
    }
    return ok;
}

static bool put_family(struct buf *out, const struct metrics *metrics,
                       const struct family *family)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct series *series = atomic_load_explicit(&family->first, memory_order_acquire);
    char value[NUMBER];
    bool ok = true;

    if (!series) return true;
    if (family->help)
        ok = put(out, "# HELP ") && put(out, family->name) && put(out, " ") &&
             put_help(out, family->help) && put(out, "\n");
    ok = ok && put(out, "# TYPE ") && put(out, family->name) && put(out, " ") &&
         put(out, kinds[family->kind]) && put(out, "\n");
    for (; series && ok; series = atomic_load_explicit(&series->next, memory_order_acquire)) {
        if (family->kind == METRIC_HISTOGRAM) {
            ok = put_histogram(out, metrics, series);
        } else {
            print_value(metrics, series, value);
            ok = put_line(out, series, "", NULL, value);
        }
    }
    return ok;
}

/* The families there are, by name. Their number. */
static unsigned sort_families(const struct metrics *metrics,
                              const struct family *sorted[MAX_FAMILIES])
{
    unsigned count = atomic_load_explicit(&metrics->family_count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && strcmp(sorted[at - 1]->name, metrics->families[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &metrics->families[i];
    }
    return count;
}

bool metrics_print(struct metrics *metrics, struct buf *out)
{
    const struct family *families[MAX_FAMILIES];
    unsigned count = sort_families(metrics, families);
    char text[160];
    bool ok = true;

    for (unsigned i = 0; i < count && ok; i++)
        ok = put_family(out, metrics, families[i]);
    (void)snprintf(text, sizeof(text),
                   "# TYPE moongate_metric_series_dropped_total counter\n"
                   "moongate_metric_series_dropped_total %" PRIu64 "\n",
                   atomic_load(&metrics->dropped));
    return ok && put(out, text) && process_print(out);
}

/* Counters, gauges, histograms → Prometheus text 0.0.4.
 *
 * One registry a process; each worker adds to slots of its own, summed when scraped, so that
 * the hot path takes no lock. Registering (by name and labels) takes one; hold on to the id. */
#ifndef MOONGATE_METRICS_H
#define MOONGATE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct metrics;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
    const char *name;
    const char *value;
};

/* workers: how many slot sets; slot `workers` (the last, extra one) is the main thread's. */
struct metrics *metrics_new(unsigned workers) __attribute__((warn_unused_result));
void metrics_free(struct metrics *metrics);

/* What a family is; borrowed for the call. */
struct metric_about {
    enum metric_kind kind;
    const char *help;
    const double
        *buckets; /* of a histogram, rising, at most 32; NULL: latencies, 0.005 … 120 */
    size_t n;
};

/* Before the family's first series; later it changes nothing. A family that nobody describes
 * gets no help and the usual buckets. */
void metrics_describe(struct metrics *metrics, const char *name,
                      const struct metric_about *about);

/* The id of a series, made if new; labels in any order. 0: the family's series cap (1,000) is
 * reached (counted in moongate_metric_series_dropped_total), or a bad name: adding to 0 is
 * harmless. Any thread. */
unsigned metrics_series(struct metrics *metrics, const char *name, enum metric_kind kind,
                        const struct metric_label *labels, size_t n);

void metrics_add(struct metrics *metrics, unsigned worker, unsigned id, double n);
void metrics_set(struct metrics *metrics, unsigned worker, unsigned id,
                 double value); /* gauge */
void metrics_observe(struct metrics *metrics, unsigned worker, unsigned id, double value);

unsigned metrics_workers(const struct metrics *metrics);

/* All series, by family name, and what the kernel says of this process. False: the buffer is
 * full. Counters named …_usd_total hold integer nano-dollars and are printed as exact decimals.
 */
bool metrics_print(struct metrics *metrics, struct buf *out)
    __attribute__((warn_unused_result));

#endif

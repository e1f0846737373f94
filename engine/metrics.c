#include "metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_internal.h"
#include "utf8.h"

enum {
    FAMILY_SERIES = 1000,
    TABLE = 1 << 13, /* chains; a power of two */
    MAX_LABELS = 10,
    NAME_LIMIT = 100,  /* bytes of a family's or a label's name */
    VALUE_LIMIT = 128, /* bytes of a label's value; the rest is cut */
    LABELS = MAX_LABELS * (NAME_LIMIT + 2 * VALUE_LIMIT + 4),
};

static const double latencies[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                   2.5,   5,    10,    20,   30,  60,   120};

struct metrics *metrics_new(unsigned workers)
{
    struct metrics *metrics =
        calloc(1, sizeof(*metrics) + (workers + 1) * sizeof(metrics->cells[0]));

    if (!metrics) return NULL;
    metrics->workers = workers;
    metrics->series = calloc(MAX_SERIES, sizeof(*metrics->series));
    metrics->table = calloc(TABLE, sizeof(struct series *));
    bool ok = metrics->series && metrics->table;
    for (unsigned i = 0; i <= workers && ok; i++) {
        metrics->cells[i] = calloc(MAX_CELLS, sizeof(*metrics->cells[i]));
        ok = metrics->cells[i] != NULL;
    }
    if (ok) return metrics;
    metrics_free(metrics);
    return NULL;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics) return;
    for (unsigned i = 0; i < metrics->family_count; i++) {
        free(metrics->families[i].name);
        free(metrics->families[i].help);
    }
    for (unsigned i = 1; i <= metrics->series_count; i++)
        free(atomic_load(&metrics->series[i]));
    for (unsigned i = 0; i <= metrics->workers; i++)
        free(metrics->cells[i]);
    free(metrics->series);
    free(metrics->table);
    free(metrics);
}

unsigned metrics_workers(const struct metrics *metrics)
{
    return metrics->workers;
}

/* ---- families -----------------------------------------------------------------------------
 */

/* [a-zA-Z_][a-zA-Z0-9_]*; a family's may have colons. */
static bool is_name(const char *name, bool colons)
{
    size_t len = 0;

    for (; name[len]; len++) {
        char c = name[len];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9' && len > 0;
        if (!letter && !digit && !(colons && c == ':')) return false;
    }
    return len > 0 && len <= NAME_LIMIT;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

static void set_buckets(struct family *family, const struct metric_about *about)
{
    const double *bounds = about->buckets ? about->buckets : latencies;
    size_t n = about->buckets ? about->n : sizeof(latencies) / sizeof(*latencies);

    if (n > MAX_BUCKETS) n = MAX_BUCKETS;
    for (size_t i = 0; i < n;
         i++) /* what does not rise is left out; so is +Inf, which is always there */
        if (isfinite(bounds[i]) &&
            (!family->buckets || bounds[i] > family->bounds[family->buckets - 1]))
            family->bounds[family->buckets++] = bounds[i];
}

/* Under the lock. NULL: not there, and (too many, a bad name, no memory) not made. */
static struct family *find_family(struct metrics *metrics, const char *name,
                                  const struct metric_about *about)
{
    unsigned count = atomic_load_explicit(&metrics->family_count, memory_order_relaxed);

    for (unsigned i = 0; i < count; i++)
        if (strcmp(metrics->families[i].name, name) == 0) return &metrics->families[i];
    if (count == MAX_FAMILIES || !is_name(name, true)) return NULL;
    struct family *family = &metrics->families[count];
    family->name = strdup(name);
    if (!family->name) return NULL;
    family->help = about->help ? strdup(about->help) : NULL;
    family->kind = about->kind;
    family->money = about->kind == METRIC_COUNTER && ends_with(name, "_usd_total");
    if (about->kind == METRIC_HISTOGRAM) set_buckets(family, about);
    atomic_store_explicit(&metrics->family_count, count + 1, memory_order_release);
    return family;
}

void metrics_describe(struct metrics *metrics, const char *name,
                      const struct metric_about *about)
{
    lock_take(&metrics->lock);
    (void)find_family(metrics, name, about);
    lock_drop(&metrics->lock);
}

/* ---- series -------------------------------------------------------------------------------
 */

/* Labels in their printed form, being made. */
struct labels {
    size_t len;
    char text[LABELS];
};

static void put(struct labels *labels, const char *bytes, size_t len)
{
    memcpy(labels->text + labels->len, bytes, len);
    labels->len += len;
}

/* Escaped as the format wants it; broken characters and controls become question marks. */
static void put_value(struct labels *labels, const char *value)
{
    const unsigned char *p = (const unsigned char *)value;
    size_t len = strnlen(value, VALUE_LIMIT + 4);
    uint32_t code;

    for (size_t at = 0; at < len && at < VALUE_LIMIT;) {
        size_t size = utf8_decode(p + at, len - at, &code);
        if (at + size > VALUE_LIMIT) break;
        if (p[at] == '\n')
            put(labels, "\\n", 2);
        else if (p[at] == '"' || p[at] == '\\')
            put(labels, p[at] == '"' ? "\\\"" : "\\\\", 2);
        else if (size == 0 || code < 0x20 || code == 0x7f)
            put(labels, "?", 1);
        else
            put(labels, value + at, size);
        at += size ? size : 1;
    }
}

/* Sorted by name. False: a name that may not be, or twice. */
static bool print_labels(struct labels *labels, const struct metric_label *given, size_t n,
                         enum metric_kind kind)
{
    const struct metric_label *sorted[MAX_LABELS];

    labels->len = 0;
    if (n > MAX_LABELS) return false;
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        if (!is_name(given[i].name, false) || strncmp(given[i].name, "__", 2) == 0)
            return false;
        if (kind == METRIC_HISTOGRAM && strcmp(given[i].name, "le") == 0) return false;
        for (; at > 0 && strcmp(sorted[at - 1]->name, given[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        if (at > 0 && strcmp(sorted[at - 1]->name, given[i].name) == 0) return false;
        sorted[at] = &given[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0) put(labels, ",", 1);
        put(labels, sorted[i]->name, strlen(sorted[i]->name));
        put(labels, "=\"", 2);
        put_value(labels, sorted[i]->value);
        put(labels, "\"", 1);
    }
    return true;
}

static size_t hash_of(const char *name, const struct labels *labels)
{
    uint64_t hash = 14695981039346656037U;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211U;
    for (size_t i = 0; i < labels->len; i++)
        hash = (hash ^ (unsigned char)labels->text[i]) * 1099511628211U;
    return (size_t)(hash ^ hash >> 32) % TABLE;
}

static struct series *find_series(const struct metrics *metrics, const struct family *family,
                                  const struct labels *labels, size_t hash)
{
    struct series *series = metrics->table[hash];

    while (series && (series->family != family || series->len != labels->len ||
                      memcmp(series->labels, labels->text, labels->len) != 0))
        series = series->same_hash;
    return series;
}

static size_t cells_of(const struct family *family)
{
    return family->kind == METRIC_HISTOGRAM ? family->buckets + 2 : 1; /* +Inf, sum */
}

/* Under the lock. NULL: a ceiling is reached, or no memory. */
static struct series *make_series(struct metrics *metrics, struct family *family,
                                  const struct labels *labels, size_t hash)
{
    if (family->count == FAMILY_SERIES || metrics->series_count == MAX_SERIES - 1 ||
        metrics->cells_used + cells_of(family) > MAX_CELLS)
        return NULL;
    struct series *series = calloc(1, sizeof(*series) + labels->len);
    if (!series) return NULL;
    series->family = family;
    series->cell = metrics->cells_used;
    series->len = labels->len;
    memcpy(series->labels, labels->text, labels->len);
    series->same_hash = metrics->table[hash];
    metrics->table[hash] = series;
    metrics->cells_used += cells_of(family);
    family->count++;
    series->id = ++metrics->series_count; /* ids begin with 1 */
    atomic_store_explicit(&metrics->series[series->id], series, memory_order_release);
    if (family->last)
        atomic_store_explicit(&family->last->next, series, memory_order_release);
    else
        atomic_store_explicit(&family->first, series, memory_order_release);
    family->last = series;
    return series;
}

unsigned metrics_series(struct metrics *metrics, const char *name, enum metric_kind kind,
                        const struct metric_label *labels, size_t n)
{
    struct metric_about about = {.kind = kind};
    struct labels text;
    struct series *series = NULL;

    if (!print_labels(&text, labels, n, kind)) return 0;
    size_t hash = hash_of(name, &text);
    lock_take(&metrics->lock);
    struct family *family = find_family(metrics, name, &about);
    if (family && family->kind == kind) {
        series = find_series(metrics, family, &text, hash);
        if (!series) series = make_series(metrics, family, &text, hash);
        if (!series) atomic_fetch_add(&metrics->dropped, 1);
    }
    unsigned id = series ? series->id : 0;
    lock_drop(&metrics->lock);
    return id;
}

/* ---- counting -----------------------------------------------------------------------------
 */

double metrics_number(uint64_t bits)
{
    double n;

    memcpy(&n, &bits, sizeof(n));
    return n;
}

static uint64_t bits_of(double n)
{
    uint64_t bits;

    memcpy(&bits, &n, sizeof(bits));
    return bits;
}

static void bump(_Atomic uint64_t *cell, double n)
{
    uint64_t old = atomic_load_explicit(cell, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(cell, &old, bits_of(metrics_number(old) + n),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static const struct series *series_of(const struct metrics *metrics, unsigned id)
{
    if (id == 0 || id >= MAX_SERIES) return NULL;
    return atomic_load_explicit(&metrics->series[id], memory_order_acquire);
}

static _Atomic uint64_t *cells_at(struct metrics *metrics, unsigned worker,
                                  const struct series *series)
{
    return metrics->cells[worker < metrics->workers ? worker : metrics->workers] + series->cell;
}

void metrics_add(struct metrics *metrics, unsigned worker, unsigned id, double n)
{
    const struct series *series = series_of(metrics, id);

    if (!series || !isfinite(n)) return;
    if (series->family->kind == METRIC_HISTOGRAM) return;
    if (series->family->kind == METRIC_COUNTER && n < 0) return;
    _Atomic uint64_t *cell = cells_at(metrics, worker, series);
    if (!series->family->money)
        bump(cell, n);
    else if (n < 9.2e18)
        atomic_fetch_add_explicit(cell, (uint64_t)llround(n), memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, unsigned worker, unsigned id, double value)
{
    const struct series *series = series_of(metrics, id);

    if (!series || series->family->kind != METRIC_GAUGE) return;
    atomic_store_explicit(cells_at(metrics, worker, series), bits_of(value),
                          memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, unsigned worker, unsigned id, double value)
{
    const struct series *series = series_of(metrics, id);
    size_t i = 0;

    if (!series || series->family->kind != METRIC_HISTOGRAM || !isfinite(value)) return;
    const struct family *family = series->family;
    _Atomic uint64_t *cells = cells_at(metrics, worker, series);
    while (i < family->buckets && value > family->bounds[i])
        i++;
    bump(&cells[i], 1);
    bump(&cells[family->buckets + 1], value);
}

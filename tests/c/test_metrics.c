/* What is counted is what is printed, in the text format 0.0.4, whoever counts meanwhile. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "check.h"
#include "metrics.h"

enum { WORKERS = 4, ROUNDS = 20000 };

static char *print(struct metrics *metrics)
{
    struct buf out;
    size_t len;

    buf_init(&out, 64 << 20);
    CHECK(metrics_print(metrics, &out) && buf_append(&out, "", 1));
    return buf_take(&out, &len);
}

/* Whether a line of the page is `want`. */
static bool has(const char *page, const char *want)
{
    size_t len = strlen(want);

    for (const char *line = page; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, want, len) == 0 && (line[len] == '\n' || !line[len])) return true;
    }
    fprintf(stderr, "no line %s in:\n%.3000s\n", want, page);
    return false;
}

static bool prints(struct metrics *metrics, const char *want)
{
    char *page = print(metrics);
    bool found = has(page, want);

    free(page);
    return found;
}

/* ---- the format, as its specification has it
 * -------------------------------------------------- */

static const char *skip_name(const char *p)
{
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:", *p) || !*p)
        return NULL;
    return p + strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789");
}

static const char *skip_labels(const char *p)
{
    do {
        p = skip_name(p + 1);
        if (!p || *p++ != '=' || *p++ != '"') return NULL;
        for (; *p != '"'; p++) {
            if (*p == '\n' || !*p) return NULL;
            if (*p == '\\' && !strchr("\\\"n", *++p)) return NULL;
        }
        p++;
    } while (*p == ',');
    return *p == '}' ? p + 1 : NULL;
}

/* The end of a sample's line; NULL: not one. */
static const char *skip_sample(const char *p)
{
    char *end;

    p = skip_name(p);
    if (p && *p == '{') p = skip_labels(p);
    if (!p || *p != ' ') return NULL;
    (void)strtod(p + 1, &end);
    return end > p + 1 && *end == '\n' ? end : NULL;
}

/* Every line a comment or a sample; every family typed once, and its samples behind that. */
static bool well_formed(const char *page)
{
    char name[128] = "", typed[1 << 14] = "\n";

    for (const char *p = page; *p; p++) {
        if (strncmp(p, "# HELP ", 7) == 0) {
            p = strchr(p, '\n');
        } else if (sscanf(p, "# TYPE %127s", name) == 1) {
            strcat(name, "\n");
            if (strstr(typed, name)) return false;
            strcat(typed, name);
            name[strlen(name) - 1] = '\0';
            p = strchr(p, '\n');
        } else {
            if (strncmp(p, name, strlen(name)) != 0) return false;
            p = skip_sample(p);
        }
        if (!p) return false;
    }
    return true;
}

/* ---- tests
 * ------------------------------------------------------------------------------------ */

static void test_counters(void)
{
    struct metrics *metrics = metrics_new(2);
    struct metric_label ab[] = {{"b", "2"}, {"a", "1"}}, ba[] = {{"a", "1"}, {"b", "2"}};
    unsigned id = metrics_series(metrics, "hits_total", METRIC_COUNTER, ab, 2);

    CHECK(id != 0 && id == metrics_series(metrics, "hits_total", METRIC_COUNTER, ba, 2));
    metrics_add(metrics, 0, id, 1);
    metrics_add(metrics, 1, id, 2);
    metrics_add(metrics, 2, id, 0.5);
    metrics_add(metrics, 0, id, -7); /* counters do not go down */
    metrics_add(metrics, 0, id, NAN);
    metrics_add(metrics, 0, 0, 7); /* harmless */
    metrics_add(metrics, 0, 60000, 7);
    metrics_set(metrics, 0, id, 7);
    metrics_observe(metrics, 0, id, 7);
    CHECK(prints(metrics, "hits_total{a=\"1\",b=\"2\"} 3.5"));
    CHECK(prints(metrics, "# TYPE hits_total counter"));
    id = metrics_series(metrics, "plain_total", METRIC_COUNTER, NULL, 0);
    metrics_add(metrics, 9, id, 1e15 + 1); /* no such worker: the extra slots */
    CHECK(prints(metrics, "plain_total 1000000000000001"));
    CHECK(metrics_workers(metrics) == 2);
    metrics_free(metrics);
    metrics_free(NULL);
}

static void test_gauges(void)
{
    struct metrics *metrics = metrics_new(2);
    unsigned id = metrics_series(metrics, "open", METRIC_GAUGE, NULL, 0);

    metrics_set(metrics, 0, id, 3);
    metrics_set(metrics, 1, id, 4);
    metrics_set(metrics, 1, id, 5);
    metrics_add(metrics, 0, id, -1);
    CHECK(prints(metrics, "open 7"));
    metrics_set(metrics, 0, id, INFINITY);
    CHECK(prints(metrics, "open +Inf"));
    metrics_set(metrics, 1, id, -INFINITY);
    CHECK(prints(metrics, "open NaN"));
    metrics_set(metrics, 0, id, 0.1);
    metrics_set(metrics, 1, id, 0);
    CHECK(prints(metrics, "open 0.1"));
    metrics_free(metrics);
}

static void test_histograms(void)
{
    struct metrics *metrics = metrics_new(1);
    double bounds[] = {1, 2.5, 2.5, 0, INFINITY};
    struct metric_about about = {METRIC_HISTOGRAM, "How \\ long\nit took", bounds, 5};
    struct metric_label label = {"kind", "x"};

    metrics_describe(metrics, "took_seconds", &about);
    unsigned id = metrics_series(metrics, "took_seconds", METRIC_HISTOGRAM, &label, 1);
    metrics_observe(metrics, 0, id, 1);
    metrics_observe(metrics, 1, id, 2);
    metrics_observe(metrics, 0, id, 99);
    metrics_observe(metrics, 0, id, NAN);
    char *page = print(metrics);
    CHECK(has(page, "# HELP took_seconds How \\\\ long\\nit took"));
    CHECK(has(page, "# TYPE took_seconds histogram"));
    CHECK(has(page, "took_seconds_bucket{kind=\"x\",le=\"1\"} 1"));
    CHECK(has(page, "took_seconds_bucket{kind=\"x\",le=\"2.5\"} 2"));
    CHECK(has(page, "took_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3"));
    CHECK(has(page, "took_seconds_sum{kind=\"x\"} 102"));
    CHECK(has(page, "took_seconds_count{kind=\"x\"} 3"));
    free(page);
    id = metrics_series(metrics, "usual_seconds", METRIC_HISTOGRAM, NULL, 0);
    metrics_observe(metrics, 0, id, 0.005);
    CHECK(prints(metrics, "usual_seconds_bucket{le=\"0.005\"} 1"));
    CHECK(prints(metrics, "usual_seconds_bucket{le=\"120\"} 1"));
    CHECK(prints(metrics, "usual_seconds_count 1"));
    metrics_free(metrics);
}

/* To the last nano-dollar, beyond what a double's sum would keep. */
static void test_money(void)
{
    struct metrics *metrics = metrics_new(2);
    unsigned id = metrics_series(metrics, "cost_usd_total", METRIC_COUNTER, NULL, 0);

    CHECK(prints(metrics, "cost_usd_total 0"));
    metrics_add(metrics, 0, id, 1500000000);
    CHECK(prints(metrics, "cost_usd_total 1.5"));
    metrics_add(metrics, 1, id, 1);
    CHECK(prints(metrics, "cost_usd_total 1.500000001"));
    for (int i = 0; i < 3; i++)
        metrics_add(metrics, 0, id, 9e15);
    metrics_add(metrics, 0, id, 1);
    CHECK(prints(metrics, "cost_usd_total 27000001.500000002"));
    metrics_free(metrics);
}

static void test_labels(void)
{
    struct metrics *metrics = metrics_new(1);
    struct metric_label odd = {"v", "a\"b\\c\nd\re\xff\xc3\xa9"};
    struct metric_label bad[] = {{"1a", "x"}, {"", "x"}, {"a-b", "x"}, {"__a", "x"}};
    struct metric_label twice[] = {{"a", "1"}, {"a", "2"}}, le = {"le", "1"};
    struct metric_label many[11];
    char value[500], want[300];

    CHECK(metrics_series(metrics, "odd_total", METRIC_COUNTER, &odd, 1) != 0);
    CHECK(prints(metrics, "odd_total{v=\"a\\\"b\\\\c\\nd?e?\xc3\xa9\"} 0"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(metrics_series(metrics, "bad_total", METRIC_COUNTER, &bad[i], 1) == 0);
    CHECK(metrics_series(metrics, "bad_total", METRIC_COUNTER, twice, 2) == 0);
    CHECK(metrics_series(metrics, "bad", METRIC_HISTOGRAM, &le, 1) == 0);
    for (size_t i = 0; i < 11; i++)
        many[i] = (struct metric_label){&"abcdefghijk"[i], "x"};
    CHECK(metrics_series(metrics, "bad_total", METRIC_COUNTER, many, 11) == 0);
    CHECK(metrics_series(metrics, "bad name", METRIC_COUNTER, NULL, 0) == 0);
    CHECK(metrics_series(metrics, "odd_total", METRIC_GAUGE, NULL, 0) == 0);
    memset(value, '\\', sizeof(value) - 1); /* cut at 128, and each of those is doubled */
    value[sizeof(value) - 1] = '\0';
    odd.value = value;
    CHECK(metrics_series(metrics, "long_total", METRIC_COUNTER, &odd, 1) != 0);
    memset(value, '\\', 256);
    snprintf(want, sizeof(want), "long_total{v=\"%.256s\"} 0", value);
    CHECK(prints(metrics, want));
    char *page = print(metrics);
    CHECK(well_formed(page) && !strstr(page, "bad"));
    free(page);
    metrics_free(metrics);
}

static void test_cap(void)
{
    struct metrics *metrics = metrics_new(1);
    char value[16];
    struct metric_label label = {"n", value};
    unsigned made = 0;

    for (int i = 0; i < 1100; i++) {
        snprintf(value, sizeof(value), "%d", i);
        made += metrics_series(metrics, "wide_total", METRIC_COUNTER, &label, 1) != 0;
    }
    CHECK(made == 1000);
    CHECK(prints(metrics, "moongate_metric_series_dropped_total 100"));
    strcpy(value, "7");
    CHECK(metrics_series(metrics, "wide_total", METRIC_COUNTER, &label, 1) != 0);
    CHECK(metrics_series(metrics, "other_total", METRIC_COUNTER, &label, 1) != 0);
    struct buf small;
    buf_init(&small, 100);
    CHECK(!metrics_print(metrics, &small));
    buf_free(&small);
    metrics_free(metrics);
}

static double value_of(const char *page, const char *name)
{
    const char *at = strstr(page, name);

    return at ? strtod(at + strlen(name), NULL) : -1;
}

static void test_process(void)
{
    struct metrics *metrics = metrics_new(1);
    char *page = print(metrics);

    CHECK(well_formed(page));
    CHECK(value_of(page, "\nprocess_cpu_seconds_total ") >= 0);
    CHECK(value_of(page, "\nprocess_resident_memory_bytes ") > 1e5);
    CHECK(value_of(page, "\nprocess_open_fds ") >= 3);
    CHECK(value_of(page, "\nprocess_open_fds ") <= value_of(page, "\nprocess_max_fds "));
    double start = value_of(page, "\nprocess_start_time_seconds ");
    CHECK(fabs(start - (double)time(NULL)) < 600);
    free(page);
    metrics_free(metrics);
}

struct crowd {
    struct metrics *metrics;
    unsigned worker;
};

static void *count(void *arg)
{
    struct crowd *crowd = arg;
    char value[16];
    struct metric_label label = {"n", value};

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(value, sizeof(value), "%d", i % 50);
        unsigned id = metrics_series(crowd->metrics, "all_total", METRIC_COUNTER,
                                     i % 2 ? NULL : &label, i % 2 ? 0 : 1);
        metrics_add(crowd->metrics, crowd->worker, id, 1);
        metrics_add(crowd->metrics, WORKERS, id, 1); /* shared slots lose nothing either */
        id = metrics_series(crowd->metrics, "took_seconds", METRIC_HISTOGRAM, NULL, 0);
        metrics_observe(crowd->metrics, crowd->worker, id, i % 3);
    }
    return NULL;
}

static void test_threads(void)
{
    struct metrics *metrics = metrics_new(WORKERS);
    struct crowd crowds[WORKERS];
    pthread_t threads[WORKERS];
    bool sane = true;

    for (unsigned i = 0; i < WORKERS; i++) {
        crowds[i] = (struct crowd){metrics, i};
        CHECK(pthread_create(&threads[i], NULL, count, &crowds[i]) == 0);
    }
    for (int i = 0; i < 20; i++) { /* scraped meanwhile, and each time it adds up */
        char *page = print(metrics);
        sane = sane && well_formed(page) &&
               value_of(page, "took_seconds_bucket{le=\"+Inf\"} ") ==
                   value_of(page, "took_seconds_count ");
        free(page);
    }
    CHECK(sane);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(prints(metrics, "all_total 80000"));
    CHECK(prints(metrics, "all_total{n=\"4\"} 3200"));
    CHECK(prints(metrics, "took_seconds_count 80000"));
    metrics_free(metrics);
}

int main(void)
{
    test_counters();
    test_gauges();
    test_histograms();
    test_money();
    test_labels();
    test_cap();
    test_process();
    test_threads();
    return check_report();
}

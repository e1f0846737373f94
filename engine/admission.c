#include "admission.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "metrics.h"

enum {
    TEXT = 256,
    PATH = 1024,
    BODY_COST = 3,      /* bytes that a body's byte takes: itself, its index, what is sent on */
    TRIM_MS = 1000,     /* between two tries to give memory back */
    SHEDDING_MS = 1000, /* a worker that refused so lately is shedding */
    LOG_MS = 1000,
    REQUEST_COST = 128 * 1024, /* what a request, or a stream, takes while it runs, and more */
};

/* What one worker tells; a cache line each, so that telling disturbs nobody. */
struct cell {
    _Alignas(64) atomic_size_t requests;
    atomic_size_t coming;
    atomic_ullong shed[SHED_REASONS];
};

struct admission {
    struct admission_options options;
    struct cell *cells;     /* owned; one a worker */
    atomic_size_t resident; /* bytes, at the last look */
    atomic_uint look, room; /* looks so far; what the last one found each worker may grow by */
    atomic_bool pressed;    /* at the last look */
    int statm;              /* owned; -1: there is none */
    unsigned counters[SHED_REASONS], gauges[SHED_REASONS], ceiling_gauge; /* metric ids */
    unsigned long long told[SHED_REASONS]; /* refusals that the log has heard of */
    unsigned long long seen[SHED_REASONS]; /* at the last look */
    int64_t shed_ms[SHED_REASONS];         /* when the last one was seen; 0: never */
    int64_t logged_ms, trimmed_ms, looked_ms;
};

static const char *const names[SHED_REASONS] = {"", "in_flight", "memory", "queue"};

/* ---- what is there ---- */

static size_t number_in(const char *path)
{
    char text[TEXT];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0) close(fd);
    if (n <= 0) return 0;
    text[n] = '\0';
    return (size_t)strtoull(text, NULL, 10); /* "max": 0 */
}

/* What a file says in the folder of this process' control group, or of one above it; 0:
 * nothing. `line` is how /proc/self/cgroup begins the group's, `place` where such groups are
 * kept. */
static size_t limit_of(const char *root, const char *line, const char *place, const char *file)
{
    char text[PATH], path[PATH * 2];
    size_t least = 0, len = strlen(line);

    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *groups = fopen(path, "re");
    if (!groups) return 0;
    char *at = NULL;
    while (!at && fgets(text, sizeof(text), groups)) {
        char *name = strchr(text, ':');
        if (name && strncmp(name, line, len) == 0) at = name + len;
    }
    (void)fclose(groups);
    if (!at) return 0;
    at[strcspn(at, "\n")] = '\0';
    for (char *end = at + strlen(at); end; end = strrchr(at, '/')) {
        *end = '\0';
        (void)snprintf(path, sizeof(path), "%s%s%s/%s", root, place, at, file);
        size_t limit = number_in(path);
        if (limit && (!least || limit < least)) least = limit;
    }
    return least;
}

size_t admission_usual_memory(const char *root)
{
    size_t most = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    size_t group = limit_of(root, "::", "/sys/fs/cgroup", "memory.max");

    if (!group)
        group = limit_of(root, ":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes");
    if (group && group < most) most = group;
    return most / 4 * 3;
}

static size_t resident(const struct admission *admission)
{
    char text[TEXT];
    char *end = text;
    ssize_t n = admission->statm < 0 ? -1 : pread(admission->statm, text, sizeof(text) - 1, 0);

    if (n <= 0) return 0;
    text[n] = '\0';
    (void)strtoull(text, &end, 10); /* what is mapped */
    return (size_t)strtoull(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- life ---- */

struct admission *admission_new(const struct admission_options *options)
{
    struct admission *admission = calloc(1, sizeof(*admission));

    if (!admission) return NULL;
    admission->options = *options;
    admission->room = UINT_MAX / 2; /* until somebody has looked */
    admission->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    admission->cells = aligned_alloc(64, options->workers * sizeof(struct cell));
    if (!admission->cells) {
        admission_free(admission);
        return NULL;
    }
    memset(admission->cells, 0, options->workers * sizeof(struct cell));
    for (int i = 1; i < SHED_REASONS; i++) {
        struct metric_label label = {"reason", names[i]};
        admission->counters[i] =
            metrics_series(options->metrics, "moongate_shed_total", METRIC_COUNTER, &label, 1);
        admission->gauges[i] =
            metrics_series(options->metrics, "moongate_shedding", METRIC_GAUGE, &label, 1);
    }
    admission->ceiling_gauge = metrics_series(options->metrics, "moongate_memory_ceiling_bytes",
                                              METRIC_GAUGE, NULL, 0);
    metrics_set(options->metrics, options->workers, admission->ceiling_gauge,
                (double)options->memory);
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission) return;
    if (admission->statm >= 0) close(admission->statm);
    free(admission->cells);
    free(admission);
}

const struct admission_options *admission_options(const struct admission *admission)
{
    return &admission->options;
}

/* ---- the look ---- */

/* Nothing new begins above nine tenths of the ceiling: the rest is for what goes on. */
static size_t threshold(const struct admission *admission)
{
    return admission->options.memory / 10 * 9;
}

static void measure(struct admission *admission, int64_t now_ms)
{
    if (admission->options.memory == 0) return;
    size_t now = resident(admission);
    bool pressed = now >= threshold(admission);
    if (pressed && now_ms - admission->trimmed_ms >= TRIM_MS) {
        /* What is free stays resident until somebody says that it may go. */
        admission->trimmed_ms = now_ms;
        malloc_trim(0);
        now = resident(admission);
        pressed = now >= threshold(admission);
    }
    atomic_store_explicit(&admission->resident, now, memory_order_relaxed);
    atomic_store_explicit(&admission->pressed, pressed, memory_order_relaxed);
    size_t room = pressed ? 0 : (threshold(admission) - now) / REQUEST_COST;
    room /= admission->options.workers;
    atomic_store_explicit(&admission->room, room < UINT_MAX / 2 ? (unsigned)room : UINT_MAX / 2,
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&admission->look, 1, memory_order_relaxed);
}

static unsigned long long refused(const struct admission *admission, int why)
{
    unsigned long long sum = 0;

    for (unsigned i = 0; i < admission->options.workers; i++)
        sum += atomic_load_explicit(&admission->cells[i].shed[why], memory_order_relaxed);
    return sum;
}

static void tell_log(struct admission *admission, int64_t now_ms)
{
    unsigned long long since[SHED_REASONS] = {0}, any = 0;

    if (now_ms - admission->logged_ms < LOG_MS) return;
    for (int i = 1; i < SHED_REASONS; i++) {
        since[i] = admission->seen[i] - admission->told[i];
        any += since[i];
    }
    if (!any) return;
    admission->logged_ms = now_ms;
    memcpy(admission->told, admission->seen, sizeof(admission->told));
    log_event(admission->options.log, LOG_WARN, "overload",
              "%llu requests were refused: %llu for those in flight, %llu for memory "
              "(%zu MiB resident), %llu for how long they had waited",
              any, since[SHED_IN_FLIGHT], since[SHED_MEMORY],
              atomic_load_explicit(&admission->resident, memory_order_relaxed) >> 20,
              since[SHED_QUEUE]);
    log_flush(admission->options.log);
}

void admission_look(struct admission *admission, int64_t now_ms)
{
    struct metrics *metrics = admission->options.metrics;

    if (now_ms - admission->looked_ms < ADMISSION_LOOK_MS) return;
    admission->looked_ms = now_ms;
    measure(admission, now_ms);
    for (int i = 1; i < SHED_REASONS; i++) {
        unsigned long long n = refused(admission, i);
        if (n != admission->seen[i]) admission->shed_ms[i] = now_ms;
        admission->seen[i] = n;
        bool sheds = admission->shed_ms[i] && now_ms - admission->shed_ms[i] < SHEDDING_MS;
        metrics_set(metrics, admission->options.workers, admission->gauges[i], sheds);
    }
    tell_log(admission, now_ms);
}

/* ---- for workers ---- */

void admission_tell(struct admission *admission, unsigned worker, size_t requests,
                    size_t coming)
{
    struct cell *cell = &admission->cells[worker];

    atomic_store_explicit(&cell->requests, requests, memory_order_relaxed);
    atomic_store_explicit(&cell->coming, coming, memory_order_relaxed);
}

bool admission_room_elsewhere(const struct admission *admission, unsigned worker)
{
    for (unsigned i = 0; i < admission->options.workers; i++) {
        size_t held = atomic_load_explicit(&admission->cells[i].requests, memory_order_relaxed);
        if (i != worker && held < admission->options.in_flight) return true;
    }
    return false;
}

bool admission_pressed(const struct admission *admission)
{
    return atomic_load_explicit(&admission->pressed, memory_order_relaxed);
}

unsigned admission_room(const struct admission *admission, unsigned *look)
{
    *look = atomic_load_explicit(&admission->look, memory_order_relaxed);
    return atomic_load_explicit(&admission->room, memory_order_relaxed);
}

bool admission_fits(const struct admission *admission)
{
    size_t all = atomic_load_explicit(&admission->resident, memory_order_relaxed), bytes = 0;

    if (admission->options.memory == 0) return true;
    for (unsigned i = 0; i < admission->options.workers; i++)
        bytes += atomic_load_explicit(&admission->cells[i].coming, memory_order_relaxed);
    return all + bytes * BODY_COST <= threshold(admission);
}

void admission_count(struct admission *admission, unsigned worker, enum shed why)
{
    atomic_fetch_add_explicit(&admission->cells[worker].shed[why], 1, memory_order_relaxed);
    metrics_add(admission->options.metrics, worker, admission->counters[why], 1);
}

#include "learned.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "lock.h"

/* The latest of many weighs a 64th; a ratio beyond these is a mistake, not a fact. */
static const double LATEST = 1.0 / 64, LEAST = 0.02, MOST = 50;

enum { NEIGHBOURS = 16 };

#define FILE_NAME "tokens.learned"

struct pupil {
    char name[LEARNED_NAME];
    struct {
        double mean, variance;
        uint64_t count;
    } kind[LEARNED_KINDS];
};

struct learned {
    struct lock lock;
    struct pupil pupil[LEARNED_NAMES]; /* by hash, or one of the next places */
    bool changed;
};

struct learned *learned_new(void)
{
    return calloc(1, sizeof(struct learned));
}

void learned_free(struct learned *learned)
{
    free(learned);
}

/* What is known by this name has been seen so often. */
static uint64_t lessons(const struct pupil *pupil)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < LEARNED_KINDS; i++) {
        sum += pupil->kind[i].count;
    }
    return sum;
}

/* The bytes of a name that are kept; 0: it is none that a line of the file can hold. */
static size_t name_length(const char *name)
{
    size_t len = strnlen(name, LEARNED_NAME - 1);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) return 0;
    }
    return len;
}

/* The place of a name; where it has none and `make`, a free one, or that of whoever was seen
 * least among its neighbours: clients may choose names. NULL: none. */
static struct pupil *find(struct learned *learned, const char *name, bool make)
{
    size_t len = name_length(name);
    uint32_t hash = 2166136261u;
    struct pupil *least = NULL;

    if (len == 0) return NULL;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        struct pupil *pupil = &learned->pupil[(hash + i) % LEARNED_NAMES];
        if (strncmp(pupil->name, name, len) == 0 && !pupil->name[len]) return pupil;
        if (make && (!least || lessons(pupil) < lessons(least))) least = pupil;
        if (!*pupil->name) break;
    }
    if (!make) return NULL;
    *least = (struct pupil){0};
    memcpy(least->name, name, len);
    return least;
}

static struct lesson lesson_of(const struct pupil *pupil, unsigned kind)
{
    if (!pupil || kind >= LEARNED_KINDS) return (struct lesson){0};
    return (struct lesson){pupil->kind[kind].mean, sqrt(pupil->kind[kind].variance),
                           pupil->kind[kind].count};
}

static void take(struct pupil *pupil, unsigned kind, double ratio)
{
    double weight = 1 / (double)(pupil->kind[kind].count + 1);
    double off = ratio - pupil->kind[kind].mean;

    if (weight < LATEST) weight = LATEST;
    pupil->kind[kind].mean += weight * off;
    pupil->kind[kind].variance =
        (1 - weight) * (pupil->kind[kind].variance + weight * off * off);
    pupil->kind[kind].count++;
}

static bool is_possible(unsigned kind, double ratio)
{
    return kind < LEARNED_KINDS && ratio >= LEAST && ratio <= MOST; /* NaN is neither */
}

struct lesson learned_add(struct learned *learned, const char *name, unsigned kind,
                          double ratio)
{
    lock_take(&learned->lock);
    bool possible = is_possible(kind, ratio);
    struct pupil *pupil = find(learned, name, possible);
    if (pupil && possible) {
        take(pupil, kind, ratio);
        learned->changed = true;
    }
    struct lesson lesson = lesson_of(pupil, kind);
    lock_drop(&learned->lock);
    return lesson;
}

struct lesson learned_get(struct learned *learned, const char *name, unsigned kind)
{
    lock_take(&learned->lock);
    struct lesson lesson = lesson_of(find(learned, name, false), kind);
    lock_drop(&learned->lock);
    return lesson;
}

/* ---- the file --------------------------------------------------------------------------- */

/* A line: kind, mean, deviation, count, and the name, which may hold blanks. */
static void read_line(struct learned *learned, const char *line)
{
    unsigned kind;
    double mean, deviation;
    unsigned long long count;
    char name[LEARNED_NAME];

    if (sscanf(line, "%u %lf %lf %llu %95[^\n]", &kind, &mean, &deviation, &count, name) != 5) {
        return;
    }
    if (!is_possible(kind, mean) || !(deviation >= 0 && deviation <= MOST) || count == 0)
        return;
    struct pupil *pupil = find(learned, name, true);
    if (!pupil) return;
    pupil->kind[kind].mean = mean;
    pupil->kind[kind].variance = deviation * deviation;
    pupil->kind[kind].count = count;
}

void learned_load(struct learned *learned, const char *dir)
{
    char path[PATH_MAX], line[256];
    int n = snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
    FILE *file = n > 0 && n < PATH_MAX ? fopen(path, "re") : NULL;

    if (!file) return;
    while (fgets(line, sizeof(line), file)) {
        lock_take(&learned->lock);
        read_line(learned, line);
        lock_drop(&learned->lock);
    }
    (void)fclose(file);
}

/* One after the other, so that nobody waits for a disk. */
static void write_pupil(struct learned *learned, unsigned i, FILE *file)
{
    lock_take(&learned->lock);
    struct pupil pupil = learned->pupil[i];
    lock_drop(&learned->lock);
    for (unsigned k = 0; *pupil.name && k < LEARNED_KINDS; k++) {
        if (pupil.kind[k].count == 0) continue;
        (void)fprintf(file, "%u %.6f %.6f %llu %s\n", k, pupil.kind[k].mean,
                      sqrt(pupil.kind[k].variance), (unsigned long long)pupil.kind[k].count,
                      pupil.name);
    }
}

static bool take_change(struct learned *learned)
{
    lock_take(&learned->lock);
    bool changed = learned->changed;
    learned->changed = false;
    lock_drop(&learned->lock);
    return changed;
}

bool learned_save(struct learned *learned, const char *dir)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
    int m = snprintf(fresh, sizeof(fresh), "%s/." FILE_NAME, dir);

    if (n <= 0 || n >= PATH_MAX || m >= PATH_MAX || !take_change(learned)) return true;
    FILE *file = fopen(fresh, "we");
    if (!file) return false;
    (void)fchmod(fileno(file), 0600);
    for (unsigned i = 0; i < LEARNED_NAMES; i++) {
        write_pupil(learned, i, file);
    }
    bool good = !ferror(file);
    good = fclose(file) == 0 && good && rename(fresh, path) == 0;
    if (!good) (void)unlink(fresh);
    return good;
}

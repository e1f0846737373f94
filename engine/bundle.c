#include "bundle.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "embedded.h"
#include "price_file.h"

enum {
    MAX_FILE = 8 << 20,
    MAX_DEPTH = 4,
};

struct bundle {
    atomic_uint holders;
    unsigned generation;
    struct bundle_file *files; /* owned */
    size_t count, room;
    struct buf *owned; /* owned; what was read from disk, one a file; names come first */
    size_t owned_count;
    char *routes_label; /* owned */
    bool routes_built_in;
    char *prices_problem; /* owned; NULL: none */
};

static bool complain(char **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(error, format, arguments) < 0) *error = NULL;
    va_end(arguments);
    return false;
}

static struct bundle_file *find(const struct bundle *bundle, const char *name)
{
    for (size_t i = 0; i < bundle->count; i++) {
        if (strcmp(bundle->files[i].name, name) == 0) return &bundle->files[i];
    }
    return NULL;
}

/* A later file of the same name takes the place of an earlier one. */
static bool put(struct bundle *bundle, struct bundle_file file)
{
    struct bundle_file *place = find(bundle, file.name);

    if (!place) {
        if (bundle->count == bundle->room) {
            size_t room = bundle->room ? bundle->room * 2 : 64;
            struct bundle_file *files = realloc(bundle->files, room * sizeof(*files));
            if (!files) return false;
            bundle->files = files;
            bundle->room = room;
        }
        place = &bundle->files[bundle->count++];
    }
    *place = file;
    return true;
}

/* Read a file behind its name, which is kept in the same memory. */
static bool slurp(FILE *from, const char *name, struct buf *into)
{
    char piece[16384];
    size_t got;

    buf_init(into, MAX_FILE);
    if (!buf_append(into, name, strlen(name) + 1)) return false;
    while ((got = fread(piece, 1, sizeof(piece), from)) > 0) {
        if (!buf_append(into, piece, got)) {
            errno = EFBIG;
            return false;
        }
    }
    return ferror(from) == 0;
}

static bool put_file(struct bundle *bundle, const char *name, const char *path, bool drop_in)
{
    struct buf *owned = realloc(bundle->owned, (bundle->owned_count + 1) * sizeof(*owned));

    if (!owned) return false;
    bundle->owned = owned;

    FILE *from = fopen(path, "re");
    if (!from) return false;
    struct buf *bytes = &bundle->owned[bundle->owned_count];
    bool read = slurp(from, name, bytes);
    int saved = errno;
    if (fclose(from) != 0 && read) saved = errno;
    errno = saved;
    if (!read) {
        buf_free(bytes);
        return false;
    }
    bundle->owned_count++;

    size_t skip = strlen(bytes->data) + 1;
    struct bundle_file file = {.name = bytes->data,
                               .bytes = bytes->data + skip,
                               .len = bytes->len - skip,
                               .drop_in = drop_in};
    return put(bundle, file);
}

static bool ends_in_lua(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && name[0] != '.' && strcmp(name + len - 4, ".lua") == 0;
}

/* Every .lua file under `dir`, named prefix/…; folders only where depth allows. */
static bool put_directory(struct bundle *bundle, const char *dir, const char *prefix, int depth)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;
    bool fine = true;

    if (!entries) return false;
    while (fine && (entry = readdir(entries))) {
        char path[4096], name[1024];
        struct stat about;
        if (entry->d_name[0] == '.') continue;
        if (snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path) ||
            snprintf(name, sizeof(name), "%s/%s", prefix, entry->d_name) >= (int)sizeof(name)) {
            continue;
        }
        if (stat(path, &about) != 0) continue;
        if (S_ISDIR(about.st_mode) && depth > 1) {
            fine = put_directory(bundle, path, name, depth - 1);
        } else if (S_ISREG(about.st_mode) && ends_in_lua(entry->d_name)) {
            fine = put_file(bundle, name, path, strcmp(prefix, "providers") == 0);
        }
    }
    int saved = errno;
    closedir(entries);
    errno = saved;
    return fine;
}

static bool put_embedded(struct bundle *bundle)
{
    bundle->room = embedded_count + 16;
    bundle->files = calloc(bundle->room, sizeof(*bundle->files));
    if (!bundle->files) return false;
    for (size_t i = 0; i < embedded_count; i++) {
        const struct embedded_file *from = &embedded_files[i];
        struct bundle_file file = {.name = from->name,
                                   .bytes = from->bytes,
                                   .len = from->len,
                                   .code = from->code,
                                   .code_len = from->code_len};
        bundle->files[bundle->count++] = file; /* no two have one name */
    }
    return true;
}

static bool put_routes(struct bundle *bundle, const char *routes)
{
    bundle->routes_label = strdup(routes ? routes : "routes.lua");
    bundle->routes_built_in = !routes;
    return bundle->routes_label && (!routes || put_file(bundle, "routes.lua", routes, true));
}

static const char prices_name[] = "prices";

/* In place of a file that is refused. */
static bool keep_last_prices(struct bundle *bundle, const struct bundle *last)
{
    const struct bundle_file *old = last ? find(last, prices_name) : NULL;
    struct bundle_file *place = find(bundle, prices_name);

    if (!old) {
        if (place) *place = bundle->files[--bundle->count];
        return true;
    }
    struct buf *owned = realloc(bundle->owned, (bundle->owned_count + 1) * sizeof(*owned));
    if (!owned) return false;
    bundle->owned = owned;
    struct buf *bytes = &owned[bundle->owned_count++];
    buf_init(bytes, MAX_FILE);
    struct bundle_file file = {.name = prices_name, .len = old->len};
    if (!buf_append(bytes, old->bytes, old->len)) return false;
    file.bytes = bytes->data;
    return put(bundle, file);
}

/* A table that was imported. Requests go on without it, or with the last: prices that are
 * damaged are an alarm, not the end. */
static bool put_prices(struct bundle *bundle, const struct bundle_paths *paths)
{
    char path[4096];
    const char *problem;

    if (!paths->data_dir || snprintf(path, sizeof(path), "%s/%s", paths->data_dir,
                                     prices_name) >= (int)sizeof(path)) {
        return true;
    }
    if (access(path, F_OK) != 0) return true;
    if (put_file(bundle, prices_name, path, false)) {
        const struct bundle_file *file = find(bundle, prices_name);
        problem = price_file_problem(file->bytes, file->len);
    } else {
        problem = strerror(errno);
    }
    if (!problem) return true;
    if (asprintf(&bundle->prices_problem, "%s: %s", path, problem) < 0) {
        bundle->prices_problem = NULL;
        return false;
    }
    return keep_last_prices(bundle, paths->last);
}

static bool fill(struct bundle *bundle, const struct bundle_paths *paths, char **error)
{
    if (!put_embedded(bundle)) return complain(error, "out of memory");
    if (paths->scripts_dir &&
        !put_directory(bundle, paths->scripts_dir, "scripts", MAX_DEPTH)) {
        return complain(error, "%s: cannot read the scripts: %s", paths->scripts_dir,
                        strerror(errno));
    }
    if (paths->providers_dir && !put_directory(bundle, paths->providers_dir, "providers", 1)) {
        return complain(error, "%s: cannot read the providers: %s", paths->providers_dir,
                        strerror(errno));
    }
    if (!put_prices(bundle, paths)) return complain(error, "out of memory");
    if (!put_routes(bundle, paths->routes)) {
        return complain(error, "%s: cannot be read: %s", paths->routes, strerror(errno));
    }
    return true;
}

struct bundle *bundle_read(const struct bundle_paths *paths, unsigned generation, char **error)
{
    struct bundle *bundle = calloc(1, sizeof(*bundle));

    *error = NULL;
    if (!bundle) return NULL;
    atomic_init(&bundle->holders, 1);
    bundle->generation = generation;
    if (!fill(bundle, paths, error)) {
        bundle_drop(bundle);
        return NULL;
    }
    return bundle;
}

void bundle_rest(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = (page - (uintptr_t)embedded_code % page) % page;

    if (embedded_code_len < before + page) return;
    size_t len = (embedded_code_len - before) / page * page;
    (void)madvise((void *)(embedded_code + before), len, MADV_DONTNEED);
}

struct bundle *bundle_hold(struct bundle *bundle)
{
    atomic_fetch_add(&bundle->holders, 1);
    return bundle;
}

void bundle_drop(struct bundle *bundle)
{
    if (!bundle || atomic_fetch_sub(&bundle->holders, 1) != 1) return;
    for (size_t i = 0; i < bundle->owned_count; i++) {
        buf_free(&bundle->owned[i]);
    }
    free(bundle->owned);
    free(bundle->files);
    free(bundle->routes_label);
    free(bundle->prices_problem);
    free(bundle);
}

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name)
{
    return find(bundle, name);
}

size_t bundle_count(const struct bundle *bundle)
{
    return bundle->count;
}

const struct bundle_file *bundle_at(const struct bundle *bundle, size_t i)
{
    return &bundle->files[i];
}

unsigned bundle_generation(const struct bundle *bundle)
{
    return bundle->generation;
}

const char *bundle_routes_label(const struct bundle *bundle)
{
    return bundle->routes_label;
}

bool bundle_routes_built_in(const struct bundle *bundle)
{
    return bundle->routes_built_in;
}

const char *bundle_prices_problem(const struct bundle *bundle)
{
    return bundle->prices_problem;
}

#include "shelf.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokens.h"

enum { MOST = 16, NAME_SIZE = 64, COMPLAINT = 1024 };

#define SUFFIX ".mgv"

struct shelf {
    struct {
        char name[NAME_SIZE];
        const struct tokens *tokens; /* owned */
    } book[MOST];
    size_t count;
    char complaint[COMPLAINT];
};

static void complain(struct shelf *shelf, const char *what, const char *why)
{
    size_t len = strlen(shelf->complaint);

    (void)snprintf(shelf->complaint + len, COMPLAINT - len, "%s%s%s", len ? "; " : "", what,
                   why);
}

/* The folder beside the binary, or where an installed one has it. False: there is none. */
static bool find_folder(char *folder)
{
    static const char *const places[] = {"vocabularies", "../vocabularies",
                                         "../share/moongate/vocabularies"};
    char binary[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", binary, sizeof(binary) - 1);
    char *slash = len > 0 ? memrchr(binary, '/', (size_t)len) : NULL;

    if (!slash) return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = snprintf(folder, PATH_MAX, "%s/%s", binary, places[i]);
        if (n > 0 && n < PATH_MAX && access(folder, R_OK) == 0) return true;
    }
    return false;
}

/* The length of the encoding's name in that of its file; 0: it is no such file, or too long. */
static size_t name_length(const char *file)
{
    size_t len = strlen(file), suffix = strlen(SUFFIX);

    if (len <= suffix || strcmp(file + len - suffix, SUFFIX) != 0) return 0;
    return len - suffix < NAME_SIZE ? len - suffix : 0;
}

static void add(struct shelf *shelf, const char *folder, const char *file)
{
    size_t len = name_length(file);
    char path[PATH_MAX], why[TOKENS_WHY];

    if (len == 0 || shelf->count == MOST) return;
    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path)) return;
    const struct tokens *tokens = tokens_open(path, why);
    if (!tokens) {
        complain(shelf, why, "");
        return;
    }
    memcpy(shelf->book[shelf->count].name, file, len);
    shelf->book[shelf->count++].tokens = tokens;
}

static void fill(struct shelf *shelf, const char *folder)
{
    DIR *files = opendir(folder);

    if (!files) {
        complain(shelf, folder, ": cannot be read");
        return;
    }
    for (const struct dirent *file = readdir(files); file; file = readdir(files)) {
        add(shelf, folder, file->d_name);
    }
    closedir(files);
    if (shelf->count == 0 && !shelf->complaint[0])
        complain(shelf, folder, ": there are no vocabularies");
}

struct shelf *shelf_open(const char *folder)
{
    struct shelf *shelf = calloc(1, sizeof(*shelf));
    char found[PATH_MAX];

    if (!shelf) return NULL;
    if (!folder && find_folder(found)) folder = found;
    if (folder) {
        fill(shelf, folder);
    } else {
        complain(shelf, "", "there is no folder of vocabularies beside the binary");
    }
    return shelf;
}

void shelf_close(struct shelf *shelf)
{
    if (!shelf) return;
    for (size_t i = 0; i < shelf->count; i++) {
        tokens_close(shelf->book[i].tokens);
    }
    free(shelf);
}

const char *shelf_complaint(const struct shelf *shelf)
{
    return shelf->complaint;
}

const struct tokens *shelf_find(const struct shelf *shelf, const char *name)
{
    for (size_t i = 0; shelf && i < shelf->count; i++) {
        if (strcmp(shelf->book[i].name, name) == 0) return shelf->book[i].tokens;
    }
    return NULL;
}

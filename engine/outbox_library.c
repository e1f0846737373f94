#include "outbox_library.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>

struct symbol {
    const char *name;
    size_t offset;
};

#define SYMBOL(name) {#name, offsetof(struct outbox_library, name)},
static const struct symbol symbols[] = {OUTBOX_LIBRARY_EACH(SYMBOL)};
#undef SYMBOL

static bool find_all(struct outbox_library *library)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        void *found = dlsym(library->handle, symbols[i].name);
        if (!found) return false;
        memcpy((char *)library + symbols[i].offset, &found, sizeof(found));
    }
    return true;
}

struct outbox_library *outbox_library_open(char **error)
{
    struct outbox_library *library = calloc(1, sizeof(*library));

    if (!library) return NULL;
    library->handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library->handle && find_all(library)) return library;
    if (asprintf(error,
                 "MOONGATE_POSTGRES_URL: it needs PostgreSQL's client library (Debian: "
                 "apt-get install libpq5): %s",
                 library->handle ? "too old a libpq.so.5" : dlerror()) < 0) {
        *error = NULL;
    }
    free(library);
    return NULL;
}

void outbox_library_free(struct outbox_library *library)
{
    free(library);
}

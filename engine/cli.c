#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_cli.h"
#include "options.h"

/* ---- verbs that are Lua ----------------------------------------------------------------- */

/* Takes --NAME VALUE or --NAME=VALUE out of the words; NULL: it is not there. */
static const char *take_flag(int *argc, char **argv, const char *name)
{
    size_t len = strlen(name);

    for (int i = 1; i < *argc; i++) {
        bool joined = strncmp(argv[i], name, len) == 0 && argv[i][len] == '=';
        bool apart = strcmp(argv[i], name) == 0 && i + 1 < *argc;
        if (!joined && !apart) continue;
        const char *value = joined ? argv[i] + len + 1 : argv[i + 1];
        int taken = joined ? 1 : 2;
        for (int at = i; at + taken <= *argc; at++) {
            argv[at] = argv[at + taken];
        }
        *argc -= taken;
        return value;
    }
    return NULL;
}

/* The same, left where it is. */
static const char *find_flag(int argc, char **argv, const char *name)
{
    size_t len = strlen(name);

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, len) != 0) continue;
        if (argv[i][len] == '=') return argv[i] + len + 1;
        if (argv[i][len] == '\0' && i + 1 < argc) return argv[i + 1];
    }
    return NULL;
}

int cli_script(int argc, char **argv)
{
    const char *data = find_flag(argc, argv, "--data");
    const char *providers = take_flag(&argc, argv, "--providers");
    const char *scripts = take_flag(&argc, argv, "--scripts");
    const char *vocabularies = take_flag(&argc, argv, "--vocabularies");
    struct cli_call call = {.verb = argv[0],
                            .argc = argc - 1,
                            .argv = argv + 1,
                            .providers_dir = providers,
                            .scripts_dir = scripts,
                            .vocabularies_dir = vocabularies,
                            .data_dir = data ? data : "data"};

    return lua_cli_run(&call);
}

#include "lua_cli.h"

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "bundle.h"
#include "lua_context.h"
#include "lua_vm.h"
#include "shelf.h"
#include "tokens.h"

enum { EXIT_CONFIG = 3 };

/* code = require("cli.main")(verb, arguments) */
static int run(lua_State *L)
{
    const struct cli_call *call = lua_touserdata(L, 1);

    lua_cli_http_open(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cli.main");
    lua_call(L, 1, 1); /* call main */
    lua_pushstring(L, call->verb);
    lua_createtable(L, call->argc, 0);
    for (int i = 0; i < call->argc; i++) {
        lua_pushstring(L, call->argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 2, 1); /* call code */
    return 1;
}

static int run_in(struct vm *vm, struct cli_call *call)
{
    lua_pushcfunction(vm->L, run);
    lua_pushlightuserdata(vm->L, call);
    if (lua_pcall(vm->L, 1, 1, 0) != 0) {
        const char *message = lua_tostring(vm->L, -1);
        (void)fprintf(stderr, "moongate %s: %s\n", call->verb, message ? message : "failed");
        return EXIT_FAILURE;
    }
    return lua_isnumber(vm->L, -1) ? (int)lua_tointeger(vm->L, -1) : EXIT_SUCCESS;
}

int lua_cli_run(struct cli_call *call)
{
    /* The routes are read by the verbs that want them: `usage` does not. */
    struct bundle_paths paths = {.providers_dir = call->providers_dir,
                                 .scripts_dir = call->scripts_dir,
                                 .data_dir = call->data_dir};
    struct shelf *shelf = shelf_open(call->vocabularies_dir);
    struct lua_context context = {
        .cli = true, .loopback = true, .shelf = shelf, .tokens_work = tokens_work_new(0)};
    char *error = NULL;
    int code = EXIT_FAILURE;

    struct bundle *files = bundle_read(&paths, 1, &error);
    if (files) {
        struct vm *vm = vm_open(&context, files);
        if (vm) code = run_in(vm, call);
        if (vm) vm_retire(vm);
        bundle_drop(files);
    } else {
        (void)fprintf(stderr, "moongate %s: %s\n", call->verb, error ? error : "out of memory");
        free(error);
        code = EXIT_CONFIG;
    }
    tokens_work_free(context.tokens_work);
    shelf_close(shelf);
    return code;
}

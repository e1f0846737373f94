/* The command line's verbs that are Lua: scripts/cli/<verb>.lua in a state of its own. */
#ifndef MOONGATE_LUA_CLI_H
#define MOONGATE_LUA_CLI_H

struct cli_call {
    const char *verb;
    int argc; /* what follows the verb */
    char **argv;
    const char *providers_dir;    /* NULL: none */
    const char *scripts_dir;      /* NULL: the built-in ones */
    const char *vocabularies_dir; /* NULL: where they are installed */
    const char *data_dir;         /* whose prices are asked for */
};

struct lua_State;

/* engine.cli: what only a command's state may do. */
void lua_cli_http_open(struct lua_State *L);

/* The exit code (OPERATOR.md 1.4). */
int lua_cli_run(struct cli_call *call);

#endif

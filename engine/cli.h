/* The verbs beside `serve`: they ask the admin listener, or run scripts/cli in a Lua state of
 * their own. */
#ifndef MOONGATE_CLI_H
#define MOONGATE_CLI_H

/* argv[0] is the verb. Both return the exit code. */
int cli_script(int argc, char **argv);
int cli_reload(int argc, char **argv);

extern const char cli_reload_help[];

#endif

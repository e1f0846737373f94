#include "cli.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cli_http.h"
#include "json.h"
#include "options.h"
#include "say.h"

enum {
    WAIT_S = 60,
    NO_WAIT_S = 1,
    MAX_ANSWER = 1 << 20,
};

const char cli_reload_help[] =
    "moongate reload [--wait] [--admin ADDR | --data DIR]\n"
    "\n"
    "Asks the running gateway to read its routes file again. What is wrong with the file is\n"
    "printed, one line each, and the old one serves on.\n"
    "\n"
    "  --wait        until every worker serves from the new file (at most a minute); without\n"
    "                it, one second\n"
    "  --admin ADDR  the gateway's admin listener: HOST:PORT or unix:PATH\n"
    "  --data DIR    the gateway of this data folder (data)\n"
    "\n"
    "Without either the gateway of the folder `data` is asked, else the one at "
    "127.0.0.1:4001.\n"
    "A token that its listener wants is read from MOONGATE_ADMIN_TOKEN.\n"
    "\n"
    "Exit code: 0 reloaded, 5 nobody answers there, 6 the file was refused.\n";

/* ---- the answer ------------------------------------------------------------------------- */

/* The text of {"error":"…"} or {"error":{"message":"…"}}: lines of file:line: message. */
static bool print_error(const char *text, size_t len)
{
    struct json_index index;
    struct json_error error;
    struct json_member inner;

    if (!json_index(&index, text, len, &json_answer_limits, &error)) return false;
    const struct json_member *found = json_index_find(&index, text, "error", 5);
    if (found && json_find(text, found, "message", 7, &inner)) found = &inner;
    char *line = found && found->type == JSON_STRING ? malloc(found->value_len) : NULL;
    if (line) {
        size_t n = json_unescape(text + found->value + 1, found->value_len - 2, line);
        say_error("%.*s\n", (int)n, line);
    }
    free(line);
    json_index_free(&index);
    return line != NULL;
}

static int read_verdict(const struct buf *answer)
{
    int status = cli_http_status(answer);
    size_t len;
    const char *body = cli_http_body(answer, &len);

    if (status == 200) {
        say("reloaded\n");
        return EXIT_FINE;
    }
    if (!print_error(body, len)) {
        say_error("moongate reload: the gateway answered with status %d\n", status);
    }
    return status == 422 || status == 409 ? EXIT_REFUSED : EXIT_RUNTIME;
}

static int reload_at(const char *address, bool wait)
{
    struct cli_request request = {.address = address,
                                  .target = "POST /admin/reload",
                                  .token = getenv("MOONGATE_ADMIN_TOKEN"),
                                  .seconds = wait ? WAIT_S : NO_WAIT_S};
    struct buf answer;
    int code = EXIT_UNREACHABLE;

    buf_init(&answer, MAX_ANSWER);
    enum cli_outcome outcome = cli_http(&request, &answer);
    if (outcome == CLI_ANSWERED) {
        code = read_verdict(&answer);
    } else if (outcome == CLI_SILENT && !wait) {
        say("asked; --wait would tell how it ends\n");
        code = EXIT_FINE;
    } else {
        say_error("moongate reload: no gateway answers at %s%s%s\n", address,
                  outcome == CLI_UNREACHABLE ? ": " : "",
                  outcome == CLI_UNREACHABLE ? strerror(errno) : "");
    }
    buf_free(&answer);
    return code;
}

/* ---- whom to ask ------------------------------------------------------------------------ */

static const char USUAL[] = "127.0.0.1:4001";

/* The address that the gateway of a data folder has written there: false where there is none.
 */
static bool address_in(const char *dir, char *out, size_t size)
{
    char *path = NULL;

    if (asprintf(&path, "%s/admin.addr", dir) < 0) return false;
    FILE *file = fopen(path, "re");
    bool found = file && fgets(out, (int)size, file);
    if (file) (void)fclose(file);
    free(path);
    if (found) out[strcspn(out, "\r\n")] = '\0';
    return found && options_address(out);
}

/* As every other verb finds its gateway (scripts/cli/gateway.lua). */
static int reload_of(const char *data, bool wait)
{
    char address[512];

    if (address_in(data ? data : "data", address, sizeof(address)))
        return reload_at(address, wait);
    if (!data) return reload_at(USUAL, wait);
    say_error("moongate reload: no gateway with an admin listener serves with %s\n", data);
    return EXIT_UNREACHABLE;
}

/* ---- the command line ------------------------------------------------------------------- */

static int misused(const char *what, const char *word)
{
    static const char *const flags[] = {"--wait", "--admin", "--data", "--help", NULL};
    const char *meant = options_nearest(word, flags);

    say_error("moongate reload: %s %s", what, word);
    if (meant && strcmp(meant, word) != 0) say_error("; did you mean %s?", meant);
    say_error("\nmoongate reload --help tells more\n");
    return EXIT_USAGE;
}

/* Takes "--name VALUE" or "--name=VALUE" at argv[*i], and leaves *i at its last word. */
static bool take(const char *name, char **argv, int *i, const char **value)
{
    const char *word = argv[*i];
    size_t len = strlen(name);

    if (strncmp(word, name, len) != 0) return false;
    if (word[len] == '=') {
        *value = word + len + 1;
        return true;
    }
    if (word[len] != '\0' || !argv[*i + 1]) return false; /* the list ends with NULL */
    *value = argv[++*i];
    return true;
}

int cli_reload(int argc, char **argv)
{
    const char *address = NULL, *data = NULL;
    bool wait = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--wait") == 0) {
            wait = true;
        } else if (!take("--admin", argv, &i, &address) && !take("--data", argv, &i, &data)) {
            return misused("unknown or unfinished", argv[i]);
        }
    }
    if (!address) return reload_of(data, wait);
    return options_address(address) ? reload_at(address, wait)
                                    : misused("no address:", address);
}

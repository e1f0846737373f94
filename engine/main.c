#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cli.h"
#include "cli_http.h"
#include "embedded.h"
#include "moment.h"
#include "moongate.h"
#include "moongate_drain.h"
#include "options.h"
#include "options_secret.h"
#include "say.h"
#include "service.h"
#include "supervisor.h"

enum {
    DRAIN_MS = 30000, /* MATRICES.md 3.4 */
    LOOK_MS = 20,     /* while requests finish */
    GREETING = 16 * 1024,
};

/* ---- the serving process ---------------------------------------------------------------- */

/* What can be asked for, in the words of the scripts. */
static void tell_models(const struct moongate_options *options)
{
    bool local = strncmp(options->listen, "unix:", 5) == 0;
    struct buf answer;
    char target[320];
    struct cli_request request = {.address = options->admin,
                                  .target = target,
                                  .token = options->admin_token,
                                  .seconds = 1};
    size_t len;

    (void)snprintf(target, sizeof(target), "GET /admin/welcome%s%s",
                   local ? "" : "?listen=", local ? "" : options->listen);
    buf_init(&answer, GREETING);
    if (cli_http(&request, &answer) == CLI_ANSWERED && cli_http_status(&answer) == 200) {
        const char *text = cli_http_body(&answer, &len);
        say_error("%.*s", (int)len, text);
    }
    buf_free(&answer);
}

static const char *scheme_of(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? "" : "http://";
}

static void greet(const struct moongate_options *options)
{
    const char *routes = options->routes;

    if (!routes && access("routes.lua", F_OK) == 0) routes = "routes.lua";
    say_error("moongate %s · %s%s · generation 1 · %s\n", embedded_version,
              scheme_of(options->listen), options->listen,
              routes ? routes : "embedded routes (no routes.lua found)");
    if (strcmp(options->admin, "off") == 0) return;
    say_error("  admin    %s%s\n", scheme_of(options->admin), options->admin);
    tell_models(options);
}

static void reload(struct moongate *gateway)
{
    char *error = NULL;
    char state[64];

    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)moment_unhurried_us());
    service_notify(state);
    (void)moongate_reload(gateway, &error); /* why not is in its log */
    free(error);
    service_notify("READY=1");
}

/* -1: none came in time. */
static int next_signal(const sigset_t *signals, int64_t wait_ms)
{
    const struct timespec time = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = wait_ms % 1000 * 1000000};

    return wait_ms > 0 ? sigtimedwait(signals, NULL, &time) : sigwaitinfo(signals, NULL);
}

/* Until a signal says stop; which one. A worker that stands still ends the process by itself
 * (moongate_threads.c), so what the service manager hears here is true of them, too. */
static int obey_signals(struct moongate *gateway, const sigset_t *signals)
{
    int64_t beat_ms = service_watchdog_ms();

    for (;;) {
        int signal = next_signal(signals, beat_ms);
        if (beat_ms > 0) service_notify("WATCHDOG=1");
        if (signal == SIGHUP) reload(gateway);
        if (signal == SIGTERM || signal == SIGINT) return signal;
    }
}

/* Until all is finished or cut. Asked to stop again, it is cut now. */
static void drain(struct moongate *gateway, const sigset_t *signals, int drain_ms)
{
    moongate_drain(gateway, drain_ms);
    while (!moongate_drained(gateway)) {
        int signal = next_signal(signals, LOOK_MS);
        if (signal == SIGTERM || signal == SIGINT) moongate_drain(gateway, 0);
    }
}

static int serve(const struct moongate_options *options, int ready, bool again)
{
    char *error = NULL;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */

    struct moongate *gateway = moongate_start(options, &error);
    if (!gateway) {
        int code = errno == EINVAL ? EXIT_CONFIG : EXIT_RUNTIME;
        say_error("%s\n", error ? error : "moongate: out of memory");
        free(error);
        return code;
    }
    if (!again) greet(options);
    service_notify("READY=1");
    if (write(ready, "r", 1) != 1) say_error("moongate: the supervisor is gone\n");
    close(ready);
    int last = obey_signals(gateway, &signals);
    service_notify("STOPPING=1");
    drain(gateway, &signals, last == SIGTERM ? DRAIN_MS : 0);
    moongate_stop(gateway, 0);
    return EXIT_FINE;
}

/* For tests alone: with MOONGATE_TIME_SCALE=0.01 a limit of a minute ends after 0.6 s. */
static void hurry(void)
{
    const char *scale = getenv("MOONGATE_TIME_SCALE");
    double part = scale ? strtod(scale, NULL) : 1;

    if (!(part >= 0.001 && part < 1)) return;
    moment_hurry((unsigned)(1 / part + 0.5));
    say_error("moongate: MOONGATE_TIME_SCALE=%s, time runs faster: for tests alone\n", scale);
}

static int run_serve(int argc, char **argv)
{
    struct moongate_options options;

    hurry();
    int code =
        options_read(argc, argv, &options) ? supervisor_run(&options, serve) : EXIT_USAGE;
    options_drop_secrets(&options);
    return code;
}

/* ---- verbs ------------------------------------------------------------------------------ */

static const char serve_help[] =
    "moongate serve [flags]\n"
    "\n"
    "Serves until a signal: HUP reads the files again, TERM lets running requests finish\n"
    "(30 s; a second one cuts them), INT stops at once.\n"
    "\n"
    "  --routes FILE     which models there are; ./routes.lua where there is one, else a\n"
    "                    built-in file that needs no key\n"
    "  --listen ADDR     for clients: HOST:PORT or unix:PATH; 127.0.0.1:4000\n"
    "  --admin ADDR      for operators: HOST:PORT, unix:PATH or off; 127.0.0.1:4001\n"
    "  --admin-token-file FILE  holds a token for the admin listener, which other\n"
    "                    machines may then reach; or MOONGATE_ADMIN_TOKEN\n"
    "  --data DIR        the usage journal and the ledger; data\n"
    "  --durability M    when usage is on disk. fast: when the system pleases; safe:\n"
    "                    within 50 ms; strict: before a call leaves and before an\n"
    "                    answer ends; safe\n"
    "  --retention DAYS  how long single requests stay in the ledger (sums by hour and\n"
    "                    day stay for good); 90\n"
    "  --workers N       threads that serve; one a core\n"
    "  --in-flight N     requests of one worker at once; more hear 503 at once; 4000\n"
    "  --memory SIZE     what the process should stay below (512M, 2G): near it no new\n"
    "                    request begins; off; three quarters of what the machine, or the\n"
    "                    control group, has\n"
    "  --queue MS        how long requests may wait for their turn before some are\n"
    "                    refused, or off; 500\n"
    "  --providers DIR   adapters of your own, one file a provider\n"
    "  --scripts DIR     scripts in place of the built-in ones, for development\n"
    "  --vocabularies D  where vocabularies are that tokens are counted with; beside the "
    "binary\n"
    "  --ca-file FILE    certificates by which providers are trusted, in place of the\n"
    "                    system's\n"
    "  --watch           read the files again whenever one is saved\n"
    "  --core            let a crash leave a core file, and debuggers in: both show keys\n"
    "                    and prompts\n"
    "  --log-level L     debug, info, warn or error; info\n"
    "\n"
    "From the environment alone, and wiped from it: MOONGATE_ADMIN_TOKEN,\n"
    "MOONGATE_REDIS_URL (limits and budgets shared with other gateways),\n"
    "MOONGATE_POSTGRES_URL (the usage of many gateways), MOONGATE_NODE (this one's\n"
    "name among them).\n"
    "\n"
    "Sockets that a service manager passes (LISTEN_FDS, named clients and admin) take the\n"
    "place of --listen and --admin.\n"
    "\n"
    "Exit code: 0 stopped, 1 failed, 2 wrong flags, 3 the routes file is wrong, 4 an address\n"
    "cannot be listened on.\n";

struct verb {
    const char *name, *summary;
    const char *help; /* NULL: the script has it */
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
    {"serve", "run the gateway", serve_help, run_serve},
    {"check", "is a routes file right, and if not, where not", NULL, cli_script},
    {"explain", "where a request for a model would go, and why", NULL, cli_script},
    {"reload", "tell the running gateway to read its files again", cli_reload_help, cli_reload},
    {"count", "how many tokens a text has", NULL, cli_script},
    {"keys", "make, list, change, rotate and disable virtual keys", NULL, cli_script},
    {"teams", "the same for teams", NULL, cli_script},
    {"prices", "what models cost, and by which table; imports another", NULL, cli_script},
    {"usage", "requests, tokens and spend, by key, team, model, day …", NULL, cli_script},
    {"budgets", "what is spent and left of every budget", NULL, cli_script},
    {"audit", "do rows, roll-ups, budgets and metrics add up?", NULL, cli_script},
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* `tell`: to whom. */
static void list_verbs(void (*tell)(const char *format, ...))
{
    tell("moongate %s: one address for many models\n\n", embedded_version);
    for (size_t i = 0; i < VERBS; i++) {
        tell("  moongate %-8s %s\n", verbs[i].name, verbs[i].summary);
    }
    tell("\nmoongate help VERB, or moongate VERB --help, tells more.\n");
}

static const struct verb *find_verb(const char *name)
{
    const char *names[VERBS + 1] = {NULL};

    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
        names[i] = verbs[i].name;
    }
    const char *meant = options_nearest(name, names);
    say_error("moongate: unknown verb %s", name);
    if (meant) say_error("; did you mean %s?", meant);
    say_error("\nmoongate --help lists the verbs\n");
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int help(const struct verb *verb)
{
    if (verb->help) {
        say("%s", verb->help);
        return EXIT_FINE;
    }
    char flag[] = "--help";
    char *words[] = {strdup(verb->name), flag, NULL};
    int code = words[0] ? verb->run(2, words) : EXIT_RUNTIME;
    free(words[0]);
    return code;
}

int main(int argc, char **argv)
{
    /* curl would write the keys of all its TLS sessions there (MATRICES.md S-29). */
    (void)unsetenv("SSLKEYLOGFILE");
    if (argc < 2) {
        list_verbs(say_error);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        say("moongate %s\n", embedded_version);
        return EXIT_FINE;
    }
    bool asks = is_help(argv[1]) || strcmp(argv[1], "help") == 0;
    if (asks && argc == 2) {
        list_verbs(say);
        return EXIT_FINE;
    }
    const struct verb *verb = find_verb(asks ? argv[2] : argv[1]);
    if (!verb) return EXIT_USAGE;
    for (int i = 2; i < argc && verb->help; i++) {
        asks = asks || is_help(argv[i]);
    }
    return asks ? help(verb) : verb->run(argc - 1, argv + 1);
}

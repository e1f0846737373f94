#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "confine.h"
#include "listen.h"
#include "moment.h"
#include "options.h"
#include "say.h"
#include "service.h"

enum {
    FIRST_DELAY_MS = 50,
    LAST_DELAY_MS = 5000,
    OLD_MS = 10000, /* who lived so long did not die of starting */
};

struct supervisor {
    struct moongate_options options;
    supervisor_serve *serve;
    sigset_t signals; /* blocked here, and read one by one */
    pid_t child;      /* 0: none runs */
    int ready;        /* the child writes here; read end */
    int64_t started_ms;
    int64_t delay_ms;            /* before the next child */
    bool served;                 /* some child was ready */
    int stopping;                /* times TERM or INT came */
    char crashed[128];           /* why the last child ended; "" when none did */
    char passed[2][LISTEN_NAME]; /* addresses of sockets that the service manager opened */
};

static int64_t now_ms(void)
{
    return moment_monotonic_us() / 1000;
}

/* ---- the child -------------------------------------------------------------------------- */

static int become_child(const struct supervisor *supervisor, int ready, pid_t parent)
{
    struct moongate_options options = supervisor->options;

    /* Its own group: the terminal's ^C is the parent's to hand on, once. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return EXIT_RUNTIME;
    close(supervisor->ready);
    if (supervisor->crashed[0]) options.crashed = supervisor->crashed;
    return supervisor->serve(&options, ready, supervisor->crashed[0] != '\0');
}

static bool start_child(struct supervisor *supervisor)
{
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    supervisor->ready = ends[0];
    supervisor->child = fork();
    if (supervisor->child == 0) exit(become_child(supervisor, ends[1], parent));
    close(ends[1]);
    supervisor->started_ms = now_ms();
    if (supervisor->child > 0) return true;
    supervisor->child = 0;
    close(ends[0]);
    return false;
}

/* ---- its end ---------------------------------------------------------------------------- */

static void describe_end(struct supervisor *supervisor, int status)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(supervisor->crashed, sizeof(supervisor->crashed),
                       "the process %d was ended by signal %d (SIG%s)", (int)supervisor->child,
                       WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    } else {
        (void)snprintf(supervisor->crashed, sizeof(supervisor->crashed),
                       "the process %d ended with exit code %d", (int)supervisor->child,
                       WEXITSTATUS(status));
    }
}

/* Asked a third time, the child was sent SIGKILL. */
static bool was_killed(const struct supervisor *supervisor)
{
    return supervisor->stopping > 2;
}

/* Whether it is to be started again; else *code is the end of all. A child that never served
 * and says why would say the same again. */
static bool worth_again(const struct supervisor *supervisor, int status, int *code)
{
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_RUNTIME;
    if (supervisor->stopping) {
        if (WIFSIGNALED(status) && was_killed(supervisor)) *code = EXIT_FINE; /* by us */
        return false;
    }
    if (WIFSIGNALED(status)) return true;
    return *code == EXIT_RUNTIME && supervisor->served;
}

static bool take_end(struct supervisor *supervisor, int status, int *code)
{
    char byte;

    if (read(supervisor->ready, &byte, 1) == 1) supervisor->served = true;
    close(supervisor->ready);
    describe_end(supervisor, status);
    supervisor->child = 0;
    if (!worth_again(supervisor, status, code)) {
        if (WIFSIGNALED(status) && *code != EXIT_FINE)
            say_error("moongate: %s while it stopped\n", supervisor->crashed);
        return false;
    }

    bool old = now_ms() - supervisor->started_ms >= OLD_MS;
    int64_t next = supervisor->delay_ms * 2;
    supervisor->delay_ms = old ? FIRST_DELAY_MS : next > LAST_DELAY_MS ? LAST_DELAY_MS : next;
    if (supervisor->delay_ms < FIRST_DELAY_MS) supervisor->delay_ms = FIRST_DELAY_MS;
    say_error("moongate: %s; starting again\n", supervisor->crashed);
    return true;
}

/* ---- signals ---------------------------------------------------------------------------- */

static void stop_child(struct supervisor *supervisor, int signal)
{
    supervisor->stopping++;
    if (!supervisor->child) return;
    kill(supervisor->child, was_killed(supervisor) ? SIGKILL : signal);
}

/* True: the child has ended, see *status. */
static bool take_signal(struct supervisor *supervisor, int signal, int *status)
{
    if (signal == SIGTERM || signal == SIGINT) stop_child(supervisor, signal);
    if (signal == SIGHUP && supervisor->child) kill(supervisor->child, SIGHUP);
    return supervisor->child &&
           waitpid(supervisor->child, status, WNOHANG) == supervisor->child;
}

static int next_signal(const struct supervisor *supervisor, int64_t until_ms)
{
    int64_t wait = moment_unhurried(until_ms - now_ms());
    struct timespec time = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};

    if (until_ms == 0) return sigwaitinfo(&supervisor->signals, NULL);
    return wait > 0 ? sigtimedwait(&supervisor->signals, NULL, &time) : 0;
}

static void wait_for_end(struct supervisor *supervisor, int *status)
{
    while (!take_signal(supervisor, next_signal(supervisor, 0), status)) {
    }
}

/* Between two children. */
static void wait_for_delay(struct supervisor *supervisor)
{
    int64_t until = now_ms() + supervisor->delay_ms;
    int status;

    while (!supervisor->stopping && now_ms() < until) {
        take_signal(supervisor, next_signal(supervisor, until), &status);
    }
}

static int supervise(struct supervisor *supervisor)
{
    int status, code;

    for (;;) {
        if (!start_child(supervisor)) {
            say_error("moongate: cannot start a process: %s\n", strerror(errno));
            return EXIT_RUNTIME;
        }
        wait_for_end(supervisor, &status);
        if (!take_end(supervisor, status, &code)) return code;
        wait_for_delay(supervisor);
        if (supervisor->stopping) return EXIT_FINE;
    }
}

/* ---- start ------------------------------------------------------------------------------ */

static int say_unbound(const char *flag, char *error)
{
    bool taken = errno == EADDRINUSE;

    say_error("moongate: %s", error ? error : "out of memory");
    if (taken) say_error("; %s names another address", flag);
    say_error("\n");
    free(error);
    return EXIT_BIND;
}

/* EXIT_FINE, or the exit code of all. */
static int bind_one(const char *flag, const char *address, int *fd)
{
    char *error = NULL;

    *fd = listen_open(address, &error);
    return *fd >= 0 ? EXIT_FINE : say_unbound(flag, error);
}

/* A passed socket's address stands where the flag's would. */
static bool know(int fd, const char **address, char name[LISTEN_NAME])
{
    if (fd < 0) return true;
    *address = name;
    return listen_bound(fd, name);
}

static int take_sockets(struct supervisor *supervisor, int *clients, int *admin)
{
    struct moongate_options *options = &supervisor->options;

    if (!service_sockets(clients, admin) ||
        !know(*clients, &options->listen, supervisor->passed[0]) ||
        !know(*admin, &options->admin, supervisor->passed[1])) {
        say_error(
            "moongate: what LISTEN_FDS passes is not one listening socket for clients and "
            "at most one for admin\n");
        return EXIT_BIND;
    }
    options->listen_fd = *clients;
    options->admin_fd = *admin;
    return options_check_admin(options) ? EXIT_FINE : EXIT_USAGE;
}

static void remove_socket_file(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) unlink(address + 5);
}

/* Two descriptors a stream, and the usual limit is 1,024. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* where it may not be raised, fewer fit */
}

/* A socket must not become standard error because somebody closed that. */
static void fill_standard_places(void)
{
    int fd = open("/dev/null", O_RDWR);

    while (fd >= 0 && fd <= 2)
        fd = dup(fd);
    if (fd > 2) close(fd);
}

/* Opens what nobody has passed. */
static int open_sockets(struct supervisor *supervisor, bool passed[2])
{
    struct moongate_options *options = &supervisor->options;
    int clients, admin;
    int code = take_sockets(supervisor, &clients, &admin);

    passed[0] = clients >= 0;
    passed[1] = admin >= 0 || strcmp(options->admin, "off") == 0;
    if (code == EXIT_FINE && !passed[0]) {
        code = bind_one("--listen", options->listen, &options->listen_fd);
    }
    if (code == EXIT_FINE && !passed[1]) {
        code = bind_one("--admin", options->admin, &options->admin_fd);
        if (code != EXIT_FINE && !passed[0]) remove_socket_file(options->listen);
    }
    return code;
}

static void block_signals(struct supervisor *supervisor)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGUSR1, SIG_IGN); /* "reopen the logs": they go to standard error */
    (void)signal(SIGUSR2, SIG_IGN); /* nothing yet, and no reason to end */
    sigemptyset(&supervisor->signals);
    sigaddset(&supervisor->signals, SIGCHLD);
    sigaddset(&supervisor->signals, SIGHUP);
    sigaddset(&supervisor->signals, SIGTERM);
    sigaddset(&supervisor->signals, SIGINT);
    sigprocmask(SIG_BLOCK, &supervisor->signals, NULL);
}

int supervisor_run(const struct moongate_options *options, supervisor_serve *serve)
{
    struct supervisor supervisor = {.options = *options, .serve = serve};
    bool passed[2];

    fill_standard_places();
    block_signals(&supervisor); /* first: nobody may be left to read what is said */
    raise_limit();
    int code = open_sockets(&supervisor, passed);
    supervisor.options.listen_ends = !passed[0];
    if (code != EXIT_FINE) return code;
    if (!options->core) confine_memory();
    if (!confine_calls()) {
        say_error("moongate: this kernel cannot refuse system calls (%s): served without\n",
                  strerror(errno));
    }
    code = supervise(&supervisor);
    if (!passed[0]) remove_socket_file(supervisor.options.listen);
    if (!passed[1]) remove_socket_file(supervisor.options.admin);
    return code;
}

#include "outbox_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "loop.h"
#include "moment.h"
#include "outbox_library.h"
#include "resolve.h"

enum { WHY = 300, LOOK_MS = 100 };

struct outbox_server {
    struct outbox_server_options options;
    PGconn *connection; /* owned; NULL: none */
    struct loop *loop;  /* owned; for answers to `asked` */
    struct resolve_question asked;
    char hosts[8 * RESOLVE_NAME], addresses[RESOLVE_TEXT]; /* that `asked` found */
    char why[WHY];
};

/* ---- waiting ------------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
    return moment_monotonic_us() / 1000;
}

enum waited { READY, TOO_LONG, WOKEN };

static enum waited wait_for(const struct outbox_server *server, short events, int64_t until_ms)
{
    struct pollfd fds[] = {
        {.fd = server->options.library->PQsocket(server->connection), .events = events},
        {.fd = server->options.wake_fd, .events = POLLIN},
    };
    int64_t left = until_ms - now_ms();

    if (left <= 0) return TOO_LONG;
    left = moment_unhurried(left);
    if (poll(fds, 2, left > 60000 ? 60000 : (int)left) < 0) return READY; /* a signal: look */
    if (fds[1].revents) return WOKEN;
    return fds[0].revents ? READY : TOO_LONG;
}

static enum outbox_result given_up(struct outbox_server *server, enum waited waited,
                                   const char *what)
{
    (void)snprintf(server->why, WHY, "%s took too long", what);
    return waited == WOKEN ? OUTBOX_STOPPED : OUTBOX_LATER;
}

/* One line of what it says, and never a parameter's value: those are in "DETAIL". */
static void because(struct outbox_server *server, const char *text)
{
    size_t len = strcspn(text, "\n");

    (void)snprintf(server->why, WHY, "%.*s", len < WHY ? (int)len : WHY - 1, text);
}

static void drop(struct outbox_server *server)
{
    if (server->connection) server->options.library->PQfinish(server->connection);
    server->connection = NULL;
}

/* ---- connecting ---------------------------------------------------------------------------
 */

static void ignore_notice(void *nothing, const char *message)
{
    (void)nothing;
    (void)message;
}

static enum outbox_result follow_connect(struct outbox_server *server)
{
    const struct outbox_library *pq = server->options.library;
    int64_t until = now_ms() + OUTBOX_CONNECT_MS;
    short events = POLLOUT;

    for (;;) {
        enum waited waited = wait_for(server, events, until);
        if (waited != READY) return given_up(server, waited, "connecting");
        switch (pq->PQconnectPoll(server->connection)) {
        case PGRES_POLLING_OK: return OUTBOX_DONE;
        case PGRES_POLLING_READING: events = POLLIN; break;
        case PGRES_POLLING_WRITING: events = POLLOUT; break;
        default: because(server, pq->PQerrorMessage(server->connection)); return OUTBOX_LATER;
        }
    }
}

static bool is_woken(const struct outbox_server *server)
{
    struct pollfd wake = {.fd = server->options.wake_fd, .events = POLLIN};

    return poll(&wake, 1, 0) > 0;
}

/* Into server->asked.name; false: the address names none, or a number, a path or several. */
static bool host_to_resolve(struct outbox_server *server)
{
    const struct outbox_library *pq = server->options.library;
    PQconninfoOption *options = pq->PQconninfoParse(server->options.url, NULL);
    const char *host = NULL;
    struct in6_addr number;
    bool given = false;

    for (const PQconninfoOption *at = options; at && at->keyword; at++) {
        if (at->val && strcmp(at->keyword, "host") == 0) host = at->val;
        if (at->val && strcmp(at->keyword, "hostaddr") == 0) given = true;
    }
    bool name = host && !given && *host && !strpbrk(host, "/,@") &&
                strlen(host) < RESOLVE_NAME && inet_pton(AF_INET, host, &number) != 1 &&
                inet_pton(AF_INET6, host, &number) != 1;
    if (name) memcpy(server->asked.name, host, strlen(host) + 1);
    pq->PQconninfoFree(options);
    return name;
}

/* libpq tries one after the other, and wants as many names as there are addresses. */
static void list_addresses(struct outbox_server *server)
{
    const char *at = server->asked.answer.addresses;
    size_t hosts = 0, addresses = 0;

    while (*at) {
        const char *comma = hosts ? "," : "";
        size_t len = strcspn(at, ",");
        int brackets = *at == '[';
        hosts += (size_t)snprintf(server->hosts + hosts, sizeof(server->hosts) - hosts, "%s%s",
                                  comma, server->asked.name);
        addresses += (size_t)snprintf(server->addresses + addresses,
                                      sizeof(server->addresses) - addresses, "%s%.*s", comma,
                                      (int)len - 2 * brackets, at + brackets);
        at += len + (at[len] == ',');
    }
}

/* Into hosts and addresses; "" where there is nothing to look up. */
static enum outbox_result resolve_host(struct outbox_server *server)
{
    int64_t until = now_ms() + OUTBOX_CONNECT_MS;
    const struct resolve_answer *answer = &server->asked.answer;

    server->hosts[0] = server->addresses[0] = '\0';
    if (!host_to_resolve(server)) return OUTBOX_DONE;
    server->asked.loop = server->loop;
    resolver_ask(server->options.resolver, &server->asked);
    while (!atomic_load(&server->asked.done)) {
        bool woken = is_woken(server);
        if (woken || now_ms() >= until) {
            resolver_forget(server->options.resolver, &server->asked);
            return given_up(server, woken ? WOKEN : TOO_LONG, "the name server");
        }
        loop_poll(server->loop, LOOK_MS);
    }
    if (answer->failure) {
        because(server, answer->failure);
        return OUTBOX_LATER;
    }
    list_addresses(server);
    return OUTBOX_DONE;
}

static enum outbox_result connect_now(struct outbox_server *server)
{
    const struct outbox_library *pq = server->options.library;
    const char *const keys[] = {"dbname", "fallback_application_name", "host", "hostaddr",
                                NULL};
    const char *const values[] = {server->options.url, server->options.name, server->hosts,
                                  server->addresses, NULL};
    enum outbox_result result = resolve_host(server);

    if (result != OUTBOX_DONE) return result;

    server->connection = pq->PQconnectStartParams(keys, values, 1);
    if (!server->connection || pq->PQstatus(server->connection) == CONNECTION_BAD) {
        because(server,
                server->connection ? pq->PQerrorMessage(server->connection) : "out of memory");
        return OUTBOX_LATER;
    }
    result = follow_connect(server);
    if (result != OUTBOX_DONE) return result;
    pq->PQsetNoticeProcessor(server->connection, ignore_notice, NULL);
    return pq->PQsetnonblocking(server->connection, 1) == 0 ? OUTBOX_DONE : OUTBOX_LATER;
}

/* ---- one statement ------------------------------------------------------------------------
 */

/* SQLSTATE's class says whose fault it is. A trigger of the operator's that raises (P0) means
 * the row. */
static enum outbox_result kind_of(const char *state)
{
    static const char *const bad_row[] = {"22", "23", "P0", NULL};

    if (!state) return OUTBOX_LATER;
    if (strcmp(state, "42P01") == 0) return OUTBOX_NO_TABLE;
    for (size_t i = 0; bad_row[i]; i++) {
        if (strncmp(state, bad_row[i], 2) == 0) return OUTBOX_BAD_ROW;
    }
    return OUTBOX_LATER;
}

static enum outbox_result take_result(struct outbox_server *server, const PGresult *result,
                                      int64_t *count)
{
    const struct outbox_library *pq = server->options.library;
    const char *state, *message;

    switch (pq->PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
        *count = strtoll(pq->PQcmdTuples((PGresult *)result), NULL, 10);
        return OUTBOX_DONE;
    case PGRES_TUPLES_OK:
        *count = pq->PQntuples(result) ? strtoll(pq->PQgetvalue(result, 0, 0), NULL, 10) : 0;
        return OUTBOX_DONE;
    default: break;
    }
    state = pq->PQresultErrorField(result, PG_DIAG_SQLSTATE);
    message = pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    because(server, message ? message : pq->PQerrorMessage(server->connection));
    return kind_of(state);
}

static enum outbox_result push_out(struct outbox_server *server, int64_t until)
{
    const struct outbox_library *pq = server->options.library;
    int left;

    while ((left = pq->PQflush(server->connection)) > 0) {
        enum waited waited = wait_for(server, POLLIN | POLLOUT, until);
        if (waited != READY) return given_up(server, waited, "sending");
        if (!pq->PQconsumeInput(server->connection)) left = -1;
        if (left < 0) break;
    }
    if (left == 0) return OUTBOX_DONE;
    because(server, pq->PQerrorMessage(server->connection));
    return OUTBOX_LATER;
}

static enum outbox_result wait_for_result(struct outbox_server *server, int64_t until)
{
    const struct outbox_library *pq = server->options.library;

    while (pq->PQisBusy(server->connection)) {
        enum waited waited = wait_for(server, POLLIN, until);
        if (waited != READY) return given_up(server, waited, "a statement");
        if (!pq->PQconsumeInput(server->connection)) {
            because(server, pq->PQerrorMessage(server->connection));
            return OUTBOX_LATER;
        }
    }
    return OUTBOX_DONE;
}

/* All results of what was sent; the first that is not fine is the one that counts. */
static enum outbox_result take_results(struct outbox_server *server, int64_t *count)
{
    const struct outbox_library *pq = server->options.library;
    int64_t until = now_ms() + OUTBOX_STATEMENT_MS;
    enum outbox_result all = push_out(server, until);

    for (bool more = all == OUTBOX_DONE; more;) {
        enum outbox_result one = wait_for_result(server, until);
        if (one != OUTBOX_DONE) {
            drop(server); /* where it stands is not known */
            return one;
        }
        PGresult *result = pq->PQgetResult(server->connection);
        more = result != NULL;
        if (result && all == OUTBOX_DONE) all = take_result(server, result, count);
        pq->PQclear(result);
    }
    return all;
}

static bool send_statement(const struct outbox_server *server, const char *statement,
                           const char *const parameters[2])
{
    const struct outbox_library *pq = server->options.library;

    if (!parameters) return pq->PQsendQuery(server->connection, statement) == 1;
    return pq->PQsendQueryParams(server->connection, statement, 2, NULL, parameters, NULL, NULL,
                                 0) == 1;
}

enum outbox_result outbox_server_run(struct outbox_server *server, const char *statement,
                                     const char *const parameters[2], int64_t *count)
{
    const struct outbox_library *pq = server->options.library;
    enum outbox_result result = OUTBOX_DONE;

    *count = 0;
    if (!server->connection) result = connect_now(server);
    if (result == OUTBOX_DONE && !send_statement(server, statement, parameters)) {
        because(server, pq->PQerrorMessage(server->connection));
        result = OUTBOX_LATER;
        drop(server);
    }
    if (result == OUTBOX_DONE) result = take_results(server, count);
    if (server->connection && pq->PQstatus(server->connection) != CONNECTION_OK) drop(server);
    return result;
}

/* ---- the rest -----------------------------------------------------------------------------
 */

const char *outbox_server_why(const struct outbox_server *server)
{
    return server->why;
}

bool outbox_server_is_up(const struct outbox_server *server)
{
    return server->connection != NULL;
}

bool outbox_server_address(const struct outbox_library *library, const char *url,
                           char **password)
{
    char *message = NULL; /* it repeats the address: nobody may see it */
    PQconninfoOption *options = library->PQconninfoParse(url, &message);

    *password = NULL;
    for (const PQconninfoOption *at = options; at && at->keyword; at++) {
        if (at->val && strcmp(at->keyword, "password") == 0) *password = strdup(at->val);
    }
    library->PQconninfoFree(options);
    library->PQfreemem(message);
    return options != NULL;
}

struct outbox_server *outbox_server_new(const struct outbox_server_options *options)
{
    struct outbox_server *server = calloc(1, sizeof(*server));

    if (!server) return NULL;
    server->options = *options;
    server->loop = loop_new();
    if (server->loop) return server;
    free(server);
    return NULL;
}

void outbox_server_free(struct outbox_server *server)
{
    if (!server) return;
    drop(server);
    loop_free(server->loop);
    free(server);
}

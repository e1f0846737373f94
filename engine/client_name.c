#include "client_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 256 };

static struct name *find_name(const struct client *client, const char *host)
{
    for (struct name *name = client->names; name; name = name->next) {
        if (strcmp(name->question.name, host) == 0) return name;
    }
    return NULL;
}

static bool is_stale(const struct client *client, const struct name *name)
{
    return name->question.answer.until_ms <= loop_now_ms(client->loop);
}

/* Past a few hundred hosts those that nobody asks for go. */
static void drop_stale(struct client *client)
{
    size_t count = 0;
    struct name **at = &client->names;

    for (struct name *name = client->names; name; name = name->next)
        count++;
    while (count >= NAMES && *at) {
        struct name *name = *at;
        if (name->asking || !is_stale(client, name)) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        free(name);
        count--;
    }
}

static struct name *add_name(struct client *client, const char *host)
{
    drop_stale(client);
    struct name *name = calloc(1, sizeof(*name));
    if (!name) return NULL;
    memcpy(name->question.name, host, strlen(host) + 1);
    name->question.loop = client->loop;
    name->next = client->names;
    client->names = name;
    return name;
}

/* addresses NULL: the host needs none. */
static void begin(struct upstream *upstream, const char *addresses)
{
    if (client_set_addresses(upstream, addresses)) {
        client_start(upstream);
    } else {
        client_fail(upstream, "dns", "no memory");
    }
}

void client_prefer(struct upstream *upstream, const char *peer)
{
    struct name *name = upstream->named ? find_name(upstream->client, upstream->host) : NULL;
    bool v6 = strchr(peer, ':') != NULL;

    if (!name) return;
    (void)snprintf(name->preferred, sizeof(name->preferred), v6 ? "[%s]" : "%s", peer);
}

/* Where `one` stands in a list "a,b,c"; NULL: it does not. */
static const char *find_address(const char *list, const char *one)
{
    size_t len = strlen(one);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, one, len) == 0 && (at[len] == ',' || at[len] == '\0')) return at;
    }
    return NULL;
}

/* The name's addresses, the preferred one first. */
static void begin_at(struct upstream *upstream, const struct name *name)
{
    const char *list = name->question.answer.addresses;
    const char *at = name->preferred[0] ? find_address(list, name->preferred) : NULL;
    char ordered[RESOLVE_TEXT + RESOLVE_ADDRESS];

    if (!at || at == list) {
        begin(upstream, list);
        return;
    }
    /* "a,b,c" with b first: "b" "," "a" ",c" */
    const char *rest = at + strlen(name->preferred);
    (void)snprintf(ordered, sizeof(ordered), "%s,%.*s%s", name->preferred, (int)(at - list - 1),
                   list, rest);
    begin(upstream, ordered);
}

static void begin_resolved(struct upstream *upstream, const struct name *name)
{
    const struct resolve_answer *answer = &name->question.answer;

    if (answer->failure) {
        client_fail(upstream, "dns", answer->failure);
    } else {
        begin_at(upstream, name);
    }
}

static void ask(struct client *client, struct name *name)
{
    name->asking = true;
    client->asking++;
    resolver_ask(client->resolver, &name->question);
}

static void take_answer(struct client *client, struct name *name)
{
    struct upstream *upstream;

    name->asking = false;
    client->asking--;
    while ((upstream = client_queue_pop(&name->waiting)))
        begin_resolved(upstream, name);
}

void client_find_host(struct upstream *upstream)
{
    struct client *client = upstream->client;

    if (!upstream->named) {
        begin(upstream, NULL);
        return;
    }
    struct name *name = find_name(client, upstream->host);
    if (!name) name = add_name(client, upstream->host);
    if (!name) {
        client_fail(upstream, "dns", "no memory");
        return;
    }
    if (!name->asking && is_stale(client, name)) ask(client, name);
    if (name->asking) {
        client_queue_add(&name->waiting, upstream);
    } else {
        begin_resolved(upstream, name);
    }
}

void client_take_answers(struct client *client)
{
    for (struct name *name = client->names; name && client->asking; name = name->next) {
        if (name->asking && atomic_load(&name->question.done)) take_answer(client, name);
    }
}

void client_free_names(struct client *client)
{
    while (client->names) {
        struct name *name = client->names;
        if (name->asking) resolver_forget(client->resolver, &name->question);
        client->names = name->next;
        free(name);
    }
}

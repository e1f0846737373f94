#include "resolve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include "loop.h"
#include "moment.h"

enum {
    THREADS = 4,
    NAMES = 512,   /* known and asked for; beyond, a new name fails at once */
    ADDRESSES = 8, /* of one name */
};

enum stage { QUEUED, RUNNING, KNOWN };

struct entry {
    char name[RESOLVE_NAME];
    enum stage stage;
    struct resolve_answer answer;     /* when KNOWN */
    struct resolve_question *waiting; /* borrowed; until KNOWN */
    struct entry *next;
};

struct resolver {
    pthread_mutex_t lock;  /* guards all below */
    pthread_cond_t work;   /* something is QUEUED, or closing */
    struct entry *entries; /* owned; newest first */
    size_t names, queued;
    unsigned threads, idle; /* running; of these, waiting for work */
    bool closing;           /* the last thread out frees */
};

static int64_t now_ms(void)
{
    return moment_monotonic_us() / 1000;
}

/* ---- asking the system ------------------------------------------------------------------ */

static void add_address(struct resolve_answer *answer, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    size_t used = strlen(answer->addresses);
    bool v6 = address->sa_family == AF_INET6;

    if (!inet_ntop(address->sa_family, bytes, text, sizeof(text))) return;
    int n = snprintf(answer->addresses + used, RESOLVE_TEXT - used, "%s%s%s%s", used ? "," : "",
                     v6 ? "[" : "", text, v6 ? "]" : "");
    if (n < 0 || used + (size_t)n >= RESOLVE_TEXT) answer->addresses[used] = '\0';
}

static const char *failure_of(int code)
{
    switch (code) {
    case EAI_AGAIN: return "the name server does not answer";
    case EAI_NONAME:
    case EAI_NODATA: return "no such host";
    case EAI_MEMORY: return "out of memory";
    default: return "the name cannot be resolved";
    }
}

static void look_up(const char *name, struct resolve_answer *answer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(name, NULL, &hints, &found);
    size_t kept = 0;

    *answer = (struct resolve_answer){.failure = NULL};
    for (struct addrinfo *at = found; at && kept < ADDRESSES; at = at->ai_next) {
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
        add_address(answer, at->ai_addr);
        kept++;
    }
    if (found) freeaddrinfo(found);
    if (kept == 0) answer->failure = failure_of(code ? code : EAI_NODATA);
    answer->until_ms = now_ms() + (kept ? RESOLVE_FRESH_MS : RESOLVE_FAILED_MS);
}

/* ---- entries; the lock is held ---------------------------------------------------------- */

static void give(struct resolve_question *question, const struct resolve_answer *answer)
{
    question->answer = *answer;
    atomic_store(&question->done, true);
    loop_wake(question->loop);
}

static void settle(struct entry *entry, const struct resolve_answer *answer)
{
    entry->stage = KNOWN;
    entry->answer = *answer;
    while (entry->waiting) {
        struct resolve_question *question = entry->waiting;
        entry->waiting = question->next;
        give(question, answer);
    }
}

static struct entry *find_entry(struct resolver *resolver, const char *name)
{
    for (struct entry *entry = resolver->entries; entry; entry = entry->next) {
        if (strcmp(entry->name, name) == 0) return entry;
    }
    return NULL;
}

static void drop_stale(struct resolver *resolver)
{
    int64_t now = now_ms();
    struct entry **at = &resolver->entries;

    while (*at) {
        struct entry *entry = *at;
        if (entry->stage == KNOWN && entry->answer.until_ms <= now) {
            *at = entry->next;
            free(entry);
            resolver->names--;
        } else {
            at = &entry->next;
        }
    }
}

static struct entry *add_entry(struct resolver *resolver, const char *name)
{
    if (resolver->names >= NAMES) drop_stale(resolver);
    if (resolver->names >= NAMES) return NULL;

    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry) return NULL;
    memcpy(entry->name, name, strlen(name) + 1);
    entry->stage = KNOWN; /* and stale: whoever asks queues it */
    entry->next = resolver->entries;
    resolver->entries = entry;
    resolver->names++;
    return entry;
}

/* The one that waits longest. */
static struct entry *next_queued(struct resolver *resolver)
{
    struct entry *oldest = NULL;

    for (struct entry *entry = resolver->entries; entry; entry = entry->next) {
        if (entry->stage == QUEUED) oldest = entry;
    }
    return oldest;
}

static void free_resolver(struct resolver *resolver)
{
    while (resolver->entries) {
        struct entry *entry = resolver->entries;
        resolver->entries = entry->next;
        free(entry);
    }
    pthread_cond_destroy(&resolver->work);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

/* ---- threads ---------------------------------------------------------------------------- */

static void resolve_one(struct resolver *resolver, struct entry *entry)
{
    struct resolve_answer answer;

    entry->stage = RUNNING; /* and so nobody frees it */
    resolver->queued--;
    pthread_mutex_unlock(&resolver->lock);
    look_up(entry->name, &answer);
    pthread_mutex_lock(&resolver->lock);
    settle(entry, &answer);
}

static void *serve(void *arg)
{
    struct resolver *resolver = arg;

    pthread_mutex_lock(&resolver->lock);
    while (!resolver->closing) {
        struct entry *entry = resolver->queued ? next_queued(resolver) : NULL;
        if (entry) {
            resolve_one(resolver, entry);
            continue;
        }
        resolver->idle++;
        pthread_cond_wait(&resolver->work, &resolver->lock);
        resolver->idle--;
    }
    bool last = --resolver->threads == 0;
    pthread_mutex_unlock(&resolver->lock);
    if (last) free_resolver(resolver);
    return NULL;
}

/* Signals are the main thread's. */
static bool start_thread(struct resolver *resolver)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, serve, resolver) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) return false;
    pthread_detach(thread); /* one may sit in getaddrinfo() for longer than we live */
    resolver->threads++;
    return true;
}

struct resolver *resolver_new(void)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (!resolver) return NULL;
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->work, NULL);
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver) return;
    pthread_mutex_lock(&resolver->lock);
    resolver->closing = true;
    for (struct entry *entry = resolver->entries; entry; entry = entry->next) {
        entry->waiting = NULL;
    }
    bool last = resolver->threads == 0;
    pthread_cond_broadcast(&resolver->work);
    pthread_mutex_unlock(&resolver->lock);
    if (last) free_resolver(resolver);
}

static void refuse(struct resolve_question *question, const char *failure)
{
    struct resolve_answer answer = {.failure = failure, .until_ms = now_ms() + 1000};

    give(question, &answer);
}

/* False: there is no thread to do it. */
static bool queue(struct resolver *resolver, struct entry *entry)
{
    bool need = resolver->idle <= resolver->queued && resolver->threads < THREADS;

    if (need && !start_thread(resolver) && resolver->threads == 0) return false;
    entry->stage = QUEUED;
    resolver->queued++;
    pthread_cond_signal(&resolver->work);
    return true;
}

void resolver_ask(struct resolver *resolver, struct resolve_question *question)
{
    atomic_store(&question->done, false);
    pthread_mutex_lock(&resolver->lock);

    struct entry *entry = find_entry(resolver, question->name);
    if (!entry) entry = add_entry(resolver, question->name);
    if (!entry) {
        refuse(question, "too many names are being resolved");
    } else if (entry->stage == KNOWN && entry->answer.until_ms > now_ms()) {
        give(question, &entry->answer);
    } else if (entry->stage == KNOWN && !queue(resolver, entry)) {
        refuse(question, "no thread to resolve names");
    } else {
        question->next = entry->waiting;
        entry->waiting = question;
    }
    pthread_mutex_unlock(&resolver->lock);
}

void resolver_forget(struct resolver *resolver, struct resolve_question *question)
{
    pthread_mutex_lock(&resolver->lock);
    struct entry *entry = find_entry(resolver, question->name);
    for (struct resolve_question **at = entry ? &entry->waiting : NULL; at && *at;
         at = &(*at)->next) {
        if (*at == question) {
            *at = question->next;
            break;
        }
    }
    pthread_mutex_unlock(&resolver->lock);
}

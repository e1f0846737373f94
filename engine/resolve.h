/* Names → addresses, on a few threads, so that no loop ever waits for a name server.
 *
 * Knows names and addresses, no HTTP. One resolver a process; any thread may ask. Answers are
 * kept, askers for the same name share one look-up (STACK.md K2, K3). */
#ifndef MOONGATE_RESOLVE_H
#define MOONGATE_RESOLVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct resolver;

enum {
    RESOLVE_NAME = 254,   /* the longest name, with its NUL */
    RESOLVE_TEXT = 512,   /* room for the addresses kept of a name */
    RESOLVE_ADDRESS = 48, /* … for one of them, bracketed */
    RESOLVE_FRESH_MS = 60000,
    RESOLVE_FAILED_MS = 5000,
};

/* What became of a name. */
struct resolve_answer {
    char addresses[RESOLVE_TEXT]; /* "192.0.2.1,[2001:db8::1]"; "" when it failed */
    const char *failure;          /* static: why there are none; NULL: there are */
    int64_t until_ms;             /* monotonic: ask again after */
};

/* Embedded in who asks; must live until it is done or forgotten. */
struct resolve_question {
    char name[RESOLVE_NAME];
    struct loop *loop;            /* borrowed; woken once the answer is here */
    atomic_bool done;             /* from then on `answer` is the asker's */
    struct resolve_answer answer; /* the resolver's until done */
    struct resolve_question *next;
};

struct resolver *resolver_new(void) __attribute__((warn_unused_result));
/* A thread that still waits for a name server ends by itself, later. */
void resolver_free(struct resolver *resolver);

/* `name` and `loop` are set. The question may be done on return. */
void resolver_ask(struct resolver *resolver, struct resolve_question *question);
/* Nobody waits for the answer any more. Harmless when it was given. */
void resolver_forget(struct resolver *resolver, struct resolve_question *question);

#endif

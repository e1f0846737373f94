/* What the Lua bindings of one thread may reach. Filled by the worker (or the command line),
 * found from any lua_State of that thread. */
#ifndef MOONGATE_LUA_CONTEXT_H
#define MOONGATE_LUA_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct accounts;
struct client;
struct gate;
struct guard;
struct ask_box;
struct sync_box;
struct job_box;
struct journal;
struct keyring;
struct ledger;
struct log;
struct learned;
struct loop;
struct metrics;
struct moongate;
struct refusals;
struct shared;
struct shelf;
struct sql;
struct task;
struct tokens_work;
struct upstream_box;

/* All pointers borrowed; outlive every state that uses them. Any of them may be NULL in a state
 * that only checks a file (lua_context_of() itself is never NULL in moongate's own states). */
struct lua_context {
    struct loop *loop;
    struct client *client;
    struct shared *shared;
    struct accounts *accounts;
    struct keyring *keyring;
    struct metrics *metrics;
    struct log *log;
    struct journal *journal;
    struct moongate *gateway;
    struct ledger *ledger;           /* to be asked */
    struct sql *sql;                 /* the ledger's own, in its thread alone */
    const struct shelf *shelf;       /* NULL: counts are estimates */
    struct learned *learned;         /* how far estimates were off; NULL: nobody knows */
    struct tokens_work *tokens_work; /* owned by the worker, or the command */
    unsigned worker;                 /* which metric slots are ours */
    bool loopback;                   /* the public listener is reached from this machine only */
    bool strict;                     /* lines are on disk before a call leaves */
    bool cli;                        /* a command's state, not a worker's */
    bool ledger_state;               /* the ledger thread's: may change keys */
    bool trial; /* the first state that these files are loaded into: warn here, once */

    struct task *ready_first, *ready_last; /* tasks to resume, in order */
    struct task *tasks;                    /* all of them, linked */
    size_t task_count;
    unsigned patient_count;      /* of tasks that go on without their client */
    struct upstream_box *relays; /* something came for them; see lua_relay.h */
    struct job_box *jobs;        /* reloads that tasks wait for */
    struct sync_box *syncs;      /* lines that they want on disk */
    struct ask_box *asks;        /* questions to the ledger that they wait for */
    struct guard *guard;         /* owned by the worker; what the watchdog looks at */
    struct gate *gate;           /* owned by the worker; NULL: everybody is served */
    struct refusals *refusals;   /* owned by the newest state: what is said to the others */
};

struct lua_context *lua_context_of(lua_State *L);

#endif

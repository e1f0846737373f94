/* engine.ledger: scripts ask the ledger thread and wait; and the state in which it answers. */
#ifndef MOONGATE_LUA_LEDGER_H
#define MOONGATE_LUA_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

struct bundle;
struct ledger_job;
struct lua_context;
struct vm;

/* Make the tasks ready whose answers are there. */
void lua_asks_look(struct lua_context *context);

/* ---- the ledger thread's ---- */

/* A state with what scripts/ledger/main.lua returned. NULL with *error (free() it) set. */
struct vm *lua_ledger_load(struct lua_context *context, struct bundle *files, char **error)
    __attribute__((warn_unused_result));
/* Answer the job, which is gone after. */
void lua_ledger_answer(struct vm *vm, struct ledger_job *job);
/* All queries that no script holds any more are done. vm may be NULL. */
void lua_ledger_collect(struct vm *vm);
/* Answer it with an error of the ledger's own: 503 ledger_unavailable. */
void lua_ledger_refuse(struct ledger_job *job, const char *message);

#endif

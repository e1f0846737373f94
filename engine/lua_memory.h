/* A state's memory: LuaJIT's own allocator, counted and capped, and the pace of its collector.
 */
#ifndef MOONGATE_LUA_MEMORY_H
#define MOONGATE_LUA_MEMORY_H

#include <lua.h>

struct vm;

/* A new state, or NULL. Under the address sanitizer each of its blocks is one of malloc's. */
lua_State *vm_memory_state(void);
/* Count from here on, and refuse what passes vm->ceiling. Before anything is opened. */
void vm_memory_count(struct vm *vm);
/* Set the pace, and see to the end. The first thing in a new state; may raise. */
void vm_memory_begin(lua_State *L);
/* Raise what LuaJIT raises where it is refused memory. */
void vm_memory_refuse(lua_State *L);
/* Free what nobody holds, now. LuaJIT frees nothing when it is refused memory, so a state that
 * is full of garbage would refuse all that follows. */
void vm_collect(struct vm *vm);
/* The same, a little of it. */
void vm_memory_step(struct vm *vm);

#endif

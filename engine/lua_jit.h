/* A state's compiler, watched: code that jit_scan.h knows to be wrong is thrown away before it
 * runs, and the function it began in is interpreted from then on. */
#ifndef MOONGATE_LUA_JIT_H
#define MOONGATE_LUA_JIT_H

#include <lua.h>

/* Once a state, when its libraries are open. Costs nothing but while something is compiled. */
void lua_jit_watch(lua_State *L);

#endif

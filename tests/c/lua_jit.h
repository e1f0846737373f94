/* The compiler of the LuaJIT that runs the specs, watched: code that jit_scan.h knows to be
 * wrong is thrown away before it runs, and the function it began in is interpreted from then
 * on.
 *
 * Not for the gateway: where a recording ends with an error, LuaJIT of March 2022 tells a watch
 * of it from whatever stack comes next, and walks off one that holds no Lua function
 * (https://github.com/LuaJIT/LuaJIT/commit/b138ccfa). The gateway has such stacks, busted none.
 */
#ifndef MOONGATE_LUA_JIT_H
#define MOONGATE_LUA_JIT_H

#include <lua.h>

/* Once a state, when its libraries are open. Costs nothing but while something is compiled. */
void lua_jit_watch(lua_State *L);

#endif

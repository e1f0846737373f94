/* The client's request, as scripts see it. */
#ifndef MOONGATE_LUA_REQUEST_H
#define MOONGATE_LUA_REQUEST_H

#include <lua.h>

struct request;

/* Push a userdata for `request`, tied to the running task: empty once that ends. Raises when
 * out of memory. */
void lua_request_push(lua_State *L, struct request *request);

/* The request in the userdata at `index`; NULL when its task is over. Raises on anything else.
 */
struct request *lua_request_at(lua_State *L, int index);

#endif

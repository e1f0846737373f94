/* Events passed on to the client byte for byte, without waking the task that waits for the end.
 */
#ifndef MOONGATE_LUA_RELAY_H
#define MOONGATE_LUA_RELAY_H

#include <lua.h>

struct lua_context;
struct upstream_box;

/* Something came for a relaying upstream. Safe in any callback. */
void lua_relay_note(struct upstream_box *box);
/* Forget it, before the upstream is closed. Harmless when nothing was noted. */
void lua_relay_forget(struct upstream_box *box);
/* Pass on what came; make ready the tasks that have to look. Once a turn, before tasks_run().
 */
void lua_relays_run(struct lua_context *context);

/* name, data, bytes | false | nil = next_marked(client, marks). A method of upstreams. */
int lua_relay_next_marked(lua_State *L);

#endif

/* What the admin listener's scripts ask of the gateway: engine.admin. */
#ifndef MOONGATE_LUA_ADMIN_H
#define MOONGATE_LUA_ADMIN_H

struct lua_context;

/* Make ready whose reload is done. Once a turn; free when none waits. */
void lua_jobs_look(struct lua_context *context);

#endif

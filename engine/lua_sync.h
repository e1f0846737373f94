/* Tasks that wait until their lines are on disk, before a call leaves and before an answer
 * ends: --durability strict. */
#ifndef MOONGATE_LUA_SYNC_H
#define MOONGATE_LUA_SYNC_H

struct lua_context;

/* Make the tasks ready whose lines are on disk. */
void lua_syncs_look(struct lua_context *context);

#endif

/* Forms (multipart/form-data) whose bytes C owns, as scripts see them.
 *
 * Depends on multipart, buf and Lua. One Lua state at a time, as everything in lua_*. */
#ifndef MOONGATE_LUA_FORM_H
#define MOONGATE_LUA_FORM_H

#include <stddef.h>

#include <lua.h>

struct buf;

/* Push a form made of the buffer's bytes, which it takes. NULL, or static text that says why
 * they are none: nothing was pushed then, and the bytes are still the buffer's. */
const char *lua_form_push(lua_State *L, struct buf *bytes, const char *type)
    __attribute__((warn_unused_result));

/* A form's bytes, lent for as long as the form is referenced; NULL: not a form. */
const char *lua_form_bytes(lua_State *L, int index, size_t *len);

#endif

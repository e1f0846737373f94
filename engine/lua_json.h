/* engine.json: JSON as Lua sees it, and documents: indexed JSON objects whose bytes C owns.
 *
 * Depends on json, buf and Lua. One Lua state at a time, as everything in lua_*. */
#ifndef MOONGATE_LUA_JSON_H
#define MOONGATE_LUA_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "json.h"

struct buf;

int luaopen_engine_json(lua_State *L);

/* ---- for the other bindings ---------------------------------------------------------------
 */

/* Push a document made of the buffer's bytes, which it takes. False: they are no JSON object
 * within the limits of a client's body, *error says why; nothing was pushed and the bytes are
 * still the buffer's. May raise for lack of memory, with the bytes still the buffer's. */
bool lua_doc_push(lua_State *L, struct buf *bytes, struct json_error *error)
    __attribute__((warn_unused_result));
/* The same within the limits of a provider's answer. */
bool lua_doc_push_answer(lua_State *L, struct buf *bytes, struct json_error *error)
    __attribute__((warn_unused_result));

/* Move a document's bytes out; the caller frees them with free() and the document is empty
 * after. Copied instead where lua_doc_bytes() lent them. False: no document, an empty one, or
 * no memory. */
bool lua_doc_take(lua_State *L, int index, char **bytes, size_t *len)
    __attribute__((warn_unused_result));

/* A document's bytes, lent for as long as the document is referenced; NULL: not a document, or
 * an empty one. */
const char *lua_doc_bytes(lua_State *L, int index, size_t *len);

/* Push the decoded value. False: no JSON, nothing was pushed. */
bool lua_json_decode(lua_State *L, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* The JSON text of a value, borrowed until the next encode in this state. Raises on what JSON
 * does not have (functions, mixed tables, cycles, NaN). */
const char *lua_json_encode(lua_State *L, int index, size_t *len);
/* The same for a log: raises for lack of memory only, writes what it cannot encode as a string,
 * and escapes DEL, C1 and line separators. */
const char *lua_json_encode_log(lua_State *L, int index, size_t *len);

/* Push { code =, message =, at =, param = }. */
void lua_json_push_error(lua_State *L, const struct json_error *error);

/* ---- between the lua_json files -----------------------------------------------------------
 */

/* Text that is encoded as it stands: a subtree nobody has to understand, or a number's digits.
 */
struct raw {
    size_t len;
    bool number;
    char text[];
};

void lua_raw_push(lua_State *L, const char *text, size_t len, bool number);
const struct raw *lua_raw_of(lua_State *L, int index); /* or NULL */

/* A document's bytes, for reading at once; NULL: not a document, or an empty one. */
const char *lua_doc_peek(lua_State *L, int index, size_t *len);

/* Push the metatable that marks arrays. */
void lua_json_push_array_mark(lua_State *L);
/* Is the table at `index` marked so? */
bool lua_json_is_marked(lua_State *L, int index);
/* Push the list of names that an object remembers; false, and nothing: it remembers none. */
bool lua_json_push_order(lua_State *L, int index);
/* Make the list at the top, which is popped, the order of the table at `index`. */
void lua_json_set_order(lua_State *L, int index);

/* What `json.null` and `json.remove` are. */
bool lua_json_is_null(lua_State *L, int index);
bool lua_json_is_remove(lua_State *L, int index);

/* Decode; `options` is the index of a table, or 0. False: *error says why, nothing was pushed.
 */
bool lua_json_read(lua_State *L, const char *text, size_t len, int options,
                   struct json_error *error) __attribute__((warn_unused_result));

/* Append the value's text to the state's buffer of encoded text, behind what is there. */
struct buf *lua_json_write(lua_State *L, int index);
/* The state's buffer, emptied. */
struct buf *lua_json_buffer(lua_State *L);

void lua_json_open_encoder(lua_State *L);
void lua_doc_open(lua_State *L);
int lua_json_index(lua_State *L); /* json.index */

#endif

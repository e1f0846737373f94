/* Lua 5.1 patterns (LuaJIT's dialect of them) with a limit on steps.
 *
 * Raises Lua errors for malformed patterns and for ones that take too long; owns nothing. */
#ifndef MOONGATE_LUA_PATTERN_H
#define MOONGATE_LUA_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

enum { PATTERN_CAPTURES = 32 };

struct pattern_capture {
    const char *at;
    ptrdiff_t len; /* or one of two marks, see lua_pattern.c */
};

/* One subject, matched against one pattern at one or more places. */
struct pattern {
    lua_State *L;
    const char *subject, *end; /* borrowed */
    size_t steps;              /* that may still be taken */
    int depth;
    int level; /* captures, finished or not */
    struct pattern_capture captures[PATTERN_CAPTURES];
};

/* Ready to match in subject[0..len). The steps are for all matches together. */
void pattern_begin(struct pattern *pattern, lua_State *L, const char *subject, size_t len);

/* Match the terminated text `p` right at `at`: the match's end, or NULL. */
const char *pattern_match(struct pattern *pattern, const char *at, const char *p);

/* Push capture i of the match [from, to); 0 is the whole match where there are no captures. */
void pattern_push_capture(struct pattern *pattern, int i, const char *from, const char *to);
/* Push all captures, or the whole match where there are none (not where `from` is NULL). */
int pattern_push_captures(struct pattern *pattern, const char *from, const char *to);

#endif

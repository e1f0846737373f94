#include "lua_pattern.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

enum { UNFINISHED = -1, POSITION = -2 };   /* marks in place of a capture's length */
enum { STEPS = 200000, STEPS_A_BYTE = 4 }; /* linear patterns never meet the limit */
enum { MAX_DEPTH = 200, ESCAPE = '%' };

void pattern_begin(struct pattern *pattern, lua_State *L, const char *subject, size_t len)
{
    pattern->L = L;
    pattern->subject = subject;
    pattern->end = subject + len;
    pattern->steps = STEPS + STEPS_A_BYTE * len;
    pattern->depth = 0;
    pattern->level = 0;
}

static void spend(struct pattern *m, size_t steps)
{
    if (m->steps < steps) luaL_error(m->L, "pattern too complex");
    m->steps -= steps;
}

/* ---- classes ------------------------------------------------------------------------------
 */

static bool in_class(int c, int class)
{
    bool in;
    switch (tolower(class)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    case 'z': in = c == 0; break;
    default: return class == c;
    }
    return in != (isupper(class) != 0);
}

/* The end of the single-character class at p. */
static const char *class_end(struct pattern *m, const char *p)
{
    char first = *p++;
    if (first == ESCAPE) {
        if (!*p) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (first != '[') return p;
    if (*p == '^') p++;
    do { /* a bracket in first place stands for itself */
        if (!*p) luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == ESCAPE && *p) p++;
    } while (*p != ']');
    return p + 1;
}

/* p stands on `[`, last on its `]`. */
static bool in_set(int c, const char *p, const char *last)
{
    bool in = true;
    if (p[1] == '^') {
        in = false;
        p++;
    }
    while (++p < last) {
        if (*p == ESCAPE) {
            p++;
            if (in_class(c, (unsigned char)*p)) return in;
        } else if (p[1] == '-' && p + 2 < last) {
            p += 2;
            if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p) return in;
        } else if ((unsigned char)*p == c) {
            return in;
        }
    }
    return !in;
}

/* Does the byte at s, if there is one, fit the class [p, class_end)? */
static bool fits(struct pattern *m, const char *s, const char *p, const char *end)
{
    if (s >= m->end) return false;
    int c = (unsigned char)*s;
    spend(m, 1 + (size_t)(end - p) / 8);
    switch (*p) {
    case '.': return true;
    case ESCAPE: return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(c, p, end - 1);
    default: return (unsigned char)*p == c;
    }
}

/* ---- items --------------------------------------------------------------------------------
 */

static const char *match(struct pattern *m, const char *s, const char *p);

static const char *match_most(struct pattern *m, const char *s, const char *p, const char *end)
{
    const char *to = s;
    while (fits(m, to, p, end)) {
        to++;
    }
    for (; to >= s; to--) {
        const char *found = match(m, to, end + 1);
        if (found) return found;
    }
    return NULL;
}

static const char *match_least(struct pattern *m, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *found = match(m, s, end + 1);
        if (found) return found;
        if (!fits(m, s, p, end)) return NULL;
    }
}

static const char *match_balanced(struct pattern *m, const char *s, const char *p)
{
    if (!p[0] || !p[1]) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->end || *s != *p) return NULL;
    int open = 1;
    while (++s < m->end) {
        spend(m, 1);
        if (*s == p[1]) {
            if (--open == 0) return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* p stands on the set behind %f. */
static bool at_frontier(struct pattern *m, const char *s, const char *p, const char *end)
{
    int before = s == m->subject ? 0 : (unsigned char)s[-1];
    int here = s == m->end ? 0 : (unsigned char)*s;
    spend(m, 1 + (size_t)(end - p) / 8);
    return !in_set(before, p, end - 1) && in_set(here, p, end - 1);
}

static const char *begin_capture(struct pattern *m, const char *s, const char *p, int mark)
{
    if (m->level >= PATTERN_CAPTURES) luaL_error(m->L, "too many captures");
    m->captures[m->level] = (struct pattern_capture){s, mark};
    m->level++;
    const char *found = match(m, s, p);
    if (!found) m->level--;
    return found;
}

static const char *end_capture(struct pattern *m, const char *s, const char *p)
{
    int i = m->level - 1;
    while (i >= 0 && m->captures[i].len != UNFINISHED) {
        i--;
    }
    if (i < 0) luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].at;
    const char *found = match(m, s, p);
    if (!found) m->captures[i].len = UNFINISHED;
    return found;
}

/* What capture `digit` holds, once more. */
static const char *match_again(struct pattern *m, const char *s, int digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->level || m->captures[i].len == UNFINISHED)
        luaL_error(m->L, "invalid capture index");
    ptrdiff_t len = m->captures[i].len;
    if (len < 0 || len > m->end - s) return NULL;
    spend(m, (size_t)len / 16);
    return memcmp(m->captures[i].at, s, (size_t)len) == 0 ? s + len : NULL;
}

/* ---- the matcher --------------------------------------------------------------------------
 */

/* One class and what repeats it. True: go on at *s and *p; false: *s is the result. */
static bool match_single(struct pattern *m, const char **s, const char **p)
{
    const char *end = class_end(m, *p), *found;
    switch (*end) {
    case '?':
        found = fits(m, *s, *p, end) ? match(m, *s + 1, end + 1) : NULL;
        *p = end + 1;
        if (found) *s = found;
        return !found;
    case '*': *s = match_most(m, *s, *p, end); return false;
    case '+': *s = fits(m, *s, *p, end) ? match_most(m, *s + 1, *p, end) : NULL; return false;
    case '-': *s = match_least(m, *s, *p, end); return false;
    default: break;
    }
    *s = fits(m, *s, *p, end) ? *s + 1 : NULL;
    *p = end;
    return *s != NULL;
}

/* The items that begin with `%` and are no class. True: handled; *s NULL: no match. */
static bool match_escape(struct pattern *m, const char **s, const char **p)
{
    const char *at = *p;
    if (at[1] == 'b') {
        *s = match_balanced(m, *s, at + 2);
        *p = at + 4;
    } else if (at[1] == 'f') {
        if (at[2] != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
        *p = class_end(m, at + 2);
        if (!at_frontier(m, *s, at + 2, *p)) *s = NULL;
    } else if (isdigit((unsigned char)at[1])) {
        *s = match_again(m, *s, at[1]);
        *p = at + 2;
    } else {
        return false;
    }
    return true;
}

static const char *match_here(struct pattern *m, const char *s, const char *p)
{
    while (s && *p) {
        spend(m, 1);
        if (*p == '(' && p[1] == ')') return begin_capture(m, s, p + 2, POSITION);
        if (*p == '(') return begin_capture(m, s, p + 1, UNFINISHED);
        if (*p == ')') return end_capture(m, s, p + 1);
        if (*p == '$' && !p[1]) return s == m->end ? s : NULL;
        if (*p == ESCAPE && match_escape(m, &s, &p)) continue;
        if (!match_single(m, &s, &p)) return s;
    }
    return s;
}

static const char *match(struct pattern *m, const char *s, const char *p)
{
    if (++m->depth > MAX_DEPTH) luaL_error(m->L, "pattern too complex");
    const char *found = match_here(m, s, p);
    m->depth--;
    return found;
}

const char *pattern_match(struct pattern *pattern, const char *at, const char *p)
{
    pattern->depth = 0;
    pattern->level = 0;
    spend(pattern, 1);
    return match(pattern, at, p);
}

/* ---- captures -----------------------------------------------------------------------------
 */

void pattern_push_capture(struct pattern *pattern, int i, const char *from, const char *to)
{
    if (i >= pattern->level) {
        if (i > 0) luaL_error(pattern->L, "invalid capture index");
        lua_pushlstring(pattern->L, from, (size_t)(to - from));
        return;
    }
    const struct pattern_capture *capture = &pattern->captures[i];
    if (capture->len == UNFINISHED) luaL_error(pattern->L, "unfinished capture");
    if (capture->len == POSITION) {
        lua_pushinteger(pattern->L, capture->at - pattern->subject + 1);
    } else {
        lua_pushlstring(pattern->L, capture->at, (size_t)capture->len);
    }
}

int pattern_push_captures(struct pattern *pattern, const char *from, const char *to)
{
    int n = pattern->level == 0 && from ? 1 : pattern->level;
    luaL_checkstack(pattern->L, n, "too many captures");
    for (int i = 0; i < n; i++) {
        pattern_push_capture(pattern, i, from, to);
    }
    return n;
}

/* A program of the build: packs files into C source, for embedded.h.
 *
 *     embed VERSION [FILE...] > embedded.c
 *
 * The names stand in the table as given, and in the order given: the caller sorts. Scripts are
 * also there compiled, so that a state that loads them has not to read them; one that does not
 * compile ends the build. routes.lua is the operator's kind of file, and stays text. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

enum { A_LINE = 64 };

/* One source line a file's line, so that a diff of the output can be read. */
static void put_byte(int c)
{
    if (c == '\n') {
        (void)printf("\\n\"\n\"");
    } else if (c == '"' || c == '\\' || c == '?') { /* `?`: no trigraphs */
        (void)printf("\\%c", c);
    } else if (c >= ' ' && c < 127) {
        (void)putchar(c);
    } else {
        (void)printf("\\%03o", (unsigned)c);
    }
}

/* A lua_Writer: as octal, since no text is to be seen in it. `ud` counts. */
static int put_code(lua_State *L, const void *bytes, size_t size, void *ud)
{
    const unsigned char *p = bytes;
    size_t *len = ud;

    (void)L;
    for (size_t i = 0; i < size; i++) {
        (void)printf("\\%03o", p[i]);
        if (++*len % A_LINE == 0) (void)printf("\"\n\"");
    }
    return 0;
}

/* The same file compiled, line numbers included, or nothing. */
static bool put_compiled(lua_State *L, const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t len = 0;

    if (!dot || strcmp(dot, ".lua") != 0 || strcmp(name, "routes.lua") == 0) {
        (void)printf("     NULL, 0},\n");
        return true;
    }
    if (luaL_loadfile(L, name) != 0) { /* the chunk is called "@name", as it is at run time */
        (void)fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
        return false;
    }
    (void)printf("\"");
    int failed = lua_dump(L, put_code, &len);
    (void)printf("\",\n     %zu},\n", len);
    lua_settop(L, 0);
    return !failed;
}

static bool put_file(lua_State *L, const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        (void)fprintf(stderr, "embed: %s: %s\n", name, strerror(errno));
        return false;
    }

    size_t len = 0;
    (void)printf("    {\"%s\",\n\"", name);
    for (int c = getc(file); c != EOF; c = getc(file), len++)
        put_byte(c);
    (void)printf("\",\n     %zu,\n", len);

    bool whole = !ferror(file);
    if (fclose(file) != 0 || !whole) {
        (void)fprintf(stderr, "embed: %s: %s\n", name, strerror(errno));
        return false;
    }
    return put_compiled(L, name);
}

/* Which LuaJIT compiled: another one reads the text. */
static void put_compiler(lua_State *L)
{
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "version");
    (void)printf("const char embedded_compiler[] = \"%s\";\n", lua_tostring(L, -1));
    lua_settop(L, 0);
}

int main(int argc, char **argv)
{
    lua_State *L = argc < 2 ? NULL : luaL_newstate();

    if (!L) {
        (void)fprintf(stderr, "usage: embed VERSION [FILE...]\n");
        return 2;
    }
    luaL_openlibs(L);
    (void)printf("#include \"embedded.h\"\n\n");
    (void)printf("const char embedded_version[] = \"%s\";\n", argv[1]);
    put_compiler(L);
    (void)printf("const struct embedded_file embedded_files[] = {\n");
    for (int i = 2; i < argc; i++) {
        if (!put_file(L, argv[i])) return 1;
    }
    (void)printf("    {0, 0, 0, 0, 0},\n};\nconst size_t embedded_count = %d;\n", argc - 2);
    lua_close(L);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

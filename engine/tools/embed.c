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

/* How far the code of all files has come. */
static size_t code_at;

/* A lua_Writer: as octal, since no text is to be seen in it. */
static int put_code(lua_State *L, const void *bytes, size_t size, void *unused)
{
    const unsigned char *p = bytes;

    (void)L, (void)unused;
    for (size_t i = 0; i < size; i++) {
        (void)printf("\\%03o", p[i]);
        if (++code_at % A_LINE == 0) (void)printf("\"\n\"");
    }
    return 0;
}

static bool is_compiled(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".lua") == 0 && strcmp(name, "routes.lua") != 0;
}

/* A file compiled, line numbers included, behind the others'. */
static bool put_compiled(lua_State *L, const char *name)
{
    if (luaL_loadfile(L, name) != 0) { /* the chunk is called "@name", as it is at run time */
        (void)fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
        return false;
    }
    int failed = lua_dump(L, put_code, NULL);
    lua_settop(L, 0);
    return !failed;
}

/* All code in one piece, and where each file's ends. */
static bool put_all_code(lua_State *L, int count, char **names, size_t *ends)
{
    (void)printf("const char embedded_code[] =\n\"");
    for (int i = 0; i < count; i++) {
        if (is_compiled(names[i]) && !put_compiled(L, names[i])) return false;
        ends[i] = code_at;
    }
    (void)printf("\";\nconst size_t embedded_code_len = %zu;\n", code_at);
    return true;
}

/* A file's bytes and a NUL behind them, behind the others'. */
static bool put_text(const char *name, size_t *text_at)
{
    FILE *file = fopen(name, "rb");
    if (!file) return false;

    for (int c = getc(file); c != EOF; c = getc(file), ++*text_at)
        put_byte(c);
    (void)printf("\\0\"\n\"");
    ++*text_at;

    bool whole = !ferror(file);
    return fclose(file) == 0 && whole;
}

/* All texts in one piece, too: names are looked through, and texts then stay where they are. */
static bool put_all_texts(int count, char **names, size_t *ends)
{
    size_t text_at = 0;

    (void)printf("static const char names[] =\n\"");
    for (int i = 0; i < count; i++)
        (void)printf("%s\\0\"\n\"", names[i]);
    (void)printf("\";\nstatic const char texts[] =\n\"");
    for (int i = 0; i < count; i++) {
        if (!put_text(names[i], &text_at)) {
            (void)fprintf(stderr, "embed: %s: %s\n", names[i], strerror(errno));
            return false;
        }
        ends[i] = text_at;
    }
    (void)printf("\";\n");
    return true;
}

/* Which LuaJIT compiled: another one reads the text. */
static void put_compiler(lua_State *L)
{
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "version");
    (void)printf("const char embedded_compiler[] = \"%s\";\n", lua_tostring(L, -1));
    lua_settop(L, 0);
}

/* One line a file: name, text and code, from where to where. */
static void put_table(int count, char **names, const size_t *texts, const size_t *codes)
{
    size_t name = 0, text = 0, code = 0;

    (void)printf("const struct embedded_file embedded_files[] = {\n");
    for (int i = 0; i < count; i++) {
        (void)printf("    {names + %zu, texts + %zu, %zu, ", name, text, texts[i] - text - 1);
        if (codes[i] > code) {
            (void)printf("embedded_code + %zu, %zu},\n", code, codes[i] - code);
        } else {
            (void)printf("0, 0},\n");
        }
        name += strlen(names[i]) + 1;
        text = texts[i];
        code = codes[i];
    }
    (void)printf("    {0, 0, 0, 0, 0},\n};\nconst size_t embedded_count = %d;\n", count);
}

static bool put_all(lua_State *L, int count, char **names)
{
    size_t *texts = calloc((size_t)count + 1, sizeof(*texts));
    size_t *codes = calloc((size_t)count + 1, sizeof(*codes));
    bool whole = texts && codes && put_all_texts(count, names, texts) &&
                 put_all_code(L, count, names, codes);

    if (whole) put_table(count, names, texts, codes);
    free(texts);
    free(codes);
    return whole && fflush(stdout) == 0 && !ferror(stdout);
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
    bool whole = put_all(L, argc - 2, argv + 2);
    lua_close(L);
    return whole ? 0 : 1;
}

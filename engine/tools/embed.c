/* A program of the build: packs files into C source, for embedded.h.
 *
 *     embed VERSION [FILE...] > embedded.c
 *
 * The names stand in the table as given, and in the order given: the caller sorts. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool put_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) return false;

    size_t len = 0;
    (void)printf("    {\"%s\",\n\"", name);
    for (int c = getc(file); c != EOF; c = getc(file), len++)
        put_byte(c);
    (void)printf("\",\n     %zu},\n", len);

    bool whole = !ferror(file);
    return fclose(file) == 0 && whole;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: embed VERSION [FILE...]\n");
        return 2;
    }
    (void)printf("#include \"embedded.h\"\n\n");
    (void)printf("const char embedded_version[] = \"%s\";\n", argv[1]);
    (void)printf("const struct embedded_file embedded_files[] = {\n");
    for (int i = 2; i < argc; i++) {
        if (put_file(argv[i])) continue;
        (void)fprintf(stderr, "embed: %s: %s\n", argv[i], strerror(errno));
        return 1;
    }
    (void)printf("    {0, 0, 0},\n};\nconst size_t embedded_count = %d;\n", argc - 2);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

/* A fuzz target without its fuzzer: runs it once over each file named, so that whoever has no
 * clang still plays the seeds and what once crashed.
 *
 *     replay_NAME FILE…
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* In a block of its own size, so that a sanitizer sees a step beyond. */
static int play(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;

    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size >= 0) bytes = malloc(size ? (size_t)size : 1);
    if (bytes) rewind(file);
    size_t got = bytes ? fread(bytes, 1, (size_t)size, file) : 0;
    if (file) (void)fclose(file);
    if (!bytes || got != (size_t)size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(bytes);
        return 1;
    }
    fprintf(stderr, "%s\n", path); /* the last one named is the one that crashed */
    (void)LLVMFuzzerTestOneInput(bytes, got);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed += play(argv[i]);
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return failed ? 1 : 0;
}

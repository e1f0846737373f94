/* tokens.h: which files are refused, and that no text is slow.
 * Exactness is what tests/tokens/exact.mjs shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <malloc.h>
#include <sys/stat.h>

#include "check.h"
#include "tokens.h"

enum { MEGABYTE = 1 << 20, PATH_SIZE = 256 };

#define FILE_NAME "build/vocabularies/o200k_base.mgv"

static unsigned char *whole;
static size_t whole_size;

static bool read_whole(void)
{
    FILE *file = fopen(FILE_NAME, "rb");

    if (!file) return false;
    whole = malloc(16 * MEGABYTE);
    whole_size = whole ? fread(whole, 1, 16 * MEGABYTE, file) : 0;
    (void)fclose(file);
    return whole_size > 0;
}

/* Why a file of the first `size` bytes is refused, one of them changed (at SIZE_MAX: none). */
static bool refused(size_t size, size_t changed, const char *because)
{
    char path[PATH_SIZE] = "/tmp/moongate-tokens-XXXXXX", why[TOKENS_WHY] = "";
    int fd = mkstemp(path);

    if (fd < 0) return false;
    if (changed != SIZE_MAX) whole[changed] ^= 1;
    bool written = write(fd, whole, size) == (ssize_t)size;
    if (changed != SIZE_MAX) whole[changed] ^= 1;
    close(fd);
    const struct tokens *tokens = tokens_open(path, why);
    bool opened = tokens != NULL;
    tokens_close(tokens);
    unlink(path);
    if (!strstr(why, because)) fprintf(stderr, "said: %s\n", why);
    return written && !opened && strstr(why, because) && strstr(why, path);
}

/* What it may keep in memory: a file's pages, shared by all, and a workspace a worker. */
static void test_sizes(void)
{
    static const struct {
        const char *path;
        off_t most;
    } files[] = {{FILE_NAME, 7500000}, {"build/vocabularies/cl100k_base.mgv", 4000000}};
    struct tokens_work *work = tokens_work_new(0);
    struct stat about;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        CHECK(stat(files[i].path, &about) == 0 && about.st_size <= files[i].most);
    }
    if (CHECK(work != NULL)) CHECK(malloc_usable_size(work) <= 400000);
    tokens_work_free(work);
}

static void test_refusals(void)
{
    char why[TOKENS_WHY];

    CHECK(tokens_open("/nonexistent/o200k.mgv", why) == NULL);
    CHECK(strstr(why, "/nonexistent/o200k.mgv: No such file") != NULL);
    CHECK(refused(0, SIZE_MAX, "no vocabulary file"));
    CHECK(refused(100, SIZE_MAX, "no vocabulary file"));
    CHECK(refused(whole_size / 2, SIZE_MAX, "truncated"));
    CHECK(refused(whole_size - 64, SIZE_MAX, "truncated"));
    CHECK(refused(whole_size, 0, "no vocabulary file"));
    CHECK(refused(whole_size, 8, "another version"));
    CHECK(refused(whole_size, sizeof(struct tokens_header), "altered"));
    CHECK(refused(whole_size, whole_size / 2, "altered"));
    CHECK(refused(whole_size, whole_size - 1, "altered"));
}

/* Merging takes at most so many times the bytes, whatever they are. */
static void check_linear(const struct tokens *tokens, struct tokens_work *work,
                         const char *unit, size_t len)
{
    char *text = malloc(MEGABYTE);

    if (!CHECK(text != NULL)) return;
    for (size_t i = 0; i < MEGABYTE; i++) {
        text[i] = unit[i % len];
    }
    struct tokens_run run = {tokens, work, text, MEGABYTE, .limit = TOKENS_NO_LIMIT};
    unsigned steps = 1;
    while (!tokens_step(&run, 4096)) {
        steps++;
    }
    CHECK(!run.rough);
    CHECK(run.at == MEGABYTE);
    CHECK(run.effort <= 2 * MEGABYTE);
    CHECK(steps <= 2 * MEGABYTE / 4096);
    CHECK(run.count == tokens_count(tokens, work, text, MEGABYTE));

    struct tokens_run first = {tokens, work, text, MEGABYTE, .limit = 100};
    while (!tokens_step(&first, 4096)) {
    }
    CHECK(first.count == 101);
    CHECK(first.effort <= 2 * 100 * TOKEN_LONGEST + 4096);
    free(text);
}

/* Bytes that are no text: whole or by steps is the same, and a prefix ends where it should. */
static void test_noise(const struct tokens *tokens, struct tokens_work *work)
{
    unsigned state = 7;

    for (size_t round = 0; round < 3000; round++) {
        size_t len = round % 300;
        char *text = malloc(len + 1); /* of this size: sanitizers watch its end */
        if (!CHECK(text != NULL)) return;
        for (size_t i = 0; i < len; i++) {
            state = state * 1103515245 + 12345;
            text[i] = (char)(round % 2 ? state >> 16 : 0xC0 | (state >> 16 & 0x3F));
        }
        uint64_t count = tokens_count(tokens, work, text, len);
        struct tokens_run run = {tokens, work, text, len, .limit = count};
        while (!tokens_step(&run, 7)) {
        }
        size_t half = tokens_prefix(tokens, work, text, len, count / 2);
        bool fine = run.count == count && run.at == len && half <= len && count <= len;
        if (!fine || round % 1000 == 0) CHECK(fine);
        free(text);
    }
}

static void test_linear(const struct tokens *tokens, struct tokens_work *work)
{
    static const char *const units[] = {
        "a",   " ",    "\n", "=", "Ab",   "漢", "한", "😀", "abcdefghijklmnopqrstuvwxyz",
        " \t", "\r\n", "/",  "0", "\xff",
    };
    static char noise[40009];
    unsigned state = 1;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        check_linear(tokens, work, units[i], strlen(units[i]));
    }
    for (size_t i = 0; i < sizeof(noise); i++) {
        state = state * 1103515245 + 12345;
        noise[i] = (char)('a' + (state >> 16) % 26);
    }
    check_linear(tokens, work, noise, sizeof(noise));
    for (size_t i = 0; i < sizeof(noise); i++) {
        state = state * 1103515245 + 12345;
        noise[i] = (char)(state >> 16);
    }
    check_linear(tokens, work, noise, sizeof(noise));
}

int main(void)
{
    char why[TOKENS_WHY];
    const struct tokens *tokens = tokens_open(FILE_NAME, why);
    struct tokens_work *work = tokens_work_new(0);

    if (!tokens) {
        printf("%s: skipped\n", why);
    } else if (CHECK(work != NULL) && CHECK(read_whole())) {
        CHECK(tokens_size(tokens) == 199998);
        CHECK(tokens_count(tokens, work, "", 0) == 0);
        CHECK(tokens_count(tokens, work, "hello world", 11) == 2);
        CHECK(tokens_prefix(tokens, work, "hello world", 11, 1) == 5);
        test_refusals();
        test_sizes();
        test_linear(tokens, work);
        test_noise(tokens, work);
    }
    free(whole);
    tokens_close(tokens);
    tokens_work_free(work);
    return check_report();
}

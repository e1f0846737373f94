#include "tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "tokens_merge.h"

enum { SMALLEST = sizeof(struct tokens_header), LARGEST = 1 << 28, CHUNK = 32 << 10 };

/* Bytes of an entry, and how many bits of entries are possible. */
static const struct {
    unsigned entry, least, most;
} shape[SECTIONS] = {
    [SECTION_BYTES] = {4, 8, 8},    [SECTION_BYTE_PAIRS] = {4, 16, 16},
    [SECTION_FILTER] = {1, 18, 18}, [SECTION_PAIRS] = {8, 4, 24},
    [SECTION_SHORT] = {8, 4, 24},   [SECTION_MIDDLE] = {16, 4, 24},
    [SECTION_LONG] = {4, 4, 24},    [SECTION_TEXT] = {1, 0, LARGEST},
};

static size_t section_size(const struct tokens_header *header, unsigned i)
{
    uint32_t bits = header->section[i].bits;

    return i == SECTION_TEXT ? bits : (size_t)shape[i].entry << bits;
}

static bool sections_fit(const struct tokens_header *header)
{
    for (unsigned i = 0; i < SECTIONS; i++) {
        uint64_t at = header->section[i].at;
        uint32_t bits = header->section[i].bits;
        if (bits < shape[i].least || bits > shape[i].most) return false;
        if (at % TOKENS_ALIGN || at < sizeof(*header) || at > header->size) return false;
        if (section_size(header, i) > header->size - at) return false;
    }
    return true;
}

/* Tokens stand where the table says, and end within the text. */
static bool long_ones_fit(const struct tokens *tokens)
{
    const struct tokens_header *header = tokens->header;
    size_t text = section_size(header, SECTION_TEXT);

    for (size_t i = 0; i < (size_t)1 << header->section[SECTION_LONG].bits; i++) {
        size_t at = tokens->long_slots[i];
        if (at && (at >= text || tokens->text[at] >= text - at)) return false;
    }
    return true;
}

/* What follows the header is what it was: read, for that is three times as quick as mapping
 * pages that nobody may ever ask for. */
static bool intact(int fd, const struct tokens_header *header)
{
    uint8_t chunk[CHUNK];
    uint64_t lane[4] = {1, 2, 3, 4};
    size_t at = sizeof(*header);

    while (at < header->size) {
        ssize_t got = pread(fd, chunk, sizeof(chunk), (off_t)at);
        if (got <= 0 || got % 32) return false;
        tokens_check_more(lane, chunk, (size_t)got);
        at += (size_t)got;
    }
    return tokens_check_end(lane) == header->check;
}

/* NULL: it is whole. */
static const char *fault_of(int fd, const struct tokens_header *header, size_t size)
{
    if (memcmp(header->magic, TOKENS_MAGIC, sizeof(header->magic)) != 0) {
        return "no vocabulary file";
    }
    if (header->version != TOKENS_VERSION) return "made for another version: run make";
    if (header->size != size) return "truncated, or longer than it was made";
    if (size % TOKENS_ALIGN || header->rules < RULES_R50K || header->rules > RULES_O200K ||
        header->number > 15 || !sections_fit(header)) {
        return "its header is damaged";
    }
    return intact(fd, header) ? NULL : "altered since it was made";
}

static void point(struct tokens *tokens, const struct tokens_header *header)
{
    const void *at[SECTIONS];

    for (unsigned i = 0; i < SECTIONS; i++) {
        at[i] = (const uint8_t *)header + header->section[i].at;
    }
    *tokens = (struct tokens){
        .header = header,
        .bytes = at[SECTION_BYTES],
        .byte_pairs = at[SECTION_BYTE_PAIRS],
        .filter = at[SECTION_FILTER],
        .pairs = at[SECTION_PAIRS],
        .shorts = at[SECTION_SHORT],
        .middles = at[SECTION_MIDDLE],
        .long_slots = at[SECTION_LONG],
        .text = at[SECTION_TEXT],
        .pair_shift = 64 - header->section[SECTION_PAIRS].bits,
        .short_shift = 64 - header->section[SECTION_SHORT].bits,
        .middle_shift = 64 - header->section[SECTION_MIDDLE].bits,
        .long_shift = 64 - header->section[SECTION_LONG].bits,
    };
}

/* The mapped file of what `fd` is open on; NULL with errno: EINVAL where its size is
 * impossible.
 */
static const void *map_file(int fd, size_t *size)
{
    struct stat about;

    if (fstat(fd, &about) != 0) return NULL;
    errno = EINVAL;
    if (about.st_size < SMALLEST || about.st_size > LARGEST) return NULL;
    *size = (size_t)about.st_size;
    const void *bytes = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

/* NULL: *fault says why. */
static const struct tokens *open_file(int fd, const char **fault)
{
    size_t size = 0;
    const struct tokens_header *header = map_file(fd, &size);

    if (!header) {
        *fault = errno == EINVAL ? "no vocabulary file" : strerror(errno);
        return NULL;
    }
    struct tokens *tokens = malloc(sizeof(*tokens));
    *fault = tokens ? fault_of(fd, header, size) : "out of memory";
    if (tokens && !*fault) {
        point(tokens, header);
        if (long_ones_fit(tokens)) {
            /* Pages that were looked at come again when somebody counts. */
            (void)madvise((void *)header, size, MADV_DONTNEED);
            return tokens;
        }
        *fault = "its long tokens are damaged";
    }
    munmap((void *)header, size);
    free(tokens);
    return NULL;
}

const struct tokens *tokens_open(const char *path, char *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *fault = fd < 0 ? strerror(errno) : NULL;
    const struct tokens *tokens = fd < 0 ? NULL : open_file(fd, &fault);

    if (!tokens) (void)snprintf(why, TOKENS_WHY, "%s: %s", path, fault);
    if (fd >= 0) close(fd);
    return tokens;
}

void tokens_close(const struct tokens *tokens)
{
    if (!tokens) return;
    munmap((void *)tokens->header, tokens->header->size);
    free((void *)tokens);
}

uint32_t tokens_size(const struct tokens *tokens)
{
    return tokens->header->tokens;
}

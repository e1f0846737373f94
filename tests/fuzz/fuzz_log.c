/* Whatever is logged comes out as one line of valid JSON, safe to print, without the secret. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "log.h"
#include "log_text.h"

enum { LINE = 16 << 10 };

static char bytes[LINE + 4096];

static void must(bool held, const char *what, const char *line)
{
    if (held) return;
    fprintf(stderr, "%s: %s\n", what, line);
    abort();
}

/* ---- a JSON checker of its own, for what log.c writes: no blanks
 * ------------------------------ */

static const char *value(const char *p, unsigned depth);

static const char *string(const char *p)
{
    if (*p++ != '"') return NULL;
    while (*p != '"') {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return NULL;
        if (*p++ != '\\') continue;
        if (*p == 'u') {
            for (int i = 1; i <= 4; i++)
                if (!p[i] || !strchr("0123456789abcdefABCDEF", p[i])) return NULL;
            p += 5;
        } else if (!*p || !strchr("\"\\/bfnrt", *p++)) {
            return NULL;
        }
    }
    return p + 1;
}

static const char *digits(const char *p)
{
    if (*p < '0' || *p > '9') return NULL;
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

static const char *number(const char *p)
{
    if (*p == '-') p++;
    if (*p == '0' && p[1] >= '0' && p[1] <= '9') return NULL;
    p = digits(p);
    if (p && *p == '.') p = digits(p + 1);
    if (p && (*p == 'e' || *p == 'E')) p = digits(p + 1 + (p[1] == '+' || p[1] == '-'));
    return p;
}

static const char *container(const char *p, bool object, unsigned depth)
{
    char end = object ? '}' : ']';

    if (p[1] == end) return p + 2;
    do {
        p++;
        if (object) {
            p = string(p);
            if (!p || *p++ != ':') return NULL;
        }
        p = value(p, depth + 1);
        if (!p) return NULL;
    } while (*p == ',');
    return *p == end ? p + 1 : NULL;
}

static const char *value(const char *p, unsigned depth)
{
    if (depth > 60) return NULL;
    if (*p == '{' || *p == '[') return container(p, *p == '{', depth);
    if (*p == '"') return string(p);
    if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0) return p + 4;
    if (strncmp(p, "false", 5) == 0) return p + 5;
    return number(p);
}

/* ---- the targets ----------------------------------------------------------------------------
 */

/* UTF-8, and no character that moves a terminal or ends a line. */
static bool printable(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) return false;
        if (p[i] < 0x80) continue;
        size_t more = p[i] >= 0xf0 ? 3 : p[i] >= 0xe0 ? 2 : 1;
        if (p[i] < 0xc2 || p[i] > 0xf4 || (p[i] == 0xc2 && p[i + 1] < 0xa0)) return false;
        if (p[i] == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9))
            return false;
        for (; more > 0; more--)
            if ((p[++i] & 0xc0) != 0x80) return false;
    }
    return true;
}

static size_t drain(struct log *log, int fd)
{
    log_flush(log);
    ssize_t n = pread(fd, bytes, sizeof(bytes) - 1, 0);
    if (n < 0 || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) abort();
    bytes[n] = '\0';
    return (size_t)n;
}

static void check_line(struct log *log, int fd)
{
    size_t len = drain(log, fd);

    must(len > 2 && len <= LINE && bytes[len - 1] == '\n', "not a line", bytes);
    must(printable(bytes, len - 1), "not printable", bytes);
    must(value(bytes, 0) == bytes + len - 1, "not JSON", bytes);
}

/* The first byte says how long the secret is that the input begins with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char made[1 << 16];
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_DEBUG);
    size_t secret = size ? data[0] % 32 : 0;
    char *text = calloc(1, size + 1);

    if (!log || !text) abort();
    if (size > 0) memcpy(text, data + 1, size - 1);
    if (secret < size) log_secret(log, text, secret);

    log_event(log, LOG_INFO, text, "%s", text);
    check_line(log, fd);
    struct log_text members = {made, 0, sizeof(made)};
    (void)log_text_put(&members, "\"n\":12345678,\"t\" : ", 19);
    (void)log_text_string(&members, text, size, sizeof(made) / 2);
    (void)log_text_put(&members, ",\"l\":[1,\n{\"x\":", 14);
    (void)log_text_string(&members, text, size, 5 + size % 100);
    (void)log_text_put(&members, "}]", 2);
    log_fields(log, LOG_INFO, "e", made, members.len);
    check_line(log, fd);
    log_fields(log, LOG_INFO, "e", text, size); /* broken JSON stays broken, on one safe line */
    size_t len = drain(log, fd);
    must(len <= LINE && printable(bytes, len - 1), "not printable", bytes);

    log_free(log);
    close(fd);
    free(text);
    return 0;
}

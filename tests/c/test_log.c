/* One valid line an event, whatever is in it; no secret in any; nobody waits for a slow reader.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "log.h"
#include "log_secrets.h"
#include "log_text.h"

enum { LINE = 16 << 10, THREADS = 4, ROUNDS = 2000 };

static char printed[4 << 20];

/* What was written to a memory file since the last call, as text. */
static const char *take(struct log *log, int fd)
{
    log_flush(log);
    ssize_t n = pread(fd, printed, sizeof(printed) - 1, 0);
    printed[n > 0 ? n : 0] = '\0';
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) return "";
    return printed;
}

static bool has(const char *text, const char *part)
{
    bool found = strstr(text, part) != NULL;

    if (!found) fprintf(stderr, "no %s in %s\n", part, text);
    return found;
}

static bool fields(struct log *log, int fd, const char *members, const char *want)
{
    log_fields(log, LOG_INFO, "e", members, strlen(members));
    return has(take(log, fd), want);
}

static void test_lines(void)
{
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_INFO);

    log_event(log, LOG_INFO, "start", "port %d", 4000);
    const char *line = take(log, fd);
    CHECK(strncmp(line, "{\"ts\":\"20", 9) == 0 && line[30] == 'Z');
    CHECK_TEXT(line + 31, strlen(line + 31),
               "\",\"level\":\"info\",\"event\":\"start\",\"message\":\"port 4000\"}\n");
    log_event(log, LOG_DEBUG, "quiet", "x");
    log_fields(log, LOG_DEBUG, "quiet", "\"a\":1", 5);
    CHECK(strlen(take(log, fd)) == 0 && !log_wants(log, LOG_DEBUG) && log_wants(log, LOG_WARN));
    CHECK(fields(log, fd, "\"status\":200,\"ok\":true", ",\"status\":200,\"ok\":true}\n"));
    CHECK(fields(log, fd, "", "\"event\":\"e\"}\n"));
    log_event(log, LOG_ERROR, "a", "1");
    log_event(log, LOG_WARN, "b", "2");
    line = take(log, fd);
    CHECK(has(line, "\"message\":\"1\"}\n{\"ts\"") && has(line, "\"level\":\"warn\""));
    CHECK(log_dropped(log) == 0);
    log_free(log);
    log_free(NULL);
    close(fd);
}

static void test_escapes(void)
{
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_DEBUG);

    log_event(log, LOG_INFO, "e\n\"", "a\"b\\c\n\t\r\x01\x1b[31m\x7f");
    const char *line = take(log, fd);
    CHECK(has(line, "\"event\":\"e\\n\\\"\""));
    CHECK(has(line, "\"a\\\"b\\\\c\\n\\t\\u000d\\u0001\\u001b[31m\\u007f\"}\n"));
    log_event(log, LOG_INFO, "e", "%s",
              "\xc2\x85 \xe2\x80\xa8\xe2\x80\xa9 \xc3\xa9\xf0\x9f\x98\x80");
    CHECK(has(take(log, fd), "\"\\u0085 \\u2028\\u2029 \xc3\xa9\xf0\x9f\x98\x80\"}"));
    log_event(log, LOG_INFO, "e", "%s",
              "\xff \xc0\xaf \xed\xa0\x80 \xe2\x82 \xf4\x90\x80\x80 \xf0");
    line = take(log, fd);
    CHECK(has(line, "\"\\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd "
                    "\\ufffd\\ufffd\\ufffd\\ufffd \\ufffd\"}"));
    CHECK(fields(log, fd, "\"a\" : \"x\ny\",\n\"b\":[ 1, {\"c\":\"\\u0041\\n\"} ]",
                 ",\"a\":\"x\\ny\",\"b\":[1,{\"c\":\"\\u0041\\n\"}]}\n"));
    CHECK(fields(log, fd, "\"a\":\"\\q\x80\"", ",\"a\":\"\\\\q\\ufffd\"}\n"));
    CHECK(fields(log, fd, "\"a\":1,\"b\":\"open", ",\"a\":1,\"truncated\":true}\n"));
    CHECK(fields(log, fd, "\"a\":[1,\"b\":2", "\"event\":\"e\",\"truncated\":true}\n"));
    log_free(log);
    close(fd);
}

static void test_long(void)
{
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_DEBUG);
    size_t size = 100000;
    char *text = malloc(size + 64);

    memset(text, ' ', size);
    text[size] = '\0';
    log_event(log, LOG_INFO, "e", "%s", text);
    const char *line = take(log, fd);
    CHECK(strlen(line) <= LINE && has(line, "\xe2\x80\xa6\",\"truncated\":true}\n"));
    memcpy(text, "\"a\":1,\"b\":\"", 11); /* b is cut */
    memcpy(text + size - 1, "\",\"c\":3", 8);
    log_fields(log, LOG_INFO, "e", text, strlen(text));
    line = take(log, fd);
    CHECK(strlen(line) < 5000 && has(line, " \xe2\x80\xa6\",\"c\":3,\"truncated\":true}\n"));
    memset(text + 10, '1', size - 11); /* now it does not fit, what is around it does */
    memcpy(text + size - 1, ",\"c\":3", 7);
    log_fields(log, LOG_INFO, "e", text, size + 5);
    line = take(log, fd);
    CHECK(has(line, "\"event\":\"e\",\"a\":1,\"c\":3,\"truncated\":true}\n"));
    memset(text, '\n', size); /* the longest escapes, to the last byte */
    text[0] = text[size - 1] = '"';
    log_event(log, LOG_INFO, text, "x");
    CHECK(strlen(take(log, fd)) < 300);
    free(text);
    log_free(log);
    close(fd);
}

/* A cut never leaves the front half of a key behind, nor of an escape. */
static void test_cut(void)
{
    char bytes[40];
    struct log_text text = {bytes, 0, sizeof(bytes)};

    CHECK(log_text_string(&text, "see mg-0123456789abcdef", 23, 20));
    CHECK_TEXT(bytes, text.len, "\"see \xe2\x80\xa6\"");
    text.len = 0;
    CHECK(log_text_string(&text,
                          "see \x01"
                          "bcdefghijklmnop",
                          20, 20));
    CHECK_TEXT(bytes, text.len, "\"see \xe2\x80\xa6\"");
    text.len = 0;
    CHECK(log_text_string(&text, "see \\abcdefghijklmnop", 21, 20));
    CHECK_TEXT(bytes, text.len, "\"see \\\\\xe2\x80\xa6\"");
    text.len = 0;
    CHECK(log_text_string(&text, "exactly", 7, 40));
    CHECK_TEXT(bytes, text.len, "\"exactly\"");
    text.len = sizeof(bytes) - 4;
    CHECK(!log_text_string(&text, "", 0, 40) && text.len == sizeof(bytes) - 4);
}

static void test_secrets(void)
{
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_DEBUG);
    char awkward[] = "pa\"ss\\\x01wörd";

    log_secret(log, "canary-value", 12);
    log_secret(log, "canary-value", 12);
    log_secret(log, awkward, strlen(awkward));
    log_secret(log, "nabcdefgh", 9);
    log_secret(log, "12345678", 8);
    log_secret(log, "short", 5);
    CHECK(fields(log, fd, "\"a\":\"xcanary-valuex\",\"b\":\"short\"",
                 "\"a\":\"x***x\",\"b\":\"short\"}\n"));
    log_event(log, LOG_INFO, "canary-value", "%s|%s|", awkward, awkward);
    const char *line = take(log, fd);
    CHECK(has(line, "\"event\":\"***\"") && has(line, "\"***|***|\"}"));
    CHECK(fields(log, fd, "\"a\":\"\\nabcdefgh\",\"b\":\"nabcdefgh\"",
                 "\"a\":\"\\nabcdefgh\",\"b\":\"***\"}\n"));
    CHECK(fields(log, fd, "\"a\":9123456780,\"b\":\"912345678\"",
                 "\"a\":9999999990,\"b\":\"9***\"}\n"));
    log_event(log, LOG_INFO, "e",
              "sk-proj-abc_12345 \nmg-abcdefgh; bearer abc.def/ghi= Bearer x");
    CHECK(has(take(log, fd), "\"sk-*** \\nmg-***; bearer *** Bearer x\"}"));
    log_event(log, LOG_INFO, "e", "risk-averse-plan sk-short asksk-0123456789abcdefghij");
    CHECK(has(take(log, fd), "\"risk-averse-plan sk-short asksk-***\"}"));
    log_event(log, LOG_INFO, "e",
              "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIuYyJ9.c2ln_-x, ya29.c.c0ASRK0Gb_0123456789-"
              "0123456789abcd yay eyJhbGciOi eye");
    CHECK(has(take(log, fd), "\"eyJ***, ya2*** yay eyJhbGciOi eye\"}"));
    log_free(log);
    close(fd);
}

static void test_long_secret(void)
{
    struct log_secrets *secrets = log_secrets_new();
    char value[3000], line[3100];

    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (char)('a' + i % 26);
    log_secrets_add(secrets, value, sizeof(value));
    line[0] = '"';
    memcpy(line + 1, value, sizeof(value));
    line[sizeof(value) + 1] = '"';
    size_t len = log_secrets_hide(secrets, line, sizeof(value) + 2);
    CHECK_TEXT(line, len, "\"*********\"");
    log_secrets_free(secrets);
}

/* Nobody reads: lines are dropped and counted, the writer goes on; later all is whole lines. */
static void slow_reader(int in, int out, bool (*nonblocking)(int))
{
    struct log *log = log_new(in, LOG_DEBUG);
    unsigned lines = 0;
    char last = 0, bytes[8192];
    ssize_t n;

    for (unsigned i = 0; i < 40000; i++) {
        log_event(log, LOG_INFO, "e", "%060u", i);
        if (i % 100 == 0) log_flush(log);
    }
    CHECK(log_dropped(log) > 0);
    CHECK(!nonblocking(in)); /* who shares it keeps his flags */
    fcntl(out, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 4000; i++) {
        while ((n = read(out, bytes, sizeof(bytes))) > 0)
            for (last = bytes[n - 1]; n > 0; n--)
                lines += bytes[n - 1] == '\n';
        log_flush(log);
    }
    CHECK(last == '\n' && lines + log_dropped(log) == 40000);
    log_free(log);
}

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void test_slow(void)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    slow_reader(fds[1], fds[0], is_nonblocking);
    close(fds[0]);
    close(fds[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    slow_reader(fds[1], fds[0], is_nonblocking);
    close(fds[0]);
    close(fds[1]);
}

/* A file system that is full takes half a line: the next whole one begins on a line of its own.
 */
static void test_full_disk(void)
{
    char path[] = "/tmp/test_log_XXXXXX";
    int fd = mkstemp(path);
    struct log *log = log_new(fd, LOG_DEBUG);
    struct rlimit limit;

    unlink(path);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 50;
    setrlimit(RLIMIT_FSIZE, &limit);
    log_event(log, LOG_INFO, "torn", "x");
    log_event(log, LOG_INFO, "lost", "x");
    log_flush(log);
    CHECK(log_dropped(log) == 2);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    log_event(log, LOG_INFO, "whole", "x");
    const char *text = take(log, fd);
    CHECK(strlen(text) > 52 && text[50] == '\n' && text[51] == '{');
    CHECK(has(text, "\"event\":\"whole\"") && !strstr(text, "lost"));
    log_free(log);
    close(fd);
}

static void *chatter(void *arg)
{
    struct log *log = arg;

    for (int i = 0; i < ROUNDS; i++) {
        log_event(log, LOG_INFO, "e", "canary-value %d", i);
        if (i % 64 == 0) log_secret(log, "canary-value", 12);
        if (i % 8 == 0) log_flush(log);
    }
    return NULL;
}

static void test_threads(void)
{
    int fd = memfd_create("log", 0);
    struct log *log = log_new(fd, LOG_DEBUG);
    pthread_t threads[THREADS];
    size_t lines = 0;

    log_secret(log, "canary-value", 12);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, chatter, log) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *text = take(log, fd);
    CHECK(!strstr(text, "canary"));
    for (; *text; text++)
        lines += text[0] == '\n' && (text[1] == '{' || !text[1]);
    CHECK(lines + log_dropped(log) == THREADS * ROUNDS && log_dropped(log) == 0);
    log_free(log);
    close(fd);
}

int main(void)
{
    test_lines();
    test_escapes();
    test_long();
    test_cut();
    test_secrets();
    test_long_secret();
    test_slow();
    signal(SIGXFSZ, SIG_IGN);
    test_full_disk();
    test_threads();
    return check_report();
}

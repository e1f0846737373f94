/* The whole test framework: CHECK what must hold, return check_report() from main. */
#ifndef MOONGATE_CHECK_H
#define MOONGATE_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned check_passed;
static unsigned check_failed;

/* True when it held, so that a test can stop where going on makes no sense. */
static inline bool check_that(bool held, const char *text, const char *file, int line)
{
    if (held) {
        check_passed++;
    } else {
        check_failed++;
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
    }
    return held;
}

static inline bool check_bytes(const char *got, size_t len, const char *want, const char *file,
                               int line)
{
    bool same = got && len == strlen(want) && memcmp(got, want, len) == 0;
    if (!same) {
        fprintf(stderr, "%s:%d: want: %s\n%s:%d:  got: %.*s\n", file, line, want, file, line,
                got ? (int)len : 6, got ? got : "(null)");
    }
    return check_that(same, "the bytes are the same", file, line);
}

#define CHECK(expr)                check_that((expr), #expr, __FILE__, __LINE__)
#define CHECK_TEXT(got, len, want) check_bytes((got), (len), (want), __FILE__, __LINE__)

/* The exit status of a test program. */
static inline int check_report(void)
{
    printf("%u passed, %u failed\n", check_passed, check_failed);
    return check_failed != 0;
}

#endif

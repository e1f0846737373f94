#include "moment.h"

#include <string.h>
#include <time.h>

enum {
    DAYS_TO_1970 = 719468, /* from 1 March of the year 0 */
    MOST_SPEED = 1000,
};

static int64_t speed = 1; /* set once, before any thread; 0: it stands still */
static int64_t stands_us; /* … at this */

static const int64_t FIRST_MS = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t LAST_MS = 253402300799999;  /* 9999-12-31T23:59:59.999Z */

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* cannot fail with these two clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t moment_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t moment_monotonic_us(void)
{
    return speed ? read_us(CLOCK_MONOTONIC) * speed : stands_us;
}

void moment_hurry(unsigned times)
{
    speed = times < 1 ? 1 : times > MOST_SPEED ? MOST_SPEED : times;
}

void moment_stand(int64_t us)
{
    speed = 0;
    stands_us = us;
}

int64_t moment_unhurried_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t moment_unhurried(int64_t how_long)
{
    return speed <= 1 ? how_long : (how_long + speed - 1) / speed;
}

/* The last `count` digits of a number. printf would be a thirtieth of a request's time. */
static void put_digits(char *out, int count, unsigned number)
{
    while (count--) {
        out[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Not gmtime_r(), which takes a lock of the C library's. Years that begin in March and 400-year
 * eras make leap days the last of everything. */
void moment_iso(int64_t wall_ms, char out[MOMENT_ISO_SIZE])
{
    if (wall_ms < FIRST_MS) wall_ms = FIRST_MS;
    if (wall_ms > LAST_MS) wall_ms = LAST_MS;
    int64_t since = wall_ms - FIRST_MS; /* never negative: plain division rounds down */
    unsigned in_day = (unsigned)(since % 86400000);
    int64_t days = since / 86400000 + FIRST_MS / 86400000 + DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned march = (5 * of_year + 2) / 153; /* 0: March */
    unsigned day = of_year - (153 * march + 2) / 5 + 1;
    unsigned month = march < 10 ? march + 3 : march - 9;
    unsigned full = (unsigned)(era * 400 + year + (month <= 2 ? 1 : 0));

    memcpy(out, "0000-00-00T00:00:00.000Z", 25);
    put_digits(out, 4, full);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, in_day / 3600000);
    put_digits(out + 14, 2, in_day / 60000 % 60);
    put_digits(out + 17, 2, in_day / 1000 % 60);
    put_digits(out + 20, 3, in_day % 1000);
}

static bool read_digits(const char *from, int count, int64_t *number)
{
    for (*number = 0; count--; from++) {
        if (*from < '0' || *from > '9') return false;
        *number = *number * 10 + (*from - '0');
    }
    return true;
}

bool moment_of_iso(const char *text, size_t len, int64_t *wall_ms)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    int64_t year, month, day, hour, minute, second, ms;

    if (len != sizeof(form) - 1) return false;
    for (size_t i = 0; i < len; i++) {
        if (form[i] != '0' && form[i] != text[i]) return false;
    }
    if (!read_digits(text, 4, &year) || !read_digits(text + 5, 2, &month) ||
        !read_digits(text + 8, 2, &day) || !read_digits(text + 11, 2, &hour) ||
        !read_digits(text + 14, 2, &minute) || !read_digits(text + 17, 2, &second) ||
        !read_digits(text + 20, 3, &ms))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31) return false;
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days =
        era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
    *wall_ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + ms;
    return true;
}

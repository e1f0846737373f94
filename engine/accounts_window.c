/* When minutes, hours, days, weeks, months and years begin, in UTC; and how an account crosses
 * from one into the next. Daylight saving and leap seconds do not exist here. */
#include <string.h>

#include "accounts_parts.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };
static const int64_t END_MS = 253402300800000; /* 10000-01-01 */
enum { DAYS_TO_1970 = 719468 };                /* from 1 March of the year 0 */

static const char *const NAMES[] = {"minute", "hour", "day", "week", "month", "year", "ever"};

enum accounts_window accounts_window_named(const char *name)
{
    int window = 0;

    while (window < ACCOUNTS_WINDOWS && strcmp(NAMES[window], name) != 0)
        window++;
    return (enum accounts_window)window;
}

const char *accounts_window_name(enum accounts_window window)
{
    return NAMES[window];
}

/* Days since 1970 at which a month begins; months count on past December. */
static int64_t month_start(int64_t year, int month)
{
    year += (month - 1) / 12;
    month = (month - 1) % 12 + 1;
    if (month <= 2) year--;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    return year * 365 + year / 4 - year / 100 + year / 400 + in_year - DAYS_TO_1970;
}

static void split_day(int64_t day, int64_t *year, int *month)
{
    int64_t days = day + DAYS_TO_1970, era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int march = (int)(5 * (of_era - (365 * years + years / 4 - years / 100)) + 2) / 153;

    *month = march < 10 ? march + 3 : march - 9;
    *year = era * 400 + years + (*month <= 2 ? 1 : 0);
}

/* `on` 0: the window that holds the moment; 1: the next one. */
static int64_t boundary(enum accounts_window window, int64_t wall_ms, int on)
{
    int64_t year, day = wall_ms / DAY_MS;
    int month;

    switch (window) {
    case ACCOUNTS_EVER: return on ? END_MS : 0;
    case ACCOUNTS_MINUTE: return (wall_ms / MINUTE_MS + on) * MINUTE_MS;
    case ACCOUNTS_HOUR: return (wall_ms / HOUR_MS + on) * HOUR_MS;
    case ACCOUNTS_DAY: return (day + on) * DAY_MS;
    case ACCOUNTS_WEEK: return (day - (day + 3) % 7 + (int64_t)7 * on) * DAY_MS; /* Monday */
    default: break;
    }
    split_day(day, &year, &month);
    if (window == ACCOUNTS_MONTH) return month_start(year, month + on) * DAY_MS;
    return month_start(year + on, 1) * DAY_MS;
}

int64_t accounts_window_start(enum accounts_window window, int64_t wall_ms)
{
    return boundary(window, wall_ms > 0 ? wall_ms : 0, 0);
}

int64_t accounts_window_end(enum accounts_window window, int64_t wall_ms)
{
    return boundary(window, wall_ms > 0 ? wall_ms : 0, 1);
}

/* Published before any lock of an account is taken: whoever takes that lock later reads no
 * earlier time, so that no reservation is older than the windows it stands in. A clock that is
 * set back stands still here until it has caught up, and opens no budget twice. */
int64_t accounts_clock_tick(struct accounts *accounts)
{
    int64_t wall_ms = accounts->clock.wall_us(accounts->clock.arg) / 1000;
    int64_t seen = atomic_load_explicit(&accounts->now_ms, memory_order_relaxed);

    while (wall_ms > seen &&
           !atomic_compare_exchange_weak_explicit(&accounts->now_ms, &seen, wall_ms,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return wall_ms > seen ? wall_ms : seen;
}

/* Each window that has ended begins anew, once; what is still running in it is settled into
 * what is no more (accounts_windows_of). */
void accounts_windows_roll(struct account *account, int64_t now_ms)
{
    uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);
    int64_t before_ms = (int64_t)account->minute * MINUTE_MS;

    if (minute <= account->minute) return;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        if (accounts_window_start(window, now_ms) <= before_ms) continue;
        account->windows[window] = (struct accounts_sum){0, 0};
        accounts_lease_roll(account, window);
        account->untold &= (uint8_t) ~(1U << window);
    }
    account->minute = minute;
}

unsigned accounts_windows_of(const struct account *account, int64_t admitted_ms)
{
    unsigned mask = 0;

    if (admitted_ms / MINUTE_MS == (int64_t)account->minute)
        return (1U << ACCOUNTS_WINDOWS) - 1;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++)
        if (accounts_window_start(window, (int64_t)account->minute * MINUTE_MS) <= admitted_ms)
            mask |= 1U << window;
    return mask;
}

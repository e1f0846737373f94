/* Token buckets in whole numbers: they hold `limit`, and fill up again in a minute. */
#include "accounts_parts.h"

static const int64_t UNITS = 60000000; /* one of what is counted; also: µs a minute */

/* More than a limit has at all takes all of it: such a request is slow, not impossible. */
int64_t accounts_rate_cut(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

/* Clocks read before the lock was taken may be a little older than the last one that was here.
 */
void accounts_rate_drain(struct accounts_bucket *bucket, int64_t limit, int64_t now_us)
{
    int64_t gone = now_us - bucket->at_us;

    if (bucket->level > limit * UNITS) bucket->level = limit * UNITS;
    if (gone <= 0) return;
    bucket->at_us = now_us;
    if (gone >= UNITS || bucket->level <= gone * limit)
        bucket->level = 0;
    else
        bucket->level -= gone * limit;
}

int64_t accounts_rate_wait(const struct accounts_bucket *bucket, int64_t limit, int64_t n)
{
    int64_t over = bucket->level + n * UNITS - limit * UNITS;

    if (limit == 0) return UNITS;
    return over <= 0 ? 0 : (over + limit - 1) / limit;
}

/* What is given back late may have run out already: then there is nothing left to give. A bill
 * that is higher than what was reserved is taken later, up to what the bucket holds. */
void accounts_rate_take(struct accounts_bucket *bucket, int64_t limit, int64_t n)
{
    bucket->level += n * UNITS;
    if (bucket->level < 0) bucket->level = 0;
    if (bucket->level > limit * UNITS) bucket->level = limit * UNITS;
}

int64_t accounts_rate_left(const struct accounts_bucket *bucket, int64_t limit)
{
    int64_t room = limit * UNITS - bucket->level;

    return room > 0 ? room / UNITS : 0;
}

int64_t accounts_rate_reset(const struct accounts_bucket *bucket, int64_t limit)
{
    if (limit == 0) return bucket->level ? UNITS : 0;
    return (bucket->level + limit - 1) / limit;
}

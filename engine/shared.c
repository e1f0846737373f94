#include "shared.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lock.h"
#include "moment.h"
#include "siphash.h"

/* Keys are spread over stripes, each a small chained table behind a lock of its own: two
 * threads meet only where they use the same key, or one of 256 at random, and then for some 50
 * ns. A window is three numbers that change together, which no single atomic could carry. */
enum { STRIPES = 256, KEY_LIMIT = 1024, SWEEP_EVERY_MS = 100 };

struct entry {
    struct entry *next; /* owned by its bucket */
    uint64_t hash;
    int64_t expires_ms; /* monotonic; 0: never */
    double value;       /* of a window: what its running part has taken */
    double before;      /* of a window: what the part before had taken */
    int64_t begun_ms;   /* of a window: its running part */
    int64_t window_ms;  /* 0: not a window */
    bool used;          /* false only between insert() and enter() */
    bool tally;         /* made by add: at 0 it says no more than no entry would */
    size_t len;
    char key[];
};

struct stripe {
    _Alignas(64) struct lock lock; /* a cache line each */
    size_t next_look;              /* the bucket whose dead keys are looked for next */
    struct entry **buckets;        /* its part of shared->table */
};

struct shared {
    struct stripe stripes[STRIPES];
    struct entry *
        *table;     /* owned: all stripes' buckets; pages that nobody used take no memory */
    size_t buckets; /* a stripe; a power of two */
    size_t max_keys;
    uint64_t seed[2]; /* keys may be chosen by clients: their hash may not be guessed */
    _Atomic size_t count;
    _Atomic uint64_t refused;
    _Atomic int64_t swept_ms; /* when a full table was last searched for dead keys */
};

/* A key on its way through one operation. */
struct place {
    struct shared_key key;
    uint64_t hash;
    int64_t now_ms;
    struct stripe *stripe; /* borrowed; locked between find() and leave() */
};

struct shared *shared_new(size_t max_keys)
{
    struct shared *shared = aligned_alloc(_Alignof(struct shared), sizeof(*shared));

    if (!shared) return NULL;
    memset(shared, 0, sizeof(*shared));
    shared->max_keys = max_keys ? max_keys : 65536;
    shared->buckets = 4;
    while (shared->buckets * STRIPES < shared->max_keys)
        shared->buckets *= 2;
    if (getrandom(shared->seed, sizeof(shared->seed), 0) != (ssize_t)sizeof(shared->seed))
        goto fail;
    shared->table = calloc(STRIPES * shared->buckets, sizeof(struct entry *));
    if (!shared->table) goto fail;
    for (size_t i = 0; i < STRIPES; i++)
        shared->stripes[i].buckets = shared->table + i * shared->buckets;
    return shared;
fail:
    shared_free(shared);
    return NULL;
}

static void free_chain(struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

void shared_free(struct shared *shared)
{
    if (!shared) return;
    for (size_t i = 0; shared->table && i < STRIPES * shared->buckets; i++)
        free_chain(shared->table[i]);
    free(shared->table);
    free(shared);
}

/* ---- finding keys ------------------------------------------------------------------------ */

static bool dead(const struct entry *entry, int64_t now_ms)
{
    return entry->expires_ms && entry->expires_ms <= now_ms;
}

static struct entry **bucket_of(struct shared *shared, const struct place *place)
{
    return &place->stripe->buckets[place->hash >> 8 & (shared->buckets - 1)];
}

static struct entry *search(struct shared *shared, const struct place *place)
{
    struct entry *entry = *bucket_of(shared, place);

    while (entry && (entry->hash != place->hash || entry->len != place->key.len ||
                     memcmp(entry->key, place->key.bytes, place->key.len) != 0))
        entry = entry->next;
    return entry;
}

/* The key's entry, expired or not, or NULL; its stripe stays locked until leave(). */
static struct entry *find(struct shared *shared, struct place *place, struct shared_key key)
{
    place->key = key;
    place->hash = siphash(shared->seed, key.bytes, key.len);
    place->now_ms = moment_monotonic_us() / 1000;
    place->stripe = &shared->stripes[place->hash % STRIPES];
    lock_take(&place->stripe->lock);
    return search(shared, place);
}

static void leave(struct place *place)
{
    lock_drop(&place->stripe->lock);
}

/* ---- making room ------------------------------------------------------------------------- */

/* Free what is dead in one bucket of a locked stripe; `zeros`: idle tallies too. */
static void clean(struct shared *shared, struct entry **link, int64_t now_ms, bool zeros)
{
    while (*link) {
        struct entry *entry = *link;
        bool idle = zeros && entry->tally && entry->value == 0;

        if (!dead(entry, now_ms) && !idle) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        free(entry);
        atomic_fetch_sub_explicit(&shared->count, 1, memory_order_relaxed);
    }
}

/* The table is full: search all of it, but not again and again. No stripe may be locked. */
static void sweep(struct shared *shared, int64_t now_ms)
{
    int64_t last = atomic_load_explicit(&shared->swept_ms, memory_order_relaxed);

    if (last && now_ms - last < SWEEP_EVERY_MS) return;
    if (!atomic_compare_exchange_strong(&shared->swept_ms, &last, now_ms)) return;
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &shared->stripes[i];
        lock_take(&stripe->lock);
        for (size_t j = 0; j < shared->buckets; j++)
            clean(shared, &stripe->buckets[j], now_ms, true);
        lock_drop(&stripe->lock);
    }
}

/* Count one key more, unless the table is full. */
static bool claim(struct shared *shared)
{
    size_t count = atomic_load_explicit(&shared->count, memory_order_relaxed);

    while (count < shared->max_keys)
        if (atomic_compare_exchange_weak_explicit(&shared->count, &count, count + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

/* A new entry, linked. Each looks through one more bucket of its stripe, so that dead keys
 * leave as fast as new ones come. */
static struct entry *insert(struct shared *shared, struct place *place)
{
    struct stripe *stripe = place->stripe;
    struct entry *entry = malloc(sizeof(*entry) + place->key.len);

    if (!entry) {
        atomic_fetch_sub_explicit(&shared->count, 1, memory_order_relaxed);
        return NULL;
    }
    stripe->next_look = (stripe->next_look + 1) & (shared->buckets - 1);
    clean(shared, &stripe->buckets[stripe->next_look], place->now_ms, false);
    struct entry **bucket = bucket_of(shared, place);
    memset(entry, 0, sizeof(*entry));
    entry->hash = place->hash;
    entry->len = place->key.len;
    memcpy(entry->key, place->key.bytes, place->key.len);
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

/* The key's entry, its stripe locked; NULL, the stripe left: no room, or no memory. */
static struct entry *find_or_make(struct shared *shared, struct place *place,
                                  struct shared_key key)
{
    struct entry *entry = find(shared, place, key);

    if (!entry && claim(shared)) entry = insert(shared, place);
    if (!entry) leave(place);
    return entry;
}

/* A live entry, its stripe locked until leave(); a new or expired one starts at 0 and *fresh.
 * NULL: the table is full; counted. */
static struct entry *enter(struct shared *shared, struct place *place, struct shared_key key,
                           bool *fresh)
{
    struct entry *entry = NULL;

    if (key.len <= KEY_LIMIT) entry = find_or_make(shared, place, key);
    if (!entry && key.len <= KEY_LIMIT) {
        sweep(shared, place->now_ms);
        entry = find_or_make(shared, place, key);
    }
    if (!entry) {
        atomic_fetch_add_explicit(&shared->refused, 1, memory_order_relaxed);
        return NULL;
    }
    *fresh = !entry->used || dead(entry, place->now_ms);
    if (*fresh) {
        entry->value = entry->before = 0;
        entry->window_ms = entry->expires_ms = 0;
        entry->tally = false;
        entry->used = true;
    }
    return entry;
}

/* ---- windows ----------------------------------------------------------------------------- */

/* The part of a window before the running one fades out while the running one goes on. */
static double fading(const struct entry *entry, int64_t now_ms)
{
    double gone = (double)(now_ms - entry->begun_ms) / (double)entry->window_ms;

    return gone < 1 ? entry->before * (1 - gone) : 0;
}

/* The first window of a key begins with its first use, so that a burst meets the limit exactly.
 */
static void roll(struct entry *entry, int64_t now_ms, int64_t window_ms)
{
    if (entry->window_ms != window_ms) {
        entry->window_ms = window_ms;
        entry->begun_ms = now_ms;
        entry->before = 0;
    }
    int64_t parts = (now_ms - entry->begun_ms) / window_ms;
    if (parts > 0) {
        entry->before = parts == 1 ? entry->value : 0;
        entry->value = 0;
        entry->begun_ms += parts * window_ms;
    }
    entry->expires_ms = entry->begun_ms + 2 * window_ms;
}

/* What is in the window right now. */
static double level(struct entry *entry, int64_t now_ms)
{
    if (!entry->window_ms) return entry->value;
    roll(entry, now_ms, entry->window_ms);
    return fading(entry, now_ms) + entry->value;
}

/* After how many ms n more fit, if nobody takes in between. */
static int64_t wait_for(const struct entry *entry, int64_t now_ms, double n, double limit)
{
    double window = (double)entry->window_ms;
    double elapsed = (double)(now_ms - entry->begun_ms);
    double room = limit - n - entry->value; /* for what fades, in the running part */
    double wait;

    if (n > limit) return entry->window_ms; /* never; ask again when something has changed */
    if (room >= 0 && entry->before > 0)
        wait = window * (1 - room / entry->before) - elapsed;
    else if (entry->value > 0)
        wait = window - elapsed + window * (1 - (limit - n) / entry->value);
    else
        wait = 1;
    wait = ceil(wait);
    if (wait < 1) return 1;
    return wait > 2 * window ? 2 * entry->window_ms : (int64_t)wait;
}

/* Give back from the running part first, then from the one before. */
static void give_back(struct entry *entry, double n)
{
    double here = n < entry->value ? n : entry->value;

    entry->value -= here;
    entry->before = entry->before > n - here ? entry->before - (n - here) : 0;
}

/* ---- operations -------------------------------------------------------------------------- */

bool shared_get(struct shared *shared, struct shared_key key, double *value)
{
    struct place place;
    struct entry *entry = find(shared, &place, key);
    bool there = entry && !dead(entry, place.now_ms);

    if (there) *value = level(entry, place.now_ms);
    leave(&place);
    return there;
}

static int64_t deadline(const struct place *place, int64_t ttl_ms)
{
    return ttl_ms > 0 ? place->now_ms + ttl_ms : 0;
}

bool shared_set(struct shared *shared, struct shared_key key, double value, int64_t ttl_ms)
{
    struct place place;
    bool fresh;
    struct entry *entry = enter(shared, &place, key, &fresh);

    if (!entry) return false;
    entry->value = value;
    entry->before = 0;
    entry->window_ms = 0;
    entry->tally = false;
    entry->expires_ms = deadline(&place, ttl_ms);
    leave(&place);
    return true;
}

bool shared_add(struct shared *shared, struct shared_key key, double n, int64_t ttl_ms,
                double *now)
{
    struct place place;
    bool fresh;
    struct entry *entry = enter(shared, &place, key, &fresh);

    if (!entry) return false;
    if (fresh) {
        entry->expires_ms = deadline(&place, ttl_ms);
        entry->tally = ttl_ms <= 0;
    }
    entry->value += n;
    if (now) *now = entry->value;
    leave(&place);
    return true;
}

bool shared_max(struct shared *shared, struct shared_key key, double value, int64_t ttl_ms)
{
    struct place place;
    bool fresh;
    struct entry *entry = enter(shared, &place, key, &fresh);

    if (!entry) return false;
    int64_t until = deadline(&place, ttl_ms);
    if (fresh || value > entry->value) entry->value = value;
    if (fresh || until == 0 || (entry->expires_ms && until > entry->expires_ms))
        entry->expires_ms = until;
    entry->tally = false;
    leave(&place);
    return true;
}

int64_t shared_take(struct shared *shared, struct shared_key key, double n, double limit,
                    int64_t window_ms)
{
    struct place place;
    bool fresh;
    int64_t retry_ms = 0;

    if (window_ms < 1) window_ms = 1;
    struct entry *entry = enter(shared, &place, key, &fresh);
    if (!entry) return window_ms; /* what cannot be counted is not let through */
    roll(entry, place.now_ms, window_ms);
    double used = fading(entry, place.now_ms) + entry->value;
    bool fits = n > 0 ? used + n <= limit : n < 0 || used < limit;
    if (!fits)
        retry_ms = wait_for(entry, place.now_ms, n, limit);
    else if (n < 0)
        give_back(entry, -n);
    else
        entry->value += n;
    leave(&place);
    return retry_ms;
}

size_t shared_count(const struct shared *shared)
{
    return atomic_load_explicit(&shared->count, memory_order_relaxed);
}

uint64_t shared_refused(const struct shared *shared)
{
    return atomic_load_explicit(&shared->refused, memory_order_relaxed);
}

#include "keyring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "lock.h"

/* Keys are spread over parts by their ids, each a sorted array behind a lock of its own. An
 * id's search takes as many steps as every other's, and ends at an entry whether or not it is
 * there: an unknown id costs what a wrong secret does. Teams are a chained table each look-up
 * of which may take as long as it takes. Locks are held for as long as it takes to copy a
 * record. */
enum { PARTS = 64, FIRST_ROOM = 8 };

static const char PREFIX[] = {'m', 'g', '-'};
static const char *const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

struct entry {
    uint32_t len;
    unsigned char mac[KEYRING_MAC];
    char text[];
};

#define NO_ID UINT64_MAX

struct slot {
    uint64_t id;         /* the 60 bits that a public id spells */
    struct entry *entry; /* owned */
};

struct part {
    _Alignas(64) struct lock lock; /* a cache line each */
    size_t count, room;
    struct slot *slots; /* owned; by rising id; one that is nobody's where there is no key */
};

struct team {
    struct team *next; /* owned by its bucket */
    char *text;        /* owned */
    size_t len, name_len;
    char name[];
};

struct keyring {
    struct part parts[PARTS];
    _Atomic uint64_t version;
    _Atomic size_t count;
    atomic_bool closed;   /* there was a secret once */
    _Atomic size_t step;  /* the first of a search: a power of two, enough for every part */
    struct entry *nobody; /* owned; looked at in an empty part, matches no token */
    unsigned char pepper[KEYRING_PEPPER];
    struct lock teams_lock;
    struct team *teams[PARTS]; /* owned chains */
};

struct keyring_reader {
    struct keyring *keyring; /* borrowed */
    struct digest_mac *mac;  /* owned */
    char *text;              /* owned; the last record */
    size_t room;
};

/* ---- keys -------------------------------------------------------------------------------- */

/* False: no public id. Letters are no secret: whoever has a token sees them. */
static bool number_of(struct keyring_text id, uint64_t *number)
{
    unsigned fine = 1;

    *number = 0;
    if (id.len != KEYRING_ID) return false;
    for (size_t i = 0; i < KEYRING_ID; i++) {
        unsigned alpha = (unsigned char)id.bytes[i] - 'a',
                 digit = (unsigned char)id.bytes[i] - '2';
        bool is_alpha = alpha < 26, is_digit = digit < 6;
        fine &= is_alpha | is_digit;
        *number = *number << 5 | (is_alpha ? alpha : digit + 26);
    }
    return fine;
}

static struct part *part_of(struct keyring *keyring, uint64_t id)
{
    return &keyring->parts[id % PARTS];
}

/* Where the last id is that is not larger; 0 where all are. As many steps in every part: how
 * many keys one has shows no more than which. Never an empty part. */
static size_t search(const struct part *part, uint64_t id, size_t step)
{
    size_t at = 0;

    for (; step > 0; step /= 2) {
        size_t next = at + step, there = next < part->count;
        at += step * (there & (size_t)(part->slots[next * there].id <= id));
    }
    return at;
}

static struct entry *make(const unsigned char mac[KEYRING_MAC], struct keyring_text text)
{
    if (text.len > UINT32_MAX) return NULL;
    struct entry *entry = malloc(sizeof(*entry) + text.len);
    if (!entry) return NULL;
    entry->len = (uint32_t)text.len;
    memcpy(entry->mac, mac, KEYRING_MAC);
    memcpy(entry->text, text.bytes, text.len);
    return entry;
}

static bool make_room(struct part *part)
{
    size_t room = part->room + part->room / 2 + 1;

    if (part->count < part->room) return true;
    struct slot *slots = realloc(part->slots, room * sizeof(*slots));
    if (!slots) return false;
    part->slots = slots;
    part->room = room;
    return true;
}

static size_t first_step(struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->step, memory_order_relaxed);
}

/* Of a locked part, before it grows: its own searches come after, and see it. */
static void deepen(struct keyring *keyring, size_t count)
{
    size_t step = first_step(keyring);

    while (step * 2 < count)
        if (atomic_compare_exchange_weak(&keyring->step, &step, step * 2)) step *= 2;
}

/* Own an entry in a locked part; *old (the caller's) is what it took the place of. */
static bool insert(struct part *part, size_t at, struct slot slot, struct entry **old)
{
    if (part->count && part->slots[at].id == slot.id) {
        *old = part->slots[at].entry;
        part->slots[at].entry = slot.entry;
        return true;
    }
    if (!make_room(part)) return false;
    if (part->count && part->slots[at].id < slot.id) at++;
    memmove(&part->slots[at + 1], &part->slots[at], (part->count - at) * sizeof(slot));
    part->slots[at] = slot;
    part->count++;
    return true;
}

/* Take an entry, the caller's from then on, out of a locked part. */
static struct entry *take_out(struct keyring *keyring, struct part *part, uint64_t id)
{
    size_t at = search(part, id, first_step(keyring));

    if (part->slots[at].id != id) return NULL;
    struct entry *entry = part->slots[at].entry;
    part->count--;
    memmove(&part->slots[at], &part->slots[at + 1], (part->count - at) * sizeof(struct slot));
    if (part->count == 0) part->slots[0] = (struct slot){NO_ID, keyring->nobody};
    return entry;
}

static void free_part(struct part *part)
{
    if (!part->slots) return;
    for (size_t i = 0; i < part->count; i++)
        free(part->slots[i].entry);
    free(part->slots);
}

/* ---- teams ------------------------------------------------------------------------------- */

/* FNV-1a: names are the operator's. */
static struct team **chain_of(struct keyring *keyring, struct keyring_text name)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.bytes[i]) * 0x100000001b3;
    return &keyring->teams[(hash ^ hash >> 29) % PARTS];
}

/* The link to the team of that name, or the chain's end. */
static struct team **find_team(struct keyring *keyring, struct keyring_text name)
{
    struct team **link = chain_of(keyring, name);

    while (*link &&
           ((*link)->name_len != name.len || memcmp((*link)->name, name.bytes, name.len) != 0))
        link = &(*link)->next;
    return link;
}

static void free_team(struct team *team)
{
    if (!team) return;
    free(team->text);
    free(team);
}

static struct team *make_team(struct keyring_text name, struct keyring_text record)
{
    if (name.len > KEYRING_NAME_LIMIT) return NULL;
    struct team *team = calloc(1, sizeof(*team) + name.len);
    if (!team) return NULL;
    team->text = malloc(record.len + 1);
    if (!team->text) {
        free(team);
        return NULL;
    }
    memcpy(team->text, record.bytes, record.len);
    team->len = record.len;
    memcpy(team->name, name.bytes, name.len);
    team->name_len = name.len;
    return team;
}

/* ---- the keyring ------------------------------------------------------------------------- */

struct keyring *keyring_new(void)
{
    unsigned char mac[KEYRING_MAC];
    struct keyring *keyring = aligned_alloc(_Alignof(struct keyring), sizeof(*keyring));

    if (!keyring) return NULL;
    memset(keyring, 0, sizeof(*keyring));
    keyring->step = 1;
    if (digest_random(mac, sizeof(mac)) && digest_random(keyring->pepper, KEYRING_PEPPER))
        keyring->nobody = make(mac, (struct keyring_text){"", 0});
    for (size_t i = 0; keyring->nobody && i < PARTS; i++) {
        struct part *part = &keyring->parts[i];
        part->slots = calloc(FIRST_ROOM, sizeof(*part->slots));
        if (!part->slots) goto fail;
        part->room = FIRST_ROOM;
        part->slots[0] = (struct slot){NO_ID, keyring->nobody};
    }
    if (keyring->nobody) return keyring;
fail:
    keyring_free(keyring);
    return NULL;
}

void keyring_season(struct keyring *keyring, const unsigned char pepper[KEYRING_PEPPER])
{
    memcpy(keyring->pepper, pepper, KEYRING_PEPPER);
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring) return;
    for (size_t i = 0; i < PARTS; i++) {
        free_part(&keyring->parts[i]);
        while (keyring->teams[i]) {
            struct team *team = keyring->teams[i];
            keyring->teams[i] = team->next;
            free_team(team);
        }
    }
    free(keyring->nobody);
    digest_wipe(keyring->pepper, sizeof(keyring->pepper));
    free(keyring);
}

uint64_t keyring_version(const struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->version, memory_order_acquire);
}

size_t keyring_count(const struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->count, memory_order_relaxed);
}

bool keyring_is_closed(const struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->closed, memory_order_relaxed);
}

void keyring_close(struct keyring *keyring)
{
    atomic_store_explicit(&keyring->closed, true, memory_order_relaxed);
}

/* After the change: who saw the old version and the old record looks again. */
static void changed(struct keyring *keyring)
{
    atomic_fetch_add_explicit(&keyring->version, 1, memory_order_release);
}

bool keyring_put(struct keyring *keyring, struct keyring_text id,
                 const unsigned char mac[KEYRING_MAC], struct keyring_text record)
{
    uint64_t number;
    struct entry *old = NULL, *entry = number_of(id, &number) ? make(mac, record) : NULL;

    if (!entry) return false;
    struct part *part = part_of(keyring, number);
    lock_take(&part->lock);
    deepen(keyring, part->count + 1);
    size_t at = search(part, number, first_step(keyring));
    bool fine = insert(part, at, (struct slot){number, entry}, &old);
    lock_drop(&part->lock);
    if (!fine) {
        free(entry);
        return false;
    }
    if (!old) atomic_fetch_add_explicit(&keyring->count, 1, memory_order_relaxed);
    keyring_close(keyring);
    free(old);
    changed(keyring);
    return true;
}

bool keyring_remove(struct keyring *keyring, struct keyring_text id)
{
    uint64_t number;

    if (!number_of(id, &number)) return false;
    struct part *part = part_of(keyring, number);
    lock_take(&part->lock);
    struct entry *entry = take_out(keyring, part, number);
    lock_drop(&part->lock);
    if (!entry) return false;
    atomic_fetch_sub_explicit(&keyring->count, 1, memory_order_relaxed);
    free(entry);
    changed(keyring);
    return true;
}

/* Put `team` (owned from then on; NULL: none) where that name is: what was there before. */
static struct team *swap_team(struct keyring *keyring, struct keyring_text name,
                              struct team *team)
{
    lock_take(&keyring->teams_lock);
    struct team **link = find_team(keyring, name), *old = *link;
    if (team) team->next = old ? old->next : NULL;
    *link = team ? team : old ? old->next : NULL;
    lock_drop(&keyring->teams_lock);
    if (team || old) changed(keyring);
    return old;
}

bool keyring_put_team(struct keyring *keyring, struct keyring_text name,
                      struct keyring_text record)
{
    struct team *team = make_team(name, record);

    if (!team) return false;
    free_team(swap_team(keyring, name, team));
    return true;
}

bool keyring_remove_team(struct keyring *keyring, struct keyring_text name)
{
    struct team *team = swap_team(keyring, name, NULL);

    free_team(team);
    return team != NULL;
}

/* ---- asking ------------------------------------------------------------------------------ */

struct keyring_reader *keyring_reader_new(struct keyring *keyring)
{
    struct keyring_reader *reader = calloc(1, sizeof(*reader));

    if (!reader) return NULL;
    reader->keyring = keyring;
    reader->room = 1024;
    reader->text = malloc(reader->room);
    reader->mac = digest_mac_new((struct digest_bytes){keyring->pepper, KEYRING_PEPPER});
    if (reader->text && reader->mac) return reader;
    keyring_reader_free(reader);
    return NULL;
}

void keyring_reader_free(struct keyring_reader *reader)
{
    if (!reader) return;
    digest_mac_free(reader->mac);
    free(reader->text);
    free(reader);
}

/* A record's length; its bytes are in the reader where they fit. */
static int64_t copy(struct keyring_reader *reader, const char *text, size_t len)
{
    if (len <= reader->room) memcpy(reader->text, text, len);
    return (int64_t)len;
}

static bool make_way(struct keyring_reader *reader, size_t len)
{
    char *larger = realloc(reader->text, len);

    if (!larger) return false;
    reader->text = larger;
    reader->room = len;
    return true;
}

/* -1: no such id, or another secret. */
static int64_t copy_key(struct keyring_reader *reader, uint64_t id,
                        const unsigned char mac[KEYRING_MAC])
{
    struct part *part = part_of(reader->keyring, id);
    int64_t len = -1;

    lock_take(&part->lock);
    struct slot slot = part->slots[search(part, id, first_step(reader->keyring))];
    bool same = digest_equal((struct digest_bytes){slot.entry->mac, KEYRING_MAC},
                             (struct digest_bytes){mac, KEYRING_MAC});
    /* Not &&: who it was compared with must not show. */
    if ((unsigned)same & (unsigned)(slot.id == id))
        len = copy(reader, slot.entry->text, slot.entry->len);
    lock_drop(&part->lock);
    return len;
}

static bool is_token(struct keyring_text token)
{
    return token.len == KEYRING_TOKEN && memcmp(token.bytes, PREFIX, sizeof(PREFIX)) == 0 &&
           token.bytes[3 + KEYRING_ID] == '-';
}

bool keyring_find(struct keyring_reader *reader, struct keyring_text token,
                  struct keyring_text *id, struct keyring_text *record)
{
    unsigned char mac[KEYRING_MAC];
    uint64_t number;

    if (!is_token(token)) return false;
    *id = (struct keyring_text){token.bytes + 3, KEYRING_ID};
    if (!number_of(*id, &number) || !keyring_hash(reader, token, mac)) return false;
    int64_t len = copy_key(reader, number, mac);
    while (len > (int64_t)reader->room) {
        if (!make_way(reader, (size_t)len)) return false;
        len = copy_key(reader, number, mac);
    }
    if (len < 0) return false;
    *record = (struct keyring_text){reader->text, (size_t)len};
    return true;
}

static int64_t copy_team(struct keyring_reader *reader, struct keyring_text name)
{
    struct keyring *keyring = reader->keyring;

    lock_take(&keyring->teams_lock);
    const struct team *team = *find_team(keyring, name);
    int64_t len = team ? copy(reader, team->text, team->len) : -1;
    lock_drop(&keyring->teams_lock);
    return len;
}

bool keyring_team(struct keyring_reader *reader, struct keyring_text name,
                  struct keyring_text *record)
{
    int64_t len = copy_team(reader, name);

    while (len > (int64_t)reader->room) {
        if (!make_way(reader, (size_t)len)) return false;
        len = copy_team(reader, name);
    }
    if (len < 0) return false;
    *record = (struct keyring_text){reader->text, (size_t)len};
    return true;
}

bool keyring_hash(struct keyring_reader *reader, struct keyring_text token,
                  unsigned char mac[KEYRING_MAC])
{
    return digest_mac(reader->mac, (struct digest_bytes){token.bytes, token.len}, mac);
}

bool keyring_mint(char token[KEYRING_TOKEN])
{
    unsigned char raw[KEYRING_ID + 32];

    if (!digest_random(raw, sizeof(raw))) return false;
    memcpy(token, PREFIX, sizeof(PREFIX));
    for (size_t i = 0; i < KEYRING_ID; i++)
        token[3 + i] = LETTERS[raw[i] & 31];
    token[3 + KEYRING_ID] = '-';
    (void)digest_base64(DIGEST_BASE64URL, (struct digest_bytes){raw + KEYRING_ID, 32},
                        token + 3 + KEYRING_ID + 1);
    digest_wipe(raw, sizeof(raw));
    return true;
}

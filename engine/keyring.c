#include "keyring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "lock.h"

/* Entries are spread over parts, each a chained table behind a lock of its own that grows by
 * itself. A look-up holds it for as long as it takes to copy a record. */
enum { PARTS = 64, FIRST_BUCKETS = 4 };

static const char PREFIX[] = {'m', 'g', '-'};

struct entry {
    struct entry *next; /* owned by its bucket */
    uint32_t text_len;
    uint16_t name_len;
    unsigned char mac[KEYRING_MAC]; /* of a team: zeros */
    char bytes[];                   /* name, then text */
};

struct part {
    _Alignas(64) struct lock lock; /* a cache line each */
    size_t count, size;            /* size: a power of two, or 0 before the first entry */
    struct entry **buckets;        /* owned */
};

struct table {
    struct part parts[PARTS];
};

struct keyring {
    struct table keys, teams;
    _Atomic uint64_t version;
    _Atomic size_t count;
    struct entry *nobody; /* owned; looked at where a bucket is empty, matches no token */
    unsigned char pepper[KEYRING_PEPPER];
};

struct keyring_reader {
    struct keyring *keyring; /* borrowed */
    struct digest_mac *mac;  /* owned */
    char *text;              /* owned; the last record */
    size_t room;
};

/* ---- a table ----------------------------------------------------------------------------- */

/* FNV-1a. Ids are random and ours, names the operator's: nobody picks them to collide. */
static uint64_t hash_of(struct keyring_text name)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.bytes[i]) * 0x100000001b3;
    return hash ^ hash >> 29;
}

static struct part *part_of(struct table *table, uint64_t hash)
{
    return &table->parts[hash % PARTS];
}

static struct entry **bucket_of(struct part *part, uint64_t hash)
{
    return &part->buckets[hash / PARTS & (part->size - 1)];
}

static struct entry *make(struct keyring_text name, const unsigned char *mac,
                          struct keyring_text text)
{
    if (text.len > UINT32_MAX || name.len > KEYRING_NAME_LIMIT) return NULL;
    struct entry *entry = malloc(sizeof(*entry) + name.len + text.len);
    if (!entry) return NULL;
    entry->next = NULL;
    entry->name_len = (uint16_t)name.len;
    entry->text_len = (uint32_t)text.len;
    if (mac)
        memcpy(entry->mac, mac, KEYRING_MAC);
    else
        memset(entry->mac, 0, KEYRING_MAC);
    memcpy(entry->bytes, name.bytes, name.len);
    memcpy(entry->bytes + name.len, text.bytes, text.len);
    return entry;
}

static bool is(const struct entry *entry, struct keyring_text name)
{
    return entry->name_len == name.len && memcmp(entry->bytes, name.bytes, name.len) == 0;
}

/* The whole chain, wherever in it the entry is. */
static const struct entry *search(const struct entry *chain, struct keyring_text name)
{
    const struct entry *found = NULL;

    for (; chain; chain = chain->next)
        if (is(chain, name)) found = chain;
    return found;
}

/* Room for one more in a locked part; full chains are longer, but no less right. */
static bool grow(struct part *part)
{
    size_t size = part->size ? part->size * 2 : FIRST_BUCKETS;

    if (part->count < part->size) return true;
    struct entry **buckets = calloc(size, sizeof(struct entry *));
    if (!buckets) return part->size > 0;
    for (size_t i = 0; i < part->size; i++) {
        while (part->buckets[i]) {
            struct entry *entry = part->buckets[i];
            uint64_t hash = hash_of((struct keyring_text){entry->bytes, entry->name_len});
            part->buckets[i] = entry->next;
            entry->next = buckets[hash / PARTS & (size - 1)];
            buckets[hash / PARTS & (size - 1)] = entry;
        }
    }
    free(part->buckets);
    part->buckets = buckets;
    part->size = size;
    return true;
}

/* Unlink what has that name from a locked part; the caller frees it. */
static struct entry *unlink_entry(struct part *part, uint64_t hash, struct keyring_text name)
{
    if (!part->size) return NULL;
    struct entry **link = bucket_of(part, hash);
    while (*link && !is(*link, name))
        link = &(*link)->next;
    struct entry *entry = *link;
    if (!entry) return NULL;
    *link = entry->next;
    part->count--;
    return entry;
}

/* Link an entry, owned from then on; *old (the caller's) is what it took the place of. */
static bool table_put(struct table *table, struct entry *entry, struct entry **old)
{
    struct keyring_text name = {entry->bytes, entry->name_len};
    uint64_t hash = hash_of(name);
    struct part *part = part_of(table, hash);

    lock_take(&part->lock);
    bool fine = grow(part);
    if (fine) {
        *old = unlink_entry(part, hash, name);
        struct entry **bucket = bucket_of(part, hash);
        entry->next = *bucket;
        *bucket = entry;
        part->count++;
    }
    lock_drop(&part->lock);
    return fine;
}

static struct entry *table_take(struct table *table, struct keyring_text name)
{
    uint64_t hash = hash_of(name);
    struct part *part = part_of(table, hash);

    lock_take(&part->lock);
    struct entry *entry = unlink_entry(part, hash, name);
    lock_drop(&part->lock);
    return entry;
}

static void free_chain(struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

static void table_empty(struct table *table)
{
    for (size_t i = 0; i < PARTS; i++) {
        for (size_t j = 0; j < table->parts[i].size; j++)
            free_chain(table->parts[i].buckets[j]);
        free(table->parts[i].buckets);
    }
}

/* ---- the keyring ------------------------------------------------------------------------- */

struct keyring *keyring_new(void)
{
    static const char nobody[KEYRING_ID] = {0}; /* no public id */
    unsigned char mac[KEYRING_MAC];
    struct keyring *keyring = aligned_alloc(_Alignof(struct keyring), sizeof(*keyring));

    if (!keyring) return NULL;
    memset(keyring, 0, sizeof(*keyring));
    if (digest_random(mac, sizeof(mac)) && digest_random(keyring->pepper, KEYRING_PEPPER))
        keyring->nobody = make((struct keyring_text){nobody, sizeof(nobody)}, mac,
                               (struct keyring_text){"", 0});
    if (keyring->nobody) return keyring;
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
    table_empty(&keyring->keys);
    table_empty(&keyring->teams);
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

/* After the change: who saw the old version and the old record looks again. */
static void changed(struct keyring *keyring)
{
    atomic_fetch_add_explicit(&keyring->version, 1, memory_order_release);
}

bool keyring_put(struct keyring *keyring, struct keyring_text id,
                 const unsigned char mac[KEYRING_MAC], struct keyring_text record)
{
    struct entry *old = NULL, *entry = id.len == KEYRING_ID ? make(id, mac, record) : NULL;

    if (!entry) return false;
    if (!table_put(&keyring->keys, entry, &old)) {
        free(entry);
        return false;
    }
    if (!old) atomic_fetch_add_explicit(&keyring->count, 1, memory_order_relaxed);
    free(old);
    changed(keyring);
    return true;
}

bool keyring_remove(struct keyring *keyring, struct keyring_text id)
{
    struct entry *entry = table_take(&keyring->keys, id);

    if (!entry) return false;
    atomic_fetch_sub_explicit(&keyring->count, 1, memory_order_relaxed);
    free(entry);
    changed(keyring);
    return true;
}

bool keyring_put_team(struct keyring *keyring, struct keyring_text name,
                      struct keyring_text record)
{
    struct entry *old = NULL, *entry = make(name, NULL, record);

    if (!entry) return false;
    if (!table_put(&keyring->teams, entry, &old)) {
        free(entry);
        return false;
    }
    free(old);
    changed(keyring);
    return true;
}

bool keyring_remove_team(struct keyring *keyring, struct keyring_text name)
{
    struct entry *entry = table_take(&keyring->teams, name);

    if (!entry) return false;
    free(entry);
    changed(keyring);
    return true;
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

/* What one look at a table is after. */
struct look {
    struct keyring_text name;
    const unsigned char *mac;   /* NULL: a team, which has no secret */
    const struct entry *nobody; /* NULL: an empty bucket is not looked at */
};

/* The text's length, copied where there is room; -1: no such entry, or another secret. */
static int64_t copy_text(struct keyring_reader *reader, struct table *table,
                         const struct look *look)
{
    uint64_t hash = hash_of(look->name);
    struct part *part = part_of(table, hash);
    int64_t len = -1;

    lock_take(&part->lock);
    const struct entry *chain = part->size ? *bucket_of(part, hash) : NULL;
    const struct entry *entry = search(chain ? chain : look->nobody, look->name);
    bool known = entry != NULL;
    if (!entry) entry = look->nobody;
    if (look->mac) {
        /* Always one compare of 32 bytes, whoever it is with. */
        bool same = digest_equal((struct digest_bytes){entry->mac, KEYRING_MAC},
                                 (struct digest_bytes){look->mac, KEYRING_MAC});
        known = known && same;
    }
    if (known) {
        len = entry->text_len;
        if ((size_t)len <= reader->room)
            memcpy(reader->text, entry->bytes + entry->name_len, (size_t)len);
    }
    lock_drop(&part->lock);
    return len;
}

static bool read_text(struct keyring_reader *reader, struct table *table,
                      const struct look *look, struct keyring_text *text)
{
    int64_t len = copy_text(reader, table, look);

    while (len > (int64_t)reader->room) {
        char *larger = realloc(reader->text, (size_t)len);
        if (!larger) return false;
        reader->text = larger;
        reader->room = (size_t)len;
        len = copy_text(reader, table, look);
    }
    if (len < 0) return false;
    *text = (struct keyring_text){reader->text, (size_t)len};
    return true;
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

    if (!is_token(token) || !keyring_hash(reader, token, mac)) return false;
    *id = (struct keyring_text){token.bytes + 3, KEYRING_ID};
    struct look look = {.name = *id, .mac = mac, .nobody = reader->keyring->nobody};
    return read_text(reader, &reader->keyring->keys, &look, record);
}

bool keyring_team(struct keyring_reader *reader, struct keyring_text name,
                  struct keyring_text *record)
{
    struct look look = {.name = name};

    return read_text(reader, &reader->keyring->teams, &look, record);
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
        token[3 + i] = "abcdefghijklmnopqrstuvwxyz234567"[raw[i] & 31];
    token[3 + KEYRING_ID] = '-';
    (void)digest_base64(DIGEST_BASE64URL, (struct digest_bytes){raw + KEYRING_ID, 32},
                        token + 3 + KEYRING_ID + 1);
    digest_wipe(raw, sizeof(raw));
    return true;
}

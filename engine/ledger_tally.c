#include "ledger_tally.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

void tally_init(struct tally *tally, size_t width)
{
    *tally = (struct tally){.width = width};
}

static uint32_t hash_of(const unsigned char *key, size_t len)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ len;
    uint64_t word;

    for (; len >= 8; key += 8, len -= 8) {
        memcpy(&word, key, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (; len; key++, len--)
        hash = (hash ^ *key) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

const char *tally_key(const struct tally *tally, const struct tally_entry *entry)
{
    return (const char *)(entry->values + tally->width);
}

static bool grow(struct tally *tally)
{
    size_t count = tally->slot_count ? tally->slot_count * 2 : FIRST_SLOTS;
    struct tally_entry **slots = calloc(count, sizeof(struct tally_entry *));

    if (!slots) return false;
    for (size_t i = 0; i < tally->slot_count; i++) {
        for (struct tally_entry *entry = tally->slots[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = slots[entry->hash % count];
            slots[entry->hash % count] = entry;
        }
    }
    free(tally->slots);
    tally->slots = slots;
    tally->slot_count = count;
    return true;
}

int64_t *tally_at(struct tally *tally, const void *key, size_t len, bool *made)
{
    uint32_t hash = hash_of(key, len);

    if (made) *made = false;
    if (tally->count >= tally->slot_count && !grow(tally)) return NULL;
    struct tally_entry **slot = &tally->slots[hash % tally->slot_count];
    for (struct tally_entry *entry = *slot; entry; entry = entry->next) {
        if (entry->hash == hash && entry->len == len &&
            memcmp(tally_key(tally, entry), key, len) == 0)
            return entry->values;
    }
    size_t values = tally->width * sizeof(int64_t);
    struct tally_entry *entry = malloc(sizeof(*entry) + values + len);
    if (!entry) return NULL;
    entry->hash = hash;
    entry->len = len;
    memset(entry->values, 0, values);
    memcpy(entry->values + tally->width, key, len);
    entry->next = *slot;
    *slot = entry;
    tally->count++;
    if (made) *made = true;
    return entry->values;
}

struct tally_entry *tally_next(const struct tally *tally, const struct tally_entry *entry)
{
    size_t slot = 0;

    if (entry && entry->next) return entry->next;
    if (entry) slot = entry->hash % tally->slot_count + 1;
    while (slot < tally->slot_count && !tally->slots[slot])
        slot++;
    return slot < tally->slot_count ? tally->slots[slot] : NULL;
}

void tally_clear(struct tally *tally)
{
    for (size_t i = 0; i < tally->slot_count && tally->count; i++) {
        for (struct tally_entry *entry = tally->slots[i], *next; entry; entry = next) {
            next = entry->next;
            free(entry);
            tally->count--;
        }
        tally->slots[i] = NULL;
    }
}

void tally_free(struct tally *tally)
{
    tally_clear(tally);
    free(tally->slots);
    tally->slots = NULL;
    tally->slot_count = 0;
}

#include "ledger_pending.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256 };

static uint32_t hash_of(struct ledger_text id)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.bytes[i]) * 16777619u;
    return hash;
}

static bool is_of(const struct pending *one, uint32_t hash, struct ledger_text id)
{
    return one->hash == hash && one->id_len == id.len && memcmp(one->id, id.bytes, id.len) == 0;
}

static bool grow(struct ledger_pending *all)
{
    size_t count = all->slot_count ? all->slot_count * 2 : FIRST_SLOTS;
    struct pending **slots = calloc(count, sizeof(struct pending *));

    if (!slots) return false;
    for (size_t i = 0; i < all->slot_count; i++) {
        for (struct pending *one = all->slots[i], *next; one; one = next) {
            next = one->next;
            one->next = slots[one->hash % count];
            slots[one->hash % count] = one;
        }
    }
    free(all->slots);
    all->slots = slots;
    all->slot_count = count;
    return true;
}

bool pending_add(struct ledger_pending *all, struct ledger_text id, struct ledger_file *file,
                 int64_t offset)
{
    if (all->count >= all->slot_count && !grow(all)) return false;
    struct pending *one = malloc(sizeof(*one) + id.len);
    if (!one) return false;
    one->hash = hash_of(id);
    one->file = file;
    one->offset = offset;
    one->id_len = id.len;
    memcpy(one->id, id.bytes, id.len);
    one->next = all->slots[one->hash % all->slot_count];
    all->slots[one->hash % all->slot_count] = one;
    all->count++;
    return true;
}

void pending_remove(struct ledger_pending *all, struct ledger_text id,
                    void (*touched)(struct ledger_file *file))
{
    uint32_t hash = hash_of(id);

    if (!all->count) return;
    for (struct pending **at = &all->slots[hash % all->slot_count]; *at;) {
        struct pending *one = *at;
        if (is_of(one, hash, id)) {
            touched(one->file);
            *at = one->next;
            free(one);
            all->count--;
        } else {
            at = &one->next;
        }
    }
}

struct pending *pending_next(const struct ledger_pending *all, const struct pending *at)
{
    size_t slot = 0;

    if (at && at->next) return at->next;
    if (at) slot = at->hash % all->slot_count + 1;
    while (slot < all->slot_count && !all->slots[slot])
        slot++;
    return slot < all->slot_count ? all->slots[slot] : NULL;
}

struct pending *pending_same(const struct pending *at)
{
    struct ledger_text id = {at->id, at->id_len};
    struct pending *one = at->next;

    while (one && !is_of(one, at->hash, id))
        one = one->next;
    return one;
}

void pending_clear(struct ledger_pending *all)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        for (struct pending *one = all->slots[i], *next; one; one = next) {
            next = one->next;
            free(one);
        }
    }
    free(all->slots);
    *all = (struct ledger_pending){0};
}

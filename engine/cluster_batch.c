#include "cluster_batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"

enum {
    MAX_TEXT = 1 << 20,
    HEADER = 4,  /* numbers that come first in an answer */
    NUMBERS = 4, /* of each slot */
    KEEP_MS = 86400000,
};

/* Exact as doubles, which is what the script counts in: $9 million. */
static const int64_t most = (INT64_C(1) << 53) - 1;

/* Several clusters in one Redis: by the database's number. The braces keep the keys together,
 * should somebody put a Redis cluster there. */
static const char prefix[] = "moongate:{limits}:";

bool cluster_batch_init(struct cluster_batch *batch)
{
    batch->count = 0;
    buf_init(&batch->text, MAX_TEXT);
    batch->digest = digest_new();
    return batch->digest != NULL;
}

void cluster_batch_free(struct cluster_batch *batch)
{
    buf_free(&batch->text);
    digest_free(batch->digest);
}

/* ---- words --------------------------------------------------------------------------------
 */

static void begin_word(struct cluster_batch *batch)
{
    batch->offsets[batch->used] = batch->text.len;
}

/* What did not fit makes the word too short, which end_words() sees. */
static void end_word(struct cluster_batch *batch)
{
    batch->lens[batch->used] = batch->text.len - batch->offsets[batch->used];
    batch->used++;
}

static bool add(struct cluster_batch *batch, const char *bytes, size_t len)
{
    return buf_append(&batch->text, bytes, len);
}

static bool add_text(struct cluster_batch *batch, const char *text)
{
    return add(batch, text, strlen(text));
}

static bool word(struct cluster_batch *batch, const char *text)
{
    begin_word(batch);
    bool fine = add_text(batch, text);
    end_word(batch);
    return fine;
}

static bool add_number(struct cluster_batch *batch, int64_t n)
{
    char text[24];

    if (n > most) n = most;
    (void)snprintf(text, sizeof(text), "%lld", (long long)n);
    return add_text(batch, text);
}

static bool number(struct cluster_batch *batch, int64_t n)
{
    begin_word(batch);
    bool fine = add_number(batch, n);
    end_word(batch);
    return fine;
}

/* Who reads Redis learns which teams and keys there are, but no customer's name. */
static bool add_name(struct cluster_batch *batch, const struct accounts_want *want)
{
    unsigned char hash[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE];

    bool shown = want->len <= 128 && memchr(want->name, '=', want->len) == NULL &&
                 !(want->len >= 5 && memcmp(want->name, "user:", 5) == 0);
    if (shown) return add(batch, want->name, want->len);
    if (!digest_sha256(batch->digest, (struct digest_bytes){want->name, want->len}, hash)) {
        return false;
    }
    digest_hex((struct digest_bytes){hash, sizeof(hash)}, hex);
    return add_text(batch, "#") && add(batch, hex, sizeof(hex));
}

static bool key(struct cluster_batch *batch, const struct accounts_want *want)
{
    begin_word(batch);
    bool fine = add_text(batch, prefix) && add_text(batch, accounts_slot_name(want->slot)) &&
                add_text(batch, ":");
    if (fine && want->slot < ACCOUNTS_WINDOWS) {
        fine = add_number(batch, want->start_ms) && add_text(batch, ":");
    }
    fine = fine && add_name(batch, want);
    end_word(batch);
    return fine;
}

static const char *kind_of(const struct accounts_want *want)
{
    if (accounts_slot_pooled(want->slot)) return "rate";
    return want->slot == ACCOUNTS_SLOT_PARALLEL ? "parallel" : "budget";
}

static int64_t expires_ms(const struct accounts_want *want)
{
    bool ends = want->end_ms > 0 && want->end_ms < most - KEEP_MS;

    return ends ? want->end_ms + KEEP_MS : 0;
}

static bool arguments(struct cluster_batch *batch, const struct accounts_want *want)
{
    return word(batch, kind_of(want)) && number(batch, want->limit) &&
           number(batch, want->held) && number(batch, want->spent) &&
           number(batch, want->back) && number(batch, want->least) &&
           number(batch, want->need) && number(batch, want->want) &&
           number(batch, (int64_t)want->seq) && number(batch, want->others_spent) &&
           number(batch, expires_ms(want));
}

static bool write_words(struct cluster_batch *batch, const struct cluster_self *self)
{
    char fresh[24];
    uint64_t chance;

    if (!digest_random(&chance, sizeof(chance))) return false;
    (void)snprintf(fresh, sizeof(fresh), "%llu", (unsigned long long)(chance >> 12) + 1);
    bool fine =
        word(batch, "moongate:{limits}:state") && word(batch, "moongate:{limits}:nodes");
    for (size_t i = 0; fine && i < batch->count; i++) {
        fine = key(batch, &batch->wants[i]);
    }
    fine = fine && word(batch, self->id) && word(batch, self->boot) && word(batch, fresh) &&
           number(batch, self->epoch) && number(batch, self->version);
    for (size_t i = 0; fine && i < batch->count; i++) {
        fine = arguments(batch, &batch->wants[i]);
    }
    return fine;
}

bool cluster_batch_words(struct cluster_batch *batch, const struct cluster_self *self,
                         struct redis_words *words)
{
    buf_clear(&batch->text);
    batch->used = 0;
    if (!write_words(batch, self)) return false;
    for (size_t i = 0; i < batch->used; i++) {
        batch->words[i] = batch->text.data + batch->offsets[i]; /* it has moved as it grew */
    }
    *words = (struct redis_words){.words = batch->words,
                                  .lens = batch->lens,
                                  .keys = batch->count + 2,
                                  .count = batch->used};
    return true;
}

/* ---- numbers ------------------------------------------------------------------------------
 */

bool cluster_batch_read(const struct cluster_batch *batch, const struct redis_answer *answer,
                        struct cluster_news *news, struct accounts_grant grants[BATCH_SLOTS])
{
    const int64_t *at = answer->numbers;

    if (answer->count != HEADER + batch->count * NUMBERS) return false;
    for (size_t i = 0; i < answer->count; i++) {
        if (at[i] < 0) return false;
    }
    *news = (struct cluster_news){
        .epoch = at[0],
        .version = at[1],
        .nodes = at[2] > 0 && at[2] < 100000 ? (unsigned)at[2] : 1,
        .twin = at[3] != 0,
    };
    at += HEADER;
    for (size_t i = 0; i < batch->count; i++, at += NUMBERS) {
        const struct accounts_want *want = &batch->wants[i];
        grants[i] = (struct accounts_grant){.account = want->account,
                                            .slot = want->slot,
                                            .start_ms = want->start_ms,
                                            .seq = want->seq,
                                            .give = at[0],
                                            .left = at[1],
                                            .others_held = at[2],
                                            .others_spent = at[3]};
    }
    return true;
}

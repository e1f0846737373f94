/* The ledger's keys as the workers see them: public id → what the secret hashes to, and the
 * key's record; and the teams' records, by name. Knows neither SQL nor Lua, and not what a
 * record says.
 *
 * Thread-safe but for a reader, which is one thread's. Filled at start and changed by the
 * ledger thread after each commit, so a change holds for the next request of every worker. */
#ifndef MOONGATE_KEYRING_H
#define MOONGATE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyring;
struct keyring_reader;

/* mg-<public id>-<secret> */
enum {
    KEYRING_ID = 12,     /* a…z 2…7 */
    KEYRING_SECRET = 43, /* 32 random bytes as base64url */
    KEYRING_TOKEN = 3 + KEYRING_ID + 1 + KEYRING_SECRET,
    KEYRING_MAC = 32,
    KEYRING_PEPPER = 32,
    KEYRING_NAME_LIMIT = 256, /* bytes of a team's name */
};

/* Borrowed bytes. */
struct keyring_text {
    const char *bytes;
    size_t len;
};

/* Empty, and of a random pepper: good for tests, and until keyring_season(). */
struct keyring *keyring_new(void) __attribute__((warn_unused_result));
/* Copied. Before there are readers, and before the first put. */
void keyring_season(struct keyring *keyring, const unsigned char pepper[KEYRING_PEPPER]);
void keyring_free(struct keyring *keyring);

/* Moves with every change; whoever remembers what a look-up said forgets it then. */
uint64_t keyring_version(const struct keyring *keyring);
/* How many secrets there are, those of disabled and expired keys too. */
size_t keyring_count(const struct keyring *keyring);
/* Was there ever one? What was once closed with keys does not open with the last one gone. */
bool keyring_is_closed(const struct keyring *keyring);
void keyring_close(struct keyring *keyring);

/* Add, or put in the place of what had that id. False: no memory, or an id or a name of a wrong
 * length; nothing is changed. */
bool keyring_put(struct keyring *keyring, struct keyring_text id,
                 const unsigned char mac[KEYRING_MAC], struct keyring_text record)
    __attribute__((warn_unused_result));
bool keyring_put_team(struct keyring *keyring, struct keyring_text name,
                      struct keyring_text record) __attribute__((warn_unused_result));
/* False: there was none. */
bool keyring_remove(struct keyring *keyring, struct keyring_text id);
bool keyring_remove_team(struct keyring *keyring, struct keyring_text name);

/* What a thread needs to ask: hashing contexts and room for an answer. */
struct keyring_reader *keyring_reader_new(struct keyring *keyring)
    __attribute__((warn_unused_result));
void keyring_reader_free(struct keyring_reader *reader);

/* The record of the key this token belongs to; valid until the reader's next use. False: there
 * is none, found out by the same work as that the secret is wrong. *id is borrowed from
 * the token. */
bool keyring_find(struct keyring_reader *reader, struct keyring_text token,
                  struct keyring_text *id, struct keyring_text *record);
bool keyring_team(struct keyring_reader *reader, struct keyring_text name,
                  struct keyring_text *record);

/* HMAC-SHA-256 of the token under the pepper. */
bool keyring_hash(struct keyring_reader *reader, struct keyring_text token,
                  unsigned char mac[KEYRING_MAC]) __attribute__((warn_unused_result));
/* A new token of 256 random bits; not a NUL-terminated text. False: no randomness. */
bool keyring_mint(char token[KEYRING_TOKEN]) __attribute__((warn_unused_result));

#endif

#include "log_secrets.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lock.h"
#include "log_text.h"

enum {
    LEAST = 8,       /* bytes of a secret, and of what looks like one */
    PIECE = 1024,    /* longer values are known by their pieces */
    LIKELY = 20,     /* bytes of a key in the middle of a word */
    TOKEN = 40,      /* of an access token: such come and go, so that none is registered */
    CHAINS = 1024,   /* a power of two */
    PAIRS = 1 << 16, /* what two bytes can be */
};

/* A value as JSON writes it: that is how the line has it. */
struct secret {
    struct secret *next;
    size_t len;
    char bytes[];
};

/* Which two bytes any secret begins with is one bit each: a line that holds none is passed over
 * at a look a byte. Only ever grows, so that readers need no lock. */
struct log_secrets {
    struct lock adding;
    atomic_bool first[256]; /* what a marked pair begins with: most bytes of a line do not */
    _Atomic uint64_t begins[PAIRS / 64];
    _Atomic(struct secret *) chains[CHAINS];
};

static unsigned pair_of(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static void mark(struct log_secrets *secrets, const char *pair)
{
    unsigned n = pair_of(pair);

    atomic_fetch_or_explicit(&secrets->begins[n / 64], (uint64_t)1 << n % 64,
                             memory_order_release);
    atomic_store_explicit(&secrets->first[(unsigned char)pair[0]], true, memory_order_release);
}

static bool is_marked(const struct log_secrets *secrets, const char *pair)
{
    unsigned n = pair_of(pair);
    uint64_t word = atomic_load_explicit(&secrets->begins[n / 64], memory_order_acquire);

    return word >> n % 64 & 1;
}

struct log_secrets *log_secrets_new(void)
{
    static const char *const known[] = {"mg", "sk", "be", "bE", "Be", "BE", "ey", "ya"};
    struct log_secrets *secrets = calloc(1, sizeof(*secrets));

    for (size_t i = 0; secrets && i < sizeof(known) / sizeof(*known); i++)
        mark(secrets, known[i]);
    return secrets;
}

void log_secrets_free(struct log_secrets *secrets)
{
    if (!secrets) return;
    for (size_t i = 0; i < CHAINS; i++) {
        struct secret *secret = atomic_load(&secrets->chains[i]);
        while (secret) {
            struct secret *next = secret->next;
            explicit_bzero(secret->bytes, secret->len);
            free(secret);
            secret = next;
        }
    }
    free(secrets);
}

/* ---- adding -------------------------------------------------------------------------------
 */

static unsigned chain_number(const char *pair)
{
    return (pair_of(pair) * 40503U >> 6) % CHAINS;
}

static const struct secret *chain_of(const struct log_secrets *secrets, const char *p)
{
    return atomic_load_explicit(&secrets->chains[chain_number(p)], memory_order_acquire);
}

static bool is_known(const struct log_secrets *secrets, const char *bytes, size_t len)
{
    const struct secret *secret = chain_of(secrets, bytes);

    while (secret && (secret->len != len || memcmp(secret->bytes, bytes, len) != 0))
        secret = secret->next;
    return secret != NULL;
}

/* Under the lock; `bytes` is escaped. */
static void keep(struct log_secrets *secrets, const char *bytes, size_t len)
{
    if (is_known(secrets, bytes, len)) return;
    struct secret *secret = malloc(sizeof(*secret) + len);
    if (!secret) return;
    _Atomic(struct secret *) *chain = &secrets->chains[chain_number(bytes)];
    secret->next = atomic_load(chain);
    secret->len = len;
    memcpy(secret->bytes, bytes, len);
    atomic_store_explicit(chain, secret, memory_order_release);
    mark(secrets, bytes);
}

void log_secrets_add(struct log_secrets *secrets, const char *value, size_t len)
{
    char escaped[(PIECE + LEAST) * 6 + 16];

    while (len >= LEAST) {
        size_t piece = len < PIECE + LEAST ? len : PIECE;
        struct log_text text = {escaped, 0, sizeof(escaped)};
        if (log_text_string(&text, value, piece, sizeof(escaped))) {
            lock_take(&secrets->adding);
            keep(secrets, escaped + 1, text.len - 2); /* without the quotes */
            lock_drop(&secrets->adding);
        }
        value += piece;
        len -= piece;
    }
    explicit_bzero(escaped, sizeof(escaped));
}

/* ---- hiding -------------------------------------------------------------------------------
 */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static size_t run(const char *p, size_t len, const char *more)
{
    size_t n = 0;

    while (n < len && p[n] && (is_word(p[n]) || strchr(more, p[n])))
        n++;
    return n;
}

/* What is to go at p, and how much of it may stay. */
struct match {
    size_t len;  /* 0: nothing is to go */
    size_t stay; /* of those: a prefix that says what it was */
};

static struct match looks_like_key(const char *p, size_t len, bool inside_word)
{
    if (len > 3 && (memcmp(p, "sk-", 3) == 0 || memcmp(p, "mg-", 3) == 0)) {
        size_t n = run(p + 3, len - 3, "-_");
        if (n >= (inside_word ? LIKELY : LEAST)) return (struct match){3 + n, 3};
    }
    if (len > 7 && strncasecmp(p, "bearer ", 7) == 0) {
        size_t n = run(p + 7, len - 7, "-._~+/=");
        if (n >= LEAST) return (struct match){7 + n, 7};
    }
    if (len > TOKEN && (memcmp(p, "eyJ", 3) == 0 || memcmp(p, "ya29.", 5) == 0)) {
        size_t n = run(p, len, "-_."); /* a JSON Web Token; what Google gives out */
        if (n >= TOKEN) return (struct match){n, 3};
    }
    return (struct match){0, 0};
}

static struct match look(const struct log_secrets *secrets, const char *p, size_t len,
                         bool inside_word)
{
    const struct secret *secret = chain_of(secrets, p);
    struct match best = {0, 0};

    for (; secret; secret = secret->next)
        if (secret->len > best.len && secret->len <= len &&
            memcmp(secret->bytes, p, secret->len) == 0)
            best.len = secret->len;
    return best.len ? best : looks_like_key(p, len, inside_word);
}

/* The bytes of one unit: an escape is one, so that none is ever cut. */
static size_t unit_at(const char *p, size_t len)
{
    size_t size = *p != '\\' ? 1 : len > 1 && p[1] == 'u' ? 6 : 2;

    return size < len ? size : len;
}

/* Between strings stand numbers: a secret's digits go, a number it stays. */
static void blank(char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] >= '0' && p[i] <= '9') p[i] = '9';
}

/* What is written so far ends at `to`; hides the match, returns where it ends now. */
static size_t replace(char *line, size_t to, size_t at, struct match match)
{
    memmove(line + to, line + at, match.stay);
    memset(line + to + match.stay, '*', 3);
    return to + match.stay + 3;
}

/* Hardly any line holds one: a look that stops nowhere is a few instructions a byte. */
static bool may_hold(const struct log_secrets *secrets, const char *line, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (!atomic_load_explicit(&secrets->first[byte], memory_order_relaxed)) continue;
        if (is_marked(secrets, line + i) && look(secrets, line + i, len - i, false).len) {
            return true;
        }
    }
    return false;
}

size_t log_secrets_hide(const struct log_secrets *secrets, char *line, size_t len)
{
    bool in_string = false, inside_word = false;
    size_t at = 0, to = 0;

    if (!may_hold(secrets, line, len)) return len;
    while (at < len) {
        struct match match = {0, 0};
        if (at + 1 < len && is_marked(secrets, line + at))
            match = look(secrets, line + at, len - at, inside_word);
        if (match.len && in_string) {
            to = replace(line, to, at, match);
            at += match.len;
            inside_word = false;
            continue;
        }
        if (match.len) blank(line + at, match.len);
        size_t size = unit_at(line + at, len - at);
        if (line[at] == '"') in_string = !in_string;
        inside_word = size == 1 && is_word(line[at]);
        if (to != at) memmove(line + to, line + at, size);
        to += size;
        at += size;
    }
    return to;
}

/* The keyring: tokens found and not found, changes, many threads, many keys, and the pepper's
 * file. `test_keyring large` prints what 100,000 keys cost. */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "check.h"
#include "digest.h"
#include "keyring.h"
#include "moment.h"
#include "pepper.h"

enum { READERS = 3, ROUNDS = 4000, LARGE = 100000 };

static const unsigned char PEPPER[KEYRING_PEPPER] = "0123456789abcdef0123456789abcde";

struct token {
    char bytes[KEYRING_TOKEN];
};

static struct keyring *new_ring(const unsigned char pepper[KEYRING_PEPPER])
{
    struct keyring *keyring = keyring_new();

    if (keyring) keyring_season(keyring, pepper);
    return keyring;
}

static struct keyring_text text(const char *bytes)
{
    return (struct keyring_text){bytes, strlen(bytes)};
}

static struct keyring_text whole(const struct token *token)
{
    return (struct keyring_text){token->bytes, KEYRING_TOKEN};
}

static struct keyring_text id_of(const struct token *token)
{
    return (struct keyring_text){token->bytes + 3, KEYRING_ID};
}

static bool add(struct keyring *keyring, struct keyring_reader *reader, struct token *token,
                const char *record)
{
    unsigned char mac[KEYRING_MAC];

    return keyring_mint(token->bytes) && keyring_hash(reader, whole(token), mac) &&
           keyring_put(keyring, id_of(token), mac, text(record));
}

static bool says(struct keyring_reader *reader, const struct token *token, const char *want)
{
    struct keyring_text id, record;

    if (!keyring_find(reader, whole(token), &id, &record)) return false;
    return id.len == KEYRING_ID && record.len == strlen(want) &&
           memcmp(record.bytes, want, record.len) == 0;
}

static void test_tokens(void)
{
    struct token one, two;

    CHECK(keyring_mint(one.bytes) && keyring_mint(two.bytes));
    CHECK(memcmp(one.bytes, "mg-", 3) == 0 && one.bytes[15] == '-');
    CHECK(memcmp(one.bytes, two.bytes, sizeof(one.bytes)) != 0);
    CHECK(strspn(one.bytes + 3, "abcdefghijklmnopqrstuvwxyz234567") == KEYRING_ID);
    for (size_t i = 16; i < KEYRING_TOKEN; i++)
        CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                     one.bytes[i]) != NULL);
}

static void test_find(void)
{
    struct keyring *keyring = new_ring(PEPPER);
    struct keyring_reader *reader = keyring_reader_new(keyring);
    struct token token, other, wrong;
    uint64_t version = keyring_version(keyring);

    CHECK(add(keyring, reader, &token, "{\"id\":1}"));
    CHECK(keyring_count(keyring) == 1 && keyring_version(keyring) != version);
    CHECK(says(reader, &token, "{\"id\":1}"));
    CHECK(keyring_mint(other.bytes) && !says(reader, &other, ""));
    for (size_t i = 0; i < KEYRING_TOKEN; i++) { /* any other byte is another token */
        wrong = token;
        wrong.bytes[i] ^= 1;
        CHECK(!says(reader, &wrong, "{\"id\":1}"));
    }
    struct keyring_text id, record;
    CHECK(!keyring_find(reader, (struct keyring_text){token.bytes, KEYRING_TOKEN - 1}, &id,
                        &record));
    CHECK(!keyring_find(reader, text(""), &id, &record));
    CHECK(!keyring_find(reader, text("mg-"), &id, &record));
    version = keyring_version(keyring);
    CHECK(keyring_remove(keyring, id_of(&token)) && !says(reader, &token, "{\"id\":1}"));
    CHECK(keyring_version(keyring) != version && keyring_count(keyring) == 0);
    CHECK(!keyring_remove(keyring, id_of(&token)));
    keyring_reader_free(reader);
    keyring_free(keyring);
    keyring_free(NULL);
    keyring_reader_free(NULL);
}

/* What a key's entry says may change at any time, and grow past what a reader has room for. */
static void test_change(void)
{
    struct keyring *keyring = new_ring(PEPPER);
    struct keyring_reader *reader = keyring_reader_new(keyring);
    struct token token;
    unsigned char mac[KEYRING_MAC];
    char *large = malloc(100001);

    memset(large, 'x', 100000);
    large[100000] = '\0';
    CHECK(add(keyring, reader, &token, "small"));
    CHECK(keyring_hash(reader, whole(&token), mac));
    CHECK(keyring_put(keyring, id_of(&token), mac, text(large)));
    CHECK(keyring_count(keyring) == 1 && says(reader, &token, large));
    mac[31] ^= 1;
    CHECK(keyring_put(keyring, id_of(&token), mac, text(large)));
    CHECK(!says(reader, &token, large));
    CHECK(!keyring_put(keyring, text("short"), mac, text("")));
    struct keyring_text record;
    CHECK(!keyring_team(reader, text("search"), &record));
    CHECK(keyring_put_team(keyring, text("search"), text("{}")));
    CHECK(keyring_team(reader, text("search"), &record) && record.len == 2);
    CHECK(keyring_count(keyring) == 1);
    CHECK(keyring_remove_team(keyring, text("search")));
    CHECK(!keyring_team(reader, text("search"), &record));
    free(large);
    keyring_reader_free(reader);
    keyring_free(keyring);
}

/* Another pepper, another key. */
static void test_pepper_matters(void)
{
    unsigned char salt[KEYRING_PEPPER] = {1}, a[KEYRING_MAC], b[KEYRING_MAC], c[DIGEST_SIZE];
    struct keyring *one = new_ring(PEPPER), *two = new_ring(salt);
    struct keyring_reader *first = keyring_reader_new(one), *second = keyring_reader_new(two);
    struct digest *digest = digest_new();
    struct digest_bytes pepper = {PEPPER, KEYRING_PEPPER}, hello = {"hello", 5};

    CHECK(keyring_hash(first, text("hello"), a) && keyring_hash(second, text("hello"), b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(digest_hmac_sha256(digest, pepper, hello, c) && memcmp(a, c, sizeof(a)) == 0);
    CHECK(keyring_hash(first, text("hello"), b) && memcmp(a, b, sizeof(a)) == 0);
    digest_free(digest);
    keyring_reader_free(first);
    keyring_reader_free(second);
    keyring_free(one);
    keyring_free(two);
}

/* ---- threads ----------------------------------------------------------------------------- */

struct crowd {
    struct keyring *keyring;
    struct token stays, comes;
    atomic_bool done;
    atomic_uint wrong;
};

static void *read_on(void *argument)
{
    struct crowd *crowd = argument;
    struct keyring_reader *reader = keyring_reader_new(crowd->keyring);
    unsigned looks = 0;

    while (!atomic_load(&crowd->done) || looks < 100) {
        struct keyring_text id, record;
        if (!says(reader, &crowd->stays, "stays")) atomic_fetch_add(&crowd->wrong, 1);
        if (keyring_find(reader, whole(&crowd->comes), &id, &record) &&
            (record.len < 5 || memcmp(record.bytes, "comes", 5) != 0))
            atomic_fetch_add(&crowd->wrong, 1);
        (void)keyring_version(crowd->keyring);
        looks++;
    }
    keyring_reader_free(reader);
    return NULL;
}

static void test_threads(void)
{
    struct crowd crowd = {.keyring = new_ring(PEPPER)};
    struct keyring_reader *reader = keyring_reader_new(crowd.keyring);
    pthread_t threads[READERS];
    struct token token;
    unsigned char mac[KEYRING_MAC];

    CHECK(add(crowd.keyring, reader, &crowd.stays, "stays"));
    CHECK(keyring_mint(crowd.comes.bytes) && keyring_hash(reader, whole(&crowd.comes), mac));
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, read_on, &crowd) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(keyring_put(crowd.keyring, id_of(&crowd.comes), mac, text("comes and goes")));
        CHECK(add(crowd.keyring, reader, &token, "one more"));
        CHECK(says(reader, &crowd.comes, "comes and goes"));
        CHECK(keyring_remove(crowd.keyring, id_of(&crowd.comes)));
        CHECK(!says(reader, &crowd.comes, "comes and goes")); /* at once, not soon */
    }
    atomic_store(&crowd.done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(atomic_load(&crowd.wrong) == 0);
    CHECK(keyring_count(crowd.keyring) == ROUNDS + 1);
    keyring_reader_free(reader);
    keyring_free(crowd.keyring);
}

/* ---- the pepper's file ------------------------------------------------------------------- */

static bool write_file(const char *path, const void *bytes, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "we");

    if (!file) return false;
    bool fine = fwrite(bytes, 1, len, file) == len;
    return fclose(file) == 0 && chmod(path, mode) == 0 && fine;
}

static bool refused(const char *dir, bool may_make, const char *why)
{
    unsigned char out[PEPPER_SIZE];
    char *error = NULL;
    bool fine = !pepper_open(dir, may_make, out, &error) && error && strstr(error, why);

    if (!fine) fprintf(stderr, "said: %s\n", error ? error : "nothing");
    free(error);
    return fine;
}

static void test_pepper_file(void)
{
    char dir[] = "/tmp/moongate-pepper-XXXXXX", path[64];
    unsigned char first[PEPPER_SIZE], again[PEPPER_SIZE];
    struct stat info;
    char *error = NULL;

    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/pepper", dir);
    CHECK(refused(dir, false, "is missing, and the ledger's keys cannot be checked"));
    CHECK(access(path, F_OK) != 0);
    CHECK(pepper_open(dir, true, first, &error) && !error);
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600 && info.st_size == 32);
    CHECK(pepper_open(dir, false, again, &error) && memcmp(first, again, 32) == 0);
    CHECK(chmod(path, 0644) == 0 && refused(dir, true, "may be read by others"));
    CHECK(write_file(path, first, 31, 0600) && refused(dir, true, "is damaged"));
    CHECK(write_file(path, "0123456789abcdef0123456789abcdef!", 33, 0600));
    CHECK(refused(dir, true, "is damaged"));
    CHECK(unlink(path) == 0 && symlink("/etc/passwd", path) == 0);
    CHECK(refused(dir, true, "pepper"));
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0 && refused(dir, true, "is not a file"));
    CHECK(rmdir(path) == 0 && rmdir(dir) == 0);
    CHECK(refused("/nowhere/at/all", true, "No such file"));
}

/* ---- what many keys cost ----------------------------------------------------------------- */

static const char RECORD[] =
    "{\"id\":\"abcdefghijkl\",\"name\":\"service-012345\",\"team\":\"search\",\"rpm\":120,"
    "\"budgets\":[{\"window\":\"month\",\"nano\":500000000000}],\"role\":\"client\"}";

static double per_look(struct keyring_reader *reader, struct token *tokens, size_t n, bool want)
{
    struct keyring_text id, record;
    int64_t begin = moment_monotonic_us();
    bool fine = true;

    for (size_t i = 0; i < n; i++)
        fine = keyring_find(reader, whole(&tokens[i * 7919 % n]), &id, &record) == want && fine;
    CHECK(fine);
    return (double)(moment_monotonic_us() - begin) / (double)n;
}

static void test_large(size_t n, bool report)
{
    struct keyring *keyring = new_ring(PEPPER);
    struct keyring_reader *reader = keyring_reader_new(keyring);
    struct token *tokens = calloc(n, sizeof(*tokens));
    size_t before = mallinfo2().uordblks;
    bool fine = true;

    for (size_t i = 0; i < n; i++)
        fine = add(keyring, reader, &tokens[i], RECORD) && fine;
    CHECK(fine && keyring_count(keyring) == n);
    size_t bytes = mallinfo2().uordblks - before;
    double known = per_look(reader, tokens, n, true);
    for (size_t i = 0; i < n; i++)
        CHECK(keyring_mint(tokens[i].bytes));
    double unknown = per_look(reader, tokens, n, false);
    if (report)
        printf("%zu keys: %.1f MiB (%zu bytes each), %.2f us a known, %.2f us an unknown\n", n,
               (double)bytes / (1 << 20), bytes / n, known, unknown);
    free(tokens);
    keyring_reader_free(reader);
    keyring_free(keyring);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "large") == 0) {
        test_large(LARGE, true);
        return check_report();
    }
    test_tokens();
    test_find();
    test_change();
    test_pepper_matters();
    test_threads();
    test_pepper_file();
    test_large(2000, false);
    return check_report();
}

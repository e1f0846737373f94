/* Digests against published vectors, encodings both ways, identifiers in order. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "digest.h"

static struct digest_bytes text(const char *s)
{
    return (struct digest_bytes){s, strlen(s)};
}

static void check_hex(const unsigned char raw[DIGEST_SIZE], const char *want)
{
    char hex[2 * DIGEST_SIZE];

    digest_hex((struct digest_bytes){raw, DIGEST_SIZE}, hex);
    CHECK_TEXT(hex, sizeof(hex), want);
}

/* FIPS 180-4. */
static void test_sha256(void)
{
    struct digest *digest = digest_new();
    unsigned char raw[DIGEST_SIZE];
    char *million = malloc(1000000);

    CHECK(digest_sha256(digest, text(""), raw));
    check_hex(raw, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digest_sha256(digest, text("abc"), raw));
    check_hex(raw, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(million, 'a', 1000000);
    CHECK(digest_sha256(digest, (struct digest_bytes){million, 1000000}, raw));
    check_hex(raw, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
    digest_free(digest);
    digest_free(NULL);
}

/* RFC 4231, cases 1, 2 and 6; the empty key and message. */
static void test_hmac(void)
{
    struct digest *digest = digest_new();
    unsigned char raw[DIGEST_SIZE], key[131];

    memset(key, 0x0b, 20);
    CHECK(digest_hmac_sha256(digest, (struct digest_bytes){key, 20}, text("Hi There"), raw));
    check_hex(raw, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(digest_hmac_sha256(digest, text(""), text(""), raw));
    check_hex(raw, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    CHECK(digest_hmac_sha256(digest, text("Jefe"), text("what do ya want for nothing?"), raw));
    check_hex(raw, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 131);
    CHECK(digest_hmac_sha256(digest, (struct digest_bytes){key, 131},
                             text("Test Using Larger Than Block-Size Key - Hash Key First"),
                             raw));
    check_hex(raw, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    digest_free(digest);
}

static void test_equal(void)
{
    CHECK(digest_equal(text("same"), text("same")));
    CHECK(digest_equal(text(""), text("")));
    CHECK(!digest_equal(text("same"), text("sane")));
    CHECK(!digest_equal(text("same"), text("same ")));
}

static void check_base64(const char *plain, const char *want, const char *want_url)
{
    char out[64];
    unsigned char back[64];
    size_t len, n = digest_base64(DIGEST_BASE64, text(plain), out);

    CHECK_TEXT(out, n, want);
    CHECK(n <= digest_base64_size(strlen(plain)));
    CHECK(digest_unbase64(DIGEST_BASE64, text(want), back, &len));
    CHECK_TEXT((char *)back, len, plain);
    n = digest_base64(DIGEST_BASE64URL, text(plain), out);
    CHECK_TEXT(out, n, want_url);
    CHECK(digest_unbase64(DIGEST_BASE64URL, text(want_url), back, &len));
    CHECK_TEXT((char *)back, len, plain);
}

/* RFC 4648, and what it lets a decoder refuse. */
static void test_base64(void)
{
    static const char *const bad[] = {"Zg",   "Zg=",  "Z===", "Zh==",     "Zm9",  "Zm9=Zm9v",
                                      "Zm 9", "Zm-_", "====", "Zg==Zg==", "Zm9\n"};
    unsigned char back[64];
    size_t len;

    check_base64("", "", "");
    check_base64("f", "Zg==", "Zg");
    check_base64("fo", "Zm8=", "Zm8");
    check_base64("foo", "Zm9v", "Zm9v");
    check_base64("foobar", "Zm9vYmFy", "Zm9vYmFy");
    check_base64("\xfb\xff\xfe", "+//+", "-__-");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(!digest_unbase64(DIGEST_BASE64, text(bad[i]), back, &len));
    CHECK(!digest_unbase64(DIGEST_BASE64URL, text("Zg=="), back, &len));
    CHECK(!digest_unbase64(DIGEST_BASE64URL, text("+//+"), back, &len));
    CHECK(!digest_unbase64(DIGEST_BASE64URL, text("Z"), back, &len));
    CHECK(digest_base64_size((size_t)-1) == (size_t)-1);
}

static void test_random(void)
{
    unsigned char a[64] = {0}, b[64] = {0};

    CHECK(digest_random(a, sizeof(a)) && digest_random(b, sizeof(b)));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(digest_random(a, 0));
}

/* Many in one millisecond: more than the counter has room for. */
static void test_uuid7(void)
{
    struct digest *digest = digest_new();
    char last[DIGEST_UUID_SIZE] = "", id[DIGEST_UUID_SIZE];
    bool rising = true, shaped = true;

    for (int i = 0; i < 20000; i++) {
        if (!digest_uuid7(digest, id)) CHECK(false);
        rising = rising && strcmp(id, last) > 0;
        shaped = shaped && strlen(id) == 36 && id[14] == '7' && strchr("89ab", id[19]) &&
                 id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-';
        memcpy(last, id, sizeof(id));
    }
    CHECK(rising && shaped);
    digest_free(digest);
}

int main(void)
{
    test_sha256();
    test_hmac();
    test_equal();
    test_base64();
    test_random();
    test_uuid7();
    return check_report();
}

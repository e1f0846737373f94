/* engine.crypto: digests, encodings, signatures, randomness. Needs no context: also built into
 * the tests. */
#include <lauxlib.h>
#include <lua.h>

#include "digest.h"
#include "lua_engine.h"
#include "rsa.h"

static const char BOX[] = "moongate.digest";

/* The contexts of one Lua state, an upvalue of every function here. */
struct digest_box {
    struct digest *digest; /* owned */
};

static struct digest *digest_of(lua_State *L)
{
    struct digest_box *box = lua_touserdata(L, lua_upvalueindex(1));

    return box->digest;
}

static struct digest_bytes bytes_at(lua_State *L, int index)
{
    struct digest_bytes bytes;

    bytes.data = luaL_checklstring(L, index, &bytes.len);
    return bytes;
}

static int push_hex(lua_State *L, struct digest_bytes bytes)
{
    char small[2 * DIGEST_SIZE];
    char *hex = bytes.len <= DIGEST_SIZE ? small : lua_newuserdata(L, 2 * bytes.len);

    digest_hex(bytes, hex);
    lua_pushlstring(L, hex, 2 * bytes.len);
    return 1;
}

static struct digest_bytes checked(lua_State *L, bool ok, const unsigned char raw[DIGEST_SIZE])
{
    if (!ok) luaL_error(L, "out of memory");
    return (struct digest_bytes){raw, DIGEST_SIZE};
}

static struct digest_bytes sha256(lua_State *L, unsigned char raw[DIGEST_SIZE])
{
    struct digest_bytes bytes = bytes_at(L, 1);

    return checked(L, digest_sha256(digest_of(L), bytes, raw), raw);
}

static struct digest_bytes hmac(lua_State *L, unsigned char raw[DIGEST_SIZE])
{
    struct digest_bytes key = bytes_at(L, 1), bytes = bytes_at(L, 2);

    return checked(L, digest_hmac_sha256(digest_of(L), key, bytes, raw), raw);
}

static int l_sha256(lua_State *L)
{
    unsigned char raw[DIGEST_SIZE];

    return push_hex(L, sha256(L, raw));
}

static int l_sha256_raw(lua_State *L)
{
    unsigned char raw[DIGEST_SIZE];

    lua_pushlstring(L, (const char *)sha256(L, raw).data, DIGEST_SIZE);
    return 1;
}

static int l_hmac_sha256(lua_State *L)
{
    unsigned char raw[DIGEST_SIZE];

    return push_hex(L, hmac(L, raw));
}

static int l_hmac_sha256_raw(lua_State *L)
{
    unsigned char raw[DIGEST_SIZE];

    lua_pushlstring(L, (const char *)hmac(L, raw).data, DIGEST_SIZE);
    return 1;
}

static int encode(lua_State *L, enum digest_alphabet alphabet)
{
    struct digest_bytes bytes = bytes_at(L, 1);
    char *out = lua_newuserdata(L, digest_base64_size(bytes.len)); /* text … room */

    lua_pushlstring(L, out, digest_base64(alphabet, bytes, out));
    return 1;
}

/* nil, err */
static int push_invalid(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "invalid");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message"); /* nil err */
    return 2;
}

/* bytes | nil, err */
static int decode(lua_State *L, enum digest_alphabet alphabet)
{
    struct digest_bytes text = bytes_at(L, 1);
    unsigned char *out = lua_newuserdata(L, text.len / 4 * 3 + 3); /* text … room */
    size_t len;

    if (digest_unbase64(alphabet, text, out, &len)) {
        lua_pushlstring(L, (const char *)out, len);
        return 1;
    }
    return push_invalid(L, "not base64");
}

static int l_base64(lua_State *L)
{
    return encode(L, DIGEST_BASE64);
}

static int l_base64url(lua_State *L)
{
    return encode(L, DIGEST_BASE64URL);
}

static int l_unbase64(lua_State *L)
{
    return decode(L, DIGEST_BASE64);
}

static int l_unbase64url(lua_State *L)
{
    return decode(L, DIGEST_BASE64URL);
}

static int l_hex(lua_State *L)
{
    return push_hex(L, bytes_at(L, 1));
}

static int l_random_hex(lua_State *L)
{
    unsigned char raw[1024];
    lua_Integer n = luaL_checkinteger(L, 1);

    luaL_argcheck(L, n >= 0 && n <= (lua_Integer)sizeof(raw), 1, "0 to 1024 bytes");
    if (!digest_random(raw, (size_t)n)) return luaL_error(L, "no randomness");
    return push_hex(L, (struct digest_bytes){raw, (size_t)n});
}

static int l_equal(lua_State *L)
{
    lua_pushboolean(L, digest_equal(bytes_at(L, 1), bytes_at(L, 2)));
    return 1;
}

/* signature | nil, err = rs256(pem, text) */
static int l_rs256(lua_State *L)
{
    unsigned char raw[RSA_SIGNATURE_MAX];
    size_t len;

    if (!rsa_sign(bytes_at(L, 1), bytes_at(L, 2), raw, &len))
        return push_invalid(L, "no private RSA key of 2048 to 8192 bits in PEM");
    lua_pushlstring(L, (const char *)raw, len);
    return 1;
}

static int l_uuid7(lua_State *L)
{
    char id[DIGEST_UUID_SIZE];

    if (!digest_uuid7(digest_of(L), id)) return luaL_error(L, "no randomness");
    lua_pushlstring(L, id, DIGEST_UUID_SIZE - 1);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct digest_box *box = lua_touserdata(L, 1);

    digest_free(box->digest);
    box->digest = NULL;
    return 0;
}

int luaopen_engine_crypto(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"sha256", l_sha256},
        {"sha256_raw", l_sha256_raw},
        {"hmac_sha256", l_hmac_sha256},
        {"hmac_sha256_raw", l_hmac_sha256_raw},
        {"base64", l_base64},
        {"unbase64", l_unbase64},
        {"base64url", l_base64url},
        {"unbase64url", l_unbase64url},
        {"hex", l_hex},
        {"random_hex", l_random_hex},
        {"equal", l_equal},
        {"rs256", l_rs256},
        {"uuid7", l_uuid7},
        {NULL, NULL},
    };

    lua_newtable(L);                                           /* module */
    struct digest_box *box = lua_newuserdata(L, sizeof(*box)); /* module box */
    box->digest = NULL;
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    box->digest = digest_new();
    if (!box->digest) return luaL_error(L, "out of memory");
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushvalue(L, -1); /* module box box */
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1); /* module */
    return 1;
}

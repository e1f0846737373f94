-- engine.crypto, and the small doors that need no gateway: engine.tokens and the clock.

require "engine"
local crypto = require "engine.crypto"
local time = require "engine.time"
local tokens = require "engine.tokens"

describe("engine.crypto", function()
  it("digests", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      crypto.sha256("abc"))
    assert.equal(crypto.sha256("abc"), crypto.hex(crypto.sha256_raw("abc")))
    assert.equal(32, #crypto.sha256_raw(""))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      crypto.hmac_sha256("Jefe", "what do ya want for nothing?"))
    assert.equal(crypto.hmac_sha256("k", "v"), crypto.hex(crypto.hmac_sha256_raw("k", "v")))
  end)

  it("spells bytes both ways", function()
    local bytes = "\251\255\254\0x"
    assert.equal("+//+AHg=", crypto.base64(bytes))
    assert.equal("-__-AHg", crypto.base64url(bytes))
    assert.equal(bytes, crypto.unbase64("+//+AHg="))
    assert.equal(bytes, crypto.unbase64url("-__-AHg"))
    assert.equal("fbfffe0078", crypto.hex(bytes))
    assert.equal("", crypto.base64(""))
    local long = ("x"):rep(100000)
    assert.equal(long, crypto.unbase64(crypto.base64(long)))
    assert.equal(200000, #crypto.hex(long))
  end)

  it("says what is not base64", function()
    for _, text in ipairs { "Zg", "Zh==", "Z", "Zm-_", "Zm 9" } do
      local bytes, err = crypto.unbase64(text)
      assert.is_nil(bytes)
      assert.equal("invalid", err.kind)
    end
  end)

  it("signs as RS256 does, with RSA keys of a sound size", function()
    local rsa = require "support.rsa"
    local key, text = rsa.key(), ("x"):rep(1000) .. "\0"
    local signature = crypto.rs256(key, text)
    assert.equal(256, #signature)
    assert.equal(signature, crypto.rs256(key, text))
    assert.is_true(rsa.verify(key, text, signature))
    assert.is_false(rsa.verify(key, text .. "y", signature))
    local plain = rsa.convert("rsa", "-traditional", key) -- PKCS#1
    assert.truthy(plain:find "BEGIN RSA PRIVATE KEY")
    assert.equal(signature, crypto.rs256(plain, text))
  end)

  it("says what is no key to sign with", function()
    local rsa = require "support.rsa"
    local small, key = rsa.key(1024), rsa.key()
    for _, pem in ipairs {
      "", "x", small, rsa.elliptic(), key:sub(1, 400), rsa.convert("pkey", "-pubout", key),
      rsa.convert("rsa", "-aes128", "-passout", "pass:secret", key),
      key:gsub("\n", " "), "\0" .. key,
    } do
      if pem ~= "\0" .. key then
        local signature, err = crypto.rs256(pem, "x")
        assert.is_nil(signature)
        assert.equal("invalid", err.kind)
      end
    end
  end)

  it("draws random bytes", function()
    assert.equal(32, #crypto.random_hex(16))
    assert.truthy(crypto.random_hex(16):match("^%x+$"))
    assert.not_equal(crypto.random_hex(16), crypto.random_hex(16))
    assert.equal("", crypto.random_hex(0))
    assert.has_error(function() crypto.random_hex(-1) end)
    assert.has_error(function() crypto.random_hex(1e6) end)
  end)

  it("compares", function()
    assert.is_true(crypto.equal("same", "same"))
    assert.is_false(crypto.equal("same", "sane"))
    assert.is_false(crypto.equal("same", "same\0"))
    assert.has_error(function() crypto.equal("same") end)
  end)

  it("names things in order", function()
    local last = ""
    for _ = 1, 100 do
      local id = crypto.uuid7()
      assert.truthy(id:match("^%x+%-%x+%-7%x%x%x%-[89ab]%x%x%x%-%x+$"))
      assert.equal(36, #id)
      assert.is_true(id > last)
      last = id
    end
  end)

  it("raises on what is no string", function()
    assert.has_error(function() crypto.sha256() end)
    assert.has_error(function() crypto.sha256({}) end)
    assert.has_error(function() crypto.hmac_sha256("key") end)
  end)
end)

describe("the clock", function()
  it("writes UTC", function()
    assert.equal("1970-01-01T00:00:00.000Z", time.iso(0))
    assert.equal("2026-11-22T08:00:00.123Z", time.iso(1795334400.123))
    assert.equal("2000-02-29T23:59:59.999Z", time.iso(951868799.999))
    assert.equal("1900-03-01T00:00:00.000Z", time.iso(-2203891200))
    assert.equal("1969-12-31T23:59:59.500Z", time.iso(-0.5))
    assert.equal("9999-12-31T23:59:59.999Z", time.iso(1e11 * 9))
    assert.has_error(function() time.iso(1 / 0) end)
    assert.has_error(function() time.iso(0 / 0) end)
  end)

  it("agrees with the system's", function()
    for _, at in ipairs { 68169600, 1078012800, 1709164800, 4107542400, 1e9, 2e9 } do
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%S.000Z", at), time.iso(at))
    end
    assert.is_true(math.abs(time.now() - os.time()) <= 2)
    assert.equal(time.iso(time.now()):sub(1, 10), time.iso():sub(1, 10))
  end)

  it("never goes back", function()
    local before = time.monotonic()
    assert.is_true(time.monotonic() >= before)
  end)
end)

describe("tokens.count", function()
  -- Counts of o200k_base, by OpenAI's own tokenizer.
  local KNOWN = {
    { 10, "The quick brown fox jumps over the lazy dog." },
    { 19, "In 2024 the company sold 1234567 units (up 12.5%)." },
    { 21, '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}' },
    { 22, "for (int i = 0; i < n; i++) {\n    total += values[i];\n}\n" },
  }

  it("without an encoding is near the truth, and says that it is not the truth", function()
    for _, case in ipairs(KNOWN) do
      local n, exact = tokens.count(case[2])
      assert.is_false(exact)
      assert.is_true(math.abs(n - case[1]) <= 0.3 * case[1], case[2] .. ": " .. n)
    end
  end)

  it("grows with the text, whatever is in it", function()
    assert.equal(0, (tokens.count("")))
    assert.is_true(tokens.count("\255\254\200") >= 3)
    assert.is_true(tokens.count(("\240\159\152\128"):rep(10)) >= 10)
    assert.is_true(tokens.count("\228\184\173\230\150\135") >= 1)
    assert.is_true(tokens.count(("a"):rep(40000)) >= 2000)
    local one, ten = tokens.count("Some words. "), tokens.count(("Some words. "):rep(10))
    assert.is_true(math.abs(ten - 10 * one) <= 10)
  end)

  it("takes the name of an encoding", function()
    assert.is_true(tokens.count("hello", "o200k_base") <= 2)
    assert.has_error(function() tokens.count("hello", {}) end)
    assert.has_error(function() tokens.count() end)
  end)
end)

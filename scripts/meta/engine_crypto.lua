---@meta
-- engine.crypto: digests, signatures, encodings and what is random.

---@class crypto
local crypto = {}

---@param text string
---@return string hex
function crypto.sha256(text) end

---@param text string
---@return string bytes
function crypto.sha256_raw(text) end

---@param key string
---@param text string
---@return string hex
function crypto.hmac_sha256(key, text) end

---@param key string
---@param text string
---@return string bytes
function crypto.hmac_sha256_raw(key, text) end

---@param bytes string
---@return string
function crypto.base64(bytes) end

---@param text string
---@return string? bytes
function crypto.unbase64(text) end

---@param bytes string
---@return string
function crypto.base64url(bytes) end

---@param text string
---@return string? bytes
function crypto.unbase64url(text) end

---@param bytes string
---@return string
function crypto.hex(bytes) end

---@param bytes integer
---@return string
function crypto.random_hex(bytes) end

---In constant time.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end

---RS256: RSASSA-PKCS1-v1_5 over SHA-256. Takes a millisecond.
---@param pem string  a private RSA key of 2048 to 8192 bits
---@param text string
---@return string? bytes, table? err
function crypto.rs256(pem, text) end

---@return string
function crypto.uuid7() end

return { crypto = crypto }

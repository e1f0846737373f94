-- Who asks, from the head alone: a virtual key, by the hash of its token.

local crypto = require "engine.crypto"
local fault = require "lib.fault"
local time = require "engine.time"

local auth = {}

local NOBODY = { name = "anonymous", all = true, tags = {} }
local OTHERS = { "api-key", "x-api-key", "x-goog-api-key" }
local TOKEN_MOST = 512 -- bytes
local REMEMBERED_MOST = 4096

-- The token of `Authorization: Bearer …`; false for any other kind of credential.
local function bearer(value)
  local scheme, token = value:match("^(%a+)%s+(%S+)%s*$")
  return scheme and scheme:lower() == "bearer" and token or false
end

local function check_single(request, name)
  if request:header_count(name) < 2 then return end
  fault.raise("invalid_header", "The " .. name .. " header came more than once.")
end

-- One token, from whichever header; two that differ are nobody's to choose between.
local function credential(request, bearers)
  local value = request:header("authorization")
  local token
  if value then
    check_single(request, "authorization")
    token = bearers[value]
    if token == nil then token = bearer(value) end
  end
  for i = 1, #OTHERS do
    local other = request:header(OTHERS[i])
    if other then
      check_single(request, OTHERS[i])
      if token ~= nil and token ~= other then
        fault.raise("invalid_header", "Two different API keys came in the request's headers.")
      end
      token = other
    end
  end
  return token, value
end

local function misplaced(request)
  local query = "&" .. (request.query or ""):lower()
  return query:find("[&?]key=") or query:find("api[_-]?key=") or query:find("token=")
    or request:header("cookie")
end

local function refuse_missing(request)
  local hint = misplaced(request) and "An API key is not read from the URL or from cookies: "
    or "No API key came with the request: "
  fault.raise("missing_api_key", hint .. "send it as 'Authorization: Bearer KEY'.")
end

local function refuse()
  fault.raise("invalid_api_key", "The API key is not valid.")
end

-- Remember who a token belongs to, so that it is taken apart and hashed once.
local function remember(cfg, value, token, key)
  local known = cfg.runtime.tokens
  if known.count >= REMEMBERED_MOST then
    known = { count = 0, keys = {}, bearers = {} }
    cfg.runtime.tokens = known
  end
  known.count = known.count + 1
  known.keys[token] = key
  if value then known.bearers[value] = token end
end

-- Only the digest meets the table, so its timing tells nothing about a token.
local function look_up(token, cfg)
  if #token > TOKEN_MOST or token:find("[^\33-\126]") then refuse() end
  local key = cfg.keys.by_hash[crypto.sha256(token)]
  if not key then refuse() end
  return key
end

--- The virtual key behind a request.
function auth.check(call, cfg, endpoint)
  if cfg.open or endpoint.public then return NOBODY end
  local known = cfg.runtime.tokens
  local token, value = credential(call.request, known.bearers)
  if token == nil then refuse_missing(call.request) end
  if not token then refuse() end
  local key = known.keys[token]
  if not key then
    key = look_up(token, cfg)
    remember(cfg, value, token, key)
  end
  if key.expires_at and key.expires_at <= time.now() then
    fault.raise("key_expired", "This API key has expired.")
  end
  return key
end

return auth

-- Who asks, from the head alone: a virtual key, of routes.lua or of the ledger.
--
-- A key is a table that stays the same while nothing about it changes: name, id (of the
-- ledger's), account, team, all or models (a set of groups), model_list, tags, rpm, tpm,
-- parallel, budgets, soft_budgets, on_low_budget, without_cluster, role, expires_at, and
-- team_limits (the ledger's record of its team).

local crypto = require "engine.crypto"
local failures = require "pipeline.failures"
local fault = require "lib.fault"
local keyring = require "engine.keyring"
local ledger_keys = require "pipeline.ledger_keys"
local time = require "engine.time"

local auth = {}

local NOBODY = { name = "anonymous", all = true, tags = {} }
local OTHERS = { "api-key", "x-api-key", "x-goog-api-key" }
local TOKEN_MOST = 512 -- bytes
local REMEMBERED_MOST = 4096

-- Why not. A secret that was replaced is wrong like any other.
local WRONG = { kind = "invalid_api_key", message = "The API key is not valid." }
local DISABLED = { kind = "key_disabled", message = "This API key is disabled." }
local EXPIRED = { kind = "key_expired", message = "This API key has expired." }
local TEAM_DISABLED = { kind = "key_disabled", message = "This API key's team is disabled." }

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

local function refuse_missing(request, dialect)
  local hint = misplaced(request) and "An API key is not read from the URL or from cookies: "
    or "No API key came with the request: "
  fault.raise("missing_api_key", hint .. "send it as '"
    .. (dialect == "gemini" and "x-goog-api-key: KEY" or "Authorization: Bearer KEY") .. "'.")
end

-- Remember who a token belongs to, so that it is taken apart and hashed once. `value` is the
-- header it came in: the first one, since there are many ways to write it.
local function remember(known, token, key, value)
  if known.count >= REMEMBERED_MOST then
    known.count, known.keys, known.bearers = 0, {}, {}
  end
  known.count = known.count + 1
  known.keys[token] = key
  if value then known.bearers[value] = token end
end

-- What is remembered holds until any key of the ledger changes; then whose record is the same
-- gets the same table again.
local function current(cfg)
  local known, version = cfg.runtime.tokens, keyring.version()
  if known.version ~= version then
    known = {
      count = 0, keys = {}, bearers = {}, version = version,
      ledger = known.ledger or ledger_keys.memory(),
    }
    cfg.runtime.tokens = known
  end
  return known
end

-- routes.lua's keys by their digest, the ledger's by what it holds of them: what a token costs
-- tells nothing about how near it came.
local function look_up(token, cfg, known, value)
  if #token > TOKEN_MOST or token:find("[^\33-\126]") then return nil end
  local key = cfg.keys.by_hash[crypto.sha256(token)]
    or ledger_keys.find(cfg, known.ledger, token)
  if key then remember(known, token, key, value) end
  return key
end

-- Why a key that is the right one may not be used; nil where it may.
local function refusal(key, now)
  if key.secret_expires_at and key.secret_expires_at <= now then return WRONG end
  if key.disabled then return DISABLED end
  if key.expires_at and key.expires_at <= now then return EXPIRED end
  if key.team_disabled then return TEAM_DISABLED end
  return nil
end

-- The key a token belongs to, if it may be used: key | nil, why not.
local function identify(token, cfg, known, value)
  local key = token and (known.keys[token] or look_up(token, cfg, known, value))
  if not key then return nil, WRONG end
  if not key.id and not key.expires_at then return key end
  local why = refusal(key, time.now())
  if why then return nil, why end
  return key
end

--- For other listeners: the key of a token that came from `peer`, or nil and an error of
--- { status, code, message }. **waits** where wrong ones come too fast.
function auth.of_token(token, cfg, peer)
  local key, why = identify(token, cfg, current(cfg))
  if key then return key end
  if why == WRONG then failures.wait(peer) end
  local err = fault.new(why.kind, why.message)
  return nil, { status = err.status, code = err.code, message = err.message }
end

--- Whether anyone may ask: no key is declared, and the ledger never had one. That its last key
--- is deleted does not open a gateway to everybody.
function auth.is_open(cfg)
  return cfg.open and not keyring.is_closed()
end

--- The virtual key behind a request. **waits** where wrong ones come too fast.
function auth.check(call, cfg, endpoint)
  if endpoint.public or auth.is_open(cfg) then return NOBODY end
  local known = current(cfg)
  local token, value = credential(call.request, known.bearers)
  if token == nil then refuse_missing(call.request, call.dialect) end
  local key, why = identify(token, cfg, known, value)
  if not key then
    if why == WRONG then failures.wait(call.request.peer) end
    fault.raise(why.kind, why.message)
  end
  return key
end

return auth

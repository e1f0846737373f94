-- Access tokens of OAuth 2: what is asked of a token endpoint, and what its answer says. A
-- service account's signed assertion (RFC 7523; Google's
-- developers.google.com/identity/protocols/oauth2/service-account), a client's own credentials
-- (RFC 6749 section 4.4: Azure Entra, Databricks), or a machine in Google's cloud that is asked
-- for its own (cloud.google.com/compute/docs/access/authenticate-workloads).

local crypto = require "engine.crypto"
local json = require "engine.json"
local percent = require "lib.percent"
local role = require "lib.aws_role"

local oauth = {}

local encode = percent.encode

local JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local LIFE = 3600           -- seconds that an assertion is good for: the most Google takes
local UNSAID = 300          -- seconds of a token whose life nobody tells
local LONGEST = 24 * 3600
local SHOWN = 200           -- bytes of an endpoint's words for the log

oauth.METADATA = "http://metadata.google.internal/computeMetadata/v1/instance"
  .. "/service-accounts/default/token"
oauth.SCOPE = "https://www.googleapis.com/auth/cloud-platform"

-- Requests ------------------------------------------------------------------------------

local function form(pairs_in_order)
  local out = {}
  for i, pair in ipairs(pairs_in_order) do
    out[i] = pair[1] .. "=" .. encode(pair[2])
  end
  return table.concat(out, "&")
end

local function part(order, members)
  return crypto.base64url(json.encode(json.object(order, members)))
end

--- A service account's assertion of who it is, signed: a JSON Web Token. nil, message where its
--- key signs nothing.
function oauth.assertion(account, scope, now)
  local head = part({ "alg", "typ", "kid" }, {
    alg = "RS256", typ = "JWT", kid = account.private_key_id,
  })
  local from = math.floor(now)
  local claims = part({ "iss", "scope", "aud", "iat", "exp" }, {
    iss = account.client_email, scope = scope, aud = account.token_uri, iat = from,
    exp = from + LIFE,
  })
  local text = head .. "." .. claims
  local signature, err = crypto.rs256(account.private_key, text)
  if not signature then return nil, err.message end
  return text .. "." .. crypto.base64url(signature)
end

local function by_account(source, _, now)
  local assertion, problem = oauth.assertion(source.account, source.scope, now)
  if not assertion then return nil, problem end
  return form { { "grant_type", JWT_BEARER }, { "assertion", assertion } }
end

local function by_client(source, headers)
  headers.authorization = "Basic "
    .. crypto.base64(encode(source.client_id) .. ":" .. encode(source.client_secret))
  return form {
    { "grant_type", "client_credentials" }, source.scope and { "scope", source.scope } or nil,
  }
end

--- What is sent for a token: { url, method, headers, body }; nil, message where nothing can be.
--- `so_far` is a table that all questions for one token share, empty at first.
function oauth.request(source, now, so_far)
  if source.aws then return role.request(source, so_far) end
  local headers = { accept = "application/json", ["user-agent"] = "moongate" }
  if source.metadata then
    headers["metadata-flavor"] = "Google"
    return { url = source.token_url, method = "GET", headers = headers }
  end
  headers["content-type"] = "application/x-www-form-urlencoded"
  local body, problem = (source.account and by_account or by_client)(source, headers, now)
  if not body then return nil, problem end
  return { url = source.token_url, method = "POST", headers = headers, body = body }
end

-- Answers -------------------------------------------------------------------------------

local function word(value) return type(value) == "string" and value ~= "" and value or nil end

local function life(value)
  local seconds = tonumber(value) -- some write it as a text
  if not seconds or seconds ~= seconds or seconds <= 0 then return UNSAID end
  return math.min(seconds, LONGEST)
end

-- A token goes into a header.
local function fits(token) return token and not token:find("[%c%s]") and #token <= 16384 end

--- Of an endpoint's answer: token, seconds, and keys to sign with where it gives those; nil and
--- what is wrong with it; or false, where more has to be asked.
function oauth.read(status, bytes, source, so_far, now)
  if source and source.aws then return role.read(status, bytes, source, so_far, now) end
  local body = json.decode(bytes)
  body = type(body) == "table" and body or {}
  local token = word(body.access_token)
  if status == 200 and fits(token) then return token, life(body.expires_in) end
  local said = word(body.error_description) or word(body.error)
  return nil, ("the token endpoint answered %d%s"):format(status,
    said and ": " .. said:sub(1, SHOWN):gsub("%c", " ") or ", and no token")
end

return oauth

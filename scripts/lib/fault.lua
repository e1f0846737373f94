-- Every kind of failure: its HTTP status, type and code, and what may follow it.

local fault = {}

local INVALID, UPSTREAM = "invalid_request_error", "upstream_error"

-- kind = { status, type, code, again }. `again` is what may be tried after it: "same" the same
-- deployment too, "other" another one only, nil neither (a fallback may still take it over).
local KINDS = {
  -- what the client did
  bad_request                = { 400, INVALID, "invalid_value" },
  invalid_json               = { 400, INVALID, "invalid_json" },
  invalid_utf8               = { 400, INVALID, "invalid_utf8" },
  invalid_header             = { 400, INVALID, "invalid_header" },
  invalid_type               = { 400, INVALID, "invalid_type" },
  invalid_value              = { 400, INVALID, "invalid_value" },
  body_not_object            = { 400, INVALID, "body_not_object" },
  duplicate_parameter        = { 400, INVALID, "duplicate_parameter" },
  missing_required_parameter = { 400, INVALID, "missing_required_parameter" },
  too_deep                   = { 400, INVALID, "too_deep" },
  too_many_nodes             = { 400, INVALID, "too_many_nodes" },
  missing_api_key            = { 401, INVALID, "missing_api_key" },
  invalid_api_key            = { 401, INVALID, "invalid_api_key" },
  key_disabled               = { 403, "permission_error", "key_disabled" },
  key_expired                = { 403, "permission_error", "key_expired" },
  not_permitted              = { 403, "permission_error", "not_permitted" },
  model_unpriced             = { 403, "permission_error", "model_unpriced" },
  model_not_found            = { 404, INVALID, "model_not_found" },
  absent                     = { 404, INVALID, "not_found" },
  unknown_url                = { 404, INVALID, "unknown_url" },
  method_not_allowed         = { 405, INVALID, "method_not_allowed" },
  request_timeout            = { 408, INVALID, "request_timeout" },
  body_too_large             = { 413, INVALID, "body_too_large" },
  unsupported_media_type     = { 415, INVALID, "unsupported_media_type" },
  rate_limited               = { 429, "rate_limit_error", "rate_limit_exceeded" },
  budget_exceeded            = { 429, "insufficient_quota", "budget_exceeded" },
  cancelled                  = { 499, INVALID, "client_closed" },

  -- what a provider did: the FaultKind of routes.lua
  rate_limit       = { 429, "rate_limit_error", "upstream_rate_limited", "same" },
  timeout          = { 504, UPSTREAM, "upstream_timeout", "same" },
  connect          = { 502, UPSTREAM, "upstream_unreachable", "same" },
  overloaded       = { 503, "server_error", "overloaded", "same" },
  server_error     = { 502, UPSTREAM, "upstream_error", "same" },
  truncated        = { 502, UPSTREAM, "upstream_truncated", "same" },
  invalid_response = { 502, UPSTREAM, "upstream_invalid_response", "other" },
  auth             = { 502, UPSTREAM, "upstream_auth_error", "other" },
  model_missing    = { 502, UPSTREAM, "upstream_model_not_found", "other" },
  context_window   = { 400, INVALID, "context_length_exceeded" },
  content_policy   = { 400, INVALID, "content_policy_violation" },

  -- what the gateway did
  unavailable        = { 503, "server_error", "no_healthy_upstream" },
  draining           = { 503, "server_error", "draining" },
  ledger_unavailable = { 503, "server_error", "ledger_unavailable" },
  internal           = { 500, "server_error", "internal_error" },
  script_error       = { 500, "server_error", "script_error" },
}

-- What the engine calls a broken call (client.h) → our kind, and what is said of it.
local ENGINE = {
  dns = {
    "connect", "The provider's name could not be resolved.", code = "upstream_dns_failure",
  },
  connect = { "connect", "The provider could not be reached." },
  connect_timeout = {
    "connect", "The provider did not accept a connection in time.",
    code = "upstream_connect_timeout", status = 504,
  },
  tls = {
    "connect", "No trusted connection to the provider could be made.",
    code = "upstream_tls_error", again = "other",
  },
  closed = { "connect", "The provider closed the connection without an answer." },
  blocked = {
    "connect", "The provider's address may not be called.", code = "upstream_blocked",
    again = "other",
  },
  timeout = { "timeout", "The provider did not answer in time." },
  first_token_timeout = {
    "timeout", "The provider sent no token in time.", code = "upstream_first_token_timeout",
  },
  stalled = { "timeout", "The provider's answer stalled.", code = "upstream_stalled" },
  truncated = { "truncated", "The provider's answer ended too early." },
  invalid = { "invalid_response", "The provider's answer could not be understood." },
  too_large = { "invalid_response", "The provider's answer is too large." },
}

local MESSAGES = {
  truncated = "The provider's answer ended too early.",
  invalid_response = "The provider's answer could not be understood.",
  internal = "The gateway made a mistake. It is in the log under this request's id.",
  script_error = "A script of this gateway failed. It is in the log under this request's id.",
  cancelled = "The client hung up.",
  absent = "There is no such file or batch.",
}

---@class Fault
---@field kind string          one of KINDS above; a new one is a change to this file
---@field message string       for the client
---@field status integer
---@field type string
---@field code string?
---@field param string?        the request's member that is at fault
---@field again "same"|"other"|nil
---@field retry_after number?  seconds
---@field upstream_status integer?
---@field sent boolean?        the provider may have seen the request
---@field rests number?         seconds until its deployment may be asked again
---@field detail string?       for the log only

local Fault = {}
Fault.__index = Fault
Fault.__tostring = function(self) return self.kind .. ": " .. self.message end

--- A fault, not yet raised. `fields` are set on top of the kind's own.
---@return Fault
function fault.new(kind, message, fields)
  local known = KINDS[kind]
  if not known then error("no such kind of fault: " .. tostring(kind), 2) end
  local self = setmetatable({
    kind = kind, message = message or MESSAGES[kind] or known[3],
    status = known[1], type = known[2], code = known[3], again = known[4],
  }, Fault)
  for name, value in pairs(fields or {}) do self[name] = value end
  return self
end

--- End what is running with a fault. The pipeline catches it, once.
function fault.raise(kind, message, fields)
  error(fault.new(kind, message, fields), 0)
end

local function from_engine(err)
  local known = ENGINE[err.kind]
  if known then
    return fault.new(known[1], known[2], {
      code = known.code, status = known.status, again = known.again,
      sent = err.sent, detail = err.message,
    })
  end
  local kind = KINDS[err.code] and err.code or KINDS[err.kind] and err.kind or "internal"
  if kind == "internal" then
    return fault.new(kind, nil, { detail = tostring(err.message) })
  end
  return fault.new(kind, err.message, {
    code = err.code, status = err.status, param = err.param,
  })
end

--- Whatever was raised or returned as an error, as a fault. Text is a bug of ours: the client
--- gets a plain 500, the log gets the text.
---@return Fault
function fault.of(err)
  if getmetatable(err) == Fault then return err end
  if type(err) == "string" then return fault.new("internal", nil, { detail = err }) end
  -- Only a plain table is asked what it holds: another may run code to answer.
  if type(err) == "table" and getmetatable(err) == nil then return from_engine(err) end
  return fault.new("internal", nil, { detail = "raised a " .. type(err) })
end

--- Is this a name routes.lua may use (`fallback = { context_window = … }`)?
function fault.is_kind(name)
  return KINDS[name] ~= nil
end

return fault

-- What a provider's error means: status first, then its structured type and code, text only
-- for a full context window and a content policy (ROUTING.md 3.6).

local fault = require "lib.fault"
local json = require "engine.json"

local provider_error = {}

local MESSAGE_MOST = 1000 -- bytes of a provider's message that reach a client

local BY_STATUS = {
  [400] = "bad_request", [413] = "bad_request", [422] = "bad_request",
  [401] = "auth", [403] = "auth", [407] = "auth",
  [402] = "rate_limit", [429] = "rate_limit",
  [404] = "model_missing", [410] = "model_missing",
  [408] = "overloaded", [409] = "overloaded", [425] = "overloaded", [498] = "overloaded",
  [503] = "overloaded", [529] = "overloaded",
  [504] = "timeout", [524] = "timeout",
}

local BY_WORD = {
  overloaded_error = "overloaded", overloaded = "overloaded", UNAVAILABLE = "overloaded",
  service_unavailable = "overloaded", server_overloaded = "overloaded",
  rate_limit_error = "rate_limit", rate_limit_exceeded = "rate_limit",
  RESOURCE_EXHAUSTED = "rate_limit", insufficient_quota = "rate_limit",
  tokens = "rate_limit", requests = "rate_limit",
  authentication_error = "auth", permission_error = "auth", invalid_api_key = "auth",
  UNAUTHENTICATED = "auth", PERMISSION_DENIED = "auth",
  not_found_error = "model_missing", model_not_found = "model_missing",
  NOT_FOUND = "model_missing",
  invalid_request_error = "bad_request", INVALID_ARGUMENT = "bad_request",
  timeout_error = "timeout", DEADLINE_EXCEEDED = "timeout",
  api_error = "server_error", server_error = "server_error", INTERNAL = "server_error",
  context_length_exceeded = "context_window", string_above_max_length = "context_window",
  content_filter = "content_policy", content_policy_violation = "content_policy",
  safety_violations = "content_policy",
}

local QUOTA = { insufficient_quota = true, billing_hard_limit_reached = true }

local TOO_LONG = {
  "maximum context length", "context window", "prompt is too long", "input is too long",
  "too many input tokens", "exceed context limit", "exceeds the maximum number of tokens",
  "longer than the model's context", "input tokens exceed", "exceeds the context",
}
local NOT_ALLOWED = {
  "content management policy", "content policy", "usage policy", "safety system",
  "content filtering policy", "responsible ai",
}

local function first_text(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" and value ~= "" then return value end
  end
end

local function word(value)
  if type(value) == "string" or type(value) == "number" then return value end
end

--- message, type, code and param of an error body, whatever its shape.
function provider_error.read(body)
  if type(body) ~= "table" then return {} end
  if body[1] then body = body[1] end -- Gemini's streams answer with a list
  if type(body) ~= "table" then return {} end
  local e = type(body.error) == "table" and body.error or body
  return {
    message = first_text(e.message, body.error, body.message, body.detail, e.detail),
    type = word(e.type) or word(e.status), code = word(e.code), param = word(e.param),
  }
end

local function mentions(text, list)
  for _, phrase in ipairs(list) do
    if text:find(phrase, 1, true) then return true end
  end
  return false
end

-- A 400 may be one of two things that a fallback can mend.
local function refine(e)
  local named = BY_WORD[e.code] or BY_WORD[e.type]
  if named == "context_window" or named == "content_policy" then return named end
  local text = (e.message or ""):lower()
  if mentions(text, TOO_LONG) then return "context_window" end
  if mentions(text, NOT_ALLOWED) then return "content_policy" end
  return "bad_request"
end

local function of_status(status)
  if BY_STATUS[status] then return BY_STATUS[status] end
  if status >= 500 then return "server_error" end
  if status >= 300 and status < 400 then return "invalid_response" end
  if status >= 400 then return "server_error", "other" end
end

--- The kind of fault behind a status and what provider_error.read() made of the body.
function provider_error.kind(status, e)
  local kind, again = of_status(status)
  if not kind then -- an error inside a 200
    if type(e.code) == "number" and e.code >= 400 then return provider_error.kind(e.code, e) end
    kind = BY_WORD[e.code] or BY_WORD[e.type] or "server_error"
  elseif kind == "server_error" and BY_WORD[e.type] == "overloaded" then
    kind = "overloaded"
  end
  if kind == "bad_request" then kind = refine(e) end
  return kind, again
end

--- The text without a secret that it may quote.
function provider_error.without(text, secret)
  if type(secret) ~= "string" or #secret < 8 then return text end
  local from, to = text:find(secret, 1, true)
  while from do
    text = text:sub(1, from - 1) .. "***" .. text:sub(to + 1)
    from, to = text:find(secret, from + 3, true)
  end
  return text
end

--- Text of others, fit for a client: no markup, no control bytes, nothing like a key.
function provider_error.clean(text, secret)
  if type(text) ~= "string" then return nil end
  text = provider_error.without(text, secret)
  text = text:gsub("%f[%w]sk%-[%w%-_%*]+", "***"):gsub("[Bb]earer%s+[%w%-_%.=]+", "***")
  text = text:gsub("%f[%w]mg%-[%w%-_]+", "***"):gsub("<[^<>]*>", " ")
  text = text:gsub("[%z\1-\31\127]+", " ")
  if #text <= MESSAGE_MOST then return text end
  return (text:sub(1, MESSAGE_MOST):gsub("[\128-\191]*$", ""):gsub("[\192-\255]$", "")) .. "…"
end

local GENERIC = {
  rate_limit = "The provider's rate limit is reached.",
  overloaded = "The provider is overloaded.",
  server_error = "The provider failed.",
  timeout = "The provider did not answer in time.",
  auth = "The provider refused the gateway's credentials.",
  model_missing = "The provider does not know this model.",
  bad_request = "The provider refused the request.",
  context_window = "The request is too long for the model's context.",
  content_policy = "The provider declined this content.",
  invalid_response = "The provider's answer could not be understood.",
}

-- The words of a provider are for the client, save where they are about our own account.
local function message_of(kind, e, secret)
  if kind == "auth" then return GENERIC.auth end
  return provider_error.clean(e.message, secret) or GENERIC[kind]
end

local PASSED = { bad_request = true, context_window = true, content_policy = true }

local function quoted(value)
  return type(value) == "string" and value or nil
end

-- What the client is to see of an error about its own request.
local function pass_on(err, status, e)
  if not PASSED[err.kind] then return end
  if status == 413 or status == 422 then err.status = status end
  err.code, err.param = quoted(e.code) or err.code, quoted(e.param)
end

--- A provider's error as a fault. `options.kind` where the adapter knows better.
function provider_error.fault(status, body, options)
  options = options or {}
  local e = provider_error.read(body)
  local kind, again = provider_error.kind(status, e)
  kind = options.kind or kind
  local err = fault.new(kind, message_of(kind, e, options.secret))
  err.again = again or err.again
  err.upstream_status, err.retry_after, err.sent = status, options.retry_after, true
  err.quota = status == 402 or QUOTA[e.code] or QUOTA[e.type]
  err.detail = provider_error.clean(e.message, options.secret)
  pass_on(err, status, e)
  return err
end

--- Raise an error that came inside an answer (a 200 with `error` in it, an error event).
function provider_error.raise(status, body, options)
  error(provider_error.fault(status, body, options), 0)
end

--- The same, from bytes of any kind.
function provider_error.of_bytes(status, bytes, options)
  local body = type(bytes) == "string" and bytes ~= "" and json.decode(bytes) or nil
  return provider_error.fault(status, body, options), body
end

return provider_error

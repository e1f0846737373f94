-- A provider's error as a fault: status first, then its structured type and code, text only for
-- a full context window and a content policy.

local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"

local provider_error = {}

local MESSAGE_MOST = 1000 -- bytes of a provider's message that reach a client
local CODE_MOST = 64      -- … and of its code: a longer one is none
local RETRY_MOST = 60     -- seconds of a Retry-After that are believed

local BY_STATUS = {
  [400] = "bad_request", [413] = "bad_request", [422] = "bad_request",
  [401] = "auth", [403] = "auth", [407] = "auth",
  [402] = "rate_limit", [429] = "rate_limit",
  [404] = "model_missing", [410] = "model_missing",
  [408] = "overloaded", [409] = "overloaded", [425] = "overloaded", [498] = "overloaded",
  [503] = "overloaded", [529] = "overloaded",
  [504] = "timeout", [524] = "timeout",
}

local function by_status(status)
  if BY_STATUS[status] then return BY_STATUS[status] end
  if status >= 300 and status < 400 then return "invalid_response" end
  return "server_error", status < 500 and "other" or nil
end

local SECRET_LEAST = 8 -- bytes: a shorter one would strike out words

local function without_one(text, secret)
  if type(secret) ~= "string" or #secret < SECRET_LEAST then return text end
  local out, at = {}, 1
  local from, to = text:find(secret, 1, true)
  while from do
    out[#out + 1] = text:sub(at, from - 1)
    at = to + 1
    from, to = text:find(secret, at, true)
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out, "***")
end

--- All that a provider knows us by: a list. token: an access token that was fetched.
function provider_error.secrets(provider, token)
  local out = { provider.api_key or nil }
  out[#out + 1] = provider.secret or nil
  out[#out + 1] = token or nil
  for _, value in pairs(provider.headers or {}) do out[#out + 1] = value end
  for name, field in pairs(provider.adapter.fields or {}) do
    if field.secret then out[#out + 1] = provider[name] or nil end
  end
  return out
end

--- The text without the secrets (a list) that it may quote.
function provider_error.without(text, secrets)
  for _, secret in ipairs(secrets or {}) do text = without_one(text, secret) end
  return text
end

--- Text of others, fit for a client: no markup, no control bytes, nothing like a key.
function provider_error.clean(text, secrets)
  if type(text) ~= "string" then return nil end
  text = provider_error.without(text, secrets)
  text = text:gsub("%f[%w]sk%-[%w%-_%*]+", "***"):gsub("[Bb]earer%s+[%w%-_%.=]+", "***")
  text = text:gsub("%f[%w]mg%-[%w%-_]+", "***"):gsub("<[^<>]*>", " ")
  text = text:gsub("[%z\1-\31\127]+", " ")
  if #text <= MESSAGE_MOST then return text end
  return (text:sub(1, MESSAGE_MOST):gsub("[\192-\255]?[\128-\191]*$", "")) .. "…"
end

local EXCERPT = 200 -- bytes of an answer that is no JSON, for the log

--- The beginning of an answer that is no JSON, for the log: of a page, its words.
function provider_error.excerpt(bytes, secrets)
  local text = bytes:sub(1, 4096)
  if text:find "^%s*<" then
    text = text:gsub("<[^<>]*>", " "):gsub("<[^<>]*$", ""):gsub("%s+", " "):gsub("^ ", "")
  end
  text = provider_error.clean(text, secrets)
  if #text <= EXCERPT then return text end
  return (text:sub(1, EXCERPT):gsub("[\192-\255]?[\128-\191]*$", ""))
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

--- What the client is told. The provider's own words, save where they are about our account.
function provider_error.message(kind, text, secrets)
  if kind == "auth" then return GENERIC.auth end
  return provider_error.clean(text, secrets) or GENERIC[kind]
end

local PASSED = { bad_request = true, context_window = true, content_policy = true }

-- What the client is to see of an error about its own request.
local function pass_on(err, status, problem)
  if not PASSED[err.kind] then return end
  if status == 413 or status == 422 then err.status = status end
  if type(problem.code) == "string" and #problem.code <= CODE_MOST then
    err.code = problem.code
  end
  err.param = problem.param
end

--- The fault behind an answer with an error status. `kind` and `more` are what the adapter's
--- classify() says; options: retry_after, secrets.
function provider_error.fault(status, body, kind, more, options)
  local problem = chat_errors.problem(body)
  local usual, again = by_status(status)
  if kind == "bad_request" then kind = usual end -- a word that goes with any 4xx: status first
  local err = fault.new(kind or usual,
    provider_error.message(kind or usual, problem.message, options.secrets), more)
  if not kind or kind == usual then err.again = again or err.again end
  err.upstream_status, err.sent = status, true
  local asked = options.retry_after or err.retry_after -- Google's is in the body
  err.retry_after = asked and math.min(asked, RETRY_MOST)
  err.exhausted = err.exhausted or status == 402
  err.detail = provider_error.clean(problem.message, options.secrets)
  pass_on(err, status, problem)
  return err
end

return provider_error

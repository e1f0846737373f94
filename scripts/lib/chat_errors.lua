-- What an error in the OpenAI shape, or something near it, means: the kind of fault it is.

local fault = require "lib.fault"
local values = require "lib.values"

local chat_errors = {}

local text_or_nil = values.text

-- error.code and error.type, lower case: what providers really send.
local KIND_BY_WORD = {
  context_length_exceeded         = "context_window",
  string_above_max_length         = "context_window",
  content_filter                  = "content_policy",
  content_policy_violation        = "content_policy",
  responsibleaipolicyviolation    = "content_policy",
  moderation_blocked              = "content_policy",
  insufficient_quota              = "rate_limit",
  billing_hard_limit_reached      = "rate_limit",
  rate_limit_exceeded             = "rate_limit",
  rate_limit_error                = "rate_limit",
  ratelimitreached                = "rate_limit",
  too_many_requests               = "rate_limit",
  model_not_found                 = "model_missing",
  deploymentnotfound              = "model_missing",
  unknown_model                   = "model_missing",
  not_found_error                 = "model_missing",
  invalid_api_key                 = "auth",
  authentication_error            = "auth",
  permission_error                = "auth",
  permission_denied               = "auth",
  overloaded                      = "overloaded",
  overloaded_error                = "overloaded",
  engine_overloaded               = "overloaded",
  engine_overloaded_error         = "overloaded",
  server_overloaded               = "overloaded",
  service_unavailable             = "overloaded",
  service_unavailable_error       = "overloaded",
  timeout                         = "timeout",
  timeout_error                   = "timeout",
  server_error                    = "server_error",
  internal_error                  = "server_error",
  internal_server_error           = "server_error",
  api_error                       = "server_error",
  invalid_request_error           = "bad_request",
  badrequesterror                 = "bad_request",
  invalid_value                   = "bad_request",

  -- llama.cpp, GitHub Models, Hugging Face, Perplexity, Databricks' error_code
  exceed_context_size_error       = "context_window",
  tokens_limit_reached            = "context_window",
  model_not_supported             = "model_missing",
  unavailable_model               = "model_missing",
  resource_does_not_exist         = "model_missing",
  endpoint_not_found              = "model_missing",
  request_limit_exceeded          = "rate_limit",
  temporarily_unavailable         = "overloaded",
  invalid_parameter_value         = "bad_request",

  -- Google's error.status
  resource_exhausted              = "rate_limit",
  unauthenticated                 = "auth",
  not_found                       = "model_missing",
  unavailable                     = "overloaded",
  internal                        = "server_error",
  deadline_exceeded               = "timeout",
  invalid_argument                = "bad_request",
  failed_precondition             = "bad_request",
}

local KIND_BY_STATUS = {
  [400] = "bad_request", [413] = "bad_request", [422] = "bad_request",
  [401] = "auth", [403] = "auth",
  [404] = "model_missing", [410] = "model_missing",
  [402] = "rate_limit", [429] = "rate_limit",
  [408] = "overloaded", [409] = "overloaded", [425] = "overloaded",
  [498] = "overloaded", [503] = "overloaded", [529] = "overloaded",
  [504] = "timeout", [524] = "timeout",
}

-- Statuses that say too little by themselves; a 200 stands for an error inside an answer.
local VAGUE = {
  [200] = true, [400] = true, [403] = true, [404] = true, [413] = true, [422] = true,
}

-- Plain text, asked of a 400 only, and only about these kinds.
local CONTEXT_TEXTS = {
  "maximum context length", "context window", "context length", "context limit",
  "prompt is too long", "prompt too long", "input is too long", "too many tokens",
  "exceeds the maximum number of tokens", "input tokens exceed", "max_new_tokens` must be",
  "exceeds the available context size", "exceeds the available context",
}
local POLICY_TEXTS = {
  "content_policy_violation", "content management policy", "our usage policy",
  "usage policies", "safety system",
}

local AUTH_TEXTS = { "incorrect api key" } -- xAI's 400
local MODEL_TEXTS = { "no such model" }    -- Cloudflare's

local function mentions(text, list)
  for _, words in ipairs(list) do
    if text:find(words, 1, true) then return true end
  end
  return false
end

local function first_table(value)
  return type(value) == "table" and type(value[1]) == "table" and value[1] or nil
end

-- The table with the words: `error` itself, the body around a bare text, Cloudflare's first of
-- `errors`, or the body.
local function inner_of(body)
  body = first_table(body) or body -- Google's streams answer with a list
  local err = body.error
  local word = text_or_nil(err) or type(err) == "table" and text_or_nil(err[1]) -- a list: TGI
  if word then
    return { message = text_or_nil(body.message) or word, code = body.code, type = body.type }
  end
  return type(err) == "table" and err or first_table(body.errors) or body
end

-- What is wrong with which member, as FastAPI says it (vLLM, Mistral): a list of { loc, msg }.
local function detail_text(detail)
  local out = {}
  for _, one in ipairs(type(detail) == "table" and detail or {}) do
    local at = type(one) == "table" and type(one.loc) == "table" and one.loc
    local msg = type(one) == "table" and text_or_nil(one.msg)
    if msg then
      local place = at and text_or_nil(at[#at])
      out[#out + 1] = place and place .. ": " .. msg or msg
    end
  end
  return text_or_nil(table.concat(out, "; "))
end

-- The words, wherever they stand. OpenRouter's own are about nothing: it quotes its provider's.
local function message_of(inner)
  local message, more = inner.message, inner.metadata
  local quoted = type(more) == "table" and text_or_nil(more.raw)
  if quoted and message == "Provider returned error" then return message .. ": " .. quoted end
  return text_or_nil(message) or text_or_nil(inner.detail)
    or detail_text(type(message) == "table" and (message.detail or message) or inner.detail)
end

--- What an error body says: { message, type, code, param }, whatever shape it has.
function chat_errors.problem(body)
  if type(body) == "string" then return { message = text_or_nil(body:sub(1, 200)) } end
  if type(body) ~= "table" then return {} end
  local inner = inner_of(body)
  local code = inner.code
  return {
    message = message_of(inner),
    type = text_or_nil(inner.type) or text_or_nil(inner.status)
      or text_or_nil(inner.error_code),
    code = (type(code) == "string" or type(code) == "number") and code or nil,
    param = text_or_nil(inner.param),
  }
end

local function by_word(problem)
  local code, kind = problem.code, problem.type
  return type(code) == "string" and KIND_BY_WORD[code:lower()]
    or kind and KIND_BY_WORD[kind:lower()] or nil
end

--- By text: the kinds that decide whether another model should be asked.
function chat_errors.by_text(message)
  local text = (message or ""):lower()
  if mentions(text, CONTEXT_TEXTS) then return "context_window" end
  if mentions(text, POLICY_TEXTS) then return "content_policy" end
  if mentions(text, AUTH_TEXTS) then return "auth" end
  if mentions(text, MODEL_TEXTS) then return "model_missing" end
  return nil
end

local TEXT_TELLS = { [200] = true, [400] = true, [413] = true }

local function vague(status, problem)
  local kind = by_word(problem)
  if status == 403 then return kind == "content_policy" and kind or nil end
  if kind and kind ~= "bad_request" then return kind end
  return TEXT_TELLS[status] and chat_errors.by_text(problem.message) or kind
end

--- The kind, and what else the body tells; nil where the status says enough.
function chat_errors.classify(status, body)
  local problem = chat_errors.problem(body)
  if problem.code == "insufficient_quota" or problem.type == "insufficient_quota" then
    return "rate_limit", { exhausted = true }
  end
  if VAGUE[status] then return vague(status, problem) end
  return nil
end

-- A number that may be a status: what else stands there is no news.
local function status_in(code)
  local status = tonumber(code)
  return status and status >= 400 and status <= 599 and status % 1 == 0 and status or nil
end

--- Raise the error that came inside a 200: its words decide, then the number some put in
--- `code`.
function chat_errors.raise(body)
  local problem = chat_errors.problem(body)
  local status = status_in(problem.code)
  local kind, more = chat_errors.classify(200, body)
  if not kind or kind == "bad_request" and status then
    kind = status and chat_errors.by_status(status) or "server_error"
  end
  local fields = more or {}
  fields.param, fields.upstream_status = problem.param, status
  fault.raise(kind, problem.message or "the provider reported an error", fields)
end

--- The kind that a status alone stands for.
function chat_errors.by_status(status)
  return KIND_BY_STATUS[status] or (status >= 500 and "server_error" or "bad_request")
end

return chat_errors

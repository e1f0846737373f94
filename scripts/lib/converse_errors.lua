-- What Bedrock's errors mean. Their names stand in the header x-amzn-errortype, in the body's
-- __type, or in a message of the stream. They are listed under "Errors" in
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, and
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"

local errors = {}

local KINDS = {
  accessdenied                 = "auth",
  expiredtoken                 = "auth",
  incompletesignature          = "auth",
  invalidclienttokenid         = "auth",
  invalidsignature             = "auth",
  missingauthenticationtoken   = "auth",
  notauthorized                = "auth",
  optinrequired                = "auth",
  signaturedoesnotmatch        = "auth",
  unauthorized                 = "auth",
  unrecognizedclient           = "auth",
  servicequotaexceeded         = "rate_limit",
  throttled                    = "rate_limit",
  throttling                   = "rate_limit",
  toomanyrequests              = "rate_limit",
  modelnotready                = "overloaded", -- it is being loaded; AWS's own clients wait
  serviceunavailable           = "overloaded",
  resourcenotfound             = "model_missing",
  modeltimeout                 = "timeout",
  internalfailure              = "server_error",
  internalserver               = "server_error",
  internalservererror          = "server_error",
  modelerror                   = "server_error",
  modelstreamerror             = "server_error",
  conflict                     = "bad_request",
  serialization                = "bad_request",
  validation                   = "bad_request",
}

-- Of a ValidationException: the model is not there, or not so.
local MISSING_TEXTS = {
  "model identifier is invalid", "on-demand throughput isn", "model id is not supported",
  "end of its life", "legacy by the provider",
}
local CONTEXT_TEXTS = {
  "too many input tokens", "input is too long", "expected maxlength:", "too many tokens",
  "exceeds the model's maximum", "input length and `max_tokens` exceed",
}

local function mentions(message, list)
  local text = type(message) == "string" and message:lower() or ""
  for _, words in ipairs(list) do
    if text:find(words, 1, true) then return true end
  end
  return false
end

-- "ValidationException:http://…", "com.amazon.coral.service#ThrottlingException" → the word
local function word_of(name)
  if type(name) ~= "string" then return nil end
  local word = name:match("^[^:]*"):match("[^#]*$"):lower()
  return (word:gsub("exception$", ""))
end

local function kind_of(name, message)
  local word = word_of(name)
  local kind = word and KINDS[word]
  if kind ~= "bad_request" then return kind end
  if mentions(message, MISSING_TEXTS) then return "model_missing" end
  if mentions(message, CONTEXT_TEXTS) then return "context_window" end
  return chat_errors.by_text(message) or kind
end

-- A day's tokens are gone: another minute does not help.
local function more_of(kind, message)
  if kind == "rate_limit" and mentions(message, { "tokens per day", "per day" }) then
    return { exhausted = true }
  end
  return nil
end

local function header_of(upstream, name)
  return upstream and upstream:header(name) or nil
end

--- The kind of fault that an answer with an error status is; nil where the status says enough.
function errors.classify(status, body, upstream)
  local problem = chat_errors.problem(body)
  local name = header_of(upstream, "x-amzn-errortype") or chat.table_or_empty(body).__type
  local kind = kind_of(name, problem.message)
  if not kind and status == 400 then kind = kind_of("ValidationException", problem.message) end
  return kind, more_of(kind, problem.message)
end

--- Raise what came in a stream in an event's place.
function errors.raise(name, data)
  local said = chat.table_or_empty(data)
  local message = type(data) == "string" and data ~= "" and data or said.message
    or said.originalMessage
  if type(message) ~= "string" then message = "the provider reported an error" end
  local status = tonumber(said.originalStatusCode)
  local kind = kind_of(name, message) or status and chat_errors.by_status(status)
    or "server_error"
  fault.raise(kind, message, more_of(kind, message))
end

return errors

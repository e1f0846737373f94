-- Gemini: https://ai.google.dev/api/generate-content

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local citations = require "lib.citations"
local choices = require "lib.gemini_choices"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.gemini_embeddings"
local contents = require "lib.gemini_contents"
local counts = require "lib.gemini_usage"
local fault = require "lib.fault"
local finishes = require "lib.gemini_finish"
local json = require "engine.json"
local passing = require "lib.generate_pass"
local place = require "lib.gemini_place"
local request = require "lib.gemini_request"

local RAW_ARGS = { raw = { args = true } }

-- Answers ------------------------------------------------------------------------

local function usage(body, reply, state)
  local said = counts.read(state.usage, body, state.reason or state.refused)
  if said then reply:usage(said) end
end

local function tool_call(part, reply, state)
  local call = part.functionCall
  contents.check_call(call)
  local arguments = call.args and json.text(call.args) or "{}"
  local id = type(call.id) == "string" and call.id
  local signature = part.thoughtSignature
  reply:tool_call {
    id = id or contents.call_id(state.id, state.tools, call.name, arguments),
    name = call.name, arguments = arguments,
    extra = signature and { extra_content = { google = { thought_signature = signature } } },
  }
  state.tools = state.tools + 1
end

local function say(part, reply, state)
  if type(part.functionCall) == "table" then
    tool_call(part, reply, state)
  elseif type(part.text) == "string" then
    if part.thought == true then return reply:reasoning(part.text) end
    reply:text(part.text)
    citations.note(state, part.text)
  end
end

-- Pages that an answer rests on, or repeats.
local function cite(candidate, reply, state)
  if not (candidate.groundingMetadata or candidate.citationMetadata) then return end
  for _, one in ipairs(citations.of_gemini(candidate, state)) do reply:cite(one) end
end

-- A prompt that was refused has no candidate at all.
local function refuse(feedback, reply)
  local reason = chat.table_or_empty(feedback).blockReason
  if not chat.given(reason) then return false end
  local message = feedback.blockReasonMessage
  reply:refusal(type(message) == "string" and message
    or "The provider blocked this prompt: " .. tostring(reason))
  reply:finish("content_filter")
  return true
end

--- One piece of an answer, or a whole one: they have the same shape.
local function piece(body, reply, state)
  if chat.given(body.error) then chat_errors.raise(body) end
  if not state.started and (body.responseId or body.candidates) then
    state.started, state.id = true, body.responseId
    reply:start { id = body.responseId, model = body.modelVersion }
  end
  local candidate = chat.table_or_empty(body.candidates)[1]
  if type(candidate) == "table" then
    local content = chat.table_or_empty(candidate.content)
    for part in chat.objects(content.parts) do say(part, reply, state) end
    cite(candidate, reply, state)
    if chat.given(candidate.finishReason) then state.reason = candidate.finishReason end
  else
    state.refused = refuse(body.promptFeedback, reply) or state.refused
  end
  usage(body, reply, state)
end

local function new_state()
  return { usage = {}, tools = 0 }
end

-- Several candidates, or their probabilities, need OpenAI's own shape, and then to the end.
local function read(body, reply, state)
  state.shaped = state.shaped or choices.needed(body)
  if not state.shaped then return piece(body, reply, state) end
  if chat.given(body.error) then chat_errors.raise(body) end
  usage(body, reply, state)
  choices.chunk(body, reply)
end

-- The reason is said last: some send words after it.
local function finish(reply, state)
  if state.shaped then return choices.tail(reply) end
  if state.reason then reply:finish(finishes.read(state.reason, state.tools > 0)) end
end

local function decode(body, reply)
  local state = new_state()
  if type(body) ~= "table" then
    fault.raise("invalid_response", "The provider's answer is no object.")
  end
  if json.is_array(body) then -- a stream whose server does not know `alt=sse`
    for item in chat.objects(body) do read(item, reply, state) end
    return finish(reply, state)
  end
  if choices.needed(body) then
    usage(body, reply, state)
    return choices.completion(body, reply)
  end
  piece(body, reply, state)
  if not state.reason and not state.refused then
    fault.raise("invalid_response", "The provider's answer holds no candidate.")
  end
  finish(reply, state)
end

-- Arguments are read again as they are written: their keys have an order.
local function reread(data, bytes)
  if not bytes:find('"functionCall"', 1, true) then return data end
  return chat.reread(bytes, RAW_ARGS) or data
end

local function stream(upstream, reply)
  local body = chat.whole_instead(upstream, RAW_ARGS)
  if body then return decode(body, reply) end
  local state = new_state()
  for _, data, bytes in upstream:sse() do
    if chat.is_readable(data) then read(reread(data, bytes), reply, state) end
  end
  finish(reply, state)
end

-- Errors ---------------------------------------------------------------------------

local function is_daily(detail)
  for violation in chat.objects(detail.violations) do
    local quota = violation.quotaId
    if type(quota) == "string" and quota:find("PerDay", 1, true) then return true end
  end
  return false
end

-- google.rpc's details say how long to wait, that the key is wrong, that a day's quota is used
-- up.
local function classify(status, body)
  local kind, more = chat_errors.classify(status, body)
  more = more or {}
  if type(body) == "table" and type(body[1]) == "table" then body = body[1] end
  local problem = chat.table_or_empty(chat.table_or_empty(body).error)
  for detail in chat.objects(problem.details) do
    local delay = tostring(detail.retryDelay):match("^([%d.]+)s$")
    more.retry_after = tonumber(delay) or more.retry_after
    if detail.reason == "API_KEY_INVALID" then kind = "auth" end
    if is_daily(detail) then more.exhausted = true end
  end
  return kind, next(more) and more or nil
end

-- The adapter ----------------------------------------------------------------------

local function path(dep, call)
  return place.path(dep, call.stream and ":streamGenerateContent?alt=sse" or ":generateContent")
end

return chat.adapter {
  base_url = "https://generativelanguage.googleapis.com/v1beta",
  path     = path,
  headers  = function(dep) return { ["x-goog-api-key"] = dep.provider.api_key } end,
  encode   = request.encode,
  decode   = decode,
  stream   = stream,
  classify = classify,
  natives  = {
    embeddings = embeddings, embed_content = embed_content.passing, gemini = passing,
  },
  fields   = {},
}

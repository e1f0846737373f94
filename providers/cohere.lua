-- Cohere's second API: https://docs.cohere.com/reference/chat, …/embed, …/rerank

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local citations = require "lib.citations"
local counts = require "lib.cohere_usage"
local embeddings = require "lib.cohere_embeddings"
local fault = require "lib.fault"
local json = require "engine.json"
local request = require "lib.cohere_request"

local function some(text)
  return type(text) == "string" and text ~= "" and text or nil
end

-- Citations ----------------------------------------------------------------------

local function source_of(source)
  if type(source) ~= "table" then return nil end
  local found = chat.table_or_empty(source.document or source.tool_output)
  return {
    url = found.url, title = found.title, id = source.id,
    source = found.text or found.snippet or found.content,
  }
end

-- A citation counts in its own block of the content; `before` says how long the texts are that
-- stand before each block. What plans and thoughts rest on is not told.
local function cite(citation, reply, before)
  if type(citation) ~= "table" then return end
  local kind, at = citation.type, before[citation.content_index] or 0
  if some(kind) and kind ~= "TEXT_CONTENT" then return end
  for source in chat.objects(citation.sources) do
    local one = source_of(source)
    one.text = citation.text
    one.start = type(citation.start) == "number" and citation.start + at or nil
    one.stop = type(citation["end"]) == "number" and citation["end"] + at or nil
    reply:cite(citations.new(one))
  end
end

-- Answers ------------------------------------------------------------------------

-- One entry stands for a piece of text, of however many tokens.
local function likelihood(item)
  if type(item) ~= "table" or not some(item.text) then return nil end
  local sum, n = 0, 0
  for _, value in ipairs(chat.table_or_empty(item.logprobs)) do
    if type(value) == "number" then sum, n = sum + value, n + 1 end
  end
  if n == 0 then return nil end
  return json.object({ "token", "logprob", "bytes", "top_logprobs" }, {
    token = item.text, logprob = sum, bytes = json.null, top_logprobs = json.array {},
  })
end

local function likelihoods(list)
  local out = {}
  for item in chat.objects(list) do out[#out + 1] = likelihood(item) end
  return #out > 0 and out or nil
end

local function say(block, reply, likely)
  if block.type == "thinking" then
    reply:reasoning(block.thinking)
  elseif block.type == "text" then
    reply:text(block.text, likely)
  end
end

-- The blocks of a message, and how long the texts before each are.
local function say_all(message, reply, likely)
  local before, n, index = {}, 0, 0
  if type(message.content) == "string" then reply:text(message.content, likely) end
  for block in chat.objects(message.content) do
    before[index], index = n, index + 1
    say(block, reply, likely)
    if block.type == "text" and some(block.text) then
      n, likely = n + citations.length(block.text), nil
    end
  end
  return before
end

local function named(call)
  local f = chat.table_or_empty(chat.table_or_empty(call)["function"])
  if type(f.name) == "string" then return f end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

-- A plan is a thought: it leads to calls, and no client shows it as an answer.
local function decode(body, reply)
  local message = body.message
  if type(message) ~= "table" then
    if some(message) then chat_errors.raise(body) end
    fault.raise("invalid_response", "The provider's answer holds no message.")
  end
  reply:start { id = body.id }
  reply:reasoning(message.tool_plan)
  local before = say_all(message, reply, likelihoods(body.logprobs))
  for one in chat.objects(message.citations) do cite(one, reply, before) end
  for call in chat.objects(message.tool_calls) do
    local f = named(call)
    reply:tool_call { id = call.id, name = f.name, arguments = some(f.arguments) or "{}" }
  end
  local used = counts.read(body.usage)
  if used then reply:usage(used) end
  local reason = counts.finish(body.finish_reason)
  if reason then reply:finish(reason) end
end

-- Streams ------------------------------------------------------------------------

local EVENTS = {}

EVENTS["message-start"] = function(data, _, reply) reply:start { id = data.id } end

EVENTS["content-start"] = function(data, message, reply, state)
  local block = chat.table_or_empty(message.content)
  state.before[data.index or 0] = state.length
  if some(block.text) then state.length = state.length + citations.length(block.text) end
  say(block, reply)
end

EVENTS["content-delta"] = function(data, message, reply, state)
  local piece = chat.table_or_empty(message.content)
  local likely = data.logprobs and likelihood(data.logprobs)
  reply:reasoning(piece.thinking)
  reply:text(piece.text, likely and { likely })
  if some(piece.text) then state.length = state.length + citations.length(piece.text) end
end

EVENTS["citation-start"] = function(_, message, reply, state)
  cite(message.citations, reply, state.before)
end

EVENTS["tool-plan-delta"] = function(_, message, reply) reply:reasoning(message.tool_plan) end

local function goes_on(arguments, reply, state)
  if not some(arguments) then return end
  state.said = true
  reply:tool_call { arguments = arguments }
end

EVENTS["tool-call-start"] = function(_, message, reply, state)
  local call = chat.table_or_empty(message.tool_calls)
  local f = named(call)
  state.said = false
  reply:tool_call { id = call.id, name = f.name }
  goes_on(f.arguments, reply, state)
end

EVENTS["tool-call-delta"] = function(_, message, reply, state)
  local f = chat.table_or_empty(chat.table_or_empty(message.tool_calls)["function"])
  goes_on(f.arguments, reply, state)
end

-- A tool that needs nothing is called without a piece of arguments.
EVENTS["tool-call-end"] = function(_, _, reply, state)
  if not state.said then reply:tool_call { arguments = "{}" } end
end

EVENTS["message-end"] = function(data, _, reply)
  local delta = chat.table_or_empty(data.delta)
  local used = counts.read(delta.usage)
  if used then reply:usage(used) end
  if some(delta.error) then chat_errors.raise { message = delta.error } end
  local reason = counts.finish(delta.finish_reason)
  if reason then reply:finish(reason) end
end

local function stream(upstream, reply)
  local body = chat.whole_instead(upstream)
  if body then return decode(body, reply) end
  local state = { before = {}, length = 0 }
  for name, data in upstream:sse() do
    if chat.is_readable(data) then
      local read = EVENTS[data.type or name]
      if read then
        read(data, chat.table_or_empty(chat.table_or_empty(data.delta).message), reply, state)
      elseif not data.type and some(data.message) then
        chat_errors.raise(data)
      end
    end
  end
end

-- Errors ---------------------------------------------------------------------------

-- 498: a word on a list of words that may not be said (cohere-python's InvalidTokenError). What
-- a trial key may do in a month does not come back by waiting.
local function classify(status, body)
  if status == 498 then return "content_policy" end
  local message = some(chat.table_or_empty(body).message)
  if status == 429 and message and message:find("month", 1, true) then
    return "rate_limit", { exhausted = true }
  end
  return chat_errors.classify(status, body)
end

return chat.adapter {
  base_url = "https://api.cohere.com/v2",
  path     = "/chat",
  beside   = { rerank = "/rerank" },
  encode   = request.encode,
  decode   = decode,
  stream   = stream,
  classify = classify,
  natives  = { embeddings = embeddings, embed_content = embeddings.embed_content },
  keeps    = { reasoning_content = true },
  fields   = {},
}

-- Cohere's second API: https://docs.cohere.com/reference/chat, …/embed, …/rerank

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local counts = require "lib.cohere_usage"
local embeddings = require "lib.cohere_embeddings"
local fault = require "lib.fault"
local request = require "lib.cohere_request"

-- Answers ------------------------------------------------------------------------

local function say(block, reply)
  if block.type == "thinking" then
    reply:reasoning(block.thinking)
  elseif block.type == "text" then
    reply:text(block.text)
  end
end

local function named(call)
  local f = chat.table_or_empty(chat.table_or_empty(call)["function"])
  if type(f.name) == "string" then return f end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

local function some(text)
  return type(text) == "string" and text ~= "" and text or nil
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
  if type(message.content) == "string" then reply:text(message.content) end
  for block in chat.objects(message.content) do say(block, reply) end
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

EVENTS["content-start"] = function(_, message, reply)
  say(chat.table_or_empty(message.content), reply)
end

EVENTS["content-delta"] = function(_, message, reply)
  local piece = chat.table_or_empty(message.content)
  reply:reasoning(piece.thinking)
  reply:text(piece.text)
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
  local state = {}
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

-- Answers of OpenAI's Responses API, told in verbs to clients of other dialects.

local ask = require "lib.responses_ask"
local chat = require "lib.chat"
local citations = require "lib.citations"
local counts = require "lib.responses_usage"
local ending = require "lib.responses_end"
local fault = require "lib.fault"
local sealed = require "lib.responses_sealed"
local values = require "lib.values"

local told = {}

local text_of = values.text

local BETWEEN = "\n\n" -- parts of a summary

-- Items ----------------------------------------------------------------------------

local function texts(list)
  local out = {}
  for part in chat.objects(list) do out[#out + 1] = text_of(part.text) end
  return out
end

-- Summaries where there are any: what is thought in full is said once.
local function thought_of(item)
  local summary = texts(item.summary)
  if #summary > 0 then return table.concat(summary, BETWEEN) end
  return table.concat(texts(item.content))
end

local function seal(item, reply)
  local content = text_of(item.encrypted_content)
  if not content then return end
  local dep = reply.call.dep
  reply:reasoning("", {
    redacted = sealed.write(dep.provider.name, text_of(item.id) or "", content),
  })
end

local function call_of(item)
  if text_of(item.name) then return item end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

local function say(part, reply)
  if part.type == "refusal" then return reply:refusal(part.refusal) end
  if part.type ~= "output_text" and part.type ~= "text" then return end
  local likely = part.logprobs
  reply:text(part.text, type(likely) == "table" and #likely > 0 and likely or nil)
  citations.tell(part.annotations, reply)
end

local ITEMS = {
  reasoning = function(item, reply)
    reply:reasoning(thought_of(item))
    seal(item, reply)
  end,
  message = function(item, reply)
    for part in chat.objects(item.content) do say(part, reply) end
  end,
  function_call = function(item, reply)
    reply:tool_call {
      id = item.call_id, name = call_of(item).name, arguments = text_of(item.arguments) or "{}",
    }
  end,
}

-- Whether a tool was called is what this client heard (`has_called`): some leave what they said
-- out of the last event of a stream, and of calls of other tools than functions none is told.
local function ended(response, reply, has_called)
  ending.note(response, reply)
  ending.check(response)
  local reason = counts.finish(response) or "stop"
  if reason == "stop" or reason == "tool_calls" then
    reason = has_called and "tool_calls" or "stop"
  end
  reply:finish(reason)
end

local function decode(response, reply)
  ending.check_is_one(response)
  ending.check(response)
  reply:start { id = text_of(response.id), model = text_of(response.model) }
  local has_called = false
  for item in chat.objects(response.output) do
    local read = ITEMS[item.type] -- what the provider's own tools did is not for this client
    if read then read(item, reply) end
    has_called = has_called or item.type == "function_call"
  end
  ended(response, reply, has_called)
end

-- Streams ----------------------------------------------------------------------------

local EVENTS = {}

EVENTS["response.created"] = function(data, reply)
  local response = chat.table_or_empty(data.response)
  reply:start { id = text_of(response.id), model = text_of(response.model) }
end

-- What an item has said so far; nothing is known of one that did not begin.
local function item_at(state, data)
  local index = data.output_index
  local item = index ~= nil and state[index]
  if item then return item end
  item = {}
  if index ~= nil then state[index] = item end
  return item
end

EVENTS["response.output_item.added"] = function(data, reply, state)
  local item, mine = chat.table_or_empty(data.item), item_at(state, data)
  if item.type ~= "function_call" then return end
  mine.open, state.has_called = true, true
  reply:tool_call { index = data.output_index, id = item.call_id, name = call_of(item).name }
end

EVENTS["response.function_call_arguments.delta"] = function(data, reply, state)
  local mine = item_at(state, data)
  if not mine.open or not text_of(data.delta) then return end
  mine.said = true
  reply:tool_call { index = data.output_index, arguments = data.delta }
end

EVENTS["response.output_text.delta"] = function(data, reply, state)
  local likely = data.logprobs
  item_at(state, data).said = true
  reply:text(data.delta, type(likely) == "table" and #likely > 0 and likely or nil)
end

EVENTS["response.output_text.annotation.added"] = function(data, reply)
  reply:cite(citations.of_openai(data.annotation))
end

EVENTS["response.refusal.delta"] = function(data, reply, state)
  item_at(state, data).said = true
  reply:refusal(data.delta)
end

EVENTS["response.reasoning_summary_text.delta"] = function(data, reply, state)
  local mine = item_at(state, data)
  if mine.part and mine.part ~= data.summary_index then reply:reasoning(BETWEEN) end
  mine.part, mine.said, mine.summary = data.summary_index, true, true
  reply:reasoning(data.delta)
end

EVENTS["response.reasoning_text.delta"] = function(data, reply, state)
  local mine = item_at(state, data)
  if mine.summary then return end
  mine.said = true
  reply:reasoning(data.delta)
end

-- What was not said piece by piece is said when an item ends.
EVENTS["response.output_item.done"] = function(data, reply, state)
  local item, mine = chat.table_or_empty(data.item), item_at(state, data)
  if item.type == "function_call" and mine.open then
    if mine.said then return end
    return reply:tool_call {
      index = data.output_index, arguments = text_of(item.arguments) or "{}",
    }
  end
  if not mine.said then
    local read = ITEMS[item.type]
    if read then read(item, reply) end
    state.has_called = state.has_called or item.type == "function_call"
  elseif item.type == "reasoning" then
    seal(item, reply)
  end
end

local function last(data, reply, state)
  ended(chat.table_or_empty(data.response), reply, state.has_called)
  reply.done = true
end

EVENTS["response.completed"] = last
EVENTS["response.incomplete"] = last
EVENTS["response.cancelled"] = last

EVENTS["response.failed"] = function(data, reply)
  ending.failed(chat.table_or_empty(data.response), reply)
end

EVENTS.error = ending.broken

local function stream(upstream, reply, look)
  local body = chat.whole_instead(upstream)
  if body then
    if look then look(body, reply) end
    return decode(body, reply)
  end
  local state = {}
  for name, data in upstream:sse() do
    if not reply.done and chat.is_readable(data) then
      local read = EVENTS[text_of(data.type) or name]
      if look and type(data.response) == "table" then look(data.response, reply) end
      if read then read(data, reply, state) end
    end
  end
end

--- How whoever speaks a chat is answered; `look`, where there is one, sees what each answer
--- reports beside.
function told.face(look)
  return {
    encode = ask.encode, keeps = { thinking_blocks = true },
    decode = function(body, reply)
      if look then look(body, reply) end
      return decode(body, reply)
    end,
    stream = function(upstream, reply) return stream(upstream, reply, look) end,
  }
end

return told

-- Bedrock's Converse, and ConverseStream's frames: lengths, headers and payload, taken apart
-- here.

local cjson = require "cjson"
local meaning = require "support.meaning"

local add, as_table = meaning.add, meaning.table

local converse = {}

local FINISH = {
  end_turn = "stop", stop_sequence = "stop", max_tokens = "length", tool_use = "tool_calls",
  content_filtered = "content_filter", guardrail_intervened = "content_filter",
  model_context_window_exceeded = "length",
}

local function usage_of(out, usage)
  local cached = usage.cacheReadInputTokens or 0
  out.prompt = usage.inputTokens + cached + (usage.cacheWriteInputTokens or 0)
  out.completion, out.cached = usage.outputTokens, cached
end

-- What a provider's own tool was asked is none of the client's calls.
local function call_of(out, use)
  if use.type == "server_tool_use" then return false end
  out.calls[#out.calls + 1] = { name = use.name, input = use.input, arguments = "" }
  return true
end

local function block_of(out, block)
  add(out, "text", block.text)
  for _, part in ipairs(as_table(as_table(block.citationsContent).content)) do
    add(out, "text", part.text)
  end
  add(out, "thought", as_table(as_table(block.reasoningContent).reasoningText).text)
  if block.toolUse then call_of(out, block.toolUse) end
end

local function u32(bytes, at)
  local a, b, c, d = bytes:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

-- Headers are texts: a name's length, the name, a 7, a length of two bytes, the value.
local function headers_of(bytes)
  local out, at = {}, 1
  while at <= #bytes do
    local n = bytes:byte(at)
    local name = bytes:sub(at + 1, at + n)
    assert(bytes:byte(at + n + 1) == 7, "a header that is no text")
    local size = bytes:byte(at + n + 2) * 256 + bytes:byte(at + n + 3)
    out[name] = bytes:sub(at + n + 4, at + n + 3 + size)
    at = at + n + 4 + size
  end
  return out
end

--- The events of such a stream: { type, payload }.
function converse.events(bytes)
  local list, at = {}, 1
  while at + 12 <= #bytes do
    local total, heads = u32(bytes, at), u32(bytes, at + 4)
    local headers = headers_of(bytes:sub(at + 12, at + 11 + heads))
    local payload = bytes:sub(at + 12 + heads, at + total - 5)
    list[#list + 1] = { headers[":event-type"], cjson.decode(payload) }
    at = at + total
  end
  return list
end

local EVENTS = {
  contentBlockStart = function(out, event, seen)
    local use = as_table(event.start).toolUse
    seen.own = use and call_of(out, { name = use.name, type = use.type })
  end,
  contentBlockDelta = function(out, event, seen)
    local delta = event.delta
    add(out, "text", delta.text)
    add(out, "thought", as_table(delta.reasoningContent).text)
    if not (delta.toolUse and seen.own) then return end
    local call = out.calls[#out.calls]
    call.arguments = call.arguments .. (delta.toolUse.input or "")
  end,
  messageStop = function(out, event) out.finish = FINISH[event.stopReason] end,
  metadata = function(out, event) usage_of(out, event.usage) end,
}

function converse.read(bytes)
  local out, seen = meaning.new(), {}
  if not bytes:find "^%s*{" then
    for _, event in ipairs(converse.events(bytes)) do
      local read = EVENTS[event[1]]
      if read then read(out, event[2], seen) end
    end
    return out
  end
  local body = cjson.decode(bytes)
  for _, block in ipairs(body.output.message.content) do block_of(out, block) end
  out.finish = FINISH[body.stopReason]
  usage_of(out, body.usage)
  return out
end

return converse

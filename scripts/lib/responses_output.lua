-- The items of a Responses' output, and the response around them, as JSON.

local citations = require "lib.citations"
local counts = require "lib.responses_usage"
local json = require "engine.json"
local own = require "lib.responses_own"
local time = require "engine.time"

local output = {}

local encode = json.encode
local PREFIX = { message = "msg", function_call = "fc", custom_tool_call = "ctc" }

local function plain(id)
  return (id:gsub("-", ""))
end

--- An item that begins: `id` is the call's.
function output.new(id, kind, index)
  id = plain(id)
  return {
    kind = kind, index = index, parts = {},
    id = kind == "reasoning" and own.id(id, index)
      or ("%s_%s_%d"):format(PREFIX[kind], id, index),
  }
end

--- A part of a message or of a thought; `cited` is what a text rests on.
function output.part(kind, text, cited)
  if kind == "output_text" then
    local list = json.array {}
    for i, one in ipairs(cited or {}) do list[i] = citations.responses(one) end
    return ('{"type":"output_text","text":%s,"annotations":%s,"logprobs":[]}')
      :format(encode(text), encode(list))
  end
  return ('{"type":"%s","%s":%s}'):format(kind, kind == "refusal" and kind or "text",
    encode(text))
end

-- Calls of tools -------------------------------------------------------------------

local function declared(call, asked)
  local notes = asked.notes
  return notes and notes.spaces and notes.spaces[call.name]
end

--- The kind of item that a call is: of a function, or of a tool that takes a free text.
function output.kind(call, asked)
  local tool = declared(call, asked)
  return tool and tool.free and "custom_tool_call" or "function_call"
end

--- Name an item after a tool call; a flattened name is told as it was declared.
function output.name(item, call, asked)
  local space = declared(call, asked)
  item.call_id = call.id or "call_" .. call.index
  item.name = space and space.name or call.name or ""
  item.namespace = space and space.namespace
end

--- The arguments so far; where nothing was said, an object without members.
function output.arguments(item)
  local text = table.concat(item.pieces or {})
  return text ~= "" and text or "{}"
end

--- The text that a custom tool is called with; the arguments as they are where they hold none.
function output.input(item)
  local text = table.concat(item.pieces or {})
  local value = json.decode(text)
  local input = type(value) == "table" and value.input
  return type(input) == "string" and input or text
end

--- Are the arguments of a call written to their end?
function output.is_whole(item)
  return json.index(table.concat(item.pieces)) ~= nil
end

--- A call's signature as encrypted content, where it has one.
function output.carrier(call)
  local google = call.extra and call.extra.extra_content and call.extra.extra_content.google
  local signature = google and google.thought_signature
  if type(signature) ~= "string" then return nil end
  return own.carry(call.id or "call_" .. call.index, signature)
end

output.sealed = own.sealed

-- Items ------------------------------------------------------------------------------

local function call_json(item, status, said)
  local space = item.namespace and ',"namespace":' .. encode(item.namespace) or ""
  return ('{"id":"%s","type":"%s","status":"%s","call_id":%s,"name":%s%s,"%s":%s}'):format(
    item.id, item.kind, status, encode(item.call_id), encode(item.name), space,
    item.kind == "function_call" and "arguments" or "input", encode(said))
end

local function message_json(item, status, parts)
  return ('{"id":"%s","type":"message","status":"%s","role":"assistant","content":[%s]}')
    :format(item.id, status, table.concat(parts, ","))
end

local function reasoning_json(item, parts)
  local sealed = item.sealed and ',"encrypted_content":' .. encode(item.sealed) or ""
  return ('{"id":"%s","type":"reasoning","summary":[%s]%s}'):format(item.id,
    table.concat(parts, ","), sealed)
end

--- An item as it begins.
function output.begun(item)
  if item.call_id then return call_json(item, "in_progress", "") end
  if item.kind == "message" then return message_json(item, "in_progress", {}) end
  return reasoning_json({ id = item.id }, {})
end

--- An item as it ends.
function output.whole(item, status)
  if item.kind == "function_call" then
    return call_json(item, status, output.arguments(item))
  end
  if item.call_id then return call_json(item, status, output.input(item)) end
  if item.kind == "message" then return message_json(item, status, item.parts) end
  return reasoning_json(item, item.parts)
end

-- All items of a whole answer ---------------------------------------------------------

local function add(reply, out, kind, fill)
  local item = output.new(reply.call.id, kind, #out)
  fill(item)
  out[#out + 1] = output.whole(item, "completed")
end

local function think(reply, out, text, sealed)
  if text == "" and not sealed then return end
  add(reply, out, "reasoning", function(item)
    if text ~= "" then item.parts[1] = output.part("summary_text", text) end
    item.sealed = sealed
  end)
end

local function say(reply, out)
  local text = table.concat(reply.texts or {})
  local refusal = table.concat(reply.refusals or {})
  if text == "" and refusal == "" then return end
  add(reply, out, "message", function(item)
    if text ~= "" then item.parts[1] = output.part("output_text", text, reply.citations) end
    if refusal ~= "" then item.parts[#item.parts + 1] = output.part("refusal", refusal) end
  end)
end

local function call_tool(reply, out, call)
  local sealed = output.carrier(call)
  if sealed then think(reply, out, "", sealed) end
  add(reply, out, output.kind(call, reply.call), function(item)
    output.name(item, call, reply.call)
    item.pieces = call.pieces
  end)
end

--- The items of an answer that was gathered: a list of JSON texts.
function output.all(reply)
  local out = {}
  for _, block in ipairs(reply.blocks or {}) do
    think(reply, out, block.thinking or "", own.sealed(block))
  end
  think(reply, out, table.concat(reply.thoughts or {}, "", reply.signed or 1))
  say(reply, out)
  for _, call in ipairs(reply.tool_calls or {}) do call_tool(reply, out, call) end
  return out
end

-- The response -------------------------------------------------------------------------

-- What a response says of its request, and what where that says nothing.
local SAID = {
  { "instructions", "null" }, { "max_output_tokens", "null" }, { "metadata", "{}" },
  { "parallel_tool_calls", "true" }, { "previous_response_id", "null" },
  { "reasoning", '{"effort":null,"summary":null}' }, { "temperature", "null" },
  { "text", '{"format":{"type":"text"}}' }, { "tool_choice", '"auto"' }, { "tools", "[]" },
  { "top_p", "null" }, { "truncation", '"disabled"' }, { "user", "null" },
}

local function echo(reply)
  if reply.echo then return reply.echo end
  local doc, out = reply.call.doc, {}
  for i, one in ipairs(SAID) do
    local said = doc:raw(one[1])
    if said == nil or said == "null" then said = one[2] end
    out[i] = ('"%s":%s'):format(one[1], said)
  end
  reply.echo = table.concat(out, ",")
  return reply.echo
end

local INCOMPLETE = { length = "max_output_tokens", content_filter = "content_filter" }

--- How a response ended: by a chat's reason.
function output.status(reason)
  return INCOMPLETE[reason] and "incomplete" or "completed"
end

local function details(reply, status)
  if status ~= "incomplete" then return "null" end
  return ('{"reason":"%s"}'):format(INCOMPLETE[reply.finish_reason])
end

local function model_of(reply)
  return reply.model or (reply.call.dep and reply.call.dep.model) or reply.call.model
end

--- The response with these items (JSON texts); `problem` is the JSON of what went wrong.
function output.response(reply, status, items, problem)
  local now = math.floor(time.now())
  reply.created = reply.created or now
  local ended = status == "completed" and ('"completed_at":%d,'):format(now) or ""
  local total = "null"
  if status ~= "in_progress" then total = encode(counts.write(reply.usage_total)) end
  return ('{"id":"resp_%s","object":"response","created_at":%d,%s"status":"%s",'
    .. '"background":false,"error":%s,"incomplete_details":%s,"model":%s,"output":[%s],'
    .. '"store":false,"usage":%s,%s}'):format(plain(reply.call.id), reply.created, ended,
    status, problem or "null", details(reply, status), encode(model_of(reply)),
    table.concat(items, ","), total, echo(reply))
end

return output

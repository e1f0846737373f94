-- The answer as OpenAI's Responses write it: whole, as events, as errors.
--
-- Items are numbered in the order in which they begin. One of text or thought is open at a
-- time; calls of tools stay open until their arguments are whole, since pieces of several may
-- come at once.

local citations = require "lib.citations"
local items = require "lib.responses_output"
local json = require "engine.json"
local openai = require "dialects.openai_writer"

local writer = { dialect = "responses", error = openai.error }

local encode = json.encode

-- State --------------------------------------------------------------------------

local function state_of(reply)
  local state = reply.written
  if not state then
    state = { sequence = -1, last = -1, done = {}, open = false, calls = {} }
    reply.written = state
  end
  return state
end

local function event(state, name, members)
  state.sequence = state.sequence + 1
  return ('event: %s\ndata: {"type":"%s","sequence_number":%d%s}\n\n'):format(name, name,
    state.sequence, members)
end

-- Where an event stands: `,"item_id":…,"output_index":…`.
local function place(item)
  return (',"item_id":"%s","output_index":%d'):format(item.id, item.index)
end

local function added(state, item)
  return event(state, "response.output_item.added",
    (',"output_index":%d,"item":%s'):format(item.index, items.begun(item)))
end

local function done(state, item)
  local whole = items.whole(item, "completed")
  state.done[item.index + 1] = whole
  return event(state, "response.output_item.done",
    (',"output_index":%d,"item":%s'):format(item.index, whole))
end

local function new_item(reply, state, kind)
  state.last = state.last + 1
  return items.new(reply.call.id, kind, state.last)
end

-- Texts and thoughts ---------------------------------------------------------------

local KINDS = {
  output_text = {
    delta = "response.output_text.delta", done = "response.output_text.done", member = "text",
    begun = "response.content_part.added", ended = "response.content_part.done",
    index = "content_index", more = ',"logprobs":[]',
  },
  refusal = {
    delta = "response.refusal.delta", done = "response.refusal.done", member = "refusal",
    begun = "response.content_part.added", ended = "response.content_part.done",
    index = "content_index", more = "",
  },
  summary_text = {
    delta = "response.reasoning_summary_text.delta", member = "text",
    done = "response.reasoning_summary_text.done",
    begun = "response.reasoning_summary_part.added",
    ended = "response.reasoning_summary_part.done", index = "summary_index", more = "",
  },
}

local function part_place(item)
  local part = item.part
  return ('%s,"%s":%d'):format(place(item), KINDS[part.type].index, part.index)
end

local function close_part(state, item)
  local part = item.part
  if not part then return "" end
  local kind, at, text = KINDS[part.type], part_place(item), table.concat(part.pieces)
  item.part = nil
  item.parts[#item.parts + 1] = items.part(part.type, text, part.cited)
  local whole = item.parts[#item.parts]
  return event(state, kind.done,
    ('%s,"%s":%s%s'):format(at, kind.member, encode(text), kind.more))
    .. event(state, kind.ended, ('%s,"part":%s'):format(at, whole))
end

local function open_part(state, item, name)
  if item.part and item.part.type == name then return "" end
  local before = close_part(state, item)
  item.part = { type = name, index = #item.parts, pieces = {} }
  return before .. event(state, KINDS[name].begun,
    ('%s,"part":%s'):format(part_place(item), items.part(name, "")))
end

local function close_item(state)
  local item = state.open
  if not item then return "" end
  state.open = false
  return close_part(state, item) .. done(state, item)
end

-- The text of a custom tool is known once the arguments around it are whole.
local function close_custom(state, item)
  local input = encode(items.input(item))
  return event(state, "response.custom_tool_call_input.delta",
    ('%s,"delta":%s'):format(place(item), input))
    .. event(state, "response.custom_tool_call_input.done",
      ('%s,"input":%s'):format(place(item), input)) .. done(state, item)
end

local function close_call(state, item)
  if item.closed then return "" end
  item.closed = true
  if item.kind == "custom_tool_call" then return close_custom(state, item) end
  return event(state, "response.function_call_arguments.done",
    ('%s,"name":%s,"arguments":%s'):format(place(item), encode(item.name),
      encode(items.arguments(item)))) .. done(state, item)
end

-- Calls whose arguments are whole; at the end, all.
local function close_calls(state, all)
  local out, left = {}, {}
  for _, item in ipairs(state.calls) do
    if all or items.is_whole(item) then
      out[#out + 1] = close_call(state, item)
    else
      left[#left + 1] = item
    end
  end
  state.calls = left
  return table.concat(out)
end

-- An item of this kind to write into: the open one, or a new one.
local function open_item(reply, state, kind)
  local item = state.open
  if item and item.kind == kind then return item, "" end
  local before = close_calls(state) .. close_item(state)
  item = new_item(reply, state, kind)
  state.open = item
  return item, before .. added(state, item)
end

local function say(reply, kind, name, text)
  local state = state_of(reply)
  local item, before = open_item(reply, state, kind)
  before = before .. open_part(state, item, name)
  item.part.pieces[#item.part.pieces + 1] = text
  return before .. event(state, KINDS[name].delta,
    ('%s,"delta":%s%s'):format(part_place(item), encode(text), KINDS[name].more))
end

-- The response itself ----------------------------------------------------------------

local function known_items(state)
  local out = {}
  for index = 1, state.last + 1 do out[#out + 1] = state.done[index] end
  return out
end

--- The first events: the response, as it begins.
function writer.open(reply)
  local state = state_of(reply)
  local body = ',"response":' .. items.response(reply, "in_progress", {})
  return event(state, "response.created", body) .. event(state, "response.in_progress", body)
end

function writer.text(reply, text) return say(reply, "message", "output_text", text) end

--- What the text that is open rests on; of one that is closed nothing can be said any more.
function writer.cite(reply, one)
  local state = state_of(reply)
  local item = state.open
  local part = item and item.part
  if not part or part.type ~= "output_text" then return "" end
  part.cited = part.cited or {}
  part.cited[#part.cited + 1] = one
  return event(state, "response.output_text.annotation.added",
    ('%s,"annotation_index":%d,"annotation":%s'):format(part_place(item), #part.cited - 1,
      encode(citations.responses(one))))
end

function writer.refusal(reply, text) return say(reply, "message", "refusal", text) end

function writer.reasoning(reply, text) return say(reply, "reasoning", "summary_text", text) end

--- A signed block of thought ends the open one; a redacted one is an item of its own.
function writer.block(reply, value)
  local state = state_of(reply)
  local before = ""
  if value.type == "redacted_thinking" then before = close_calls(state) .. close_item(state) end
  local item, begun = open_item(reply, state, "reasoning")
  item.sealed = items.sealed(value)
  return before .. begun .. close_item(state)
end

local function carried(reply, state, call)
  local sealed = items.carrier(call)
  if not sealed then return "" end
  local item = new_item(reply, state, "reasoning")
  item.sealed = sealed
  return added(state, item) .. done(state, item)
end

local function start_call(reply, state, call)
  local before = close_calls(state) .. close_item(state) .. carried(reply, state, call)
  local item = new_item(reply, state, items.kind(call, reply.call))
  items.name(item, call, reply.call)
  item.pieces, call.item = call.pieces, item
  state.calls[#state.calls + 1] = item
  return before .. added(state, item)
end

--- A piece of a tool call; the first one names it.
function writer.tool_call(reply, call, arguments, new)
  local state = state_of(reply)
  local out = new and start_call(reply, state, call) or ""
  local item = call.item
  if arguments == "" or item.closed or item.kind == "custom_tool_call" then return out end
  return out .. event(state, "response.function_call_arguments.delta",
    ('%s,"delta":%s'):format(place(item), encode(arguments)))
end

--- How it ended is told with the usage, which comes after it.
function writer.finish()
  return ""
end

--- What ends a stream that went well.
function writer.tail(reply)
  if reply.passing then return "" end
  local before = reply.opened and "" or writer.open(reply)
  local state = state_of(reply)
  before = before .. close_item(state) .. close_calls(state, true)
  local status = items.status(reply.finish_reason)
  return before .. event(state, "response." .. status,
    ',"response":' .. items.response(reply, status, known_items(state)))
end

--- A whole answer.
function writer.whole(reply)
  local status = items.status(reply.finish_reason)
  return items.response(reply, status, items.all(reply))
end

--- How many input tokens a request has.
function writer.counted(n)
  return ('{"object":"response.input_tokens","input_tokens":%d}'):format(n)
end

-- Errors -------------------------------------------------------------------------

local function failed(reply, err)
  local problem = encode(json.object({ "code", "message" }, {
    code = err.code or "server_error", message = err.message,
  }))
  local before = reply.written and known_items(reply.written) or {}
  return ',"response":' .. items.response(reply, "failed", before, problem)
end

-- OpenAI documents an error's words in the event itself and sends them within `error`, where
-- its own clients look (openai-node, pull request 2021).
local function said(err)
  return (',"code":%s,"message":%s,"param":%s,%s'):format(encode(err.code or json.null),
    encode(err.message), encode(err.param or json.null), openai.error(err):sub(2, -2))
end

--- An error in a stream that has begun. OpenAI's own clients raise what `error` says, and of
--- `response.failed` nothing; others know that alone.
function writer.stream_error(err, _, reply)
  local state = state_of(reply)
  if reply.passing then state.sequence = (reply.sequence or 0) + (reply.relayed_events or 0) end
  return event(state, "error", said(err))
    .. event(state, "response.failed", failed(reply, err))
end

return writer

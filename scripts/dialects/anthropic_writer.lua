-- The answer as Anthropic's Messages write it: whole, as events, as errors.
--
-- Blocks come one after the other there. Where pieces of several tool calls come at once, those
-- of the later ones wait until the arguments of the open one are whole.

local citations = require "lib.citations"
local content = require "lib.messages_content"
local counts = require "lib.messages_usage"
local errors = require "dialects.anthropic_errors"
local finish = require "lib.messages_finish"
local json = require "engine.json"

local writer = { dialect = "anthropic", id_header = "request-id" }

local function id_of(reply)
  return "msg_" .. reply.call.id
end

local function model_of(reply)
  return reply.model or (reply.call.dep and reply.call.dep.model) or reply.call.model
end

local function event(name, members)
  return ('event: %s\ndata: {"type":"%s"%s}\n\n'):format(name, name, members)
end

local encode = json.encode

-- Blocks -------------------------------------------------------------------------

local function state_of(reply)
  local state = reply.blocks_written
  if not state then
    state = { index = -1, open = false, tool = false, waiting = {} }
    reply.blocks_written = state
  end
  return state
end

local function close(state)
  if not state.open then return "" end
  state.open, state.tool = false, false
  return event("content_block_stop", (',"index":%d'):format(state.index))
end

-- A block of this kind to write into: the open one, or a new one.
local function block(state, kind, start)
  if state.open == kind and kind ~= "tool_use" then return "" end
  local before = close(state)
  state.open, state.index = kind, state.index + 1
  return before .. event("content_block_start",
    (',"index":%d,"content_block":'):format(state.index) .. start)
end

local function delta(state, kind, member, value)
  return event("content_block_delta", (',"index":%d,"delta":{"type":"%s","%s":%s}')
    :format(state.index, kind, member, encode(value)))
end

local function say_text(state, text)
  return block(state, "text", '{"type":"text","text":""}')
    .. delta(state, "text_delta", "text", text)
end

local THINKING = '{"type":"thinking","thinking":"","signature":""}'

local function think(state, text)
  return block(state, "thinking", THINKING) .. delta(state, "thinking_delta", "thinking", text)
end

local function sign(state, value)
  if value.type == "redacted_thinking" then
    return block(state, "redacted", encode(value)) .. close(state)
  end
  return block(state, "thinking", THINKING)
    .. delta(state, "signature_delta", "signature", value.signature) .. close(state)
end

-- Tools --------------------------------------------------------------------------

local function id_of_call(call)
  return call.id or call.own_id
end

-- Whose provider gave a call no id gets one that no other turn has.
local function name_call(reply, call)
  if not call.id then call.own_id = ("toolu_%s_%d"):format(reply.call.id, call.index) end
end

local function signature_of(call)
  local google = call.extra and call.extra.extra_content and call.extra.extra_content.google
  return google and google.thought_signature
end

-- A call's signature as a block of its own, before it (lib/messages_content.lua).
local function carrier(call)
  local signature = signature_of(call)
  if type(signature) ~= "string" then return nil end
  return json.object({ "type", "data" }, {
    type = "redacted_thinking", data = content.carry(id_of_call(call), signature),
  })
end

local TOOL = { "type", "id", "name", "input" }

local function start_tool(state, call)
  local carried = carrier(call)
  local out = (carried and sign(state, carried) or "") .. block(state, "tool_use",
    encode(json.object(TOOL, {
      type = "tool_use", id = id_of_call(call), name = call.name or "", input = json.raw("{}"),
    })))
  state.tool, state.input = call, {}
  return out
end

local function add_input(state, text)
  state.input[#state.input + 1] = text
  return delta(state, "input_json_delta", "partial_json", text)
end

-- Are the arguments of the open call written to their end?
local function is_whole(state)
  return json.index(table.concat(state.input)) ~= nil
end

local put

-- What waited, now that the call before it is whole.
local function release(state)
  local waiting, out = state.waiting, {}
  state.waiting = {}
  for _, one in ipairs(waiting) do out[#out + 1] = put(state, one) end
  return table.concat(out)
end

-- May this be written now? `call` is the tool call it belongs to, where it does.
local function must_wait(state, call)
  local open = state.tool
  if not open or open == call then return false end
  return #state.waiting > 0 or not is_whole(state)
end

-- One thing said, in its turn: { write, value, call }.
function put(state, said)
  if must_wait(state, said.call) then
    state.waiting[#state.waiting + 1] = said
    return ""
  end
  if said.call and said.call ~= state.tool then return "" end -- of a call that was whole
  local out = said.write(state, said.value)
  local open = state.tool
  if open and open == said.call and #state.waiting > 0 and is_whole(state) then
    out = out .. release(state)
  end
  return out
end

-- Verbs --------------------------------------------------------------------------

local MESSAGE = {
  "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage",
}

local function message(reply, blocks, reason)
  return encode(json.object(MESSAGE, {
    id = id_of(reply), type = "message", role = "assistant", model = model_of(reply),
    content = blocks, stop_reason = reason or json.null, stop_sequence = json.null,
    usage = counts.write(reply.usage_total),
  }))
end

--- The first event: who speaks, and what is known of the usage.
function writer.open(reply)
  return event("message_start", ',"message":' .. message(reply, json.array {}))
end

function writer.text(reply, text)
  return put(state_of(reply), { write = say_text, value = text })
end

--- A refusal is a text there, and a reason of its own.
function writer.refusal(reply, text)
  state_of(reply).refused = true
  return writer.text(reply, text)
end

-- OpenAI's own refusals end with "stop".
local function reason_of(reply, refused)
  local reason = reply.finish_reason
  return finish.written(refused and (reason or "stop") == "stop" and "content_filter" or reason)
end

function writer.reasoning(reply, text)
  return put(state_of(reply), { write = think, value = text })
end

-- Of a block that is closed nothing can be said any more.
local function cite(state, one)
  if state.open ~= "text" then return "" end
  return delta(state, "citations_delta", "citation", citations.messages(one))
end

--- What the text that is open rests on.
function writer.cite(reply, one)
  return put(state_of(reply), { write = cite, value = one })
end

--- A signed block of thought, or a redacted one.
function writer.block(reply, value)
  return put(state_of(reply), { write = sign, value = value })
end

--- A piece of a tool call; the first one names it.
function writer.tool_call(reply, call, arguments, new)
  local state, out = state_of(reply), ""
  if new then
    name_call(reply, call)
    out = put(state, { write = start_tool, value = call })
  end
  if arguments == "" then return out end
  return out .. put(state, { write = add_input, value = arguments, call = call })
end

--- The reason is written with the usage, which comes after it.
function writer.finish()
  return ""
end

local function rest(state)
  local out = ""
  while #state.waiting > 0 do -- calls whose arguments never became whole
    local closed = close(state)
    out = out .. closed .. release(state)
  end
  return out .. close(state)
end

--- What ends a stream that went well.
function writer.tail(reply)
  if reply.passing then -- as it came, but a message that is over says so
    return reply.finish_reason and not reply.done and event("message_stop", "") or ""
  end
  local before = reply.opened and "" or writer.open(reply)
  local state = state_of(reply)
  local reason = reason_of(reply, state.refused)
  return before .. rest(state)
    .. event("message_delta", (',"delta":{"stop_reason":"%s","stop_sequence":null},"usage":%s')
      :format(reason, encode(counts.write(reply.usage_total))))
    .. event("message_stop", "")
end

-- Whole answers ------------------------------------------------------------------

local function unsigned(reply)
  local text = table.concat(reply.thoughts or {}, "", reply.signed or 1)
  if text == "" then return nil end
  return json.object({ "type", "thinking", "signature" }, {
    type = "thinking", thinking = text, signature = "",
  })
end

local function cited_by(list)
  if not list then return nil end
  local out = json.array {}
  for i, one in ipairs(list) do out[i] = citations.messages(one) end
  return out
end

local function text_block(texts, cited)
  local text = texts and table.concat(texts) or ""
  if text == "" then return nil end
  return json.object({ "type", "text", "citations" }, {
    type = "text", text = text, citations = cited_by(cited),
  })
end

-- Arguments that are no object are shown as Anthropic's own documents advise.
local function input_of(call)
  local text = table.concat(call.pieces)
  if text == "" then return json.raw("{}") end
  return json.index(text) and json.raw(text) or { INVALID_JSON = text }
end

local function blocks_of(reply)
  local out = json.array {}
  for _, value in ipairs(reply.blocks or {}) do out[#out + 1] = value end
  out[#out + 1] = unsigned(reply)
  out[#out + 1] = text_block(reply.texts, reply.citations)
  out[#out + 1] = text_block(reply.refusals)
  for _, call in ipairs(reply.tool_calls or {}) do
    name_call(reply, call)
    out[#out + 1] = carrier(call)
    out[#out + 1] = json.object(TOOL, {
      type = "tool_use", id = id_of_call(call), name = call.name or "", input = input_of(call),
    })
  end
  return out
end

--- A whole answer.
function writer.whole(reply)
  return message(reply, blocks_of(reply), reason_of(reply, reply.refusals ~= nil))
end

--- How many tokens a body has.
function writer.counted(n)
  return encode { input_tokens = n }
end

-- Errors -------------------------------------------------------------------------

writer.status, writer.error = errors.status, errors.body

--- An error in a stream that has begun.
function writer.stream_error(err, call)
  return "event: error\ndata: " .. writer.error(err, call) .. "\n\n"
end

return writer

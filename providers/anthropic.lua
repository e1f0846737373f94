-- Anthropic Messages: https://docs.anthropic.com/en/api/messages

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local citations = require "lib.citations"
local counts = require "lib.messages_usage"
local fault = require "lib.fault"
local finishes = require "lib.messages_finish"
local json = require "engine.json"
local passing = require "lib.messages_pass"
local request = require "lib.anthropic_request"

local RAW_INPUT = { raw = { input = true } }

-- Answers ------------------------------------------------------------------------

local function finish(ended, reply)
  local reason = ended.stop_reason
  if type(reason) ~= "string" then return end
  if reason == "refusal" then
    local explanation = chat.table_or_empty(ended.stop_details).explanation
    if type(explanation) == "string" then reply:refusal(explanation) end
  end
  reply:finish(finishes.read(reason))
end

local function check_tool(block)
  if type(block.id) == "string" and type(block.name) == "string" then return end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

local function cite(list, reply, start, stop)
  for _, one in ipairs(list) do reply:cite(citations.of_messages(one, start, stop)) end
end

-- What a block cites, it cites for the whole of it; `state.length` is how long the text is so
-- far.
local function text(block, reply, state)
  if type(block.text) ~= "string" then return end
  local start, cited = state.length, block.citations
  reply:text(block.text)
  state.length = start + citations.length(block.text)
  if type(cited) == "table" and cited[1] then cite(cited, reply, start, state.length) end
end

local BLOCKS = {
  text = text,
  thinking = function(block, reply)
    reply:reasoning(block.thinking, { signature = block.signature })
  end,
  redacted_thinking = function(block, reply) reply:reasoning("", { redacted = block.data }) end,
  tool_use = function(block, reply)
    check_tool(block)
    reply:tool_call { id = block.id, name = block.name, arguments = json.text(block.input) }
  end,
}

local function decode(body, reply)
  if body.type == "error" or chat.given(body.error) then chat_errors.raise(body) end
  if type(body.content) ~= "table" then
    fault.raise("invalid_response", "The provider's answer is no message.")
  end
  reply:start { id = body.id, model = body.model }
  local state = { length = 0 }
  for block in chat.objects(body.content) do
    local read = BLOCKS[block.type] -- what the provider's own tools did is not for this client
    if read then read(block, reply, state) end
  end
  finish(body, reply)
  reply:usage(counts.read({}, body.usage))
end

-- Streams ------------------------------------------------------------------------

local STARTS = {
  text = BLOCKS.text, -- empty, save from gateways that send whole blocks
  redacted_thinking = BLOCKS.redacted_thinking,
  tool_use = function(block, reply)
    check_tool(block)
    reply:tool_call { id = block.id, name = block.name }
  end,
}

local DELTAS = {
  text_delta = function(delta, reply, state)
    if type(delta.text) ~= "string" then return end
    reply:text(delta.text)
    state.length = state.length + citations.length(delta.text)
  end,
  citations_delta = function(delta, _, state)
    state.cited = state.cited or {}
    state.cited[#state.cited + 1] = delta.citation
  end,
  thinking_delta = function(delta, reply) reply:reasoning(delta.thinking) end,
  signature_delta = function(delta, reply)
    reply:reasoning("", { signature = delta.signature })
  end,
  input_json_delta = function(delta, reply, state)
    local piece = delta.partial_json
    if state.block ~= "tool_use" or type(piece) ~= "string" or piece == "" then return end
    state.arguments = true
    reply:tool_call { arguments = piece }
  end,
}

local EVENTS = {}

function EVENTS.message_start(data, reply, state)
  local message = chat.table_or_empty(data.message)
  reply:start { id = message.id, model = message.model }
  reply:usage(counts.read(state.usage, message.usage))
end

function EVENTS.content_block_start(data, reply, state, bytes)
  local block = chat.table_or_empty(data.content_block)
  state.block, state.arguments, state.input = block.type, false, nil
  state.cited, state.begun = nil, state.length
  if block.type == "tool_use" then -- again, for the input as it is written
    state.input = json.text(chat.reread(bytes, RAW_INPUT).content_block.input)
  end
  if STARTS[block.type] then STARTS[block.type](block, reply, state) end
end

function EVENTS.content_block_delta(data, reply, state)
  local delta = chat.table_or_empty(data.delta)
  local read = DELTAS[delta.type]
  if read then read(delta, reply, state) end
end

-- A tool that needs nothing is called without a piece of input.
function EVENTS.content_block_stop(_, reply, state)
  if state.block == "tool_use" and not state.arguments then
    reply:tool_call { arguments = state.input }
  end
  if state.cited then
    cite(state.cited, reply, state.begun, state.length)
    state.cited = nil
  end
  state.block = nil
end

function EVENTS.message_delta(data, reply, state)
  finish(chat.table_or_empty(data.delta), reply)
  reply:usage(counts.read(state.usage, data.usage))
end

function EVENTS.error(data)
  chat_errors.raise(data)
end

-- One loop; where the stream stands is which block is open.
local function stream(upstream, reply)
  local body = chat.whole_instead(upstream, RAW_INPUT)
  if body then return decode(body, reply) end
  local state = { usage = {}, length = 0, begun = 0 }
  for name, data, bytes in upstream:sse() do
    local read = chat.is_readable(data) and EVENTS[data.type or name]
    if read then read(data, reply, state, bytes) end
  end
end

-- Errors ---------------------------------------------------------------------------

-- Spending limits are told by a code of their own; waiting does not help.
local EXHAUSTED = { enforced_spend_limit_reached = true, contract_spend_limit_reached = true }

local function classify(status, body)
  local problem = chat.table_or_empty(chat.table_or_empty(body).error)
  local code = chat.table_or_empty(problem.details).error_code
  if problem.type == "billing_error" or EXHAUSTED[code] then
    return "rate_limit", { exhausted = true }
  end
  return chat_errors.classify(status, body)
end

local function headers(dep)
  return {
    ["x-api-key"] = dep.provider.api_key,
    ["anthropic-version"] = dep.provider.version or "2023-06-01",
    ["anthropic-beta"] = dep.provider.beta,
  }
end

return chat.adapter {
  base_url = "https://api.anthropic.com/v1",
  path     = "/messages",
  headers  = headers,
  encode   = request.encode,
  decode   = decode,
  stream   = stream,
  classify = classify,
  natives  = { anthropic = passing },
  beside   = { "message_files", "message_batches" },
  keeps    = { cache_control = true, thinking_blocks = true },
  fields   = { version = { type = "string" }, beta = { type = "string" } },
}

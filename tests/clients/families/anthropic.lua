-- A provider of Anthropic's Messages: what it answers, and what it was asked.

local cjson = require "cjson"
local pieces = require "clients.pieces" -- first: it loads the engine
local json = require "engine.json"

local anthropic = {}

local function usage(answer, output)
  return {
    input_tokens = answer.input, output_tokens = output or answer.output,
    cache_creation_input_tokens = 0, cache_read_input_tokens = 0, service_tier = "standard",
  }
end

local function message(answer, content, finish, output)
  return {
    id = "msg_01Moon", type = "message", role = "assistant",
    model = "claude-sonnet-4-5-20250929",
    content = json.array(content), stop_reason = finish or json.null, stop_sequence = json.null,
    usage = usage(answer, output),
  }
end

local function finish_of(answer) return answer.calls and "tool_use" or "end_turn" end

local function tool_use(call, input)
  return { type = "tool_use", id = call.id, name = call.name, input = input }
end

--- A whole answer.
function anthropic.whole(answer)
  local blocks = { { type = "text", text = answer.text } }
  if answer.calls then
    blocks = pieces.each(answer.calls, function(call)
      return tool_use(call, json.raw(call.arguments))
    end)
  end
  return json.encode(message(answer, blocks, finish_of(answer)))
end

local function say_block(events, index, answer, call)
  events[#events + 1] = { type = "content_block_start", index = index,
    content_block = call and tool_use(call, {}) or { type = "text", text = "" } }
  events[#events + 1] = { type = "ping" }
  for _, piece in ipairs(pieces.of(call and call.arguments or answer.text)) do
    local delta = call and { type = "input_json_delta", partial_json = piece }
      or { type = "text_delta", text = piece }
    events[#events + 1] = { type = "content_block_delta", index = index, delta = delta }
  end
  events[#events + 1] = { type = "content_block_stop", index = index }
end

--- The same as a stream, with pings in it.
function anthropic.stream(answer)
  local events = { { type = "message_start", message = message(answer, {}, nil, 1) } }
  if answer.text then say_block(events, 0, answer) end
  for i, call in ipairs(answer.calls or {}) do say_block(events, i - 1, answer, call) end
  events[#events + 1] = {
    type = "message_delta", usage = usage(answer),
    delta = { stop_reason = finish_of(answer), stop_sequence = json.null },
  }
  events[#events + 1] = { type = "message_stop" }
  return pieces.events(events, true)
end

local KINDS = { [400] = "invalid_request_error", [429] = "rate_limit_error" }

--- How it fails.
function anthropic.failure(failure)
  return json.encode {
    type = "error", request_id = "req_moon",
    error = { type = KINDS[failure.status], message = failure.message },
  }
end

-- What it was asked -----------------------------------------------------------------------

local BLOCKS = {
  text = function(asked, block) asked.question = asked.question .. block.text end,
  tool_use = function(asked, block)
    asked.calls[#asked.calls + 1] =
      { id = block.id, name = block.name, arguments = block.input }
  end,
  tool_result = function(asked, block)
    asked.results[#asked.results + 1] =
      { id = block.tool_use_id, text = pieces.text(block.content) }
  end,
}

local function read_messages(asked, list)
  for _, one in ipairs(list) do
    local content = one.content
    if type(content) == "string" then content = { { type = "text", text = content } } end
    for _, block in ipairs(content) do
      local read = BLOCKS[block.type]
      if read then read(asked, block) end
    end
  end
end

--- What a request of it says, as families/openai.lua tells it.
function anthropic.read(request)
  local body = cjson.decode(request.body)
  local asked = pieces.asked(body.model, body.stream == true)
  asked.key = request.headers["x-api-key"]
    or (request.headers.authorization or ""):match "^Bearer (.*)$"
  asked.system = pieces.text(body.system)
  read_messages(asked, body.messages)
  for _, tool in ipairs(body.tools or {}) do
    asked.tools[#asked.tools + 1] =
      { name = tool.name, description = tool.description, parameters = tool.input_schema }
  end
  assert(type(body.max_tokens) == "number", "max_tokens is missing")
  assert(request.headers["anthropic-version"], "anthropic-version is missing")
  return asked
end

anthropic.call_id = "toolu_01K3Rm9Zq7TxY2pLw4"
anthropic.model = "claude-sonnet-4-5"
anthropic.adapter, anthropic.base = "anthropic", "/v1"

return anthropic

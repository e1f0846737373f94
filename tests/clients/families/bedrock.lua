-- A provider of Bedrock's Converse: what it answers, its streams in binary messages, and what
-- it was asked.

local cjson = require "cjson"
local pieces = require "clients.pieces" -- first: it loads the engine
local json = require "engine.json"
local messages = require "support.bedrock"

local bedrock = { stream_type = "application/vnd.amazon.eventstream" }

local function usage(answer)
  return {
    inputTokens = answer.input, outputTokens = answer.output,
    totalTokens = answer.input + answer.output,
  }
end

local function stop_reason(answer) return answer.calls and "tool_use" or "end_turn" end

--- A whole answer.
function bedrock.whole(answer)
  local blocks = { { text = answer.text } }
  if answer.calls then
    blocks = pieces.each(answer.calls, function(call)
      local input = json.raw(call.arguments)
      return { toolUse = { toolUseId = call.id, name = call.name, input = input } }
    end)
  end
  return json.encode {
    metrics = { latencyMs = 400 }, stopReason = stop_reason(answer), usage = usage(answer),
    output = { message = { role = "assistant", content = blocks } },
  }
end

local function say_block(say, index, answer, call)
  if call then
    say("contentBlockStart", {
      contentBlockIndex = index,
      start = { toolUse = { toolUseId = call.id, name = call.name } },
    })
  end
  for _, piece in ipairs(pieces.of(call and call.arguments or answer.text)) do
    local delta = call and { toolUse = { input = piece } } or { text = piece }
    say("contentBlockDelta", { contentBlockIndex = index, delta = delta, p = "abc" })
  end
  say("contentBlockStop", { contentBlockIndex = index })
end

--- The same as a stream.
function bedrock.stream(answer)
  local out = {}
  local function say(name, payload)
    out[#out + 1] = messages.event(name, json.encode(payload))
  end
  say("messageStart", { role = "assistant", p = "abcdef" })
  if answer.text then say_block(say, 0, answer) end
  for n, call in ipairs(answer.calls or {}) do say_block(say, n - 1, answer, call) end
  say("messageStop", { stopReason = stop_reason(answer) })
  say("metadata", { metrics = { latencyMs = 400 }, usage = usage(answer) })
  return table.concat(out)
end

local KINDS = { [400] = "ValidationException", [429] = "ThrottlingException" }

--- How it fails.
function bedrock.failure(failure)
  return json.encode { message = failure.message, __type = KINDS[failure.status] }
end

-- What it was asked -----------------------------------------------------------------------

local function read_block(asked, block)
  local call, result = block.toolUse, block.toolResult
  if call then
    asked.calls[#asked.calls + 1] =
      { id = call.toolUseId, name = call.name, arguments = call.input }
  elseif result then
    asked.results[#asked.results + 1] =
      { id = result.toolUseId, text = pieces.text(result.content) }
  elseif block.text then
    asked.question = asked.question .. block.text
  end
end

--- What a request of it says, as families/openai.lua tells it.
function bedrock.read(request)
  local body = cjson.decode(request.body)
  local model, verb = request.path:match "/model/([^/]+)/(.+)$"
  model = model:gsub("%%3A", ":") -- as AWS writes it
  local asked = pieces.asked(model, verb == "converse-stream")
  asked.key = (request.headers.authorization or ""):match "^Bearer (.*)$"
  asked.system = pieces.text(body.system)
  for _, message in ipairs(body.messages) do
    for _, block in ipairs(message.content) do read_block(asked, block) end
  end
  for _, tool in ipairs((body.toolConfig or {}).tools or {}) do
    local spec = tool.toolSpec
    if spec then
      asked.tools[#asked.tools + 1] = { name = spec.name, description = spec.description,
        parameters = spec.inputSchema.json }
    end
  end
  return asked
end

bedrock.call_id = "tooluse_K3Rm9Zq7TxY2pLw4"
bedrock.model = "amazon.nova-pro-v1:0"
bedrock.adapter, bedrock.base, bedrock.fields = "bedrock", "", 'region = "us-east-1",'

return bedrock

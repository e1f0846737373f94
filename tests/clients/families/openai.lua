-- A provider of OpenAI's chat completions: what it answers, and what it was asked.

local cjson = require "cjson"
local pieces = require "clients.pieces" -- first: it loads the engine
local json = require "engine.json"

local openai = {}

local function usage(answer)
  return {
    prompt_tokens = answer.input, completion_tokens = answer.output,
    total_tokens = answer.input + answer.output,
    prompt_tokens_details = { cached_tokens = 0, audio_tokens = 0 },
    completion_tokens_details = { reasoning_tokens = 0, audio_tokens = 0 },
  }
end

local function envelope(object, choices)
  return {
    id = "chatcmpl-Bx71", object = object, created = 1760000000, model = "gpt-4o-2024-08-06",
    system_fingerprint = "fp_moon", choices = choices,
  }
end

local function called(call)
  return { id = call.id, type = "function",
    ["function"] = { name = call.name, arguments = call.arguments } }
end

--- A whole answer.
function openai.whole(answer)
  local calls = answer.calls
  local out = envelope("chat.completion", { {
    index = 0, finish_reason = calls and "tool_calls" or "stop", logprobs = json.null,
    message = {
      role = "assistant", content = answer.text or json.null, refusal = json.null,
      tool_calls = calls and pieces.each(calls, called) or nil,
    },
  } })
  out.usage = usage(answer)
  return json.encode(out)
end

local function chunk(delta, finish)
  return envelope("chat.completion.chunk",
    { { index = 0, delta = delta, logprobs = json.null, finish_reason = finish or json.null } })
end

local function deltas(answer)
  local list = {}
  if answer.text then
    for _, piece in ipairs(pieces.of(answer.text)) do list[#list + 1] = { content = piece } end
    return list
  end
  for i, call in ipairs(answer.calls) do
    local first = called(call)
    first.index, first["function"].arguments = i - 1, ""
    list[#list + 1] = { tool_calls = { first } }
    for _, piece in ipairs(pieces.of(call.arguments)) do
      local more = { index = i - 1, ["function"] = { arguments = piece } }
      list[#list + 1] = { tool_calls = { more } }
    end
  end
  return list
end

--- The same as a stream, with its usage.
function openai.stream(answer)
  local events = { chunk { role = "assistant", content = "", refusal = json.null } }
  for _, delta in ipairs(deltas(answer)) do events[#events + 1] = chunk(delta) end
  events[#events + 1] = chunk({}, answer.calls and "tool_calls" or "stop")
  local last = envelope("chat.completion.chunk", json.array {})
  last.usage = usage(answer)
  events[#events + 1] = last
  return pieces.events(events) .. "data: [DONE]\n\n"
end

local KINDS = {
  [400] = { "invalid_request_error", "invalid_prompt" },
  [429] = { "requests", "rate_limit_exceeded" },
}

--- How it fails.
function openai.failure(failure)
  local kind = KINDS[failure.status]
  return json.encode {
    error = { message = failure.message, type = kind[1], code = kind[2], param = json.null },
  }
end

-- What it was asked -----------------------------------------------------------------------

local ROLES = {
  system = function(asked, message)
    asked.system = asked.system .. pieces.text(message.content)
  end,
  user = function(asked, message)
    asked.question = asked.question .. pieces.text(message.content)
  end,
  assistant = function(asked, message)
    for _, call in ipairs(message.tool_calls or {}) do
      local f = call["function"]
      asked.calls[#asked.calls + 1] =
        { id = call.id, name = f.name, arguments = cjson.decode(f.arguments) }
    end
  end,
  tool = function(asked, message)
    asked.results[#asked.results + 1] =
      { id = message.tool_call_id, text = pieces.text(message.content) }
  end,
}
ROLES.developer = ROLES.system

--- What a request of it says: { model, stream, system, question, tools, calls, results, key }.
function openai.read(request)
  local body = cjson.decode(request.body)
  local asked = pieces.asked(body.model, body.stream == true)
  asked.key = (request.headers.authorization or ""):match "^Bearer (.*)$"
  for _, message in ipairs(body.messages) do ROLES[message.role](asked, message) end
  for _, tool in ipairs(body.tools or {}) do
    local f = tool["function"]
    asked.tools[#asked.tools + 1] =
      { name = f.name, description = f.description, parameters = f.parameters }
  end
  return asked
end

openai.call_id = "call_K3Rm9Zq7TxY2pLw4"
openai.model = "gpt-4o"
openai.adapter, openai.base = "openai", "/v1"

return openai

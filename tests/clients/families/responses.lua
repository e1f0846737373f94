-- A provider of OpenAI's Responses: what it answers, and what it was asked.

local cjson = require "cjson"
local pieces = require "clients.pieces" -- first: it loads the engine
local json = require "engine.json"

local responses = {}

local function usage(answer)
  return {
    input_tokens = answer.input, output_tokens = answer.output,
    total_tokens = answer.input + answer.output,
    input_tokens_details = { cached_tokens = 0 },
    output_tokens_details = { reasoning_tokens = 0 },
  }
end

local function response(status, output, answer)
  return {
    id = "resp_moon1", object = "response", created_at = 1760000000, status = status,
    background = false, error = json.null, incomplete_details = json.null,
    instructions = json.null, max_output_tokens = json.null, model = "gpt-4o-2024-08-06",
    output = json.array(output), parallel_tool_calls = true, previous_response_id = json.null,
    reasoning = { effort = json.null, summary = json.null }, store = false, temperature = 1,
    text = { format = { type = "text" } }, tool_choice = "auto", tools = json.array {},
    top_p = 1, truncation = "disabled", usage = answer and usage(answer) or json.null,
    metadata = {},
  }
end

local function text_part(text)
  return { type = "output_text", text = text, annotations = json.array {},
    logprobs = json.array {} }
end

local function call_item(call, i, status, is_open)
  return { type = "function_call", id = "fc_moon" .. i, call_id = call.id, name = call.name,
    arguments = is_open and "" or call.arguments, status = status }
end

local function text_item(answer, status, is_open)
  return { type = "message", id = "msg_moon1", role = "assistant", status = status,
    content = json.array { not is_open and text_part(answer.text) or nil } }
end

local function items(answer)
  if not answer.calls then return { text_item(answer, "completed") } end
  return pieces.each(answer.calls, function(call, i) return call_item(call, i, "completed") end)
end

--- A whole answer.
function responses.whole(answer)
  return json.encode(response("completed", items(answer), answer))
end

local function text_events(answer, say)
  local at = { item_id = "msg_moon1", content_index = 0, output_index = 0 }
  local place = { output_index = 0 }
  say("response.output_item.added", place, { item = text_item(answer, "in_progress", true) })
  say("response.content_part.added", at, { part = text_part "" })
  for _, piece in ipairs(pieces.of(answer.text)) do
    say("response.output_text.delta", at, { delta = piece, logprobs = json.array {} })
  end
  say("response.output_text.done", at, { text = answer.text, logprobs = json.array {} })
  say("response.content_part.done", at, { part = text_part(answer.text) })
  say("response.output_item.done", place, { item = text_item(answer, "completed") })
end

local function call_events(call, i, say)
  local at, place = { item_id = "fc_moon" .. i, output_index = i - 1 }, { output_index = i - 1 }
  say("response.output_item.added", place, { item = call_item(call, i, "in_progress", true) })
  for _, piece in ipairs(pieces.of(call.arguments)) do
    say("response.function_call_arguments.delta", at, { delta = piece })
  end
  say("response.function_call_arguments.done", at,
    { arguments = call.arguments, name = call.name })
  say("response.output_item.done", place, { item = call_item(call, i, "completed") })
end

--- The same as a stream.
function responses.stream(answer)
  local events = {}
  local function add(kind, ...)
    local event = { type = kind, sequence_number = #events }
    for _, members in ipairs { ... } do
      for name, value in pairs(members) do event[name] = value end
    end
    events[#events + 1] = event
  end
  add("response.created", { response = response("in_progress", {}) })
  add("response.in_progress", { response = response("in_progress", {}) })
  if answer.text then text_events(answer, add) end
  for i, call in ipairs(answer.calls or {}) do call_events(call, i, add) end
  add("response.completed", { response = response("completed", items(answer), answer) })
  return pieces.events(events, true)
end

responses.failure = require("clients.families.openai").failure

-- What it was asked -----------------------------------------------------------------------

local ITEMS = {
  function_call = function(asked, one)
    asked.calls[#asked.calls + 1] =
      { id = one.call_id, name = one.name, arguments = cjson.decode(one.arguments) }
  end,
  function_call_output = function(asked, one)
    asked.results[#asked.results + 1] = { id = one.call_id, text = pieces.text(one.output) }
  end,
  message = function(asked, one)
    local where = one.role == "user" and "question" or "system"
    asked[where] = asked[where] .. pieces.text(one.content)
  end,
}

--- What a request of it says, as families/openai.lua tells it.
function responses.read(request)
  local body = cjson.decode(request.body)
  assert(request.path:find "/v1/responses$", request.path .. " is no address of Responses")
  local asked = pieces.asked(body.model, body.stream == true)
  asked.key = (request.headers.authorization or ""):match "^Bearer (.*)$"
  asked.system = type(body.instructions) == "string" and body.instructions or ""
  local input = body.input
  if type(input) == "string" then input = { { role = "user", content = input } } end
  for _, one in ipairs(input) do
    local read_item = ITEMS[one.type or "message"]
    if read_item then read_item(asked, one) end
  end
  for _, tool in ipairs(body.tools or {}) do
    asked.tools[#asked.tools + 1] =
      { name = tool.name, description = tool.description, parameters = tool.parameters }
  end
  return asked
end

local openai = require "clients.families.openai"
responses.model, responses.adapter, responses.base = openai.model, "openai", "/v1"
responses.call_id = openai.call_id

return responses

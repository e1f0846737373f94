-- A chat completions call as a request to OpenAI's Responses API: for models that are served
-- there only, and deployments that say `api = "responses"`.

local chat = require "lib.chat"
local chat_tools = require "lib.chat_tools"
local face = require "lib.chat_face"
local fit = require "lib.fit"
local input = require "lib.responses_ask_input"
local json = require "engine.json"
local values = require "lib.values"

local ask = {}

local given = values.given

-- Members that have the same name and sense there.
local SAME = {
  "metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options",
  "prompt_cache_retention", "safety_identifier", "service_tier", "temperature", "top_logprobs",
  "top_p", "user",
}

local KNOWN = fit.known(SAME, {
  "logprobs", "max_completion_tokens", "max_tokens", "reasoning_effort", "response_format",
  "store", "thinking", "tool_choice", "tools", "verbosity",
})

local ORDER = {
  "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "text",
  "reasoning", "max_output_tokens", "temperature", "top_p", "include", "top_logprobs", "store",
  "user", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
  "prompt_cache_retention", "service_tier", "metadata", "stream",
}

-- Tools --------------------------------------------------------------------------

local TOOL = { "type", "name", "description", "parameters", "strict" }

-- Strictness is what is not said there, and here what is.
local function add_tool(out, tool)
  local f = tool["function"]
  out[#out + 1] = json.object(TOOL, {
    type = "function", name = f.name, description = given(f.description),
    parameters = given(f.parameters) or chat_tools.NOTHING, strict = f.strict == true,
  })
end

local function named(choice)
  local name = chat.table_or_empty(choice["function"]).name
  return json.object({ "type", "name" }, { type = "function", name = name })
end

local function tool_choice(choice)
  if type(choice) ~= "table" then return choice end
  if choice["function"] then return named(choice) end
  local allowed = chat.table_or_empty(choice.allowed_tools)
  local list = json.array {}
  for tool in chat.objects(allowed.tools) do list[#list + 1] = named(tool) end
  return json.object({ "type", "mode", "tools" }, {
    type = "allowed_tools", mode = given(allowed.mode) or "auto", tools = list,
  })
end

-- How to think and to answer -----------------------------------------------------

-- Those that answer with thoughts nobody else can read; others refuse to be asked for them.
local ENCRYPTED = { "^o%d", "^gpt%-[5-9]", "codex", "^grok%-[4-9]", "^openai%.gpt%-[5-9]" }

local function seals(model)
  local name = (model:match("[^/]+$") or model):lower()
  for _, pattern in ipairs(ENCRYPTED) do
    if name:find(pattern) then return true end
  end
  return false
end

local function include(body, dep)
  local out = json.array {}
  if seals(dep.model) then out[1] = "reasoning.encrypted_content" end
  if body.logprobs == true then out[#out + 1] = "message.output_text.logprobs" end
  return #out > 0 and out or nil
end

-- A client of this dialect says what its model takes; of the others' words, what it does.
local function effort(call, dep)
  local wanted = given(call.body.reasoning_effort)
  if wanted == nil then return nil end
  if call.dialect ~= "openai" then wanted = face.effort(call, dep) end
  return wanted and { effort = wanted } or nil
end

local FORMAT = { "type", "name", "description", "schema", "strict" }

local function format_of(wanted)
  if type(wanted) ~= "table" then return nil end
  local shape = chat.table_or_empty(wanted.json_schema)
  if wanted.type ~= "json_schema" then return { type = wanted.type } end
  return json.object(FORMAT, {
    type = "json_schema", name = given(shape.name) or "answer",
    description = given(shape.description), schema = given(shape.schema),
    strict = given(shape.strict),
  })
end

local function text(body)
  local format, verbosity = format_of(given(body.response_format)), given(body.verbosity)
  if not format and not verbosity then return nil end
  return json.object({ "format", "verbosity" }, { format = format, verbosity = verbosity })
end

local LEAST = 16 -- fewer tokens are refused there

local function max_tokens(body, dep)
  local asked = given(body.max_completion_tokens) or given(body.max_tokens)
  if type(asked) ~= "number" then return dep.max_tokens end
  return math.max(LEAST, dep.max_tokens and math.min(asked, dep.max_tokens) or asked)
end

--- The body of the request. Nothing is kept there unless the client says so.
function ask.encode(call, dep)
  fit.fields(call, dep, KNOWN)
  local body, out = call.body, {}
  for _, name in ipairs(SAME) do out[name] = given(body[name]) end
  out.model, out.stream = dep.deployment or dep.model, call.stream or nil
  out.instructions, out.input = input.encode(call, dep)
  out.tools = chat_tools.functions(call, dep, nil, add_tool)
  if out.tools then
    out.tool_choice = tool_choice(given(body.tool_choice))
  else
    out.parallel_tool_calls = nil
  end
  out.text, out.reasoning, out.include = text(body), effort(call, dep), include(body, dep)
  out.max_output_tokens = max_tokens(body, dep)
  out.store = body.store == true
  return json.object(ORDER, out)
end

return ask

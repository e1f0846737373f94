-- A chat completions call as a request to Gemini's generateContent.

local chat = require "lib.chat"
local chat_length = require "lib.chat_length"
local chat_tools = require "lib.chat_tools"
local contents = require "lib.gemini_contents"
local fit = require "lib.fit"
local json = require "engine.json"
local models = require "lib.gemini_models"
local schema = require "lib.schema"
local values = require "lib.values"

local request = {}

local given = values.given

local KNOWN = fit.known {
  "frequency_penalty", "logprobs", "max_completion_tokens", "max_tokens", "n",
  "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed",
  "stop", "temperature", "tool_choice", "tools", "top_k", "top_logprobs", "top_p",
}

local ORDER = {
  "contents", "systemInstruction", "tools", "toolConfig", "generationConfig",
}
local CONFIG = {
  "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed",
  "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType",
  "responseSchema", "responseJsonSchema", "thinkingConfig",
}

-- Tools --------------------------------------------------------------------------

local DECLARATION = { "name", "description", "parameters", "parametersJsonSchema" }

local function add_declaration(list, tool, _, model)
  local f = tool["function"]
  local out = { name = f.name, description = given(f.description) }
  local parameters = given(f.parameters)
  if parameters and json.text(parameters):find("[^%s{}]") then
    if model.json_schema then
      out.parametersJsonSchema = parameters
    else
      out.parameters = schema.openapi(parameters)
    end
  end
  list[#list + 1] = json.object(DECLARATION, out)
end

local function allowed_names(choice)
  if type(choice) ~= "table" then return nil end
  local list = chat.table_or_empty(chat.table_or_empty(choice.allowed_tools).tools)
  local names = json.array {}
  for _, tool in ipairs(choice["function"] and { choice } or list) do
    names[#names + 1] = chat.table_or_empty(chat.table_or_empty(tool)["function"]).name
  end
  return names
end

local MODES = { none = "NONE", auto = "AUTO", required = "ANY" }

local function tool_config(choice)
  if choice == nil or choice == "auto" then return nil end
  local names, mode = allowed_names(choice), MODES[choice]
  if names then
    local wanted = chat.table_or_empty(choice.allowed_tools).mode
    mode = choice["function"] and "ANY" or MODES[wanted] or "AUTO"
    if mode ~= "ANY" then names = nil end -- the list of tools is cut down instead
  end
  return { functionCallingConfig = json.object({ "mode", "allowedFunctionNames" }, {
    mode = mode or "AUTO", allowedFunctionNames = names,
  }) }
end

-- The names to which the list of tools is cut down; nil where it is told whole.
local function allowed_of(choice)
  if type(choice) ~= "table" or choice["function"] then return nil end
  local out = {}
  for _, name in ipairs(allowed_names(choice)) do out[name] = true end
  return out
end

local function tools(call, dep, model)
  local choice = given(call.body.tool_choice)
  local out = chat_tools.functions(call, dep, allowed_of(choice), add_declaration, model)
  if not out then return nil end
  chat_tools.refuse_alone(call, dep, out)
  return json.array { { functionDeclarations = out } }, tool_config(choice)
end

-- Thinking -----------------------------------------------------------------------

local BUDGETS = {
  none = 0, minimal = 1024, low = 1024, medium = 8192, high = 24576, xhigh = 32768,
  max = 32768,
}
local LEVELS = {
  none = "MINIMAL", minimal = "MINIMAL", low = "LOW", medium = "MEDIUM", high = "HIGH",
  xhigh = "HIGH", max = "HIGH",
}

local function thinking(call, model)
  local effort = given(call.body.reasoning_effort)
  if effort == nil then return nil end
  if not BUDGETS[effort] or not model.thinking then return call:drop("reasoning_effort") end
  local out = { includeThoughts = effort ~= "none" or nil }
  if model.thinking == "level" then
    out.thinkingLevel = LEVELS[effort]
    if model.pro and out.thinkingLevel == "MINIMAL" then out.thinkingLevel = "LOW" end
  else
    local budget = math.max(BUDGETS[effort], model.least_budget)
    out.thinkingBudget = math.min(budget, model.most_budget)
  end
  return out
end

-- The rest -----------------------------------------------------------------------

local function format(config, body, model)
  local wanted = given(body.response_format)
  if type(wanted) ~= "table" or wanted.type == "text" then return end
  config.responseMimeType = "application/json"
  local shape = given(chat.table_or_empty(wanted.json_schema).schema)
  if not shape then return end
  if model.json_schema then
    config.responseJsonSchema = shape
  else
    config.responseSchema = schema.openapi(shape)
  end
end

local function unless(value, usual)
  if value == json.null or value == usual then return nil end
  return value
end

local function generation_config(call, dep, model)
  local body = call.body
  local config = {
    temperature = given(body.temperature), topP = given(body.top_p), topK = given(body.top_k),
    candidateCount = unless(body.n, 1), maxOutputTokens = chat_length.max_tokens(body, dep),
    stopSequences = chat_length.stops(body), seed = given(body.seed),
    presencePenalty = unless(body.presence_penalty, 0),
    frequencyPenalty = unless(body.frequency_penalty, 0),
    responseLogprobs = unless(body.logprobs, false),
    thinkingConfig = thinking(call, model),
  }
  if config.responseLogprobs then config.logprobs = unless(body.top_logprobs, 0) end
  format(config, body, model)
  return next(config) and json.object(CONFIG, config) or nil
end

--- The body of the request.
function request.encode(call, dep)
  fit.fields(call, dep, KNOWN)
  local model = models.of(dep.model)
  local system, turns = contents.encode(call, dep, model)
  if #turns == 0 and #system > 0 then -- something has to be said by a user
    turns = json.array { json.object({ "role" }, { role = "user", parts = system }) }
    system = {}
  end
  local out = { contents = turns, generationConfig = generation_config(call, dep, model) }
  if #system > 0 then out.systemInstruction = { parts = system } end
  out.tools, out.toolConfig = tools(call, dep, model)
  return json.object(ORDER, out)
end

return request

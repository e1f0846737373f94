-- A chat completions call as a request to Anthropic's Messages API.

local chat = require "lib.chat"
local fit = require "lib.fit"
local json = require "engine.json"
local messages = require "lib.anthropic_messages"
local models = require "lib.anthropic_models"

local request = {}

local KNOWN = {}
for _, name in ipairs {
  "max_completion_tokens", "max_tokens", "parallel_tool_calls", "reasoning_effort",
  "response_format", "stop", "temperature", "thinking", "tool_choice", "tools", "top_k",
  "top_p", "user",
} do KNOWN[name] = true end

local ORDER = {
  "model", "max_tokens", "system", "messages", "tools", "tool_choice", "thinking",
  "output_config", "stop_sequences", "temperature", "top_p", "top_k", "metadata", "stream",
}

local function given(value)
  if value == json.null then return nil end
  return value
end

-- Tools --------------------------------------------------------------------------

local TOOL = { "name", "description", "input_schema", "strict", "cache_control" }
local NOTHING = '{"type":"object","properties":{}}'

-- The schema as it came; one without a type, which OpenAI lets pass, gets the only one there
-- is.
local function input_schema(parameters)
  local doc = chat.given(parameters) and json.index(json.text(parameters))
  if not doc or doc:raw("type") == nil then
    if not doc or doc:bytes():find("^%s*{%s*}%s*$") then return json.raw(NOTHING) end
    doc = doc:splice { type = "object" }
  end
  return json.raw(doc:bytes())
end

local function tool_of(tool, model, call)
  local f = tool["function"]
  local strict = f.strict == true
  if strict and not model.schema then
    call:drop("tools.strict")
    strict = false
  end
  return json.object(TOOL, {
    name = f.name, description = given(f.description),
    input_schema = input_schema(f.parameters), strict = strict or nil,
    cache_control = given(tool.cache_control) or given(f.cache_control),
  })
end

-- The names that `allowed_tools` leaves; nil where all may be called.
local function allowed_names(choice)
  local allowed = type(choice) == "table" and chat.table_or_empty(choice.allowed_tools)
  if not allowed or not allowed.tools then return nil end
  local names = {}
  for _, tool in ipairs(chat.table_or_empty(allowed.tools)) do
    names[chat.table_or_empty(chat.table_or_empty(tool)["function"]).name or ""] = true
  end
  return names
end

local function tools(call, dep, model)
  local list = given(call.body.tools)
  if type(list) ~= "table" then return nil end
  local out, allowed = json.array {}, allowed_names(call.body.tool_choice)
  for i, tool in ipairs(list) do
    local f = type(tool) == "table" and tool["function"]
    if type(f) ~= "table" then
      fit.refuse(call, dep, ("tools[%d]"):format(i - 1), "takes tools that are functions only.")
    elseif not allowed or allowed[f.name] then
      out[#out + 1] = tool_of(tool, model, call)
    end
  end
  return #out > 0 and out or nil
end

local CHOICES = { auto = "auto", required = "any", none = "none" }

local function choice_of(choice)
  if type(choice) ~= "table" then return CHOICES[choice] and { type = CHOICES[choice] } end
  local name = chat.table_or_empty(choice["function"]).name
  if name then return { type = "tool", name = name } end
  return { type = CHOICES[chat.table_or_empty(choice.allowed_tools).mode] or "auto" }
end

local function tool_choice(body)
  local out = choice_of(given(body.tool_choice)) or { type = "auto" }
  if body.parallel_tool_calls == false and out.type ~= "none" then
    out.disable_parallel_tool_use = true
  elseif out.type == "auto" then
    return nil -- what happens anyway
  end
  return json.object({ "type", "name", "disable_parallel_tool_use" }, out)
end

-- Thinking -----------------------------------------------------------------------

local BUDGETS = {
  minimal = 1024, low = 1024, medium = 2048, high = 4096, xhigh = 8192, max = 16384,
}
local EFFORTS = {
  minimal = "low", low = "low", medium = "medium", high = "high", xhigh = "xhigh", max = "max",
}
local LEAST_BUDGET = 1024

-- With a budget, a turn that called tools must begin with the thought that led there.
local function thought_is_missing(turns)
  for i = #turns, 1, -1 do
    if turns[i].role == "assistant" then
      local content = turns[i].content
      local first, last = content[1], content[#content]
      return last.type == "tool_use" and not first.type:find("thinking", 1, true)
    end
  end
  return false
end

local function adaptive(effort, model)
  if effort == "none" then return { type = "disabled" } end
  local word = EFFORTS[effort]
  if word == "xhigh" and not model.xhigh then word = "high" end
  return { type = "adaptive" }, { effort = word }
end

local function budget(effort, out)
  if effort == "none" then return nil end
  local tokens = math.min(BUDGETS[effort], out.max_tokens - 1)
  if tokens < LEAST_BUDGET or thought_is_missing(out.messages) then return nil, nil, true end
  return json.object({ "type", "budget_tokens" }, { type = "enabled", budget_tokens = tokens })
end

--- thinking, output_config for the effort asked for; names the hint where it cannot be taken.
local function think(call, model, out)
  if type(given(call.body.thinking)) == "table" then return call.body.thinking end
  local effort = given(call.body.reasoning_effort)
  if effort == nil then return nil end
  local choice = out.tool_choice and out.tool_choice.type
  local forced = choice == "any" or choice == "tool"
  local thinking, config, refused
  if BUDGETS[effort] and model.thinking and not forced or effort == "none" then
    if model.thinking == "adaptive" then
      thinking, config = adaptive(effort, model)
    elseif model.thinking == "budget" then
      thinking, config, refused = budget(effort, out)
    end
  else
    refused = true
  end
  if refused then call:drop("reasoning_effort") end
  return thinking, config
end

-- The rest -----------------------------------------------------------------------

local function max_tokens(body, dep, model)
  local asked = given(body.max_completion_tokens) or given(body.max_tokens)
  local most = dep.max_tokens or model.max_tokens
  if type(asked) ~= "number" then return most end -- ingress has looked at what is asked
  return dep.max_tokens and math.min(asked, most) or asked
end

-- What the format of the answer adds to output_config.
local function format(call, dep, model)
  local wanted = given(call.body.response_format)
  if type(wanted) ~= "table" or wanted.type == "text" then return nil end
  local schema = chat.table_or_empty(wanted.json_schema).schema
  if wanted.type == "json_schema" and model.schema and chat.given(schema) then
    return json.object({ "type", "schema" }, { type = "json_schema", schema = schema })
  end
  fit.refuse(call, dep, "response_format",
    ("does not take a `response_format` of type %s."):format(tostring(wanted.type)))
end

-- Sequences of white space are refused there.
local function stop_sequences(call)
  local stop = given(call.body.stop)
  if type(stop) == "string" then stop = { stop } end
  local out = json.array {}
  for _, text in ipairs(chat.table_or_empty(stop)) do
    if type(text) == "string" and text:find("%S") then
      out[#out + 1] = text
    else
      call:drop("stop")
    end
  end
  return #out > 0 and out or nil
end

local function takes_temperature(value, model, thinking)
  if value == 1 then return true end
  return model.sampling and not thinking and not (type(value) == "number" and value > 1)
end

local function takes_top_p(value, model, thinking)
  local near_one = type(value) == "number" and value >= 0.99
  return near_one or model.sampling and not thinking
end

local OLD_VERSION = "2023-06-01" -- the last whose requests may say how to sample

local function drop_sampling(call)
  for _, name in ipairs { "temperature", "top_k", "top_p" } do
    if chat.given(call.body[name]) then call:drop(name) end
  end
end

local function sampling(call, model, out)
  local body, thinking = call.body, out.thinking and out.thinking.type ~= "disabled"
  local temperature, top_p = given(body.temperature), given(body.top_p)
  if temperature ~= nil and not takes_temperature(temperature, model, thinking) then
    temperature = call:drop("temperature")
  end
  if top_p ~= nil and (not takes_top_p(top_p, model, thinking)
    or temperature ~= nil and model.one_sampler) then
    top_p = call:drop("top_p")
  end
  out.temperature, out.top_p, out.top_k = temperature, top_p, given(body.top_k)
  if out.top_k ~= nil and (thinking or not model.sampling) then
    out.top_k = call:drop("top_k")
  end
end

-- An opaque id is welcome there, a person's address is not.
local function metadata(call)
  local user = given(call.body.user)
  if type(user) ~= "string" or user == "" then return nil end
  if user:find("@", 1, true) then return call:drop("user") end
  return { user_id = user }
end

--- The body of the request.
function request.encode(call, dep)
  fit.fields(call, dep, KNOWN)
  local model = models.of(dep.model)
  local system, turns = messages.encode(call, dep)
  local out = {
    model = dep.model, max_tokens = max_tokens(call.body, dep, model),
    system = system, messages = turns, tools = tools(call, dep, model),
    stop_sequences = stop_sequences(call), metadata = metadata(call),
    stream = call.stream or nil,
  }
  if out.tools then out.tool_choice = tool_choice(call.body) end
  local config
  out.thinking, config = think(call, model, out)
  if (dep.provider.version or OLD_VERSION) > OLD_VERSION then
    drop_sampling(call)
  else
    sampling(call, model, out)
  end
  local wanted = format(call, dep, model)
  if wanted then
    config = config or {}
    config.format = wanted
  end
  out.output_config = config and json.object({ "effort", "format" }, config)
  return json.object(ORDER, out)
end

return request

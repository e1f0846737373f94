-- A chat completions call as a request to Anthropic's Messages API.

local chat = require "lib.chat"
local chat_length = require "lib.chat_length"
local chat_tools = require "lib.chat_tools"
local fit = require "lib.fit"
local json = require "engine.json"
local messages = require "lib.anthropic_messages"
local models = require "lib.anthropic_models"
local sampling = require "lib.anthropic_sampling"
local thinking = require "lib.anthropic_thinking"
local values = require "lib.values"

local request = {}

local given = values.given

local KNOWN = fit.known {
  "max_completion_tokens", "max_tokens", "parallel_tool_calls", "reasoning_effort",
  "response_format", "stop", "temperature", "thinking", "tool_choice", "tools", "top_k",
  "top_p", "user",
}

local ORDER = {
  "model", "max_tokens", "system", "messages", "tools", "tool_choice", "thinking",
  "output_config", "stop_sequences", "temperature", "top_p", "top_k", "metadata", "stream",
}

-- Tools --------------------------------------------------------------------------

local TOOL = { "name", "description", "input_schema", "strict", "cache_control" }

local function add_tool(out, tool, call, model)
  local f = tool["function"]
  out[#out + 1] = json.object(TOOL, {
    name = f.name, description = given(f.description),
    input_schema = chat_tools.schema(f.parameters),
    strict = chat_tools.strict(f, call, model),
    cache_control = given(tool.cache_control) or given(f.cache_control),
  })
end

local function tools(call, dep, model)
  local allowed = chat_tools.allowed(call.body.tool_choice)
  return chat_tools.functions(call, dep, allowed, add_tool, model)
end

local CHOICE = { "type", "name", "disable_parallel_tool_use" }

local function tool_choice(body)
  local kind, name = chat_tools.choice(body.tool_choice)
  local alone = body.parallel_tool_calls == false and kind ~= "none"
  if kind == "auto" and not alone then return nil end -- what happens anyway
  return json.object(CHOICE,
    { type = kind, name = name, disable_parallel_tool_use = alone or nil })
end

-- Thinking -----------------------------------------------------------------------

local function is_forced(choice)
  return choice ~= nil and (choice.type == "any" or choice.type == "tool")
end

local function calls_without_thought(turns)
  for i = #turns, 1, -1 do
    if turns[i].role == "assistant" then
      local content = turns[i].content
      local first, last = content[1], content[#content]
      return last.type == "tool_use" and not first.type:find("thinking", 1, true)
    end
  end
  return false
end

-- The rest -----------------------------------------------------------------------

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

local OLD_VERSION = "2023-06-01" -- the last whose requests may say how to sample

local function drop_sampling(call)
  for _, name in ipairs { "temperature", "top_k", "top_p" } do
    if chat.given(call.body[name]) then call:drop(name) end
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
    model = dep.deployment or dep.model,
    max_tokens = chat_length.max_tokens(call.body, dep) or model.max_tokens,
    system = system, messages = turns, tools = tools(call, dep, model),
    stop_sequences = chat_length.stops_with(call, "%S"), -- white space is refused
    metadata = metadata(call), stream = call.stream or nil,
  }
  if out.tools then out.tool_choice = tool_choice(call.body) end
  local config
  out.thinking, config = thinking.of(call, model, {
    max_tokens = out.max_tokens, forced = is_forced(out.tool_choice),
    after_tools = calls_without_thought(out.messages),
  })
  if (dep.provider.version or OLD_VERSION) > OLD_VERSION then
    drop_sampling(call)
  else
    sampling.add(call, model, out)
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

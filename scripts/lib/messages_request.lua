-- A body of Anthropic's Messages API as the body of a chat, which every adapter reads.

local chat = require "lib.chat"
local json = require "engine.json"
local notes = require "lib.notes"
local turns = require "lib.messages_turns"
local values = require "lib.values"

local request = {}

local given = values.given

-- They say how to serve a request, not what is asked for.
local HINTS = {
  billing_policy = true, cache_control = true, compaction = true, context_management = true,
  diagnostics = true, fallback_credit_token = true, fallbacks = true, inference_geo = true,
  service_tier = true, speed = true,
}
local READ = {
  max_tokens = true, messages = true, metadata = true, model = true, output_config = true,
  output_format = true, stop_sequences = true, stream = true, system = true,
  temperature = true, thinking = true, tool_choice = true, tools = true, top_k = true,
  top_p = true,
}
local ORDER = {
  "model", "messages", "max_tokens", "stream", "tools", "tool_choice", "parallel_tool_calls",
  "stop", "temperature", "top_p", "top_k", "reasoning_effort", "response_format", "user",
}

-- Tools --------------------------------------------------------------------------

-- How a tool is shown or called, which others decide for themselves.
local TOOL_HINTS = {
  "allowed_callers", "defer_loading", "eager_input_streaming", "input_examples",
}

local function tool_of(tool, at, where)
  if type(tool.name) ~= "string" then notes.broken(at .. ".name", "A tool has a name.") end
  for _, name in ipairs(TOOL_HINTS) do
    if chat.given(tool[name]) and tool[name] ~= false then
      notes.hint(where, "tools." .. name)
    end
  end
  if chat.given(tool.cache_control) then where.marked = true end
  return json.object({ "type", "function", "cache_control" }, {
    type = "function", cache_control = given(tool.cache_control),
    ["function"] = json.object({ "name", "description", "parameters", "strict" }, {
      name = tool.name, description = given(tool.description),
      parameters = given(tool.input_schema), strict = tool.strict == true or nil,
    }),
  })
end

local function tools(list, where)
  if not chat.given(list) then return nil end
  if not json.is_array(list) then
    notes.broken("tools", "`tools` is a list.")
  end
  local out = json.array {}
  for i, tool in ipairs(list) do
    local at = ("tools.%d"):format(i - 1)
    notes.check_object(tool, at, "A tool")
    if chat.given(tool.type) and tool.type ~= "custom" then
      notes.unfit(where, at, "takes tools of your own only, none that a provider runs.")
    else
      out[#out + 1] = tool_of(tool, at, where)
    end
  end
  return #out > 0 and out or nil
end

local CHOICES = { auto = "auto", any = "required", none = "none" }

local function tool_choice(choice)
  if not chat.given(choice) then return nil end
  notes.check_object(choice, "tool_choice", "`tool_choice`")
  if choice.type == "tool" and type(choice.name) == "string" then
    return json.object({ "type", "function" },
      { type = "function", ["function"] = { name = choice.name } })
  end
  if not CHOICES[choice.type] then
    notes.broken("tool_choice.type", "It is auto, any, tool (with a name) or none.")
  end
  return CHOICES[choice.type]
end

-- How to think and to answer -----------------------------------------------------

local EFFORTS = { low = true, medium = true, high = true, xhigh = true, max = true }

local function effort_of_budget(tokens)
  if type(tokens) ~= "number" then return nil end
  return tokens < 2048 and "low" or tokens < 8192 and "medium" or "high"
end

-- The effort asked for, and the member that asks.
local function effort(body, where)
  local config = chat.table_or_empty(body.output_config)
  if EFFORTS[config.effort] then
    where.words.reasoning_effort = "output_config.effort"
    return config.effort
  end
  local thinking = chat.table_or_empty(body.thinking)
  if thinking.type ~= "enabled" then return nil end
  where.words.reasoning_effort = "thinking"
  return effort_of_budget(thinking.budget_tokens)
end

local function format(body, where)
  local config = chat.table_or_empty(body.output_config)
  for name in pairs(config) do
    if name ~= "effort" and name ~= "format" then
      notes.hint(where, "output_config." .. tostring(name))
    end
  end
  local wanted = given(config.format) or given(body.output_format)
  if wanted == nil then return nil end
  wanted = chat.table_or_empty(wanted)
  if wanted.type ~= "json_schema" or not chat.given(wanted.schema) then
    notes.broken("output_config.format", "A format is a json_schema with a schema.")
  end
  return json.object({ "type", "json_schema" }, {
    type = "json_schema",
    json_schema = json.object({ "name", "schema", "strict" }, {
      name = "answer", schema = wanted.schema, strict = true,
    }),
  })
end

local function stop(list)
  if not chat.given(list) then return nil end
  if not json.is_array(list) then
    notes.broken("stop_sequences", "`stop_sequences` is a list.")
  end
  return #list > 0 and list or nil
end

-- The whole body -----------------------------------------------------------------

local function conversation(body, where)
  local out = json.array {}
  turns.system(body.system, where, out)
  if not json.is_array(body.messages) then
    notes.broken("messages", "`messages` is a list.")
  end
  turns.add(body.messages, where, out)
  return out
end

local function user_of(doc)
  local user = doc:at("metadata.user_id")
  return type(user) == "string" and user ~= "" and user or nil
end

local WORDS = {
  parallel_tool_calls = "tool_choice.disable_parallel_tool_use", stop = "stop_sequences",
  reasoning_effort = "thinking", response_format = "output_config.format",
  user = "metadata.user_id",
}
local RAW = { raw = { input = true, input_schema = true, metadata = true, schema = true } }

--- The chat's body, and what to note of it. Raises what a client must mend.
---@return table, Notes
function request.decode(doc)
  local body = doc:decode(RAW)
  local where = notes.new(WORDS)
  notes.members(body, READ, HINTS, where)
  local choice = tool_choice(body.tool_choice)
  local alone = chat.table_or_empty(body.tool_choice).disable_parallel_tool_use == true
  return json.object(ORDER, {
    model = body.model, messages = conversation(body, where),
    max_tokens = given(body.max_tokens),
    stream = body.stream == true or nil, tools = tools(body.tools, where), tool_choice = choice,
    parallel_tool_calls = notes.no(alone and choice ~= "none"),
    stop = stop(body.stop_sequences), temperature = given(body.temperature),
    top_p = given(body.top_p), top_k = given(body.top_k),
    reasoning_effort = effort(body, where),
    response_format = format(body, where), user = user_of(doc),
  }), where
end

return request

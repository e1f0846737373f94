-- A chat completions call as a request to Cohere's chat: https://docs.cohere.com/reference/chat

local chat = require "lib.chat"
local chat_length = require "lib.chat_length"
local chat_tools = require "lib.chat_tools"
local fit = require "lib.fit"
local json = require "engine.json"
local messages = require "lib.cohere_messages"
local values = require "lib.values"

local request = {}

local given = values.given

-- Its own words, which a client may use at any door of OpenAI's dialect.
local OWN = {
  "citation_options", "k", "p", "priority", "safety_mode", "stop_sequences", "strict_tools",
}

local KNOWN = fit.known(OWN, {
  "documents", "frequency_penalty", "logprobs", "max_completion_tokens", "max_tokens",
  "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed",
  "stop", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
})

local ORDER = {
  "model", "messages", "tools", "strict_tools", "tool_choice", "documents", "citation_options",
  "response_format", "safety_mode", "max_tokens", "stop_sequences", "temperature", "seed",
  "frequency_penalty", "presence_penalty", "k", "p", "logprobs", "thinking", "priority",
  "stream",
}

-- Models -------------------------------------------------------------------------

-- Those that reason; the others refuse to be told how: https://docs.cohere.com/docs/reasoning
local function model_of(dep)
  local name = dep.model:lower()
  return { thinking = name:find("reasoning", 1, true) or name:find("command%-a%-plus") }
end

-- Tools --------------------------------------------------------------------------

-- The names that may be called; nil where all may.
local function allowed_names(choice)
  if type(choice) ~= "table" then return nil end
  local one = chat.table_or_empty(choice["function"]).name
  if one then return { [one] = true } end
  local list = chat.table_or_empty(choice.allowed_tools).tools
  if type(list) ~= "table" then return nil end
  local names = {}
  for tool in chat.objects(list) do
    names[chat.table_or_empty(tool["function"]).name or ""] = true
  end
  return names
end

local TOOL, FUNCTION = { "type", "function" }, { "name", "description", "parameters" }

local function add_tool(out, tool, _, seen)
  local f = tool["function"]
  out[#out + 1] = json.object(TOOL, {
    type = "function",
    ["function"] = json.object(FUNCTION, {
      name = f.name, description = given(f.description),
      parameters = given(f.parameters) or chat_tools.NOTHING,
    }),
  })
  if f.strict == true then seen.strict = seen.strict + 1 end
end

-- Strictness holds for all tools or for none there.
local function strictness(call, strict, n)
  if strict == n then return true end
  if strict > 0 then call:drop("tools.strict") end
  return nil
end

--- tools, strict_tools
local function tools(call, dep)
  local seen = { strict = 0 }
  local out = chat_tools.functions(call, dep, allowed_names(call.body.tool_choice), add_tool,
    seen)
  if not out then return nil end
  chat_tools.refuse_alone(call, dep, out)
  return out, strictness(call, seen.strict, #out)
end

local CHOICES = { required = "REQUIRED", none = "NONE", REQUIRED = "REQUIRED", NONE = "NONE" }

-- A certain one is asked for by leaving the others out.
local function tool_choice(choice)
  if type(choice) ~= "table" then return CHOICES[choice] end
  if choice["function"] then return "REQUIRED" end
  return CHOICES[chat.table_or_empty(choice.allowed_tools).mode]
end

-- Thinking -----------------------------------------------------------------------

local BUDGETS = { minimal = 1024, low = 1024, medium = 8192 } -- beyond: as long as it takes

local THINKING = { "type", "token_budget" }

-- In Anthropic's words as in its own.
local function told(thinking)
  local budget = given(thinking.token_budget) or given(thinking.budget_tokens)
  return json.object(THINKING, {
    type = thinking.type == "disabled" and "disabled" or "enabled", token_budget = budget,
  })
end

local function think(call, model)
  local thinking, effort = given(call.body.thinking), given(call.body.reasoning_effort)
  if type(thinking) == "table" then return told(thinking) end
  if effort == nil then return nil end
  if not model.thinking then
    if effort ~= "none" then call:drop("reasoning_effort") end
    return nil
  end
  if effort == "none" then return { type = "disabled" } end
  return json.object(THINKING, { type = "enabled", token_budget = BUDGETS[effort] })
end

-- The rest -----------------------------------------------------------------------

-- Penalties are for repeating only: those that ask for it are out of range there.
local function penalty(call, name)
  local value = given(call.body[name])
  if type(value) ~= "number" or value >= 0 and value <= 1 then return value end
  return call:drop(name)
end

local LEAST_P, MOST_P = 0.01, 0.99

local function top_p(value)
  if type(value) ~= "number" then return value end
  return math.max(LEAST_P, math.min(MOST_P, value))
end

local function format(wanted)
  wanted = given(wanted)
  if type(wanted) ~= "table" or wanted.type == "text" then return nil end
  local named = wanted.json_schema
  local shape = chat.table_or_empty(named).schema
  return json.object({ "type", "json_schema" }, {
    type = "json_object", json_schema = given(shape) or json.is_raw(named) and named or nil,
  })
end

-- The client's own as they were written, before those that its messages hold.
local function documents(call, attached)
  local own = chat.given(call.body.documents) and call.doc:raw("documents")
  if not own then return #attached > 0 and attached or nil end
  if #attached == 0 then return json.raw(own) end
  local list = json.decode(own, { ordered = true })
  if not json.is_array(list) then return json.raw(own) end -- its provider says what is wrong
  for _, one in ipairs(attached) do list[#list + 1] = one end
  return list
end

--- The body of the request.
function request.encode(call, dep)
  fit.fields(call, dep, KNOWN)
  local body, model = call.body, model_of(dep)
  local turns, attached = messages.encode(call, dep, model)
  local out = { model = dep.deployment or dep.model, messages = turns }
  for _, name in ipairs(OWN) do out[name] = given(body[name]) end
  local list, strict = tools(call, dep)
  out.tools, out.strict_tools = list, out.strict_tools or strict
  out.tool_choice = list and tool_choice(given(body.tool_choice)) or nil
  out.documents, out.response_format = documents(call, attached), format(body.response_format)
  out.max_tokens, out.seed = chat_length.max_tokens(body, dep), given(body.seed)
  out.stop_sequences = out.stop_sequences or chat_length.stops(body)
  out.temperature, out.logprobs = given(body.temperature), given(body.logprobs) or nil
  out.frequency_penalty = penalty(call, "frequency_penalty")
  out.presence_penalty = penalty(call, "presence_penalty")
  out.k, out.p = out.k or given(body.top_k), out.p or top_p(given(body.top_p))
  out.thinking, out.stream = think(call, model), call.stream or nil
  return json.object(ORDER, out)
end

return request

-- A body of OpenAI's Responses API as the body of a chat, which every adapter reads.

local chat = require "lib.chat"
local fault = require "lib.fault"
local items = require "lib.responses_items"
local json = require "engine.json"
local notes = require "lib.notes"
local tools = require "lib.responses_tools"
local values = require "lib.values"

local request = {}

local given = values.given

-- They say how to serve a request, not what is asked for.
local HINTS = {
  client_metadata = true, context_management = true, max_tool_calls = true, metadata = true,
  prompt_cache_key = true, prompt_cache_options = true, prompt_cache_retention = true,
  service_tier = true,
}
local READ = {
  background = true, include = true, input = true, instructions = true,
  max_output_tokens = true, model = true, parallel_tool_calls = true, reasoning = true,
  safety_identifier = true, store = true, stream = true, stream_options = true,
  temperature = true, text = true, tool_choice = true, tools = true, top_logprobs = true,
  top_p = true, truncation = true, user = true,
}
local ORDER = {
  "model", "messages", "max_tokens", "stream", "tools", "tool_choice", "parallel_tool_calls",
  "temperature", "top_p", "reasoning_effort", "response_format", "user",
}

-- How to think and to answer -----------------------------------------------------

local THOUGHT = { effort = true, summary = true, generate_summary = true }

local function effort(value, where)
  if not chat.given(value) then return nil end
  notes.check_object(value, "reasoning", "`reasoning`")
  for name in pairs(value) do
    if not THOUGHT[name] and chat.given(value[name]) then
      notes.hint(where, "reasoning." .. tostring(name))
    end
  end
  local wanted = given(value.effort)
  if wanted ~= nil and type(wanted) ~= "string" then
    notes.broken("reasoning.effort", "An effort is a string.")
  end
  return wanted
end

local function schema(wanted)
  if type(wanted.name) ~= "string" or not chat.given(wanted.schema) then
    notes.broken("text.format", "A json_schema has a name and a schema.")
  end
  return json.object({ "type", "json_schema" }, {
    type = "json_schema",
    json_schema = json.object({ "name", "description", "schema", "strict" }, {
      name = wanted.name, description = given(wanted.description), schema = wanted.schema,
      strict = wanted.strict == true or nil,
    }),
  })
end

local function format(value, where)
  if not chat.given(value) then return nil end
  notes.check_object(value, "text", "`text`")
  if chat.given(value.verbosity) and value.verbosity ~= "medium" then
    notes.hint(where, "text.verbosity")
  end
  local wanted = given(value.format)
  if wanted == nil then return nil end
  notes.check_object(wanted, "text.format", "A format")
  if wanted.type == "text" then return nil end
  if wanted.type == "json_object" then return { type = "json_object" } end
  if wanted.type == "json_schema" then return schema(wanted) end
  notes.broken("text.format.type", "It is text, json_object or json_schema.")
end

-- The whole body -----------------------------------------------------------------

local function look_at_include(list, where)
  for _, name in ipairs(chat.table_or_empty(list)) do
    if name ~= "reasoning.encrypted_content" then notes.hint(where, "include") end
  end
end

local function look_at_members(body, where)
  notes.members(body, READ, HINTS, where)
  look_at_include(body.include, where)
  if body.store == true then notes.hint(where, "store") end
  if body.truncation == "auto" then notes.hint(where, "truncation") end
  if type(body.top_logprobs) == "number" and body.top_logprobs > 0 then
    notes.unread(where, "top_logprobs")
  end
end

local function conversation(body, where)
  local out, first = json.array {}, given(body.instructions)
  if first ~= nil and type(first) ~= "string" then
    notes.broken("instructions", "`instructions` is a string.")
  end
  if first and first ~= "" then
    out[1] = json.object({ "role", "content" }, { role = "system", content = first })
  end
  items.add(body.input, where, out)
  if #out == 0 then
    fault.raise("invalid_value", "`input` says nothing.", { param = "input" })
  end
  return out
end

local function user_of(body)
  for _, name in ipairs { "user", "safety_identifier" } do
    if type(body[name]) == "string" and body[name] ~= "" then return body[name] end
  end
  return nil
end

local WORDS = {
  max_tokens = "max_output_tokens", reasoning_effort = "reasoning.effort",
  response_format = "text.format", thinking_blocks = "input.reasoning",
}
local RAW = { raw = { parameters = true, schema = true, metadata = true } }

--- The chat's body, and what to note (lib/notes.lua); `spaces` are the flattened names of
--- functions in namespaces. Raises what a client must mend.
---@return table, Notes
function request.decode(doc)
  local body = doc:decode(RAW)
  local where = notes.new(WORDS)
  where.spaces = {}
  look_at_members(body, where)
  local list = tools.list(body.tools, where)
  local choice = tools.choice(body.tool_choice, where)
  return json.object(ORDER, {
    model = body.model, messages = conversation(body, where),
    max_tokens = given(body.max_output_tokens), stream = body.stream == true or nil,
    tools = list, tool_choice = list and choice or nil,
    parallel_tool_calls = notes.no(list and body.parallel_tool_calls == false),
    temperature = given(body.temperature), top_p = given(body.top_p),
    reasoning_effort = effort(body.reasoning, where),
    response_format = format(body.text, where), user = user_of(body),
  }), where
end

return request

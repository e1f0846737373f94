-- A chat's tools and how they may be called, as Converse's toolConfig.
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html

local chat = require "lib.chat"
local chat_tools = require "lib.chat_tools"
local content = require "lib.converse_content"
local fit = require "lib.fit"
local json = require "engine.json"
local values = require "lib.values"

local tools = {}

local text_or_nil = values.text

local SPEC = { "name", "description", "inputSchema", "strict" }

local function spec(f)
  return { toolSpec = json.object(SPEC, f) }
end

local function add(out, tool, call, where)
  local f = tool["function"]
  out[#out + 1] = spec {
    name = f.name, description = text_or_nil(f.description),
    inputSchema = { json = chat_tools.schema(f.parameters) },
    strict = chat_tools.strict(f, call, where.model),
  }
  local mark = chat.given(tool.cache_control) and tool.cache_control or f.cache_control
  if not chat.given(mark) then return end
  out[#out + 1] = content.cache_point(mark, where, where.model.caches_tools)
end

-- Who tells of calls has to tell of tools: those that were called, where the client names none.
local function called(where)
  local names, out = {}, json.array {}
  for name in pairs(where.called) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    out[i] = spec { name = name, inputSchema = { json = chat_tools.schema() } }
  end
  return out
end

-- Choices ------------------------------------------------------------------------

-- What Converse has no word for its Anthropic models hear in Anthropic's: who says more of the
-- choice than which, says it all there.
local function own_choice(kind, name, alone)
  return json.object({ "type", "name", "disable_parallel_tool_use" },
    { type = kind, name = name, disable_parallel_tool_use = alone or nil })
end

local EMPTY = json.raw("{}")

local function said(kind, name)
  if kind == "tool" then return { tool = { name = name } } end
  return kind == "any" and { any = EMPTY } or nil -- auto is what happens anyway
end

-- toolChoice, and Anthropic's tool_choice. Some clients always ask for one tool at a time
-- (LlamaIndex): where there is but one, that is dropped and named.
local function choice(call, where, kind, name)
  local alone = call.body.parallel_tool_calls == false
  if kind ~= "none" and not alone then return said(kind, name) end
  if where.model.one_tool then
    return nil, own_choice(kind, name, alone and kind ~= "none")
  end
  if kind == "none" then
    fit.refuse(call, where.dep, "tool_choice",
      "cannot be kept from calling tools that were called before.")
    return nil
  end
  if not where.many then
    call:drop "parallel_tool_calls"
    return said(kind, name)
  end
  fit.refuse(call, where.dep, "parallel_tool_calls",
    "cannot be told to call one tool at a time.")
  return said(kind, name)
end

--- toolConfig; what Anthropic's models are told beside it; whether a tool must be called. All
--- nil where there are no tools.
---@param where ConverseWhere
function tools.encode(call, where)
  local kind, name = chat_tools.choice(call.body.tool_choice)
  local history = where.answered or next(where.called) ~= nil
  if kind == "none" and not history then return nil end
  local allowed = chat_tools.allowed(call.body.tool_choice)
  local list = chat_tools.functions(call, where.dep, allowed, add, where)
  where.many = list and #list > 1
  if not list then
    if history and next(where.called) then return { tools = called(where) } end
    return nil
  end
  local word, own = choice(call, where, kind, name)
  local config = json.object({ "tools", "toolChoice" }, { tools = list, toolChoice = word })
  return config, own, kind == "any" or kind == "tool"
end

return tools

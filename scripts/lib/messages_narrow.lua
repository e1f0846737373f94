-- Anthropic's Messages at a place that knows less of them than Anthropic does. Each beta is a
-- word in a header and a member of the body that it lets in: with one half alone a request is
-- refused, without both it is served. So both go, and are named to the client.

local json = require "engine.json"
local models = require "lib.anthropic_models"
local tokens = require "engine.tokens"

local Narrow = {}
Narrow.__index = Narrow

local narrow = {}

--- What a place knows: `betas` are names, with true or the name they have there.
function narrow.new(knows)
  return setmetatable(knows, Narrow)
end

-- The header ----------------------------------------------------------------------------

local function names_in(text)
  local list = {}
  for name in (text or ""):gmatch("[^%s,]+") do list[#list + 1] = name end
  return list
end

--- The betas of a call as this place takes them, as a header's text; nil where there are none.
function Narrow:header(call, dep)
  local out, seen = {}, {}
  local function add(name)
    if not seen[name] then out[#out + 1] = name end
    seen[name] = true
  end
  local own = names_in(dep.provider.beta)
  for _, name in ipairs(own) do add(name) end
  for _, name in ipairs(names_in(call.request:header("anthropic-beta"))) do
    local known = self.betas[name]
    if known then
      add(known == true and name or known)
    elseif not seen[name] then
      call:drop("anthropic-beta." .. name)
    end
  end
  return #out > 0 and table.concat(out, ",") or nil
end

-- The body ------------------------------------------------------------------------------

-- Members of a tool that a beta lets in, and which. The first are hints; without the last one
-- every tool is at hand from the start.
local TOOL = {
  allowed_callers = "advanced-tool-use", input_examples = "tool-examples",
  eager_input_streaming = "fine-grained-tool-streaming", defer_loading = "tool-search-tool",
}

local function is_known(self, word, dep)
  for name in pairs(self.betas) do
    if name:find(word, 1, true) == 1 and self.betas[name] == true then return true end
  end
  return (dep.provider.beta or ""):find(word, 1, true) ~= nil
end

local function without_members(self, call, dep, list)
  local strict = models.of(dep.model).schema
  local changed = false
  for _, tool in ipairs(list) do
    for name, beta in pairs(TOOL) do
      if type(tool) == "table" and tool[name] ~= nil and not is_known(self, beta, dep) then
        tool[name], changed = nil, true
        call:drop("tools." .. name)
      end
    end
    if type(tool) == "table" and tool.strict ~= nil and not strict then
      tool.strict, changed = nil, true
      call:drop("tools.strict")
    end
  end
  return changed
end

local MARKS = { '"strict"' }
for name in pairs(TOOL) do MARKS[#MARKS + 1] = '"' .. name .. '"' end

local TOOLS = { ordered = true, raw = { input_schema = true, input_examples = true } }

local function tools(self, call, dep, doc)
  if doc:type("tools") ~= "array" or not tokens.mentions(doc, unpack(MARKS)) then return nil end
  local list = json.decode(doc:raw("tools"), TOOLS)
  return without_members(self, call, dep, list) and list or nil
end

-- How hard to think is said to models that know of it: others refuse the word.
local function config(edits, call, dep, doc)
  if doc:at("output_config.effort") == nil or models.of(dep.model).thinking == "adaptive" then
    return
  end
  local one = json.decode(doc:raw("output_config"), { ordered = true, raw = { schema = true } })
  one.effort = nil
  edits.output_config = next(one) ~= nil and one or json.remove
  call:drop("output_config.effort")
end

-- A mark for the cache that says for whom: the mark stays.
local function without_scope(value)
  local changed = false
  for _, member in pairs(value) do
    if type(member) == "table" and not json.is_raw(member) then
      changed = without_scope(member) or changed
    end
  end
  local mark = value.cache_control
  if type(mark) == "table" and mark.scope ~= nil then
    mark.scope, changed = nil, true
  end
  return changed
end

local PLACES = { "system", "messages", "tools" }
local OWN = {
  ordered = true, raw = { input = true, input_schema = true, input_examples = true },
}

local function scopes(self, edits, call, dep, doc)
  if is_known(self, "prompt-caching-scope", dep) or not tokens.mentions(doc, '"scope"') then
    return
  end
  for _, name in ipairs(PLACES) do
    local value = edits[name]
    if value == nil and doc:type(name) == "array" then
      value = json.decode(doc:raw(name), OWN)
    end
    if type(value) == "table" and without_scope(value) then
      edits[name] = value
      call:drop("cache_control.scope")
    end
  end
end

-- Where to cut is known only with its beta.
local function context(self, edits, call, dep, doc)
  if doc:type("context_management") and not is_known(self, "context-management", dep) then
    edits.context_management = json.remove
    call:drop("context_management")
  end
end

--- What has to change in a body: for splice().
function Narrow:edits(call, dep, doc)
  local edits = { tools = tools(self, call, dep, doc) }
  config(edits, call, dep, doc)
  context(self, edits, call, dep, doc)
  scopes(self, edits, call, dep, doc)
  return edits
end

return narrow

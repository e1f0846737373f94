-- What the doors check of a body before anybody is called: members that the gateway itself
-- relies on. Each says what is wrong as its clients are used to: `refuse` is a door's voice.

local fault = require "lib.fault"
local json = require "engine.json"

local checks = {}

local NULL = json.null

checks.TOKENS_MOST = 2 ^ 31
checks.CHOICES_MOST = 128

-- A voice: how the name of a member and what is wrong with it make a sentence.
local function voice(form)
  return function(kind, name, message)
    fault.raise(kind, form:format(name, message), { param = name })
  end
end

--- OpenAI's: "`model` must be a string."
checks.openais = voice "`%s` %s."
--- Anthropic's and Google's: "model: must be a string"
checks.others = voice "%s: %s"

--- Is there no value?
function checks.absent(value)
  return value == nil or value == NULL
end

local absent = checks.absent

--- The name of a model has to be there; `wanted` says so, where not as OpenAI does.
function checks.model(refuse, value, wanted)
  if absent(value) or value == "" then
    refuse("missing_required_parameter", "model",
      wanted or "is required: the name of a model")
  end
  if type(value) ~= "string" then refuse("invalid_type", "model", "must be a string") end
  if value:find("\0", 1, true) then refuse("invalid_value", "model", "must not hold a NUL") end
end

---@class Filled   a member that has to be there and to hold something, and the words for it
---@field name string
---@field kinds table<string, true>  as Document:type() has them
---@field wanted string  where it is not there
---@field wrong string   where it is of another kind
---@field empty string?  where it holds nothing; a text may be empty

---@param about Filled
function checks.filled(refuse, doc, about)
  local name = about.name
  local kind = doc:type(name)
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", name, about.wanted)
  end
  if not about.kinds[kind] then refuse("invalid_type", name, about.wrong) end
  if kind ~= "string" and doc:is_empty(name) then
    refuse("invalid_value", name, about.empty or "must not be empty")
  end
end

--- True, false or nothing.
function checks.truth(refuse, value, name)
  if absent(value) or type(value) == "boolean" then return end
  refuse("invalid_type", name, "must be true or false")
end

--- A whole number, or nothing.
function checks.count(refuse, value, name, least, most)
  if absent(value) then return end
  if type(value) ~= "number" or value < least or value > most or value % 1 ~= 0 then
    refuse("invalid_value", name, ("must be a whole number from %d to %d"):format(least, most))
  end
end

--- What Document:alike() found. Some servers read "Model" as "model", and the last of two wins:
--- what is checked, priced and limited here would not be what they do.
function checks.spelling(refuse, name)
  if name then refuse("invalid_value", name, "must be written in small letters") end
end

return checks

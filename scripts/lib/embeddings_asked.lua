-- What clients of OpenAI's embeddings ask, for providers that are asked in words of their own.

local fit = require "lib.fit"
local json = require "engine.json"

local asked = {}

local NULL = json.null
local USUAL = { model = true, input = true, dimensions = true, encoding_format = true }

--- Whom the client serves nobody need know; what else there is beside the usual and what is
--- `known` to a provider, it has no word for.
function asked.check_members(call, dep, known)
  local names
  for name, value in pairs(call.body) do
    if name == "user" then
      call:drop(name)
    elseif not USUAL[name] and not (known and known[name]) and value ~= NULL then
      names = names or {}
      names[#names + 1] = name
    end
  end
  if not names then return end
  table.sort(names) -- the same body is refused for the same member
  for _, name in ipairs(names) do
    fit.refuse(call, dep, name, ("does not take `%s`."):format(name))
  end
end

--- The texts of an input, as a list.
function asked.texts(input, dep)
  if type(input) == "string" then return json.array { input } end
  for _, text in ipairs(input) do
    if type(text) ~= "string" then fit.refuse_here(dep, "input", "takes texts, no tokens.") end
  end
  return input
end

return asked

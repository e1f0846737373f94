-- The families of providers, and a client's body told to each of them.

local json = require "engine.json"
local luassert = require "luassert"
local stub = require "tools.stub"
local taken = require "support.taken"

local families = {}

local LIST = {
  { "openai", "gpt-5.4" }, { "mistral", "m" }, { "gemini", "gemini-3-pro" },
  { "anthropic", "claude-opus-4-6" },
}
families.count = #LIST

--- How many are told a body that came in at a door; the others refuse it with a fault of the
--- client's. more: members of their deployments.
function families.told(door, text, more)
  local told = 0
  for _, family in ipairs(LIST) do
    local ok, err = taken(text, function()
      local dep = stub.deployment(family[1], family[2], more)
      return assert(json.decode(stub.asked(stub.visitor(door, text), dep)))
    end)
    if ok then told = told + 1 else luassert.equal(400, err.status, text) end
  end
  return told
end

return families

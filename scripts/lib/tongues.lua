-- The whole dialects that a server may speak beside a chat's. An adapter says where:
--
--   responses = "/responses"   OpenAI's Responses
--   messages = "/messages"     Anthropic's Messages
--
-- or a table with a `path` and `speaks`, a function that says of which deployments it holds.
-- Clients of these dialects then pass as they came (lib/natives.lua). Whoever speaks a chat can
-- be answered by Responses, too, where a deployment says `api = "responses"`.

local quirks = require "lib.quirks"

local tongues = {}

local MODULES = {
  responses = { name = "responses", module = "lib.responses_pass" },
  messages = { name = "anthropic", module = "lib.messages_beside" },
}

-- How a deployment is asked, where there is a choice.
local API = { one_of = { "chat", "responses" } }

-- A face that is filled when it is first looked into: most are never asked.
local function lazily(place, fill)
  return setmetatable({ path = place.path, speaks = place.speaks or false }, {
    __index = function(face, member)
      setmetatable(face, nil)
      for name, value in pairs(fill()) do
        if face[name] == nil then face[name] = value end
      end
      return face[member]
    end,
  })
end

local function passing(place, module, cost)
  return lazily(place, function()
    local face = {}
    for name, value in pairs(require(module)) do face[name] = value end
    if cost then
      face.decode = quirks.decode(face.decode, cost)
      face.stream = quirks.stream(face.stream, cost)
    end
    return face
  end)
end

local function told(responses, cost)
  return lazily(responses, function()
    return require("lib.responses_told").face(quirks.look(cost))
  end)
end

--- Add the faces of an adapter's dialects to its natives.
function tongues.add(natives, adapter, cost)
  for member, one in pairs(MODULES) do
    local place = adapter[member]
    if type(place) ~= "table" then place = place and { path = place } end
    if place then natives[one.name] = passing(place, one.module, cost) end
  end
  if natives.responses then natives.told = told(natives.responses, cost) end
end

--- The names in an adapter's natives that are its own server's, and no other's.
function tongues.own(adapter)
  local names = {}
  for member, one in pairs(MODULES) do names[one.name] = adapter[member] and true end
  names.told = true
  return names
end

--- The fields of an adapter's deployments: those it lists, and `api` where there is a choice.
function tongues.fields(adapter)
  local listed = adapter.deployment_fields
  if not (adapter.natives.responses or adapter.natives.anthropic and adapter.messages) then
    return listed
  end
  local fields = { api = API }
  for name, field in pairs(listed or {}) do fields[name] = field end
  return fields
end

return tongues

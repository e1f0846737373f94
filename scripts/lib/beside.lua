-- What servers have beside chats, passed on as it came: which module reads the answers of each,
-- loaded when it is first asked for. An adapter says in `beside` at which path it has what:
--
--   beside = { moderations = "/moderations", rerank = "/rerank" }

local quirks = require "lib.quirks"

local beside = {}

local MODULES = { moderations = "lib.moderations", rerank = "lib.rerank" }

--- All names that an adapter's `beside` may have.
beside.names = {}
for name in pairs(MODULES) do beside.names[#beside.names + 1] = name end
table.sort(beside.names)

-- A face (lib/natives.lua) whose functions are a module's.
local function lazily(name, path)
  local module = MODULES[name]
  return setmetatable({ path = path, dialect = name }, {
    __index = function(_, member) return require(module)[member] end,
  })
end

local function with_cost(face, cost)
  local function decode(...) return getmetatable(face).__index(face, "decode")(...) end
  face.decode = quirks.decode(decode, cost)
end

--- Add the faces of an adapter's `beside` to its natives. `cost` is where its answers say what
--- they cost.
function beside.add(natives, paths, cost)
  for name, path in pairs(paths or {}) do
    if not MODULES[name] then error("nobody passes on " .. tostring(name), 0) end
    natives[name] = lazily(name, path)
    if cost then with_cost(natives[name], cost) end
  end
end

--- A request's body as it came, but for the model's name.
function beside.encode(call, dep)
  local model = dep.deployment or dep.model
  if call.doc:get("model") == model then return call.doc end
  return call.doc:splice { model = model }
end

return beside

-- GET /v1/models: what this key may ask for, in a shape that OpenAI's and Anthropic's clients
-- both read.

local grants = require "lib.grants"
local json = require "engine.json"
local routing = require "pipeline.routing"
local time = require "engine.time"

local models = {}

local ORDER = { "id", "object", "type", "created", "created_at", "owned_by", "display_name" }

local function entry(cfg, name)
  return json.object(ORDER, {
    id = name, object = "model", type = "model", created = math.floor(cfg.runtime.loaded_at),
    created_at = time.iso(cfg.runtime.loaded_at), owned_by = "moongate", display_name = name,
  })
end

local function names(cfg)
  local out = {}
  for _, name in ipairs(cfg.order) do
    if not cfg.groups[name].wildcard then out[#out + 1] = name end
  end
  local aliases = {}
  for name in pairs(cfg.aliases) do aliases[#aliases + 1] = name end
  table.sort(aliases)
  for _, name in ipairs(aliases) do out[#out + 1] = name end
  return out
end

--- All of them: groups as declared, then aliases.
function models.list(call, reply, cfg)
  local data = json.array {}
  for _, name in ipairs(names(cfg)) do
    local group = routing.resolve(cfg, name)
    if group and grants.allow(cfg, call.key, group) then data[#data + 1] = entry(cfg, name) end
  end
  local order = { "object", "data", "has_more", "first_id", "last_id" }
  reply:answer(200, json.encode(json.object(order, {
    object = "list", data = data, has_more = false,
    first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null,
  })))
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- One of them, or a 404.
function models.one(call, reply, cfg)
  local name = decoded(call.model_id)
  local group = routing.resolve(cfg, name)
  if not group or not grants.allow(cfg, call.key, group) then routing.not_found(name) end
  reply:answer(200, json.encode(entry(cfg, name)))
end

return models

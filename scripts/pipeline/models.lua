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
    created_at = time.iso(cfg.runtime.loaded_at), owned_by = "moongate",
    display_name = cfg.aliases[name] or name, -- Claude Code shows it, and keeps ids of its own
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

local function allowed(call, cfg)
  local out = {}
  for _, name in ipairs(names(cfg)) do
    local group = routing.resolve(cfg, name)
    if group and grants.allow(cfg, call.key, group) then out[#out + 1] = name end
  end
  return out
end

-- In Gemini's words ----------------------------------------------------------------

local GOOGLES = { "name", "baseModelId", "version", "displayName" }

local function googles(name)
  return json.object(GOOGLES, {
    name = "models/" .. name, baseModelId = name, version = "001", displayName = name,
    supportedGenerationMethods = json.array { "generateContent", "countTokens" },
  })
end

--- All of them, for Gemini's clients.
function models.googles(call, reply, cfg)
  local out = json.array {}
  for i, name in ipairs(allowed(call, cfg)) do out[i] = googles(name) end
  reply:answer(200, json.encode { models = out })
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Anthropic's clients ask for pages; OpenAI's always get all.
local function page_asked(request)
  if not request:header("anthropic-version") then return {} end
  local out = {}
  for name, value in (request.query or ""):gmatch("([%w_]+)=([^&]*)") do
    out[name] = decoded(value)
  end
  return out
end

local function place_of(list, name)
  for i, known in ipairs(list) do
    if known == name then return i end
  end
  return nil
end

--- The names of a page: the first and the last place, and whether more follow that way.
local function page(list, asked)
  local limit = math.max(1, math.floor(tonumber(asked.limit) or #list))
  if asked.before_id then
    local last = (place_of(list, asked.before_id) or #list + 1) - 1
    local first = math.max(1, last - limit + 1)
    return first, last, first > 1
  end
  local first = (place_of(list, asked.after_id) or 0) + 1
  local last = math.min(#list, first + limit - 1)
  return first, last, last < #list
end

local ORDER_OF_LIST = { "object", "data", "has_more", "first_id", "last_id" }

--- All of them: groups as declared, then aliases; or the page that was asked for.
function models.list(call, reply, cfg)
  local list, data = allowed(call, cfg), json.array {}
  local first, last, more = page(list, page_asked(call.request))
  for i = first, last do data[#data + 1] = entry(cfg, list[i]) end
  reply:answer(200, json.encode(json.object(ORDER_OF_LIST, {
    object = "list", data = data, has_more = more,
    first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null,
  })))
end

local function asked(call, cfg)
  local name = decoded(call.model_id)
  local group = routing.resolve(cfg, name)
  if not group or not grants.allow(cfg, call.key, group) then routing.not_found(name) end
  return name
end

--- One of them, or a 404.
function models.one(call, reply, cfg)
  reply:answer(200, json.encode(entry(cfg, asked(call, cfg))))
end

--- The same for Gemini's clients.
function models.google(call, reply, cfg)
  reply:answer(200, json.encode(googles(asked(call, cfg))))
end

return models

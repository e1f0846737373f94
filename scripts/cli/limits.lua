-- The flags that keys and teams have in common, and the fields they set.

local json = require "engine.json"

local limits = {}

limits.FLAGS = {
  models = "NAMES", rpm = "N", tpm = "N", parallel = "N", budget = "$N/WINDOW",
  ["soft-budget"] = "$N/WINDOW", tags = "NAME=VALUE",
}

limits.HELP = [[
  --models A,B         models that may be asked for; `*` at the end of one is any (all)
  --rpm N, --tpm N     requests and tokens a minute
  --parallel N         requests at the same time
  --budget B,B         dollars a window, all of which hold: '$20/day,$500/month'
  --soft-budget B,B    the same, told of when crossed but not refused
  --tags NAME=V,…      tags of its usage rows]]

local SPLIT = { models = true, budget = true, ["soft-budget"] = true }

local function split(text)
  local out = json.array {}
  for part in text:gmatch("[^,]+") do out[#out + 1] = part:match("^%s*(.-)%s*$") end
  return out
end

local function tags_of(text)
  local out = {}
  for _, part in ipairs(split(text)) do
    local name, value = part:match("^([^=]+)=(.+)$")
    if not name then return nil, ("--tags %s: NAME=VALUE,…"):format(text) end
    out[name] = value
  end
  return json.object({}, out)
end

-- Numbers go as numbers where they are; what is none is for the gateway to refuse.
local function typed(name, text)
  if text == "none" then return json.null end
  if name == "tags" then return tags_of(text) end
  if SPLIT[name] then return split(text) end
  return text:find("^-?%d+$") and tonumber(text) or text
end

--- Put what `parsed` says into `body`: true, or nil and why not.
function limits.read(parsed, body)
  for name in pairs(limits.FLAGS) do
    if parsed[name] then
      local value, problem = typed(name, parsed[name])
      if value == nil then return nil, problem end
      body[name:gsub("-", "_")] = value
    end
  end
  return true
end

local function listed(list)
  return #list > 0 and table.concat(list, ", ") or "-"
end

local function or_dash(value)
  if value == json.null or value == nil then return "-" end
  return type(value) == "number" and ("%.0f"):format(value) or tostring(value)
end

--- A record as lines "name  value", in the order of `names`.
function limits.lines(record, names)
  local out, width = {}, 0
  for _, name in ipairs(names) do width = math.max(width, #name) end
  for _, name in ipairs(names) do
    local value = record[name]
    if json.is_array(value) then
      value = listed(value)
    elseif type(value) == "table" then
      local parts = {}
      for tag, text in pairs(value) do parts[#parts + 1] = tag .. "=" .. text end
      table.sort(parts)
      value = listed(parts)
    end
    out[#out + 1] = name .. (" "):rep(width - #name + 2) .. or_dash(value)
  end
  return table.concat(out, "\n")
end

-- What a ledger without its gateway cannot know: which models the routes.lua here has.
local function unmet_here(host, models)
  local cfg = host.load_config and host.load_config(host.routes)
  if not cfg or cfg.embedded then return {} end
  return require("lib.model_lists").unmet(cfg, models)
end

--- Say what in a new list of models no model answers to: easily a slip, and shows only when the
--- key is used. But a key may be made before its model.
function limits.warn(host, body, record)
  local found = record.warnings
  if not found and host.offline and type(body.models) == "table" then
    found = unmet_here(host, body.models)
  end
  for _, text in ipairs(found or {}) do
    host.complain("warning: " .. text:gsub("^models", "--models"))
  end
end

limits.listed, limits.or_dash = listed, or_dash

return limits

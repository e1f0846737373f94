-- Names with one `*`: "azure/*" covers "azure/gpt-4o", and what the `*` covered stands for the
-- `*` of a deployment's model.

local families = require "lib.families"
local prices = require "lib.prices"

local wildcard = {}

--- "azure/*" → { prefix = "azure/", suffix = "" }; nil without exactly one `*`.
function wildcard.parse(name)
  local prefix, suffix = name:match("^([^*]*)%*([^*]*)$")
  return prefix and { prefix = prefix, suffix = suffix } or nil
end

--- What the `*` covers in `name`, never nothing; nil where the pattern does not fit.
function wildcard.match(pattern, name)
  local prefix, suffix = pattern.prefix, pattern.suffix
  if #name <= #prefix + #suffix or name:sub(1, #prefix) ~= prefix then return nil end
  if suffix ~= "" and name:sub(-#suffix) ~= suffix then return nil end
  return name:sub(#prefix + 1, #name - #suffix)
end

--- The first of `groups` (cfg.wildcards: longest literal first) that covers `name`, and what
--- its `*` covers.
function wildcard.find(groups, name)
  for _, group in ipairs(groups) do
    local text = wildcard.match(group.wildcard, name)
    if text then return group, text end
  end
end

local function fill(text, by)
  return (text:gsub("%*", (by:gsub("%%", "%%%%"))))
end

local function copy(t)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  return out
end

local function concrete_deployment(dep, text)
  local one = copy(dep)
  one.model, one.wildcard = fill(dep.model, text), false
  one.provider = families.provider(dep.provider, one)
  if not dep.wildcard then return one end -- one model for all of them: one name
  one.name = dep.name:find("*", 1, true) and fill(dep.name, text) or dep.name .. "/" .. text
  local listed = not dep.own_price and prices.listed(one)
  if listed then one.price, one.rates = listed.price, listed.rates end
  return one
end

--- The group a wildcard group is for one name: its own deployments, with their own names, so
--- that one model's failures rest that model only.
function wildcard.concrete(group, name, text)
  local out = copy(group)
  out.name, out.wildcard, out.pattern, out.deployments = name, nil, group.name, {}
  for i, dep in ipairs(group.deployments) do
    out.deployments[i] = concrete_deployment(dep, text)
  end
  return out
end

return wildcard

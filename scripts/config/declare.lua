-- What each declaring word builds. Values that failed a check are the void, and are left out
-- of what is built: an error was reported, so none of it will serve.

local kinds = require "config.kinds"
local nearest = require "lib.nearest"
local place = require "config.place"
local schema = require "config.schema"
local void = require "config.void"

local declare = {}

local function known(fields)
  local out = {}
  for name, value in pairs(fields) do
    if value ~= void then out[name] = value end
  end
  return out
end

-- Deployments ------------------------------------------------------------------

-- `openai "gpt-4o"` or `openai { "gpt-4o", weight = 3 }`: the operator holds an empty table,
-- the session what it stands for.
local function deployment(session, provider, arg)
  local fields = type(arg) == "table" and arg ~= void and arg or { arg }
  local model = fields[1]
  local line = session.source:line()
  local at = place.new(session, ('deployment "%s/%s"'):format(
    provider.name, type(model) == "string" and model or "?"), line)
  local record = known(at:check(fields, schema.deployment_of(provider.adapter)))
  if model ~= void then
    local _, problem = kinds.label(model)
    if problem then
      at:error('begins with the model\'s name, such as { "gpt-4o", weight = 2 }')
      model = void
    end
  end
  if #fields > 1 then at:error "holds one model; give each its own deployment" end
  record.broken = model == void
  record.model, record.provider, record.line, record.at = model, provider, line, at
  if model ~= void then record.name = record.name or provider.name .. "/" .. model end
  local token = {}
  session.deployments[token] = record
  session.records[#session.records + 1] = record
  return token
end

-- Providers --------------------------------------------------------------------

local function adapter_of(session, at, name)
  local adapter, err = session.opts.adapter(name)
  if adapter then return adapter end
  local names = session.opts.adapters()
  for _, each in ipairs(names) do
    if each == name then
      at:error(("its adapter does not load: %s"):format(tostring(err)))
      return nil
    end
  end
  local hint = nearest.hint(name, names)
  if hint == "" then hint = "; adapters of your own are found with --providers DIR" end
  session.report:error(at.line, ('unknown provider "%s"%s'):format(name, hint))
  return nil
end

local function in_the_clear(at, provider)
  local url = provider.base_url
  local host = (provider.api_key or provider.token) and url and url:match("^http://([^/:]+)")
  if host and host ~= "localhost" and not host:match("^127%.") and host ~= "[" then
    at.session.report:warn(at:line_of("base_url"),
      at.label .. ": base_url is http, so the API key travels unencrypted")
  end
end

-- An adapter whose provider serves it no more; a base_url may name who still does.
local function gone(at, provider)
  local ended = provider.adapter.ended
  if not ended or provider.base_url then return end
  at.session.report:warn(at.line, ("%s: what it speaks to was served until %s"):format(
    at.label, ended))
end

-- Somebody else's server at its usual address, and nothing that says who asks.
local function nameless(at, provider)
  local usual = provider.adapter.base_url
  local named = provider.api_key or provider.token or provider.headers
  if named or provider.base_url or type(usual) ~= "string" then return end
  if not usual:find "^https://" or provider.adapter.sign then return end
  at.session.report:warn(at.line, ("%s: has no api_key, and is asked without one"):format(
    at.label))
end

function declare.provider(session, adapter_name, fields, line)
  local at = place.new(session, ('provider "%s"'):format(adapter_name), line)
  local adapter = adapter_of(session, at, adapter_name)
  if not adapter then return void end
  local provider = known(at:check(fields, schema.provider_of(adapter)))
  provider.name = provider.name or adapter_name
  provider.adapter_name, provider.adapter, provider.line = adapter_name, adapter, line
  if session.providers[provider.name] then
    at:error(('two providers are called "%s"; give one a name'):format(provider.name))
  end
  session.providers[provider.name] = provider
  if provider.api_key and provider.token then
    at:error("has an api_key and a token; one of them is enough", "token")
  end
  local problem = adapter.problem and adapter.problem(provider)
  if problem then at:error(problem) end
  if provider.token and provider.token.aws and not adapter.sign then
    at:error("signs no requests, which is what the keys of a role in AWS are for", "token")
  end
  in_the_clear(at, provider)
  gone(at, provider)
  nameless(at, provider)
  local function maker(arg)
    if session.loaded then error("deployments are made at the top of routes.lua", 2) end
    return deployment(session, provider, arg)
  end
  session.makers[maker] = provider.name
  return maker
end

-- Model groups -----------------------------------------------------------------

local function one_item(session, at, item)
  if item == void then return { broken = true } end
  local record = session.deployments[item]
  if record then return record end
  if session.makers[item] then
    at:error(('"%s" needs a model\'s name, such as %s "gpt-4o"'):format(
      session.makers[item], session.makers[item]:gsub("%W", "_")))
  else
    at:error(("%s is not a deployment; write it with its provider, such as openai \"gpt-4o\"")
      :format(kinds.name(item)))
  end
  return { broken = true }
end

-- Positions in order, holes left out: `cond and openai "x"` may be false.
local function items(session, at, fields)
  local positions, out = {}, {}
  for key in pairs(fields) do
    if type(key) == "number" then positions[#positions + 1] = key end
  end
  table.sort(positions)
  for _, position in ipairs(positions) do
    local item = fields[position]
    if item then out[#out + 1] = one_item(session, at, item) end
  end
  return out
end

function declare.model(session, name, fields, line)
  local at = place.new(session, ('model "%s"'):format(name), line)
  local group = known(at:check(fields, schema.model))
  group.name, group.line, group.at = name, line, at
  group.items = items(session, at, fields)
  if #group.items == 0 then at:error "has no deployment" end
  local before = session.group_by_name[name]
  if before then
    at:error(("is declared twice; the first is on line %d"):format(before.line))
  else
    session.group_by_name[name] = group
    session.groups[#session.groups + 1] = group
  end
  return name
end

-- The others -------------------------------------------------------------------

function declare.alias(session, fields, line)
  for from, to in pairs(fields) do
    local at = place.new(session, ('alias "%s"'):format(tostring(from)), line)
    if to ~= void and (type(from) ~= "string" or type(to) ~= "string") then
      at:error 'is written from = "to", both names'
    elseif to ~= void and session.aliases[from] then
      at:error "is declared twice"
    elseif to ~= void then
      session.aliases[from] = { to = to, line = at:line_of(from), at = at }
    end
  end
end

function declare.defaults(session, fields, line)
  local at = place.new(session, "defaults", line)
  if session.defaults then at:error "are set twice; put both in one table" end
  session.defaults = known(at:check(fields, schema.defaults))
end

function declare.limits(session, fields, line)
  local at = place.new(session, "limits", line)
  if session.limits then at:error "are set twice; put both in one table" end
  session.limits = known(at:check(fields, schema.limits))
  session.limits.at, session.limits.line = at, line
end

function declare.virtual_key(session, name, fields, line)
  local at = place.new(session, ('virtual_key "%s"'):format(name), line)
  local checked = at:check(fields, schema.virtual_key)
  if checked.token and checked.hash then
    at:error("has a token and a hash; one of them is enough", "hash")
  elseif not checked.token and not checked.hash then
    at:error "needs a token (env.NAME) or a hash"
  end
  local key = known(checked)
  key.name, key.line, key.at = name, line, at
  session.keys[#session.keys + 1] = key
  return name
end

return declare

-- The words of routes.lua that declare: each checks what it was given and notes it down.

local declare = require "config.declare"
local helpers = require "config.helpers"
local kinds = require "config.kinds"
local oauth = require "config.oauth"
local void = require "config.void"

local words = {}

-- A word that declares does so while the file loads, and never from a hook.
local function at_load(session, word)
  if session.loaded then
    error(('"%s" declares, so it stands at the top of routes.lua, not inside a function')
      :format(word), 3)
  end
  return session.source:line()
end

-- word "name" { fields }
local function named(session, word, build)
  return function(name)
    local line = at_load(session, word)
    if name == void then return void end
    if type(name) ~= "string" or name == "" then
      session.report:error(line, ('%s needs a name: %s "name" { }'):format(word, word))
      return void
    end
    local ticket = { word = word, name = name, line = line }
    session.pending[ticket] = true
    return function(fields)
      session.pending[ticket] = nil
      if fields == void then return void end
      if type(fields) == "table" then return build(session, name, fields, line) end
      session.report:error(line, ('%s "%s" takes a table in braces, not %s'):format(
        word, name, kinds.name(fields)))
      return void
    end
  end
end

-- word { fields }
local function plain(session, word, build)
  return function(fields)
    local line = at_load(session, word)
    if type(fields) == "table" then return build(session, fields, line) end
    session.report:error(line, ("%s takes a table in braces, not %s"):format(
      word, kinds.name(fields)))
  end
end

-- word { fields }, whose value stands in a field of another
local function valued(session, word, build)
  local take = plain(session, word, build)
  return function(fields)
    if fields == void then return void end
    return take(fields) or void
  end
end

-- word(function)
local function hook(session, word)
  return function(fn)
    local line = at_load(session, word)
    local before = session.hooks[word]
    if type(fn) ~= "function" then
      session.report:error(line, ("%s takes a function, not %s"):format(word, kinds.name(fn)))
    elseif before then
      session.report:error(line, ("%s is already set on line %d"):format(word, before.line))
    else
      session.hooks[word] = { fn = fn, line = line }
    end
  end
end

--- Every word, by name.
function words.of(session)
  local out = helpers.of(session)
  out.provider = named(session, "provider", declare.provider)
  out.model = named(session, "model", declare.model)
  out.virtual_key = named(session, "virtual_key", declare.virtual_key)
  out.alias = plain(session, "alias", declare.alias)
  out.defaults = plain(session, "defaults", declare.defaults)
  out.limits = plain(session, "limits", declare.limits)
  out.oauth = valued(session, "oauth", oauth.declare)
  out.route = hook(session, "route")
  out.on_error = hook(session, "on_error")
  out.on_usage = hook(session, "on_usage")
  return out
end

--- Words that were begun and not ended: model "x" without its table.
function words.unfinished(session)
  for ticket in pairs(session.pending) do
    session.report:error(ticket.line, ('%s "%s" is not followed by a table in braces'):format(
      ticket.word, ticket.name))
  end
end

return words

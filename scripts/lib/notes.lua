-- Notes on a body that becomes a chat's: what has no counterpart there is noted, not judged,
-- and told to whoever is asked (lib/chat_face.lua). What a client must mend is raised.

local fault = require "lib.fault"
local json = require "engine.json"
local values = require "lib.values"

local notes = {}

local NULL = json.null
local NAME_MOST = 64 -- bytes of a member's name that are repeated

---@class Notes            what a translation could not tell, for whoever is asked
---@field hints string[]   names of what no answer depends on: need not be told
---@field unfit { field: string, why: string }[]  refused, or dropped, per deployment
---@field words table<string, string>  a chat's member → the member that the client wrote
---@field marked boolean?  there are marks for a prompt cache
---@field thought boolean? there are thoughts of earlier turns

-- Checks -------------------------------------------------------------------------

--- Raise what a client must mend; `at` is the place: messages.0.content.1
function notes.broken(at, message)
  fault.raise("invalid_type", message, { param = at })
end

--- Raise where a value is no object.
function notes.check_object(value, at, what)
  if type(value) == "table" and not json.is_array(value) then return end
  notes.broken(at, what .. " is an object.")
end

--- A text that is not empty; raises where a value is none.
function notes.text(value, at, what)
  return values.text(value) or notes.broken(at, what .. " is a string.")
end

--- false where a client says no to something, else nil: nothing was said of it.
function notes.no(said)
  if said then return false end
  return nil
end

-- Notes --------------------------------------------------------------------------

--- New ones. `words` is a translation's own table; it is copied, since a body may change it.
---@return Notes
function notes.new(words)
  local out = { hints = {}, unfit = {}, words = {} }
  for name, word in pairs(words) do out.words[name] = word end
  return out
end

--- Note what nobody else can be told.
function notes.unfit(where, at, why)
  where.unfit[#where.unfit + 1] = { field = at, why = why }
end

--- Note what need not be told.
function notes.hint(where, name)
  for _, known in ipairs(where.hints) do
    if known == name then return end
  end
  where.hints[#where.hints + 1] = name
end

--- Note a member that nobody reads.
function notes.unread(where, name, at)
  notes.unfit(where, at or name, ("does not take `%s`."):format(name:sub(1, NAME_MOST)))
end

--- Is it an object or a list without members?
function notes.is_empty(value)
  return type(value) == "table" and not json.is_raw(value) and next(value) == nil
end

--- Note the members of a body that a translation does not `read`; `hints` are those that say
--- how to serve a request, not what is asked for. Where members have more names than one,
--- `first` finds the one that the two sets have.
function notes.members(body, read, hints, where, first)
  local names = {}
  for name, value in pairs(body) do
    local known = first and first(name) or name
    if not read[known] and value ~= NULL and not notes.is_empty(value) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if hints[first and first(name) or name] then
      notes.hint(where, name)
    else
      notes.unread(where, name)
    end
  end
end

return notes

-- What the code of an operator can see: the words, and the part of Lua that only computes.

local nearest = require "lib.nearest"
local place = require "config.place"
local strict = require "lib.strict"
local void = require "config.void"

local sandbox = {}

local FUNCTIONS = {
  "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type",
  "unpack",
}
local TABLE = { "concat", "insert", "maxn", "remove", "sort" }
local STRING = {
  "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
  "sub", "upper",
}
local NOT_MATH = { randomseed = true }

local function pick(from, names)
  local out = {}
  for _, name in ipairs(names) do out[name] = from[name] end
  return out
end

-- A view that cannot be changed: what one request's hook did would meet the next one's.
local function fixed(name, members)
  return setmetatable({}, {
    __index = members, __metatable = false,
    __newindex = function(_, member)
      error(("%s.%s cannot be changed"):format(name, tostring(member)), 2)
    end,
  })
end

local function library(opts)
  local out, numbers, tables = pick(_G, FUNCTIONS), {}, pick(table, TABLE)
  tables.sort = opts.sort or tables.sort
  for name, value in pairs(math) do
    if not NOT_MATH[name] then numbers[name] = value end
  end
  out.table = fixed("table", tables)
  out.string = fixed("string", pick(opts.string or string, STRING))
  out.math = fixed("math", numbers)
  return out
end

-- A name that nobody declared: reported while loading, raised in a hook.
local function complain(session, message)
  if session.loaded then error(message, 4) end
  session.report:error(session.source:line(), message)
end

--- The environment of a routes.lua: `words` over the safe library.
function sandbox.env(session, words)
  local known = library(session.opts)
  for name, value in pairs(words) do known[name] = value end
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end

  local function on_read(name)
    complain(session, place.flag(name)
      or ('unknown word "%s"%s'):format(tostring(name), nearest.hint(name, names)))
    return void
  end

  local function on_write(name, value)
    local word = rawget(known, name) ~= nil
    complain(session, place.flag(name)
      or word and ('"%s" is a word of routes.lua; call yours something else'):format(name)
      or ('"%s" is not declared; write: local %s = …'):format(tostring(name), tostring(name)))
    if not word then known[name] = value end -- so that its readers are not blamed as well
  end

  return strict.front(known, on_read, on_write)
end

return sandbox

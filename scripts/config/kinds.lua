-- The kinds of values a field can hold. Each is a function of the value and its place that
-- returns what cfg keeps, or nil and how the sentence "rpm …" goes on.

local nearest = require "lib.nearest"
local units = require "lib.units"

local kinds = {}

local INTEGERS = 2 ^ 53

--- How a wrong value is called in a message.
function kinds.name(value)
  if type(value) == "string" then
    return #value > 40 and ('"%s…"'):format(value:sub(1, 40)) or ('"%s"'):format(value)
  end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

local function must(what, value)
  return nil, ("must be %s, not %s"):format(what, kinds.name(value))
end

local function is_text(value) return type(value) == "string" and value ~= "" end

function kinds.text(value)
  if not is_text(value) then return must("a text", value) end
  return value
end

--- A name that goes into headers, labels and logs as it stands.
function kinds.label(value)
  if not is_text(value) then return must("a name", value) end
  if #value > 200 or not value:match("^[!-~]+$") then
    return nil, "must be a name of printable ASCII letters without spaces"
  end
  return value
end

--- The name of a team, or of a tag and its value: any short text on one line.
function kinds.title(value)
  if not is_text(value) then return must("a name", value) end
  if #value > 128 or value:find "%c" then return nil, "must be a name of at most 128 bytes" end
  return value
end

-- A secret is never shown, whatever is wrong with it.
function kinds.secret(value, place)
  if not is_text(value) then return must("a text, such as env.NAME", value) end
  if value:find "[%c ]" then return nil, "holds a space or a line break" end
  place:secret(value)
  return value
end

-- As addresses are written: what is only nearly one ("127.1", "0x7f.1", "2130706433") reads as
-- another one somewhere else (MATRICES.md S-10).
local function is_host(host)
  local v6 = host:match "^%[([%x:.]+)%]$"
  if v6 then return v6:find(":", 1, true) ~= nil end
  if #host > 253 or not host:find "^[%w._-]+$" then return false end
  local last = host:gsub("%.$", ""):match "[^.]*$"
  if not (last:find "^%d+$" or last:find "^0[xX]%x*$") then return true end
  local bytes = { host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for _, byte in ipairs(bytes) do
    if tonumber(byte) > 255 or byte:find "^0." then return false end
  end
  return #bytes == 4
end

local function is_authority(text)
  local host, port = text:match "^(.-):(%d+)$"
  if not host then return is_host(text) end
  return is_host(host) and #port <= 5 and tonumber(port) >= 1 and tonumber(port) <= 65535
end

function kinds.url(value)
  if not is_text(value) then return must("an address", value) end
  local host = value:match("^https?://([^/?#%s]+)[^%s?#\\%c]*$")
  if not host then return must('an address such as "https://api.example.com/v1"', value) end
  if host:find("@", 1, true) then return nil, "must not hold a password; use api_key" end
  if not is_authority(host) then
    return nil, ('has a host or a port that is none: "%s"'):format(host)
  end
  return (value:gsub("/+$", ""))
end

function kinds.count(value)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 or value > INTEGERS then
    return must("a whole number from 1", value)
  end
  return value
end

function kinds.retries(value)
  if type(value) ~= "number" or value < 0 or value % 1 ~= 0 or value > 7 then
    return must("a whole number from 0 to 7", value)
  end
  return value
end

function kinds.weight(value)
  if type(value) ~= "number" or not (value >= 0 and value < INTEGERS) then
    return must("a number from 0", value)
  end
  return value
end

function kinds.number(value)
  if type(value) ~= "number" then return must("a number", value) end
  return value
end

function kinds.flag(value)
  if type(value) ~= "boolean" then return must("true or false", value) end
  return value
end

function kinds.duration(value)
  local seconds = units.duration(value)
  if not seconds then
    if type(value) == "number" then
      return nil, ('must be written with its unit, such as "%gs", not %g'):format(value, value)
    end
    return must('a duration such as "30s" or "250ms"', value)
  end
  if seconds <= 0 then return must("longer than nothing", value) end
  return seconds
end

function kinds.date(value)
  local epoch = units.date(value)
  if not epoch then return must('a date such as "2026-12-31"', value) end
  return epoch
end

local WINDOW = 'an amount such as "$500/month" (minute, hour, day, week, month, year)'

local BUDGETS_MOST = 8 -- as engine.accounts takes them

--- One budget or a list of them → a list of { nano, window }; "ever" where none is named.
function kinds.budget(value)
  local list = type(value) == "table" and value or { value }
  local out = {}
  if #list > BUDGETS_MOST then return nil, ("may list %d at most"):format(BUDGETS_MOST) end
  for i = 1, math.max(1, #list) do
    out[i] = units.budget(list[i])
    if not out[i] then return must(WINDOW, list[i]) end
    out[i].window = out[i].window or "ever"
  end
  return out
end

function kinds.texts(value)
  if type(value) ~= "table" then return must("a list of names in braces", value) end
  local out = {}
  for i = 1, #value do
    if not is_text(value[i]) then return must("a list of names", value[i]) end
    out[i] = value[i]
  end
  if next(out) == nil then return nil, "is an empty list; leave it out to allow all" end
  return out
end

--- { name = "text" | number | boolean } → the same with text.
function kinds.pairs(value)
  if type(value) ~= "table" then return must("a table of names and values", value) end
  local out = {}
  for name, item in pairs(value) do
    local scalar = type(item) == "string" or type(item) == "number" or type(item) == "boolean"
    if not is_text(name) or not scalar then
      return nil, "must be a table of names and values, such as { team = \"search\" }"
    end
    out[name] = tostring(item)
  end
  return out
end

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$" -- of RFC 9110: what a header's name is made of

function kinds.headers(value, place)
  local out, problem = kinds.pairs(value)
  if not out then return nil, problem end
  for name, item in pairs(out) do
    if not name:match(TOKEN) or item:find "%c" then
      return nil, ('has a header "%s" that cannot be sent'):format(name)
    end
    place:secret(item)
  end
  return out
end

--- The name of one header of a client's request; no credential is one.
function kinds.header(value)
  if type(value) ~= "string" or not value:match(TOKEN) then
    return must("the name of a header", value)
  end
  value = value:lower()
  if value:find("key", 1, true) or value:find("auth", 1, true) or value == "cookie" then
    return nil, "names a header that holds a credential"
  end
  return value
end

function kinds.hash(value)
  local hex = type(value) == "string" and value:lower():match("^sha256:(%x+)$")
  if not hex or #hex ~= 64 then return nil, 'must be "sha256:" and 64 hexadecimal digits' end
  return hex
end

--- One of the given texts.
function kinds.one_of(names)
  local listed = '"' .. table.concat(names, '", "') .. '"'
  return function(value)
    for _, name in ipairs(names) do
      if value == name then return value end
    end
    local _, problem = must("one of " .. listed, value)
    return nil, problem .. nearest.hint(value, names)
  end
end

local BALANCE = { "weighted", "least_busy", "lowest_latency", "lowest_cost" }
local balance = kinds.one_of(BALANCE)

function kinds.balance(value)
  if type(value) == "function" then return value end
  local out, problem = balance(value)
  if out then return out end
  return nil, problem:gsub("must be one of", "must be a function or one of")
end

--- A table with fields of its own.
function kinds.record(schema)
  return function(value, place)
    if type(value) ~= "table" then return must("a table in braces", value) end
    return place:check(value, schema)
  end
end

--- A table of such tables, by names of the operator's choice.
function kinds.each(schema)
  return function(value, place)
    if type(value) ~= "table" then return must("a table of tables by name", value) end
    local out = {}
    for name, item in pairs(value) do
      if not kinds.title(name) then
        return nil, "is written by name, such as { search = { rpm = 60 } }"
      end
      if type(item) ~= "table" then
        return nil, ("holds %s = %s, which is no table"):format(name, kinds.name(item))
      end
      out[name] = place:inside(name):check(item, schema)
    end
    return out
  end
end

local prices = require "config.price"(kinds)

--- Dollars per million tokens, and what else is billed.
kinds.price = prices.price

return kinds

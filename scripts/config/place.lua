-- A place in routes.lua: a declaration, or a field within one. It knows its name and line, and
-- checks a table of fields against what they may hold.

local nearest = require "lib.nearest"
local void = require "config.void"

local place = {}
place.__index = place

-- What does not change while the gateway runs is a flag of `moongate serve`.
local FLAGS = {
  listen = true, admin = true, workers = true, data = true, providers = true, watch = true,
  routes = true, port = "listen", host = "listen", address = "listen", threads = "workers",
}

--- The sentence for a setting that belongs on the command line, or nil.
function place.flag(name)
  local flag = FLAGS[name]
  if not flag then return nil end
  return ("%q is not set here: it is a flag, moongate serve --%s, and cannot change while "
    .. "the gateway runs"):format(name, flag == true and name or flag)
end

--- `label` is how messages call it, such as `model "smart"`; `session` has report and source.
function place.new(session, label, line)
  return setmetatable({ session = session, label = label, line = line, path = {} }, place)
end

--- A field of this place.
function place:inside(name)
  local path = { unpack(self.path) }
  path[#path + 1] = name
  return setmetatable({
    session = self.session, label = self.label, line = self.line, path = path,
  }, place)
end

function place:line_of(name)
  local path = { unpack(self.path) }
  path[#path + 1] = name
  return self.session.source:field(self.line, path)
end

--- `model "smart": message`, on the line of field `name` where one is given.
function place:error(message, name)
  local line = name and self:line_of(name) or self.line
  self.session.report:error(line, self.label .. ": " .. message)
end

--- Remember a secret: the log never shows it, and the file should not either.
function place:secret(value)
  self.session.secret(value)
  if #value >= 8 and self.session.source.text:find(value, 1, true) then
    local line = self.session.source:field(self.line, self.path)
    self.session.report:warn(line, ('%s: %s is written in the file; use env.NAME or file')
      :format(self.label, self.path[1]))
  end
end

local function names_of(schema)
  local names = {}
  for name in pairs(schema.fields) do names[#names + 1] = name end
  return names
end

local function unknown(self, name, schema)
  local owner = self.label
  if #self.path > 0 then owner = owner .. ": " .. table.concat(self.path, ".") end
  local flag = place.flag(name)
  if flag then return self.session.report:error(self:line_of(name), flag) end
  self.session.report:error(self:line_of(name), ('%s has no field "%s"%s'):format(
    owner, name, nearest.hint(name, names_of(schema))))
end

-- A provider file that declares no fields takes any text, but a misspelt one.
local function takes(schema, name, value)
  if schema.fields[name] then return schema.fields[name] end
  if not schema.open or (type(value) ~= "string" and value ~= void) then return nil end
  return not nearest.find(name, names_of(schema)) and schema.open or nil
end

local function field(self, name, value, schema)
  local kind = takes(schema, name, value)
  if not kind then return unknown(self, name, schema) end
  if value == void then return value end
  local inner = self:inside(name)
  local out, problem = kind(value, inner)
  if problem then
    self:error(table.concat(inner.path, ".") .. " " .. problem, name)
    return void -- it was there, and has been spoken of
  end
  return out
end

local function position(self, index, value)
  self:error(("takes fields by name; %s is not one"):format(
    type(value) == "string" and ('"%s"'):format(value) or "item " .. tostring(index)))
end

-- A void was there: what is wrong with it has been said.
local function required(self, out, schema)
  local owner = #self.path > 0 and table.concat(self.path, ".") .. " needs" or "needs"
  for _, name in ipairs(schema.required or {}) do
    if out[name] == nil then self:error(('%s the field "%s"'):format(owner, name)) end
  end
  local any = not schema.one_of
  for _, name in ipairs(schema.one_of or {}) do any = any or out[name] ~= nil end
  if not any then
    self:error(('%s the field "%s"'):format(owner, table.concat(schema.one_of, '" or "')))
  end
end

--- Check `values` against `schema` = { fields = { name = kind }, required = { name… } | nil,
--- one_of = { name… } | nil, list = whether positions are somebody else's business, open = kind
--- of unknown texts | nil }.
--- Errors are reported; what is right comes back in a new table, and what is missing or wrong
--- as the void.
function place:check(values, schema)
  local out = {}
  for name, value in pairs(values) do
    if type(name) == "string" then
      out[name] = field(self, name, value, schema)
    elseif not schema.list then
      position(self, name, value)
    end
  end
  required(self, out, schema)
  return out
end

return place

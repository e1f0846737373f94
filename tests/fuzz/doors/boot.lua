-- In place of scripts/boot.lua: a gateway that does what its request's body says, call by call,
-- with values of any kind. Three bytes a call: which function, how many arguments and from
-- where. Handles of former requests stay in the pool: they are stale.

local http = require "engine.http"
local json = require "engine.json"

local MODULES = {
  "accounts", "crypto", "form", "json", "log", "metric", "overload", "shared", "tokens", "time",
}
-- What ends or holds the whole process by its nature: not for chance to call.
local NEVER = { ["time.sleep"] = true }

local POOL = 64

local functions = {}
for _, name in ipairs(MODULES) do
  local ok, module = pcall(require, "engine." .. name)
  local names = {}
  for member, value in pairs(ok and type(module) == "table" and module or {}) do
    if type(value) == "function" and not NEVER[name .. "." .. member] then
      names[#names + 1] = member
    end
  end
  table.sort(names)
  for _, member in ipairs(names) do functions[#functions + 1] = module[member] end
end

local deep = {}
for _ = 1, 100 do deep = { deep } end
local round = {}
round.round = round

local function values()
  return {
    false, true, 0, 1, -1, 0.5, 2 ^ 31, 2 ^ 53, 1e308, -1e308, 0 / 0, "", "a", "\0", "a\r\nb",
    "\255\254", ("x"):rep(70000), '{"a":[1,{"b":"c"}],"model":"m"}', "model", "a.b", {},
    { 1, 2, 3 }, { a = 1, b = { c = "d" } }, deep, round, function() return 1 end,
    coroutine.create(function() end), json.null,
  }
end

local stale = {} -- handles, the newest at the end

local function keep(value)
  if type(value) ~= "userdata" and type(value) ~= "table" then return end
  if #stale >= POOL then table.remove(stale, 1) end
  stale[#stale + 1] = value
end

-- The methods of a handle, in an order that is always the same. Where a function looks them up
-- (requests), they are its first upvalue.
local function methods_of(handle)
  local meta = debug.getmetatable(handle)
  local index = type(handle) == "table" and handle or meta and meta.__index
  if type(index) == "function" then
    local _, looked_up = debug.getupvalue(index, 1)
    index = looked_up
  end
  local names = {}
  for name, value in pairs(type(index) == "table" and index or {}) do
    if type(name) == "string" and type(value) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return index, names
end

local function pick(list, n) return list[n % #list + 1] end

local function arguments(pool, request, count, from)
  local list = {}
  for i = 1, count do
    local n = (from + i * 37) % 256
    if n >= 224 then list[i] = request elseif n >= 128 and #stale > 0 then
      list[i] = pick(stale, n)
    else
      list[i] = pick(pool, n)
    end
  end
  return list
end

local function one(pool, request, what, how, from)
  local count = how % 5
  local list, fn = arguments(pool, request, count, from), pick(functions, what)
  if how >= 128 then
    local handle = how >= 192 and request or #stale > 0 and pick(stale, from) or request
    local index, names = methods_of(handle)
    if #names == 0 then return end
    fn = index[pick(names, what)]
    table.insert(list, 1, handle)
    count = count + 1
  end
  local ok, first, second = pcall(fn, unpack(list, 1, count))
  if ok then
    keep(first)
    keep(second)
  end
end

return function(request)
  local program = request:body()
  local pool = values()
  keep(request)
  keep((http.open { url = "http://127.0.0.1:1/x", method = "POST", body = "{}",
    headers = {}, timeout = { connect = 1, total = 1 } }))
  for at = 1, #(program or "") - 2, 3 do
    local what, how, from = program:byte(at, at + 2)
    one(pool, request, what, how, from)
  end
  pcall(request.respond, request, 200, {}, "done")
  pcall(request.finish, request)
end

-- How a verb reaches keys, usage and budgets: the running gateway's admin listener, or where
-- none runs, the ledger in the data folder. The same operations answer in both.

local cli = require "engine.cli"
local json = require "engine.json"
local ledger = require "engine.ledger"
local percent = require "lib.percent"

local gateway = {}

--- The flags of every verb that asks.
gateway.FLAGS = { admin = "ADDR", data = "DIR", json = true }

gateway.HELP = [[
  --admin ADDR   the gateway's admin listener: HOST:PORT or unix:PATH
  --data DIR     the data folder (data): its gateway is asked, or where none runs, its ledger
  --json         the answer as JSON

Without either the gateway of the folder `data` is asked, else the one at 127.0.0.1:4001. A
token that its listener wants is read from MOONGATE_ADMIN_TOKEN.

Exit code: 0, 1 refused or failed, 2 wrong words, 5 nobody answers.]]

local DEFAULT = "127.0.0.1:4001"
local UNREACHABLE, MISUSED, FAILED = 5, 2, 1

-- Over HTTP --------------------------------------------------------------------------------

local function problem_of(status, body)
  local answer = json.decode(body)
  local err = type(answer) == "table" and answer.error
  if type(err) ~= "table" then
    err = { message = ("the gateway answered with status %d"):format(status) }
  end
  return {
    status = status, message = err.message, code = err.code,
    param = err.param ~= json.null and err.param or nil,
  }
end

local function over_http(address)
  local token = os.getenv("MOONGATE_ADMIN_TOKEN")
  return function(method, target, body)
    local status, text = cli.http {
      address = address, target = method .. " " .. target, token = token,
      body = body and json.encode(body),
    }
    if not status then return nil, text end
    if status >= 200 and status < 300 then return json.decode(text) end
    return nil, problem_of(status, text)
  end
end

-- The ledger itself ------------------------------------------------------------------------

local function in_ledger(opened)
  local operation = require "pipeline.admin.operation"
  local function ask(verb, args) return opened:ask(verb, args) end
  return function(method, target, body)
    local path, query = target:match("^([^?]*)%??(.*)$")
    local op, values = operation.find(method, path)
    if not op then return nil, values end
    local value, problem = operation.run(op, {
      query = query, bytes = body and json.encode(body) or "", path = values, ask = ask,
    })
    if value == nil then return nil, problem end
    return json.decode(json.encode(value))
  end
end

local function open_ledger(dir, host, named)
  local opened, err = ledger.open(dir)
  if opened then
    host.offline = true
    return in_ledger(opened)
  end
  if err.kind == "missing" then
    host.complain(("no gateway answers%s, and there is no data folder %s; --data names "
      .. "another, `moongate serve` makes one"):format(named and "" or " at " .. DEFAULT, dir))
    return nil, UNREACHABLE
  elseif err.kind == "locked" then
    host.complain(("the gateway that serves with %s has no admin listener to ask"):format(dir))
    return nil, UNREACHABLE
  end
  host.complain(err.message)
  return nil, FAILED
end

-- Which ------------------------------------------------------------------------------------

local function is_address(text)
  return text:find("^unix:.") ~= nil or text:find("^.+:%d+$") ~= nil
end

local function address_in(dir)
  local file = io.open(dir .. "/admin.addr", "r")
  if not file then return nil end
  local address = file:read("*l")
  file:close()
  return address and is_address(address) and address or nil
end

-- Does anybody answer there?
local function answers(address)
  return cli.http { address = address, target = "GET /health/live" } ~= nil
end

local function unreachable(address, host)
  host.complain("no gateway answers at " .. address)
  return nil, UNREACHABLE
end

--- What asks for this command: a function(method, target, body) → value | nil, problem; or nil
--- and the exit code, said why.
function gateway.open(parsed, host)
  if parsed.admin then
    if not is_address(parsed.admin) then
      host.complain(("--admin %s: an address is HOST:PORT or unix:PATH"):format(parsed.admin))
      return nil, MISUSED
    end
    if not answers(parsed.admin) then return unreachable(parsed.admin, host) end
    return over_http(parsed.admin)
  end
  local dir = parsed.data or "data"
  local address = address_in(dir)
  if address and answers(address) then return over_http(address) end
  if parsed.data or address then return open_ledger(dir, host, true) end
  if answers(DEFAULT) then return over_http(DEFAULT) end
  return open_ledger(dir, host, false)
end

-- Words of targets -------------------------------------------------------------------------

--- Text as a step of a path or a value of a query.
function gateway.escaped(text)
  return percent.encode(tostring(text))
end

--- "/admin/usage", { by = "team" } → "/admin/usage?by=team"
function gateway.target(path, query)
  local names, out = {}, {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do out[i] = name .. "=" .. gateway.escaped(query[name]) end
  return #out > 0 and path .. "?" .. table.concat(out, "&") or path
end

-- A field's message in the words of the command line: "budget.0 must be …" is about --budget,
-- and what JSON calls null is said `none`.
local function in_words(message, param, flags)
  local field = param:match "^[%w_]+"
  local name = field and field:gsub("_", "-")
  if not (name and flags and flags[name]) or message:find("--" .. name, 1, true) then
    return message
  end
  local rest = message:match("^" .. field .. "[%d.]* (.*)$")
  if not rest then return ("--%s: %s"):format(name, message) end
  return ("--%s %s"):format(name, (rest:gsub(" or null$", " or none")))
end

--- Say what was wrong; the exit code.
function gateway.failed(problem, host, flags)
  local message = tostring(problem.message)
  host.complain(problem.param and in_words(message, problem.param, flags) or message)
  return problem.status == 400 and 2 or FAILED
end

return gateway

-- A verb with actions behind it: `moongate keys create …`. Finds the action, reads its words,
-- and says what there is.

local args = require "cli.args"
local gateway = require "cli.gateway"
local nearest = require "lib.nearest"

local actions = {}

local function list(verb)
  local out = { verb.about, "" }
  for _, name in ipairs(verb.order) do
    out[#out + 1] = ("  moongate %s %s"):format(verb.name, verb.actions[name].says)
  end
  out[#out + 1] = ("\nmoongate %s ACTION --help tells more."):format(verb.name)
  return table.concat(out, "\n")
end

local function help_of(verb, action)
  return ("moongate %s %s\n\n%s"):format(verb.name, action.says, action.help)
end

local function merged(...)
  local out = {}
  for _, flags in ipairs { ... } do
    for name, kind in pairs(flags) do out[name] = kind end
  end
  return out
end

local function usage_error(host, verb, problem)
  host.complain(problem)
  host.complain(list(verb))
  return 2
end

local function run(verb, name, words, host)
  local action = verb.actions[name]
  local help = help_of(verb, action)
  local flags = merged(gateway.FLAGS, action.flags or {})
  local shape = { flags = flags, most = action.most, usage = help }
  local parsed, code = args.read(words, shape, host)
  if not parsed then return code end
  if #parsed < (action.least or 0) then
    local missing = name == "create" and "a new %s needs a name" or "which %s?"
    return args.misused(host, help, missing:format(verb.noun))
  end
  local body, problem = {}, nil
  if action.body then body, problem = action.body(parsed) end
  if not body then return args.misused(host, help, problem) end
  local ask, failed = gateway.open(parsed, host)
  if not ask then return failed end
  local done, why = action.run(ask, parsed, host, body)
  if done == nil then return gateway.failed(why, host, flags) end
  return 0
end

--- A verb: { name, noun, about, order = { names }, actions = { [name] = { says, help, flags,
--- least, most, body(parsed): table | nil, why; run(ask, parsed, host, body): true | nil,
--- problem } } }; returned is what main.lua calls.
function actions.of(verb)
  return function(words, host)
    local name = words[1]
    if name == "--help" or name == "-h" then
      host.print(list(verb))
      return 0
    end
    if not name then return usage_error(host, verb, "which action?") end
    if not verb.actions[name] then
      return usage_error(host, verb, ("moongate %s has no %s%s"):format(verb.name, name,
        nearest.hint(name, verb.order)))
    end
    return run(verb, name, { unpack(words, 2) }, host)
  end
end

return actions

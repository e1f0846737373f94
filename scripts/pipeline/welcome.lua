-- What `moongate serve` says once it serves: what can be asked for, and how.

local keyring = require "engine.keyring"

local welcome = {}

local SHOWN = 8

local function models(cfg)
  local names = {}
  for i = 1, math.min(#cfg.order, SHOWN) do names[i] = cfg.order[i] end
  if #cfg.order > SHOWN then names[#names + 1] = ("and %d more"):format(#cfg.order - SHOWN) end
  return table.concat(names, ", ")
end

local function is_open(cfg) return cfg.open and not keyring.is_closed() end

local function keys(cfg)
  local n = #cfg.keys.list + keyring.count()
  if is_open(cfg) then return "none needed; this machine only" end
  return ("%d virtual key%s; send one as `authorization: Bearer KEY`"):format(n,
    n == 1 and "" or "s")
end

-- The first model that is no pattern.
local function example(cfg)
  for _, name in ipairs(cfg.order) do
    if not name:find("*", 1, true) then return name end
  end
end

local function curl(cfg, address)
  local lines = {
    ("curl http://%s/v1/chat/completions"):format(address),
    [[     -H 'content-type: application/json']],
  }
  if not is_open(cfg) then lines[#lines + 1] = [[     -H "authorization: Bearer $KEY"]] end
  local messages = '[{"role":"user","content":"hello"}]'
  local body = ('{"model":"%s","messages":%s}'):format(example(cfg), messages)
  lines[#lines + 1] = "     -d '" .. body .. "'"
  return table.concat(lines, " \\\n           ")
end

--- Lines for a terminal; `address` is where clients reach us, nil where it is no host and port.
function welcome.text(cfg, address)
  local lines = { "  models   " .. models(cfg), "  keys     " .. keys(cfg) }
  if address and example(cfg) then lines[#lines + 1] = "  next     " .. curl(cfg, address) end
  return table.concat(lines, "\n") .. "\n"
end

return welcome

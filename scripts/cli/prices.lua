-- moongate prices: the table of prices in use, how one model is priced, and the import of
-- another table.

local args = require "cli.args"
local cost_map = require "cli.cost_map"
local crypto = require "engine.crypto"
local json = require "engine.json"
local nearest = require "lib.nearest"
local price_file = require "lib.price_file"
local prices = require "lib.prices"
local shown = require "cli.prices_text"
local vm = require "engine.vm"
local writer = require "cli.price_writer"

local VERB = {
  flags = { json = true, data = "DIR", date = "YYYY-MM-DD", provider = "NAME", all = true },
  most = 2,
  usage = [[
moongate prices [MODEL] [--provider NAME] [--all] [--json] [--data DIR]
moongate prices import FILE [--date YYYY-MM-DD] [--json] [--data DIR]

Prints which table of prices is in use; what a model costs, at which providers, and by which
rule that is found; or reads another table.

  --provider NAME  only this one: openai, azure, anthropic, gemini, or a section of the table
  --all            every model of the table
  --json           the same as JSON; prices in nano-dollars a million
  --data DIR       the data folder (data)

import reads LiteLLM's model_prices_and_context_window.json, checks it, and writes DATA/prices.
A price that cannot be one refuses the whole file; what looks wrong is said, model by model. A
running gateway takes it up at `moongate reload`. Without FILE's own date, today's is noted.

Exit code: 0, 1 no such model or a file that cannot be used, 2 wrong words.]],
}

-- Import -----------------------------------------------------------------------------------

local function read(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, (why:gsub("^.*: ", "")) end -- the path is said by who asks
  local text = file:read("*a")
  file:close()
  return text
end

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

-- All or nothing, and on the disk before it has the name: a crash leaves the old file or the
-- new one.
local function write(data, bytes)
  os.execute("mkdir -p -m 750 -- " .. quoted(data) .. " 2>/dev/null")
  local path = data .. "/prices"
  local new = path .. ".new"
  local file, why = io.open(new, "wb")
  if not file then return nil, why end
  local ok
  ok, why = file:write(bytes)
  if not (file:close() and ok) then
    os.remove(new)
    return nil, why or "it cannot be written"
  end
  os.execute("sync -- " .. quoted(new) .. " 2>/dev/null")
  ok, why = os.rename(new, path)
  return ok, why
end

local function where(err)
  return err.line and ("line %d: %s"):format(err.line, err.message) or err.message
end

local function is_date(text) return text:find("^%d%d%d%d%-%d%d%-%d%d$") ~= nil end

-- Bytes of the table that a cost map makes, read again as the gateway will, and what was said.
local function made_of(text, path, date)
  local map, err = cost_map.read(text)
  if not map then return nil, where(err) end
  if map.models == 0 then return nil, "it holds no model with a price" end
  local bytes = price_file.write(writer.body(map.sections), {
    date = date, source = path:match("[^/]+$"):gsub("[^%w%._-]", "_"),
    source_sha256 = crypto.sha256(text),
  }, crypto.sha256)
  local made, why = price_file.read(bytes, crypto.sha256)
  if not made then return nil, why end
  assert(made:check() == map.models, "a table that was written reads otherwise")
  return bytes, map, made
end

local function import(parsed, host)
  local path, data = parsed[2], parsed.data or "data"
  local date = parsed.date or os.date("!%Y-%m-%d")
  if not path or not is_date(date) then
    return args.misused(host, VERB.usage,
      path and "--date is written 2026-07-24" or "import needs a FILE")
  end
  local text, why = read(path)
  local bytes, map, made
  if text then bytes, map, made = made_of(text, path, date) end
  if not bytes then
    host.complain(("%s: %s; nothing was changed"):format(path, why or map))
    return 1
  end
  local ok
  ok, why = write(data, bytes)
  if not ok then
    host.complain(("%s/prices: %s"):format(data, tostring(why)))
    return 1
  end
  shown.imported(host, map, made, data .. "/prices", parsed.json)
  return 0
end

-- Show -------------------------------------------------------------------------------------

local OWN = { "openai", "azure", "anthropic", "gemini" }

-- Sections in which a model may stand: those of our adapters, then all others.
local function sections(only)
  if only then return { only } end
  local out, seen = {}, {}
  for _, name in ipairs(OWN) do out[#out + 1], seen[name] = name, true end
  local others = {}
  for _, one in ipairs(prices.tables) do
    for name in pairs(one.sections) do
      if not seen[name] then others[#others + 1], seen[name] = name, true end
    end
  end
  table.sort(others)
  for _, name in ipairs(others) do out[#out + 1] = name end
  return out
end

local function found_in(model, only)
  local out = {}
  local asked, rest = model:match("^([%w_]+)/(.+)$")
  for _, section in ipairs(sections(only)) do
    local entry, as = prices.lookup(section, model)
    if not entry and asked == section then entry, as = prices.lookup(section, rest) end
    if entry then
      out[#out + 1] = { provider = section, entry = entry, as = as, asked = model }
    end
  end
  return out
end

local function names(only)
  local out = {}
  for _, section in ipairs(sections(only)) do
    for _, one in ipairs(prices.tables) do
      for _, name in ipairs(one.sections[section] and one:names(section) or {}) do
        out[#out + 1] = name
      end
    end
  end
  return out
end

local function show_model(model, parsed, host)
  local found = found_in(model, parsed.provider)
  if #found == 0 then
    host.complain(("no price is known for %s%s"):format(model,
      nearest.hint(model, names(parsed.provider))))
    return 1
  end
  if parsed.json then
    host.print(json.encode(shown.models_json(found)))
  else
    shown.models(host, found)
  end
  return 0
end

local function show_all(parsed, host)
  local found = {}
  for _, section in ipairs(sections(parsed.provider)) do
    local seen = {}
    for _, one in ipairs(prices.tables) do
      for _, name in ipairs(one.sections[section] and one:names(section) or {}) do
        if not seen[name] then
          found[#found + 1] = { provider = section, entry = one:exact(section, name),
            as = name, asked = name }
          seen[name] = true
        end
      end
    end
  end
  if parsed.json then
    host.print(json.encode(shown.models_json(found)))
  else
    shown.list(host, found)
  end
  return 0
end

return function(list, host)
  local parsed, code = args.read(list, VERB, host)
  if not parsed then return code end
  if parsed[1] == "import" then return import(parsed, host) end
  local problem = vm.options().prices_problem
  if problem then host.complain(problem .. "; it is set aside") end
  if parsed[2] then
    host.complain("one model at a time")
    return 2
  end
  if parsed[1] then return show_model(parsed[1], parsed, host) end
  if parsed.all then return show_all(parsed, host) end
  if parsed.json then
    host.print(json.encode(shown.tables_json(prices.tables)))
  else
    shown.tables(host, prices.tables)
  end
  return 0
end

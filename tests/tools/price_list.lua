-- Writes the sections of scripts/lib/price_list.lua out of a cost map: models that chat or
-- embed, at the four providers that are built in; a dated name only where it differs from
-- its base.
--
--   luajit tests/tools/price_list.lua FILE > list.txt

package.path = "./scripts/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath
require "engine"

local cost_map = require "cli.cost_map"
local rules = require "cli.cost_rules"
local writer = require "cli.price_writer"

local MODES = { chat = true, responses = true, completion = true, embedding = true }
local OTHER = { "realtime", "image", "tts", "audio%-latest", "imagen", "veo", "live", "lyria",
  "native%-audio", "robotics", "exp", "gemma", "learnlm", "babbage", "davinci",
  "computer%-use%-preview$", "deep%-research%-pro", "gemini%-1%.5", "claude%-4%-",
  "^command", "^mistral", "container", "gemini%-omni" }
local SUFFIXES = {
  "%-%d%d%d%d%-%d%d%-%d%d$", "%-%d%d%d%d%d%d%d%d$", "%-preview%-%d%d%-%d%d%d%d$",
  "%-preview%-%d%d%-%d%d$", "%-%d%d%d%d$", "%-%d%d%d$", "%-latest$",
}

-- What the map gets wrong, and says of a dated name only.
local HOUR = { ["claude-3-haiku"] = 0.5e9, ["claude-3-opus"] = 30e9 }

local function is_wanted(entry)
  if not MODES[entry.mode or "chat"] or entry.name:find("/", 1, true) then return false end
  for _, pattern in ipairs(OTHER) do
    if entry.name:find(pattern) then return false end
  end
  return entry.tokens.input ~= nil
end

local function base_of(name)
  for _, suffix in ipairs(SUFFIXES) do
    local base, cut = name:gsub(suffix, "")
    if cut > 0 then return base end
  end
end

-- A model of another name, or of another list, that a look-up would find in its place.
local function stands_for(name, base, by_name, others)
  local found = base and by_name[base]
  if found or not others then return found end
  return others[name] or base and others[base]
end

local function section(from, others)
  local by_name, out = {}, { list = {}, default = from.default }
  for _, entry in ipairs(from.list) do
    if is_wanted(entry) then by_name[entry.name] = entry end
  end
  for name, entry in pairs(by_name) do
    local base = base_of(name)
    local other = stands_for(name, base, by_name, others)
    if not other or not rules.same_tokens(other, entry) then
      out.list[#out.list + 1] = entry
    end
    if base and not other and entry.section == "anthropic" then entry.name = base end
    if HOUR[entry.name] then entry.tokens.cache_write_1h = HOUR[entry.name] end
  end
  table.sort(out.list, function(a, b) return a.name < b.name end)
  return out, by_name
end

local map = assert(cost_map.read(assert(io.open(arg[1], "rb")):read "*a"))
local openai, known = section(map.sections.openai)
io.write(writer.body {
  openai = openai, azure = (section(map.sections.azure, known)),
  anthropic = (section(map.sections.anthropic)), gemini = (section(map.sections.gemini)),
})

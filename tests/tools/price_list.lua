-- Writes the sections of scripts/lib/price_list.lua out of a cost map: models that chat or
-- embed, at the five providers that are built in; a dated name only where it differs from
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

-- Of Bedrock's, what is served today; a profile (lib/prices.lua) where it costs otherwise.
local SERVED = {
  "^anthropic%.claude%-3%-5%-haiku", "^anthropic%.claude%-3%-7%-sonnet%-2025",
  "^anthropic%.claude%-%l+%-[4-9]", "^amazon%.nova", "^deepseek", "^meta%.llama3%-3",
  "^meta%.llama4", "^mistral%.mistral%-large%-3", "^moonshotai", "^openai",
  "^qwen%.qwen3%-coder%-next", "^qwen%.qwen3%-next", "^qwen%.qwen3%-vl", "^zai",
}

local function is_served(entry)
  local name = entry.name:match("^[%l%-]+%.(%l+%..+)$") or entry.name
  if (entry.mode or "chat") ~= "chat" or entry.name:find("[/@]") then return false end
  for _, pattern in ipairs(SERVED) do
    if name:find(pattern) and not name:find("preview", 1, true) then return true, name end
  end
  return false
end

-- A profile of another region costs as much or more; where the map says less, it errs.
local function costs_otherwise(entry, base)
  return entry.tokens.input >= base.tokens.input and not rules.same_tokens(base, entry)
end

local function bedrock(from)
  local by_name, out = {}, { list = {}, default = from.default }
  for _, entry in ipairs(from.list) do by_name[entry.name] = entry end
  for _, entry in ipairs(from.list) do
    local served, name = is_served(entry)
    local base = name ~= entry.name and by_name[name]
    if served and (not base or costs_otherwise(entry, base)) then
      out.list[#out.list + 1] = entry
    end
  end
  table.sort(out.list, function(a, b) return a.name < b.name end)
  return out
end

local map = assert(cost_map.read(assert(io.open(arg[1], "rb")):read "*a"))
local openai, known = section(map.sections.openai)
io.write(writer.body {
  openai = openai, azure = (section(map.sections.azure, known)),
  anthropic = (section(map.sections.anthropic)), gemini = (section(map.sections.gemini)),
  bedrock = bedrock(map.sections.bedrock),
})

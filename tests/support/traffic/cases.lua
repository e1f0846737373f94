-- What is to be shown of the recordings: each exchange, at each door, whole, a byte at a time,
-- and as it was cut. What cannot be says why: `exceptions.txt`, or that no adapter speaks for
-- it.

local beside = require "support.traffic.beside"
local process = require "support.process"
local providers = require "support.traffic.providers"
local recorded = require "support.recorded"

local cases = {}

cases.apis = {
  chat_completions = true, responses = true, messages = true, generate_content = true,
  stream_generate_content = true, converse = true, converse_stream = true, chat_v2 = true,
  embeddings = true, count_tokens = true, completions = true, rerank = true,
  moderations = true, images = true, ocr = true,
}
cases.doors = { "chat", "messages", "responses", "gemini" } -- of chats
cases.beside = {
  "embeddings", "embed_content", "counts", "completions", "rerank", "moderations", "images",
  "ocr",
}

local BESIDE = {
  embeddings = true, count_tokens = true, completions = true, rerank = true,
  moderations = true, images = true, ocr = true,
}

local HERE = "tests/support/traffic/"

--- The exceptions: { path (its beginning), door or *, why, used }.
function cases.exceptions()
  local list = {}
  for line in process.read(HERE .. "exceptions.txt"):gmatch "[^\n]+" do
    local path, door, why = line:match "^([^#%s]%S*)%s+(%S+)%s+(.+)$"
    if path then list[#list + 1] = { path = path, door = door, why = why } end
  end
  return list
end

local function excepted(exceptions, exchange, door)
  for _, one in ipairs(exceptions) do
    local begins = exchange.path:sub(1, #one.path) == one.path
    if begins and (one.door == "*" or one.door == door) then
      one.used = true
      return one.why
    end
  end
  return nil
end

-- Modes, and what they are called.
local function modes(exchange)
  if not exchange.stream then return { { nil, "whole" } } end
  local list = { { "whole", "whole" }, { "drip", "a byte at a time" } }
  if exchange.response.chunk_lengths then
    list[3] = { exchange.response.chunk_lengths, "as it was cut" }
  end
  return list
end

-- A deployment that failed has to rest: each failure has one of its own. Short: they are lanes
-- of the replay too.
local function group_of(exchange, n)
  if exchange.broken then return ("%s.%d"):format(exchange.provider, n) end
  local kind = exchange.api:gsub("(%w)%w*_", "%1_")
  return ("%s.%s"):format(exchange.provider, kind)
end

local function add(list, exchange, door, why)
  local spoken_by = not why and providers.of(exchange, door) or nil
  for i, mode in ipairs(modes(exchange)) do
    list[#list + 1] = {
      exchange = exchange, door = door, mode = mode[1], how = mode[2], speaker = spoken_by,
      why = why or not spoken_by and "no adapter yet" or nil,
      group = group_of(exchange, #list + i),
      name = ("%s at %s, %s"):format(exchange.path:gsub("%.json$", ""), door, mode[2]),
    }
  end
end

local function doors_of(exchange)
  return BESIDE[exchange.api] and beside.doors(exchange) or cases.doors
end

local function set(list)
  local out = {}
  for _, name in ipairs(list) do out[name] = true end
  return out
end

-- What the gateway learns from answers to other questions than were asked would move its
-- counts.
local function counts_first(list)
  local out = {}
  for _, first in ipairs { true, false } do
    for _, case in ipairs(list) do
      if (case.door == "counts") == first then out[#out + 1] = case end
    end
  end
  return out
end

--- All of them, for the doors named (all where none is); nil where the recordings are not here.
--- Second, the exceptions that no recording needs.
function cases.list(doors)
  local paths, wanted = recorded.list(cases.apis), doors and set(doors)
  if not paths then return nil end
  local list, exceptions, idle = {}, cases.exceptions(), {}
  for _, path in ipairs(paths) do
    local exchange = recorded.load(path)
    for _, door in ipairs(doors_of(exchange)) do
      local why = excepted(exceptions, exchange, door)
      if not wanted or wanted[door] then add(list, exchange, door, why) end
    end
  end
  list = counts_first(list)
  for _, one in ipairs(exceptions) do
    if not one.used then idle[#idle + 1] = one.path .. " " .. one.door end
  end
  return list, idle
end

return cases

-- Anthropic's counts in our shape (lib/usage.lua), and ours in Anthropic's.

local chat = require "lib.chat"
local json = require "engine.json"

local counts = {}

local COUNTS = {
  input_tokens = true, output_tokens = true, cache_read_input_tokens = true,
  cache_creation_input_tokens = true,
}
local WORDS = { service_tier = true, speed = true, inference_geo = true }

local function number(value)
  return type(value) == "number" and value or nil
end

-- What is negative was not said: nothing is taken away for it.
local function sane(n)
  return n and n > 0 and n or 0
end

-- Counts said so far, as later events repeat only some of them; and how it was served.
local function note(seen, said)
  for name, value in pairs(said) do
    if COUNTS[name] and type(value) == "number" or WORDS[name] then seen[name] = value end
  end
  local written = chat.table_or_empty(said.cache_creation)
  local details = chat.table_or_empty(said.output_tokens_details)
  local tools = chat.table_or_empty(said.server_tool_use)
  seen.long = number(written.ephemeral_1h_input_tokens) or seen.long
  seen.short = number(written.ephemeral_5m_input_tokens) or seen.short
  seen.thinking = number(details.thinking_tokens) or seen.thinking
  seen.searches = number(tools.web_search_requests) or seen.searches
end

-- Speed and place have prices of their own, and may come together.
local function service(seen)
  local fast, us = seen.speed == "fast", seen.inference_geo == "us"
  if fast or us then return fast and us and "us+fast" or fast and "fast" or "us" end
  local tier = seen.service_tier
  return type(tier) == "string" and tier or nil
end

--- What was said, added to what was `seen` before. What is counted apart there is one number
--- here: input_tokens includes cached ones, cache_write_tokens those written for an hour.
function counts.read(seen, said)
  note(seen, chat.table_or_empty(said))
  local fresh, read = seen.input_tokens, seen.cache_read_input_tokens or 0
  local parts = sane(seen.long) + sane(seen.short)
  local written = math.max(sane(seen.cache_creation_input_tokens), parts)
  return {
    input_tokens = fresh and fresh >= 0 and fresh + sane(read) + written or fresh,
    output_tokens = seen.output_tokens, cache_read_tokens = read,
    cache_write_tokens = written, cache_write_1h_tokens = seen.long or 0,
    reasoning_tokens = seen.thinking, service_tier = service(seen),
    units = (seen.searches or 0) ~= 0 and { web_search = seen.searches } or nil,
  }
end

local ORDER = {
  "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
  "output_tokens", "output_tokens_details",
}

--- Our counts as Anthropic says them: cached tokens are no part of input_tokens.
function counts.write(total)
  local read, written = total.cache_read_tokens or 0, total.cache_write_tokens or 0
  local long, thought = total.cache_write_1h_tokens or 0, total.reasoning_tokens or 0
  return json.object(ORDER, {
    input_tokens = math.max(0, (total.input_tokens or 0) - read - written),
    cache_creation_input_tokens = written, cache_read_input_tokens = read,
    cache_creation = written > 0 and {
      ephemeral_5m_input_tokens = math.max(0, written - long),
      ephemeral_1h_input_tokens = long,
    } or nil,
    output_tokens = total.output_tokens or 0,
    output_tokens_details = thought > 0 and { thinking_tokens = thought } or nil,
  })
end

return counts

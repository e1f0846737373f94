-- What the gateway wrote into Anthropic's words for other providers, and Anthropic itself would
-- refuse: thoughts of those that sign none, or sign otherwise, and pages that nobody encrypted.

local content = require "lib.messages_content"
local json = require "engine.json"
local sealed = require "lib.responses_sealed"
local tokens = require "engine.tokens"

local own = {}

-- How they are written (dialects/anthropic_writer.lua), with and without a blank.
local MARKS = {
  '"moongate:', '"' .. sealed.MARK, '"signature":""', '"signature": ""',
  '"encrypted_index":""', '"encrypted_index": ""',
}

local function is_own(block)
  if type(block) ~= "table" then return false end
  if block.type == "thinking" then return block.signature == "" end
  return block.type == "redacted_thinking"
    and (content.carried(block.data) ~= nil or sealed.is(block.data))
end

-- A block's citations without ours; did it have any?
local function uncite(block)
  local list = type(block) == "table" and block.citations
  if type(list) ~= "table" or json.is_raw(list) then return false end
  local out = json.array {}
  for _, one in ipairs(list) do
    if type(one) ~= "table" or one.encrypted_index ~= "" then out[#out + 1] = one end
  end
  if #out == #list then return false end
  block.citations = #out > 0 and out or nil
  return true
end

local function without(list)
  local out, changed = json.array {}, false
  for _, block in ipairs(list) do
    if not is_own(block) then
      out[#out + 1] = block
      changed = uncite(block) or changed
    end
  end
  return out, changed or #out < #list
end

local RAW = { ordered = true, raw = { input = true, content_block = true } }

--- The messages of a body without these; nil where there are none.
function own.without(doc)
  if not tokens.mentions(doc, unpack(MARKS)) then return nil end
  local list, changed = json.decode(doc:raw("messages"), RAW), false
  for _, message in ipairs(type(list) == "table" and list or {}) do
    if type(message) == "table" and type(message.content) == "table"
      and not json.is_raw(message.content) then
      local left, some = without(message.content)
      if some and #left > 0 then
        message.content, changed = left, true
      end
    end
  end
  return changed and list or nil
end

return own

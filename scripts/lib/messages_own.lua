-- Thoughts that the gateway wrote into Anthropic's words for providers that sign none, or sign
-- otherwise: Anthropic itself would refuse them.

local content = require "lib.messages_content"
local json = require "engine.json"
local sealed = require "lib.responses_sealed"
local tokens = require "engine.tokens"

local own = {}

-- How they are written (dialects/anthropic_writer.lua), with and without a blank.
local MARKS = { '"moongate:', '"' .. sealed.MARK, '"signature":""', '"signature": ""' }

local function is_own(block)
  if type(block) ~= "table" then return false end
  if block.type == "thinking" then return block.signature == "" end
  return block.type == "redacted_thinking"
    and (content.carried(block.data) ~= nil or sealed.is(block.data))
end

local function without(list)
  local out = json.array {}
  for _, block in ipairs(list) do
    if not is_own(block) then out[#out + 1] = block end
  end
  return out, #out < #list
end

local RAW = { ordered = true, raw = { input = true, content_block = true } }

--- The messages of a body without them; nil where there are none.
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

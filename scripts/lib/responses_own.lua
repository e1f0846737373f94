-- Thoughts of other providers as items of Responses: what they signed travels as the encrypted
-- content of a reasoning item. OpenAI itself would refuse such items.

local content = require "lib.messages_content"
local json = require "engine.json"
local tokens = require "engine.tokens"

local own = {}

local SIGNED, REDACTED, GOOGLE = "moongate:signed:", "moongate:redacted:", "moongate:google:"
local MARKS = { '"moongate:', '"rs_moongate_' }

--- A signed or redacted block of thought as encrypted content.
function own.sealed(block)
  if block.type == "redacted_thinking" then return REDACTED .. block.data end
  return SIGNED .. block.signature
end

--- The signature of a tool call (Gemini's), named for the call it belongs to.
own.carry = content.carry

local function after(text, head)
  return text:sub(1, #head) == head and text:sub(#head + 1) or nil
end

--- What such content says: "signed" and the signature, "redacted" and the data, "google", the
--- call's id and its signature; nil for what others wrote.
function own.opened(text)
  if type(text) ~= "string" then return nil end
  local signature, data = after(text, SIGNED), after(text, REDACTED)
  if signature then return "signed", signature end
  if data then return "redacted", data end
  if after(text, GOOGLE) then return "google", content.carried(text) end
  return nil
end

--- The id of a reasoning item that the gateway writes.
function own.id(id, index)
  return ("rs_moongate_%s_%d"):format(id, index)
end

--- Is this the id of such an item?
function own.named(id)
  return type(id) == "string" and after(id, "rs_moongate_") ~= nil
end

local THOUGHTS = { reasoning = true, item_reference = true }

local function is_own(item)
  if type(item) ~= "table" or not THOUGHTS[item.type] then return false end
  local sealed = item.encrypted_content
  return type(sealed) == "string" and after(sealed, "moongate:") ~= nil or own.named(item.id)
end

local RAW = { ordered = true, raw = { content = true, output = true, arguments = true } }

--- The input of a body without them; nil where there are none.
function own.without(doc)
  if doc:type("input") ~= "array" or not tokens.mentions(doc, unpack(MARKS)) then return nil end
  local list, out = json.decode(doc:raw("input"), RAW), json.array {}
  for _, item in ipairs(list) do
    if not is_own(item) then out[#out + 1] = item end
  end
  return #out > 0 and #out < #list and out or nil
end

return own

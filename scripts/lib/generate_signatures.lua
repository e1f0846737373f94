-- Signatures of thoughts, as Gemini's clients carry them: bytes in base64, given back as they
-- came. Anthropic's are base64 too, so behind "moongate:" (or "moongate." for thoughts that are
-- hidden), which is twelve letters in base64, they still are; nobody takes them for Google's.

local json = require "engine.json"
local message = require "lib.chat_message"
local tokens = require "engine.tokens"

-- Newer models refuse a call of a tool without the signature they gave it. NONE, Google's own,
-- stands in where a client did not keep it or another provider made the call.
local signatures = { NONE = "skip_thought_signature_validator" }

local SIGNED, HIDDEN = "bW9vbmdhdGU6", "bW9vbmdhdGUu"

local function tail(value, mark)
  return value:sub(1, #mark) == mark and value:sub(#mark + 1) or nil
end

--- Google's own; nil for others.
function signatures.googles(value)
  if type(value) ~= "string" or value == "" then return nil end
  if tail(value, SIGNED) or tail(value, HIDDEN) then return nil end
  return value
end

--- A block of thought as a part.
function signatures.part(block)
  local hidden = block.type == "redacted_thinking"
  return json.object({ "text", "thought", "thoughtSignature" }, {
    text = hidden and "" or block.thinking or "", thought = true,
    thoughtSignature = (hidden and HIDDEN or SIGNED) .. (block.data or block.signature or ""),
  })
end

--- The block of thought that such a part was; nil for others.
function signatures.block(value, text)
  if type(value) ~= "string" then return nil end
  local signature, data = tail(value, SIGNED), tail(value, HIDDEN)
  if data and data ~= "" then
    return message.hidden(data)
  end
  if not signature or signature == "" then return nil end
  return message.signed(text, signature)
end

local RAW = { ordered = true, raw = { args = true, response = true } }

local function is_own(part)
  if type(part) ~= "table" then return false end
  local value = part.thoughtSignature or part.thought_signature
  return type(value) == "string" and signatures.googles(value) == nil and value ~= ""
end

local function without(list)
  local out = json.array {}
  for _, part in ipairs(list) do
    if not is_own(part) then out[#out + 1] = part end
  end
  return out, #out < #list
end

--- The contents of a body without thoughts that others signed, which Google would refuse; nil
--- where there are none.
function signatures.strip(doc)
  if not tokens.mentions(doc, '"' .. SIGNED, '"' .. HIDDEN) then return nil end
  local list, changed = json.decode(doc:raw("contents"), RAW), false
  for _, turn in ipairs(type(list) == "table" and list or {}) do
    if type(turn) == "table" and type(turn.parts) == "table" then
      local left, some = without(turn.parts)
      if some and #left > 0 then turn.parts, changed = left, true end
    end
  end
  return changed and list or nil
end

return signatures

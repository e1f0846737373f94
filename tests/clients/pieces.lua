-- What the families of providers have in common: texts in pieces, events, and what was asked.

require "engine"
local json = require "engine.json"

local pieces = {}

--- A text in several pieces, cut between characters.
function pieces.of(text)
  local list, size, piece = {}, math.ceil(#text / 4), ""
  for character in text:gmatch "[%z\1-\127\192-\255][\128-\191]*" do
    piece = piece .. character
    if #piece >= size then
      list[#list + 1], piece = piece, ""
    end
  end
  if piece ~= "" then list[#list + 1] = piece end
  return list
end

--- Values as events; each has its type as its name too, where `named`.
function pieces.events(list, named)
  local out = {}
  for i, value in ipairs(list) do
    local name = named and ("event: %s\n"):format(value.type) or ""
    out[i] = ("%sdata: %s\n\n"):format(name, json.encode(value))
  end
  return table.concat(out)
end

--- Something of every call, in a list.
function pieces.each(calls, make)
  local list = {}
  for i, call in ipairs(calls) do list[i] = make(call, i) end
  return list
end

--- What a request says, before it is read.
function pieces.asked(model, stream)
  return {
    model = model, stream = stream, system = "", question = "",
    tools = {}, calls = {}, results = {},
  }
end

--- The texts of a list of parts in one; of a text, that.
function pieces.text(content)
  if type(content) == "string" then return content end
  local list = {}
  for _, part in ipairs(type(content) == "table" and content or {}) do
    list[#list + 1] = type(part.text) == "string" and part.text or nil
  end
  return table.concat(list)
end

return pieces

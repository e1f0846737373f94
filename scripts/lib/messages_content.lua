-- What stands in the content of Anthropic's messages, as parts of a chat's: for providers of
-- another dialect. `where` are the notes on what has no counterpart (lib/notes.lua).

local chat = require "lib.chat"
local json = require "engine.json"
local notes = require "lib.notes"
local values = require "lib.values"

local content = {}

local given_text = values.text

local TEXT = { "type", "text", "cache_control" }

local function mark_of(block, where)
  if not chat.given(block.cache_control) then return nil end
  where.marked = true
  return block.cache_control
end

local function text_part(text, block, where)
  return json.object(TEXT, {
    type = "text", text = text, cache_control = block and mark_of(block, where),
  })
end

-- Blocks -------------------------------------------------------------------------

local function text(block, at, where)
  if type(block.text) ~= "string" then notes.broken(at .. ".text", "A text is a string.") end
  if chat.given(block.citations) and #chat.table_or_empty(block.citations) > 0 then
    notes.hint(where, "citations")
  end
  return text_part(block.text, block, where)
end

-- The address under which a source is reached: inside, or elsewhere. Nil for files of theirs.
local function address(source, at, media_type)
  if source.type == "url" then
    if type(source.url) ~= "string" then notes.broken(at .. ".url", "A URL is a string.") end
    return source.url
  end
  if source.type ~= "base64" then return nil end
  if type(source.data) ~= "string" then notes.broken(at .. ".data", "Data is a string.") end
  local kind = given_text(source.media_type) or media_type
  if not kind then notes.broken(at .. ".media_type", "Data has a media type.") end
  return ("data:%s;base64,%s"):format(kind, source.data)
end

local function source_of(block, at)
  if type(block.source) ~= "table" then
    notes.broken(at .. ".source", "A source is an object.")
  end
  return block.source
end

local function image(block, at, where)
  local url = address(source_of(block, at), at .. ".source")
  if not url then
    return notes.unfit(where, at .. ".source", "does not take images by the id of a file.")
  end
  return json.object({ "type", "image_url", "cache_control" }, {
    type = "image_url", image_url = { url = url }, cache_control = mark_of(block, where),
  })
end

local function attribute(name, value)
  if not given_text(value) then return "" end
  local safe = value:gsub("[<>\"]", { ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })
  return (' %s="%s"'):format(name, safe)
end

-- A text with a name, in the words of a prompt.
local function tagged(tag, attributes, body)
  return ("<%s%s>\n%s\n</%s>"):format(tag, attributes, body, tag)
end

local function document_text(block, body, where)
  local about = attribute("title", block.title) .. attribute("context", block.context)
  return text_part(tagged("document", about, body), block, where)
end

-- Pictures in a document of blocks stand behind its texts.
local function document_of_blocks(block, at, where)
  local inside = content.parts(block.source.content, at .. ".source.content", where)
  local out = { document_text(block, chat.text(inside), where) }
  for _, part in ipairs(inside) do
    if part.type ~= "text" then out[#out + 1] = part end
  end
  return unpack(out)
end

local function document(block, at, where)
  local source = source_of(block, at)
  if chat.table_or_empty(block.citations).enabled == true then
    notes.hint(where, "citations")
  end
  if source.type == "text" and type(source.data) == "string" then
    return document_text(block, source.data, where)
  end
  if source.type == "content" then return document_of_blocks(block, at, where) end
  local url = address(source, at .. ".source", "application/pdf")
  if not url then
    notes.unfit(where, at .. ".source", "does not take documents by the id of a file.")
    return
  end
  return json.object({ "type", "file", "cache_control" }, {
    type = "file", cache_control = mark_of(block, where),
    file = json.object({ "filename", "file_data" }, {
      filename = given_text(block.title) or "document.pdf", file_data = url,
    }),
  })
end

local function search_result(block, at, where)
  local body = chat.text(content.parts(block.content, at .. ".content", where))
  local about = attribute("source", block.source) .. attribute("title", block.title)
  return text_part(tagged("search_result", about, body), block, where)
end

local BLOCKS = {
  text = text, image = image, document = document, search_result = search_result,
}

-- Lists --------------------------------------------------------------------------

--- The blocks of a content, each with its place: a text stands for one block of it.
function content.blocks(value, at)
  if type(value) == "string" then return { { type = "text", text = value } } end
  if not chat.given(value) then return {} end
  if not json.is_array(value) then
    notes.broken(at, "Content is text or a list of blocks.")
  end
  for i, block in ipairs(value) do
    notes.check_object(block, ("%s.%d"):format(at, i - 1), "A block")
  end
  return value
end

--- The parts that one block becomes, appended to `out`.
function content.add(out, block, at, where)
  local make = BLOCKS[block.type]
  if not make then
    local kind = type(block.type) == "string" and block.type:sub(1, 64) or "unknown"
    notes.unfit(where, at, ("does not take blocks of type `%s`."):format(kind))
    return
  end
  for _, part in ipairs { make(block, at, where) } do
    if part.text ~= "" then out[#out + 1] = part end
  end
end

--- The parts of a content that holds nothing but texts, pictures and documents.
function content.parts(value, at, where)
  local out = json.array {}
  for i, block in ipairs(content.blocks(value, at)) do
    content.add(out, block, ("%s.%d"):format(at, i - 1), where)
  end
  return out
end

-- Signatures of others -----------------------------------------------------------

-- Gemini signs calls of tools. Clients of Messages give blocks of thought back as they came,
-- so the signature travels as a redacted one, which names the call.
local CARRIER = "moongate:google:"

--- A call's signature as the data of a redacted thought.
function content.carry(id, signature)
  return CARRIER .. id .. ":" .. signature
end

--- id and signature of such a block; nil for others.
function content.carried(data)
  if type(data) ~= "string" or data:sub(1, #CARRIER) ~= CARRIER then return nil end
  return data:sub(#CARRIER + 1):match("^(.+):([^:]+)$")
end

return content

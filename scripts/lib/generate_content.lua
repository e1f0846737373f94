-- What stands in the parts of Gemini's contents, as parts of a chat's: for providers of another
-- dialect.

local chat = require "lib.chat"
local json = require "engine.json"
local notes = require "lib.notes"
local spelling = require "lib.spelling"

local parts = {}

local of = spelling.of

--- Where their servers take a list, they take one alone too.
function parts.list(value, at)
  if not chat.given(value) then return {} end
  if type(value) ~= "table" or json.is_raw(value) then
    notes.broken(at, "It is a list of objects.")
  end
  return json.is_array(value) and value or { value }
end

-- Media --------------------------------------------------------------------------

local AUDIO = {
  ["audio/wav"] = "wav", ["audio/x-wav"] = "wav", ["audio/mp3"] = "mp3",
  ["audio/mpeg"] = "mp3",
}
local BY_NAME = {
  gif = "image/gif", jpeg = "image/jpeg", jpg = "image/jpeg", png = "image/png",
  webp = "image/webp", pdf = "application/pdf",
}

local function picture(url)
  return json.object({ "type", "image_url" }, { type = "image_url", image_url = { url = url } })
end

local function file(url, name)
  return json.object({ "type", "file" }, {
    type = "file",
    file = json.object({ "filename", "file_data" }, {
      filename = name or "document.pdf", file_data = url,
    }),
  })
end

local function name_of(data)
  local name = of(data, "displayName")
  return type(name) == "string" and name ~= "" and name or nil
end

local function inline(data, at, where)
  notes.check_object(data, at, "inlineData")
  local kind = notes.text(of(data, "mimeType"), at .. ".mimeType", "A media type"):lower()
  local bytes = notes.text(data.data, at .. ".data", "Data")
  if kind:find("^image/") then return picture(("data:%s;base64,%s"):format(kind, bytes)) end
  if AUDIO[kind] then
    return json.object({ "type", "input_audio" }, {
      type = "input_audio",
      input_audio = json.object({ "data", "format" }, { data = bytes, format = AUDIO[kind] }),
    })
  end
  if kind == "application/pdf" then
    return file(("data:%s;base64,%s"):format(kind, bytes), name_of(data))
  end
  return notes.unfit(where, at, ("does not take data of type %s."):format(kind:sub(1, 64)))
end

-- Files that a client has put with Google are nobody else's to read.
local function is_theirs(url)
  return not url:find("^https?://") or url:find("^https?://[^/]*googleapis%.com/") ~= nil
end

local function by_address(data, at, where)
  notes.check_object(data, at, "fileData")
  local url = notes.text(of(data, "fileUri"), at .. ".fileUri", "A URI")
  local kind = of(data, "mimeType") or BY_NAME[(url:match("%.(%w+)[?#]?[^/]*$") or ""):lower()]
  if is_theirs(url) then
    return notes.unfit(where, at, "does not take files of Google's.")
  end
  if type(kind) == "string" and kind:lower():find("^image/") then return picture(url) end
  if kind == "application/pdf" then return file(url, name_of(data)) end
  return notes.unfit(where, at, "takes images and PDF documents by their address only.")
end

-- Parts --------------------------------------------------------------------------

-- What a part may be, beside a call of a function and its result.
local OTHERS = {
  "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "functionCall",
  "functionResponse",
}

local function kind_of(part)
  for _, name in ipairs(OTHERS) do
    if of(part, name) ~= nil then return name end
  end
  return nil
end

--- Is a part nothing but its signature?
function parts.is_empty(part)
  return part.text == nil and kind_of(part) == nil and of(part, "inlineData") == nil
    and of(part, "fileData") == nil
end

--- The part of a chat that one becomes, appended to `out`.
function parts.add(out, part, at, where)
  local made
  if chat.given(part.text) then
    if type(part.text) ~= "string" then notes.broken(at .. ".text", "A text is a string.") end
    made = part.text ~= "" and json.object({ "type" }, { type = "text", text = part.text })
  elseif of(part, "inlineData") ~= nil then
    made = inline(of(part, "inlineData"), at .. ".inlineData", where)
  elseif of(part, "fileData") ~= nil then
    made = by_address(of(part, "fileData"), at .. ".fileData", where)
  elseif kind_of(part) then
    local name = kind_of(part)
    notes.unfit(where, at .. "." .. name, ("does not take `%s` here."):format(name))
  end
  if made then out[#out + 1] = made end
end

return parts

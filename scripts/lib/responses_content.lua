-- What stands in the content of Responses' items, as parts of a chat's.

local chat = require "lib.chat"
local json = require "engine.json"
local notes = require "lib.notes"

local parts = {}

local function text(part, at)
  local value = part.text
  if part.type == "refusal" then value = part.refusal end
  if type(value) ~= "string" then notes.broken(at .. ".text", "A text is a string.") end
  return json.object({ "type", "text" }, { type = "text", text = value })
end

local function by_id(at, where, what)
  notes.unfit(where, at .. ".file_id", "does not take " .. what .. " by the id of a file.")
end

local function image(part, at, where)
  if not chat.given(part.image_url) then return by_id(at, where, "images") end
  if type(part.image_url) ~= "string" then
    notes.broken(at .. ".image_url", "An image's address is a string.")
  end
  local detail = type(part.detail) == "string" and part.detail ~= "auto" and part.detail or nil
  return json.object({ "type", "image_url" }, {
    type = "image_url",
    image_url = json.object({ "url", "detail" }, { url = part.image_url, detail = detail }),
  })
end

local function file(part, at, where)
  local data = chat.given(part.file_data) and part.file_data
    or chat.given(part.file_url) and part.file_url
  if not data then return by_id(at, where, "files") end
  if type(data) ~= "string" then notes.broken(at .. ".file_data", "A file is a string.") end
  local name = type(part.filename) == "string" and part.filename ~= "" and part.filename
  return json.object({ "type", "file" }, {
    type = "file", file = json.object({ "filename", "file_data" }, {
      filename = name or "document.pdf", file_data = data,
    }),
  })
end

local function audio(part, at)
  notes.check_object(part.input_audio, at .. ".input_audio", "Sound")
  return json.object({ "type", "input_audio" }, {
    type = "input_audio", input_audio = part.input_audio,
  })
end

local PARTS = {
  input_text = text, output_text = text, text = text, summary_text = text, refusal = text,
  input_image = image, input_file = file, input_audio = audio,
}

local function one(part, at, where)
  notes.check_object(part, at, "A part of a content")
  local make = PARTS[part.type]
  if make then return make(part, at, where) end
  local kind = type(part.type) == "string" and part.type:sub(1, 64) or "unknown"
  notes.unfit(where, at, ("does not take parts of type `%s`."):format(kind))
  return nil
end

--- The parts of a content, appended to `out`; empty texts are none.
function parts.add(out, value, at, where)
  if type(value) == "string" then value = { { type = "input_text", text = value } } end
  if not chat.given(value) then return end
  if type(value) ~= "table" then notes.broken(at, "Content is text or a list of parts.") end
  for i, part in ipairs(value) do
    local made = one(part, ("%s[%d]"):format(at, i - 1), where)
    if made and made.text ~= "" then out[#out + 1] = made end
  end
end

--- The texts in a list, joined: summaries of thoughts.
function parts.text(list)
  local out = {}
  for part in chat.objects(list) do
    if type(part.text) == "string" then out[#out + 1] = part.text end
  end
  return table.concat(out)
end

return parts

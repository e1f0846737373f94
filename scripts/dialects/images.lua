-- Images to make, edit and vary, as OpenAI's clients ask for them: three doors, JSON or forms.

local beside = require "dialects.beside"
local json = require "engine.json"
local openai = require "dialects.openai_writer"

local images = {}

local CHOICES_MOST = 128
local PIXELS_A_TOKEN = 252   -- at the highest quality, as OpenAI counts
local PIXELS_USUAL = 1024 * 1536
local PIXELS_MOST = 4096 * 4096
local PARTIAL_TOKENS = 100
local READ_TOKENS = 8192     -- an image that is read closely
local FORM = {
  model = "string", prompt = "string", n = "number", size = "string", quality = "string",
  stream = "boolean", partial_images = "number", user = "string",
}

local function said(value)
  return value ~= nil and value ~= json.null and value ~= "auto" and value or nil
end

local function pixels(size)
  if not said(size) then return PIXELS_USUAL end
  local width, height = tostring(size):match("^(%d+)x(%d+)$")
  return width and math.min(width * height, PIXELS_MOST) or PIXELS_MOST
end

-- Images that are shown: files of a form, or members of a body.
local function shown(call)
  local n = 0
  for _, part in ipairs(call.media and call.media.parts or {}) do
    if part.filename then n = n + 1 end
  end
  local list = call.doc:get("images")
  if type(list) == "table" then n = n + #list end
  return n + (call.doc:type("image") and not call.media and 1 or 0)
end

-- What it may come to.
local function measure(call, n, size, quality, partial)
  local media, read = call.media or {}, shown(call)
  media.input = #call.doc + read * READ_TOKENS
  media.by = { image = n, image_read = read > 0 and read or nil }
  media.kind = said(size) and (said(quality) or "standard") .. "_" .. size or ""
  call.output_limit = n * (math.ceil(pixels(size) / PIXELS_A_TOKEN) + partial * PARTIAL_TOKENS)
  call.media = media
end

local function check_words(doc, ...)
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    local kind = doc:type(name)
    if kind and kind ~= "null" and kind ~= "string" then
      beside.refuse("invalid_type", name, "must be a text")
    end
  end
end

local function reader(needs_prompt)
  return function(call)
    local doc = call.doc
    beside.model(call, "prompt", "n", "size", "quality", "stream", "partial_images")
    if needs_prompt then beside.needs(doc, "prompt", "a text", "string") end
    check_words(doc, "size", "quality")
    local n, size, quality, stream, partial =
      doc:at("n", "size", "quality", "stream", "partial_images")
    call.stream = beside.stream(stream)
    measure(call, beside.count(n, "n", 1, CHOICES_MOST, 1), size, quality,
      beside.count(partial, "partial_images", 0, 16, 0))
  end
end

local function writer()
  return { stream_error = openai.stream_error, tail = function() return "" end }
end

images.made = beside.door {
  name = "images", makes = "makes no images", read = reader(true), writer = writer(),
  plain = "prompt",
}
images.edited = beside.door {
  name = "image_edits", makes = "edits no images", read = reader(true), writer = writer(),
  form = FORM, plain = "prompt",
}
images.varied = beside.door {
  name = "image_variations", makes = "makes no variations of images", read = reader(false),
  writer = writer(), form = FORM, plain = "prompt",
}

return images

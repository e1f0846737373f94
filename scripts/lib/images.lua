-- Images made, edited and varied, passed on as they came: bodies and forms but for the model's
-- name, whole answers, partial images.

local beside = require "lib.beside"
local json = require "engine.json"
local passed_events = require "lib.passed_events"
local used = require "lib.used"
local whole = require "lib.whole"

local images = { encode = beside.encode, add_headers = beside.add_headers }

images.max_event = 16 * 1024 * 1024 -- a partial image is one event

local AS_TEXT = { raw = { b64_json = true, url = true, revised_prompt = true } }

-- How many there are: as many as were asked for, but for those that were refused.
local function made(doc, asked)
  if doc:is_empty("data") then return 0 end
  if asked == 1 then return 1 end
  local list = json.decode(doc:raw("data"), AS_TEXT)
  return #list
end

local function word(said, asked)
  if type(said) == "string" and said ~= "auto" then return said end
  return type(asked) == "string" and asked ~= "auto" and asked or nil
end

-- What kind of images: as the answer says it, else the call; where nobody does, the usual.
local function kind_of(call, size, quality)
  local asked_size, asked_quality = call.doc:at("size", "quality")
  return (word(quality, asked_quality) or "standard") .. "_"
    .. (word(size, asked_size) or "1024x1024")
end

local function note(call, usage, n, size, quality)
  usage.by = { image = n, image_read = call.media.by.image_read }
  usage.kind = kind_of(call, size, quality)
  usage.input_tokens, usage.output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
  return usage
end

--- A whole answer.
function images.decode(doc, reply)
  local call, size, quality = reply.call, doc:at("size", "quality")
  local n = doc:type("data") == "array" and made(doc, call.media.by.image) or 0
  whole.pass(doc, reply, "data", "array", note(call, used.of(doc), n, size, quality))
end

--- Partial images, then the whole ones, each an event.
function images.stream(upstream, reply)
  local n = 0
  passed_events.pass(upstream, reply, function(data)
    if type(data.type) ~= "string" or not data.type:find("%.completed$") then return end
    n = n + 1
    local usage = type(data.usage) == "table" and used.tokens(data.usage) or {}
    reply:usage(note(reply.call, usage, n, data.size, data.quality))
  end)
end

images.bytes = beside.relay -- some send the image itself

return images

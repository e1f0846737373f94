-- Sound to be written down, in its language or in English: two doors. Clients send forms; what
-- a server takes as JSON passes, too.

local beside = require "dialects.beside"
local openai = require "dialects.openai_writer"

local transcripts = {}

local MS_A_BYTE = 1  -- 8 kbit/s: hardly anything says more in less
local MS_A_TOKEN = 50
local HEAD = 64      -- bytes of a WAVE file that say how it counts

local FORM = {
  model = "string", prompt = "string", stream = "boolean", response_format = "string",
  user = "string",
}

local function number(bytes, at, n)
  local out = 0
  for i = n - 1, 0, -1 do out = out * 256 + (bytes:byte(at + i) or 0) end
  return out
end

-- Milliseconds of plain samples, which their head tells; nil for all else.
local function wave_ms(head, size)
  if head:sub(1, 4) ~= "RIFF" or head:sub(9, 16) ~= "WAVEfmt " then return nil end
  local format, channels = number(head, 21, 2), number(head, 23, 2)
  local rate, bits = number(head, 25, 4), number(head, 35, 2)
  local bytes = channels * rate * bits / 8
  if (format ~= 1 and format ~= 3) or bytes < 1000 then return nil end
  return math.ceil(size * 1000 / bytes)
end

-- The sound: bytes of it, and milliseconds where it says so.
local function sound_of(call)
  local media = call.media
  for i, part in ipairs(media and media.parts or {}) do
    if part.filename then
      return { bytes = part.size, ms = wave_ms(media.form:text(i, HEAD), part.size) }
    end
  end
  return { bytes = #call.doc }
end

local function read(call)
  beside.model(call, "stream", "response_format")
  local media = call.media or {}
  call.stream = beside.stream((call.doc:get("stream")))
  call.output_limit = false
  media.sound = sound_of(call)
  local ms = media.sound.ms or media.sound.bytes * MS_A_BYTE
  media.by = { ms_input = ms }
  media.input = math.ceil(ms / MS_A_TOKEN) + #call.doc
  call.media = media
end

local function door(name, makes)
  return beside.door {
    name = name, makes = makes, read = read, form = FORM, plain = "prompt",
    writer = { stream_error = openai.stream_error, tail = function() return "" end },
  }
end

transcripts.written = door("transcriptions", "writes down no sound")
transcripts.translated = door("translations", "translates no sound")

return transcripts

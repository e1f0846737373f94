-- What was said in a sound, as a document, plain text, subtitles or events: passed on as it
-- came. How long the sound is, some say, subtitles show, and else its size tells about.

local beside = require "lib.beside"
local fault = require "lib.fault"
local passed_events = require "lib.passed_events"
local used = require "lib.used"
local whole = require "lib.whole"

local transcripts = { encode = beside.encode, add_headers = beside.add_headers }

local BYTES_A_MS = 8 -- of usual sound: 64 kbit/s

local function ms_of(seconds)
  return type(seconds) == "number" and seconds >= 0 and seconds < 1e9
    and math.ceil(seconds * 1000) or nil
end

-- A usage without tokens that says how long it was, or what that may have been.
local function note(reply, usage, ms)
  local sound = reply.call.media.sound
  usage.input_tokens, usage.output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
  ms = ms or sound.ms
  usage.by = ms and { ms_input = ms } or {}
  usage.guess = not ms and { ms_input = math.ceil(sound.bytes / BYTES_A_MS) } or nil
  reply:usage(usage)
end

--- A whole answer: a document.
function transcripts.decode(doc, reply)
  local seconds, duration = doc:at("usage.seconds", "duration")
  local usage = used.of(doc)
  whole.pass(doc, reply, "text", "string", {})
  note(reply, usage, ms_of(seconds) or ms_of(duration))
end

function transcripts.stream(upstream, reply)
  note(reply, {})
  passed_events.pass(upstream, reply, function(data)
    local seconds = type(data.usage) == "table" and ms_of(data.usage.seconds)
    if seconds then note(reply, {}, seconds) end
  end)
end

-- The end of the last subtitle: "00:01:02,500", "01:02.500".
local function last_ms(text)
  local at = text:match(".*%-%-> *([%d:.,]+)")
  local hours, minutes, seconds = (at or ""):gsub(",", "."):match("^(%d-):?(%d+):(%d+%.?%d*)$")
  if not seconds then return nil end
  return ms_of((tonumber(hours) or 0) * 3600 + minutes * 60 + seconds)
end

--- Text, whole: subtitles among it.
function transcripts.bytes(upstream, reply, content_type)
  if reply.call.stream then
    note(reply, {})
    return beside.relay(upstream, reply, content_type)
  end
  local text, err = upstream:body()
  if not text then error(fault.of(err), 0) end
  reply:known { content_type = content_type or "text/plain; charset=utf-8" }
  note(reply, {}, last_ms(text))
  reply:ready_as(text, {})
end

return transcripts

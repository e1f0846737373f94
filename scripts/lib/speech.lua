-- Speech passed on as it comes: sound in any format, as pieces of it; or events with counts.

local beside = require "lib.beside"
local passed_events = require "lib.passed_events"

local speech = { encode = beside.encode }

local MS_A_CHARACTER = 67 -- as people speak

-- What was spoken is known before anything is heard; how long it takes is guessed.
local function note(reply)
  local asked = reply.call.media
  reply:usage {
    by = { character_input = asked.by.character_input },
    guess = { ms_output = math.ceil(asked.by.character_input * MS_A_CHARACTER / asked.speed) },
    input_tokens = 0, output_tokens = 0,
  }
end

--- Sound in whatever wrapping: some put it into a document, which nobody has to read.
function speech.bytes(upstream, reply, content_type)
  note(reply)
  beside.relay(upstream, reply, content_type)
end

function speech.stream(upstream, reply)
  note(reply)
  passed_events.pass(upstream, reply)
end

return speech

-- Text to be spoken, as OpenAI's clients ask for it. The answer is sound, and always comes in
-- pieces; or events, where those are asked for.

local beside = require "dialects.beside"
local openai = require "dialects.openai_writer"

local MS_A_CHARACTER = 400 -- as slowly as anybody speaks
local MS_A_TOKEN = 40
local SLOWEST, FASTEST = 0.25, 4

local function speed_of(value)
  if value == nil or type(value) == "userdata" then return 1 end
  if type(value) ~= "number" or value < SLOWEST or value > FASTEST then
    beside.refuse("invalid_value", "speed", "must be a number from 0.25 to 4")
  end
  return value
end

local function characters(text)
  return (select(2, text:gsub("[^\128-\191]", "")))
end

local function read(call)
  local doc = call.doc
  beside.model(call, "input", "speed", "stream_format")
  beside.needs(doc, "input", "a text", "string")
  local input, speed = doc:at("input", "speed")
  speed = speed_of(speed)
  local n = characters(input)
  local ms = math.ceil(n * MS_A_CHARACTER / speed)
  call.stream = true
  call.output_limit = math.ceil(ms / MS_A_TOKEN)
  call.media = {
    input = #doc, speed = speed, by = { character_input = n, ms_output = ms },
  }
end

-- What breaks off in the middle of a sound is told by the connection's end alone.
local function stream_error(err, call, reply)
  local is_events = (reply.content_type or ""):find("event-stream", 1, true)
  return is_events and openai.stream_error(err, call, reply) or ""
end

return beside.door {
  name = "speech", makes = "speaks no texts", read = read, plain = "input",
  writer = { stream_error = stream_error, tail = function() return "" end },
}

-- A body of Responses at the chats' address, as Cursor sends it: read as one, and answered as a
-- chat is. Nobody speaks both halves, so it is always translated.

local face = require "lib.chat_face"
local request = require "lib.responses_request"
local responses = require "dialects.responses"
local writer = require "dialects.openai_writer"

local door = {
  name = "openai", writer = writer, limit = "max_output_tokens", translated = true,
  decode = request.decode, document = face.document, fit = face.fit,
}

--- Read what the gateway needs of it into the call, which is of this door from here on.
function door.read(call)
  call.door = door
  responses.read(call)
  call.include_usage = call.stream and call.doc:at("stream_options.include_usage") == true
end

return door

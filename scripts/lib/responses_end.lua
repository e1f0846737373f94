-- How an answer of OpenAI's Responses ends, whole or streamed: with its counts, or in a fault.
-- Of those that pass it on as it came, and of those that tell it to clients of a chat.

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local counts = require "lib.responses_usage"
local fault = require "lib.fault"

local ending = {}

--- Raise where a body is no response, but an error or something else.
function ending.check_is_one(response)
  if type(response.output) == "table" then return end
  if chat.given(response.error) then chat_errors.raise(response) end
  fault.raise("invalid_response", "The provider's answer is no response.")
end

--- Raise what a response that came to its end failed of.
function ending.check(response)
  if chat.given(response.error) then chat_errors.raise { error = response.error } end
  if response.status == "failed" or response.status == "cancelled" then
    fault.raise("server_error", "The provider broke off (" .. response.status .. ").")
  end
end

--- Say its counts, where it has some.
function ending.note(response, reply)
  local counted = counts.read(response)
  if counted then reply:usage(counted) end
end

--- Raise what a stream says of its response: that it failed.
function ending.failed(response, reply)
  ending.note(response, reply)
  ending.check(response)
  fault.raise("server_error", "The provider broke off.")
end

--- Raise what a stream says instead of going on.
function ending.broken(data)
  chat_errors.raise(type(data.error) == "table" and data or { error = data })
end

return ending

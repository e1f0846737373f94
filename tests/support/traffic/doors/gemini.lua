-- /v1beta/models/NAME:generateContent and :streamGenerateContent, as a client of them asks and
-- hears.

local door_of = require "support.traffic.door"
local gemini = require "support.meaning.gemini"
local splice = require "support.traffic.splice"

local door = door_of {
  name = "gemini", apis = { generate_content = true, stream_generate_content = true },
  read = gemini.read,
}
local plainly = door.told

-- Streams are events, or one array where the recording is one.
local function path(exchange, model)
  local text = exchange.response.text
  local alt = text:find "^%s*%[" and "" or "?alt=sse"
  return ("/v1beta/models/%s:%s"):format((model:gsub("/", "%%2F")),
    exchange.stream and "streamGenerateContent" .. alt or "generateContent")
end

function door.question(exchange, model)
  return path(exchange, model), '{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
end

function door.native(exchange, prefix)
  local name = splice.model_of(exchange)
  local text = exchange.request.text
  return text, text, path(exchange, prefix .. name), name
end

function door.check_request(want, got, assert, sent, name)
  assert.equal(want, got)
  assert.is_truthy(sent.path:find("/models/" .. name .. ":", 1, true), sent.path)
end

-- A list is answered to those who asked for one, in pieces of our own.
function door.bytes(exchange)
  local text = exchange.response.text
  return not text:find "^%s*%[" and text or nil
end

-- Arguments that were broken off have to be an object all the same.
function door.told(said)
  local told = plainly(said)
  for _, call in ipairs(told.calls) do
    if type(call[2]) == "string" then call[2] = { INVALID_JSON = call[2] } end
  end
  return told
end

-- No comments: Gemini CLI crashes on them.
function door.check_form(bytes, stream, assert)
  if stream then assert.is_nil(("\n" .. bytes):find "\n:") end
end

local WORDS = {
  [400] = "INVALID_ARGUMENT", [413] = "INVALID_ARGUMENT", [422] = "INVALID_ARGUMENT",
  [429] = "RESOURCE_EXHAUSTED", [502] = "UNAVAILABLE", [503] = "UNAVAILABLE",
}

function door.check_error(answer, _, assert)
  local err = answer.json.error
  assert.is_true(#err.message > 0)
  assert.equal(answer.status, err.code)
  assert.equal(WORDS[answer.status], err.status)
end

function door.check_break(bytes, assert)
  assert.is_truthy(bytes:find 'data: {"error":{"code":[^\n]+\n\n$')
end

return door

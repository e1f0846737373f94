-- /v1/chat/completions, as a client of it asks and hears.

local door_of = require "support.traffic.door"
local helper = require "helper"
local http = require "support.http"
local meaning = require "support.meaning"
local openai = require "support.meaning.openai"

local door = door_of {
  name = "chat", apis = { chat_completions = true }, read = openai.read,
  path = "/v1/chat/completions",
}

--- Path, and the plain question that a client asks whose dialect the provider does not speak.
function door.question(exchange, model)
  return door.path, helper.ask(model, exchange.stream
    and '"stream":true,"stream_options":{"include_usage":true}' or nil)
end

local OPTIONS = '"stream_options"%s*:%s*{[^}]*}%s*,?'

--- The bytes that the provider saw are those that it was to see, but for the wish for usage.
function door.check_request(want, got, assert)
  if want == got then return end
  assert.equal((want:gsub(OPTIONS, "")), (got:gsub(OPTIONS, "")))
  assert.is_true(helper.json.decode(got).stream_options.include_usage)
end

local function wants_usage(exchange)
  local options = meaning.table(meaning.table(exchange.request.body).stream_options)
  return options.include_usage == true
end

local function only_counts(data)
  local ok, chunk = pcall(helper.json.decode, data)
  return ok and #meaning.table(chunk.choices) == 0 and meaning.given(chunk.usage) ~= nil
end

-- A chunk of counts alone is sent to those who asked for it; [DONE] to all.
local function stream_of(exchange)
  local text = exchange.response.text
  if not wants_usage(exchange) then
    text = text:gsub("data: ([^\r\n]*)\r?\n\r?\n", function(data)
      return only_counts(data) and "" or nil
    end)
  end
  if not text:find "data: %[DONE%]" then text = text .. "data: [DONE]\n\n" end
  return text
end

--- The bytes of an answer in its own dialect.
function door.bytes(exchange)
  return exchange.stream and stream_of(exchange) or exchange.response.text
end

--- What is to be heard of an answer of another dialect.
function door.told(said)
  return {
    text = said.text, refusal = said.refusal, thought = said.thought,
    calls = meaning.calls(said), finish = meaning.finish(said),
  }
end

function door.check_form(bytes, stream, assert)
  if not stream then return end
  local events = http.events(bytes)
  assert.equal("[DONE]", events[#events])
end

--- An error at the end of a stream.
function door.check_break(bytes, assert)
  local events = http.events(bytes)
  assert.equal("string", type(helper.json.decode(events[#events]).error.message))
end

return door

-- How many tokens a call will take: an estimate, and always called one.

local json = require "engine.json"
local tokens = require "engine.tokens"

local estimate = {}

local MESSAGE = 4      -- what a chat template puts around a message
local IMAGE = 765      -- one image of ordinary size
local ANSWER = 1024    -- an answer whose length nobody limited
local BYTES_A_TOKEN = 4

local function count(text)
  if type(text) ~= "string" or text == "" then return 0 end
  return (tokens.count(text))
end

local function part(value)
  if type(value) ~= "table" then return 0 end
  if value.type == "image_url" or value.type == "image" or value.type == "file" then
    return IMAGE
  end
  return count(value.text)
end

local function content(value)
  if type(value) == "string" then return count(value) end
  if type(value) ~= "table" then return 0 end
  local n = 0
  for _, piece in ipairs(value) do n = n + part(piece) end
  return n
end

local function message(value)
  if type(value) ~= "table" then return 0 end
  local n = MESSAGE + content(value.content)
  if type(value.tool_calls) == "table" then n = n + count(json.encode(value.tool_calls)) end
  return n
end

--- Input tokens of a chat body, estimated.
function estimate.input(body)
  local n = 0
  if type(body.messages) == "table" then
    for _, value in ipairs(body.messages) do n = n + message(value) end
  end
  if type(body.tools) == "table" then n = n + count(json.encode(body.tools)) end
  return n
end

local function limit(call)
  for _, name in ipairs { "max_completion_tokens", "max_tokens" } do
    local value = call.doc:get(name)
    if type(value) == "number" then return value end
  end
end

--- Output tokens that a call may come to: its own limit, or a guess.
function estimate.output(call, dep)
  local choices = call.doc:get("n")
  return (limit(call) or dep.max_tokens or ANSWER)
    * (type(choices) == "number" and choices or 1)
end

--- Input tokens by the body's size alone, for policies that only compare.
function estimate.rough(call)
  return #call.doc / BYTES_A_TOKEN
end

--- Tokens in so many bytes of answer text.
function estimate.of_bytes(bytes)
  return math.ceil(bytes / BYTES_A_TOKEN)
end

return estimate

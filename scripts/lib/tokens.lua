-- How many tokens a text has: exactly where the vocabulary is public, else an estimate that
-- says so. How many a call will take: an estimate.

local json = require "engine.json"
local models = require "lib.token_models"
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

-- An estimate where the vocabulary is public, but not here.
local MISSING = 0.15

local function found(family, n, exact)
  if exact and not family.ratio then
    local encoding = family.encoding
    return { exact = true, method = "vocabulary", low = n, high = n, encoding = encoding }
  end
  local spread = (family.spread or 0) + (exact and 0 or MISSING)
  return {
    exact = false, method = exact and "vocabulary and ratio" or "estimate",
    low = math.floor(n * (1 - spread)), high = math.ceil(n * (1 + spread)),
    encoding = family.encoding,
  }
end

--- Tokens of a text in an encoding, or for a model; both by name. With a limit, a text of more
--- tokens has limit + 1. n, { exact =, method =, low =, high =, encoding =, missing = why its
--- vocabulary is not here, or nil }
function estimate.count(text, name, limit)
  local family = models.find(name)
  local n, exact = tokens.count(text, family.table, family.ratio == nil and limit or nil)
  if family.ratio then n = math.ceil(n * family.ratio) end
  local about = found(family, n, exact)
  if not tokens.has(family.table) then
    local why = tokens.complaint()
    about.missing = why ~= "" and why or ("no vocabulary of " .. family.encoding)
  end
  if limit and n > limit then return limit + 1, about end
  return n, about
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

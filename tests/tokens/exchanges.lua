-- Recorded exchanges whose providers said how many tokens went in.

local json = require "engine.json"
local lfs = require "lfs"

local exchanges = {}

local KEEP = { raw = { body = true } }

-- What was said, wherever it stands in the answer; the first of each is of the request as sent.
local function number(answer, name, last)
  local found
  for n in answer:gmatch('"' .. name .. '"%s*:%s*(%d+)') do
    found = tonumber(n)
    if not last then return found end
  end
  return found
end

local function of_messages(answer)
  local n = number(answer, "input_tokens")
  if not n then return nil end
  return n + (number(answer, "cache_read_input_tokens") or 0)
    + (number(answer, "cache_creation_input_tokens") or 0)
end

local function last(name)
  return function(answer) return number(answer, name, true) end
end

local SAID = {
  chat_completions = last "prompt_tokens", responses = last "input_tokens",
  messages = of_messages, invoke = of_messages, invoke_stream = of_messages,
  generate_content = last "promptTokenCount", stream_generate_content = last "promptTokenCount",
  count_tokens = function(answer)
    return number(answer, "input_tokens") or number(answer, "totalTokens")
  end,
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function one(folder, row)
  local file, provider, api, _, status, features = row:match(
    "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)")
  if status ~= "200" or not SAID[api] then return nil end
  local got = json.decode(read(folder .. "/" .. file), KEEP)
  local body = got.request.body and json.text(got.request.body)
  local answer = got.response.body_text or json.text(got.response.body)
  local reported = SAID[api](answer)
  local sent = body and body:sub(1, 1) == "{" and json.index(body)
  if not (sent and reported and reported > 0) or sent:type "b64" then return nil end
  local said = answer:match '"model"%s*:%s*"([^"]+)"' or answer:match '"modelVersion"%s*:%s*"([^"]+)"'
  local path = got.request.path or ""
  local asked = sent:get "model" or path:match "models/([^:/?]+)" or path:match "model/([^/]+)"
  return {
    file = file, provider = provider, api = api, doc = sent, reported = reported,
    model = type(asked) == "string" and asked or said or "", answered = said,
    has = function(name) return ("," .. features .. ","):find("," .. name .. ",", 1, true) ~= nil end,
    features = features,
  }
end

--- All of a folder of recordings; {} where it is not here.
function exchanges.all(folder)
  local out = {}
  if not lfs.attributes(folder .. "/index.tsv") then return out end
  for row in read(folder .. "/index.tsv"):gmatch "[^\n]+" do
    out[#out + 1] = one(folder, row)
  end
  return out
end

return exchanges

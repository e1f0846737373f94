-- Recorded exchanges whose providers said how many tokens went in.

local json = require "engine.json"
local lfs = require "lfs"

local exchanges = {}

-- What was said, wherever it stands in an answer: the first, or the last.
local function number(answer, name, last)
  local found
  for n in answer:gmatch('"' .. name .. '"%s*:%s*(%d+)') do
    found = tonumber(n)
    if not last then break end
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
  generate_content = last "promptTokenCount",
  stream_generate_content = last "promptTokenCount",
  count_tokens = function(answer)
    return number(answer, "input_tokens") or number(answer, "totalTokens")
  end,
}

local read = require("support.file").text

local function columns(row)
  local out = {}
  for text in (row .. "\t"):gmatch "([^\t]*)\t" do out[#out + 1] = text end
  return unpack(out, 1, 6)
end

-- The request as a document; nil where it is none, or stands in base64.
local function sent_of(got)
  local body = got.request.body and json.text(got.request.body)
  local doc = body and body:sub(1, 1) == "{" and json.index(body)
  return doc and not doc:type "b64" and doc or nil
end

local function model_of(doc, path, answer)
  local asked = doc:get "model"
  if type(asked) == "string" then return asked end
  return path:match "models?/([^:/?]+)" or answer:match '"model"%s*:%s*"([^"]+)"' or ""
end

local function exchange(folder, row)
  local file, provider, api, _, status, features = columns(row)
  if status ~= "200" or not SAID[api] then return nil end
  local got = json.decode(read(folder .. "/" .. file), { raw = { body = true } })
  local doc = sent_of(got)
  local answer = got.response.body_text or json.text(got.response.body)
  local reported = SAID[api](answer)
  if not (doc and reported and reported > 0) then return nil end
  return {
    file = file, provider = provider, api = api, doc = doc, reported = reported,
    model = model_of(doc, got.request.path or "", answer),
    has = function(name)
      return ("," .. features .. ","):find("," .. name .. ",", 1, true) ~= nil
    end,
  }
end

-- What nobody can count from a body: what a provider adds, keeps or looks up.
local APART = {
  "vision", "document", "server_tools", "mcp", "tool_search", "stored_prompt", "server_state",
  "audio_in", "video_in", "thinking_replay", "citations",
}

--- "text", "tools", "schemas", or what makes that a body does not say all: "apart: …".
function exchanges.kind(one)
  for _, name in ipairs(APART) do
    if one.has(name) then return "apart: " .. name end
  end
  return one.has "json_schema" and "schemas" or one.has "tools" and "tools" or "text"
end

--- All of a folder of recordings; {} where it is not here.
function exchanges.all(folder)
  local out = {}
  if not lfs.attributes(folder .. "/index.tsv") then return out end
  for row in read(folder .. "/index.tsv"):gmatch "[^\n]+" do
    out[#out + 1] = exchange(folder, row)
  end
  return out
end

return exchanges

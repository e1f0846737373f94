-- Recorded exchanges as tests want them: raw slices of what was sent and answered. What an
-- answer means: support/meaning.lua.

require "engine"
local cjson = require "cjson"
local crypto = require "engine.crypto"
local json = require "engine.json"
local process = require "support.process"

local recorded = { folder = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic" }

--- The exchanges of some apis (a set; nil for all): list of paths relative to the folder, or
--- nil where the recordings are not here.
function recorded.list(apis)
  local index = process.read(recorded.folder .. "/index.tsv")
  if index == "" then return nil end
  local list = {}
  for line in index:gmatch "[^\n]+" do
    local path, api = line:match "^([^\t]+%.json)\t[^\t]+\t([^\t]+)"
    if path and (not apis or apis[api]) then list[#list + 1] = path end
  end
  return list
end

local function raw_member(text, name) return assert(json.index(text)):raw(name) end

-- Some recorders kept a body as base64 inside an object.
local function unpack_base64(part)
  part.text = crypto.unbase64(part.body.b64)
  local ok, body = pcall(cjson.decode, part.text)
  part.body = ok and body or nil
end

local function given(value)
  if value == cjson.null then return nil end
  return value
end

-- Give a side of an exchange its body's text; raw() has it where it is JSON.
local function fill(part, raw)
  part.body = given(part.body)
  if given(part.body_text) then
    part.text = part.body_text
  elseif given(part.body_base64) then
    part.text, part.binary = crypto.unbase64(part.body_base64), true
  elseif part.body then
    part.text = raw()
    if type(part.body) == "table" and part.body.b64 then unpack_base64(part) end
  end
end

--- One exchange: provider, api, stream, request and response with their raw body texts.
function recorded.load(path)
  local text = process.read(recorded.folder .. "/" .. path)
  local exchange = cjson.decode(text)
  exchange.path, exchange.has = path, {}
  for _, feature in ipairs(exchange.features) do exchange.has[feature] = true end
  for _, side in ipairs { "request", "response" } do
    fill(exchange[side], function() return raw_member(raw_member(text, side), "body") end)
  end
  local asked = exchange.request.text
  if asked then -- placeholders for ids, longer than those that Mistral takes
    exchange.request.text = asked:gsub('"call_REDACTED_(%d)"', '"callRED0%1"')
  end
  if (exchange.response.text or ""):find "^data:" then exchange.stream = true end
  exchange.broken = exchange.response.status >= 400 or exchange.has.error_in_stream
    or exchange.has.error_in_200 or false
  return exchange
end

return recorded

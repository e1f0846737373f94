-- How long the answer to a chat may be, for providers that are told so in words of their own.

local chat = require "lib.chat"
local json = require "engine.json"
local values = require "lib.values"

local length = {}

local given = values.given

--- The most tokens: as many as were asked for, no more than the deployment's ceiling, which
--- stands where nothing was asked.
function length.max_tokens(body, dep)
  local asked = given(body.max_completion_tokens) or given(body.max_tokens)
  local most = dep.max_tokens
  if type(asked) ~= "number" then return most end -- ingress has looked at what is asked
  return most and math.min(asked, most) or asked
end

--- The texts that end it; nil where there are none.
function length.stops(body)
  local stop = body.stop
  if type(stop) == "string" then return json.array { stop } end
  return type(stop) == "table" and #stop > 0 and stop or nil
end

--- Those of them in which `pattern` is found; that others were dropped is named.
function length.stops_with(call, pattern)
  local stop = call.body.stop
  if type(stop) == "string" then stop = { stop } end
  local out = json.array {}
  for _, text in ipairs(chat.table_or_empty(stop)) do
    if type(text) == "string" and text:find(pattern) then
      out[#out + 1] = text
    else
      call:drop("stop")
    end
  end
  return #out > 0 and out or nil
end

return length

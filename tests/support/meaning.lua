-- What an answer says, worked out with another JSON library and other code than the gateway's,
-- so that it can disagree with the gateway: of a recording, and of what a client was sent.
--
--     { text, thought, refusal, calls = { { name, arguments | input }… }, finish,
--       prompt, completion, cached, reasoning }
--
-- Finishes are OpenAI's words. Tokens are counted as OpenAI does: a prompt with what was
-- cached, a completion with its thoughts. What nobody said is absent.

local cjson = require "cjson"
local http = require "support.http"

local meaning = {}

--- A value, but for null.
function meaning.given(value)
  if value == cjson.null then return nil end
  return value
end

--- The same as a table, whatever it is.
function meaning.table(value)
  return type(value) == "table" and value or {}
end

function meaning.new()
  return { text = "", thought = "", refusal = "", calls = {} }
end

--- More of a text of the answer.
function meaning.add(out, name, text)
  if type(text) == "string" then out[name] = out[name] .. text end
end

--- The JSON objects of a body: one, those of a list, or those of a stream's events.
function meaning.pieces(bytes)
  if bytes:find "^%s*%[" then return cjson.decode(bytes) end
  if bytes:find "^%s*{" then return { cjson.decode(bytes) } end
  local list = {}
  for _, data in ipairs(http.events(bytes)) do
    if data:find "^%s*{" then list[#list + 1] = cjson.decode(data) end
  end
  return list
end

local function arguments_of(call)
  if call.input then return call.input end
  local ok, value = pcall(cjson.decode, call.arguments ~= "" and call.arguments or "{}")
  return ok and value or call.arguments
end

--- The calls of an answer in values that can be compared.
function meaning.calls(out)
  local list = {}
  for i, call in ipairs(out.calls) do list[i] = { call.name, arguments_of(call) } end
  return list
end

--- Counts as OpenAI has them, where a server counted thoughts beside the completion or what was
--- cached beside the prompt: the total, or the size, tells.
function meaning.settle(out, total)
  local thoughts, cached = out.reasoning or 0, out.cached or 0
  if not out.prompt then return out end
  if thoughts > 0 and total == out.prompt + out.completion + thoughts then
    out.completion = out.completion + thoughts
  end
  if cached > out.prompt then out.prompt = out.prompt + cached end
  return out
end

--- A finish as it is told in a translation: calls of tools are one, whatever was said.
function meaning.finish(out)
  if out.finish == "stop" and #out.calls > 0 then return "tool_calls" end
  return out.finish
end

local KINDS = {
  [401] = "auth", [403] = "auth", [404] = "model_missing", [422] = "bad_request",
  [429] = "rate_limit", [503] = "overloaded", [529] = "overloaded",
}
local CONTEXT = {
  "context_length_exceeded", "prompt is too long", "maximum number of tokens",
  "maximum context length", "max context length", "too many tokens",
}

--- The kind of fault that a refusal is: by its status, and a 400 by what it says.
function meaning.fault(status, bytes)
  if KINDS[status] then return KINDS[status] end
  if status >= 500 then return "server_error" end
  local text = bytes:lower()
  if text:find("model identifier is invalid", 1, true) then return "model_missing" end
  for _, words in ipairs(CONTEXT) do
    if text:find(words, 1, true) then return "context_window" end
  end
  if text:find("api key not valid", 1, true) or text:find("api_key_invalid", 1, true)
    or text:find("incorrect api key", 1, true) then
    return "auth"
  end
  if text:find("content_filter", 1, true) then return "content_policy" end
  return "bad_request"
end

return meaning

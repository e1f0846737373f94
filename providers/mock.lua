-- No key, no network: text, streams, tool calls, errors and delays on demand.
--
-- The model's name says what happens, and the last user message may say more:
--
--   mock            says what it was told; with tools, calls the first one (once it has the
--                   result it says that); with a JSON schema, the smallest value that fits
--   mock-slow       one second before the first piece, 50 ms before each
--   mock-reasoning  thinks first
--   mock-error      fails with 500; mock-error-429 with that status
--
--   [mock status=529 retry_after=2]   fail with this status
--   [mock delay=0.5 pace=0.05]        seconds before the first piece, and before each
--   [mock chunks=5 cut=3]             five pieces, and the line breaks after three
--   [mock tools=2 reasoning=1]        call two tools (0: none); think first
--
-- It reports a token for every four bytes of text, and none for a chat's frames: as a provider
-- with a tokenizer of its own, by whose numbers it is billed. What the gateway counts before a
-- call, and `moongate count`, are the tokens of real models (docs/tokens.md).

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local crypto = require "engine.crypto"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local json = require "engine.json"
local schema = require "lib.schema"
local time = require "engine.time"

local PIECES = 8
local DIMENSIONS, MOST_DIMENSIONS = 8, 4096
local THOUGHT = "The user wants me to repeat this."
local DEFAULT_TEXT = "Hello from moongate."

local MODELS = {
  slow = { delay = 1, pace = 0.05 },
  reasoning = { reasoning = 1 },
  error = { status = 500 },
}

-- What is wanted -----------------------------------------------------------------

local function last_message(body, role)
  for i = #body.messages, 1, -1 do
    local message = body.messages[i]
    if type(message) == "table" and (not role or message.role == role) then return message end
  end
  return nil
end

--- Options of the model's name and of the directive in `text`, and the text without it.
local function options(model, text)
  local out = {}
  for name, value in pairs(MODELS[model:match("^mock%-(%a+)")] or {}) do out[name] = value end
  out.status = tonumber(model:match("^mock%-error%-(%d+)$")) or out.status
  local before, directive, after = text:match("^(.-)%[mock%s+([^%]]*)%]%s*(.*)$")
  if directive then
    for name, value in directive:gmatch("([%w_]+)=([%d.]+)") do out[name] = tonumber(value) end
    text = (before .. after):gsub("%s+$", "")
  end
  return out, text
end

local function offered(body)
  local out, choice = {}, body.tool_choice
  local wanted = type(choice) == "table" and chat.table_or_empty(choice["function"]).name
  for _, tool in ipairs(choice ~= "none" and chat.table_or_empty(body.tools) or {}) do
    local f = chat.table_or_empty(tool["function"])
    if f.name and (not wanted or f.name == wanted) then out[#out + 1] = f end
  end
  return out
end

--- The tools to call: the first, unless its result is what came last.
local function tools_to_call(body, want)
  local list = offered(body)
  local last = last_message(body)
  local n = want.tools or (last and last.role ~= "tool" and 1) or 0
  return { unpack(list, 1, math.min(n, #list)) }
end

local function structured(body, text)
  local format = chat.table_or_empty(body.response_format)
  if format.type == "json_object" then return json.encode { echo = text } end
  if format.type ~= "json_schema" then return nil end
  return json.encode(schema.example(chat.table_or_empty(format.json_schema).schema))
end

-- What is said -------------------------------------------------------------------

local function units(text, least)
  local words, characters = {}, {}
  for word in text:gmatch("%s*%S+%s*") do words[#words + 1] = word end
  if #words >= least then return words end
  for character in text:gmatch("[%z\1-\127\192-\255][\128-\191]*") do
    characters[#characters + 1] = character
  end
  return characters
end

--- The text in `n` pieces or so, cut between words where there are enough of them.
local function pieces(text, n)
  local all = units(text, n or 1)
  n = math.min(n or PIECES, #all)
  local out = {}
  for i = 1, n do
    local first, last = math.floor((i - 1) * #all / n) + 1, math.floor(i * #all / n)
    out[i] = table.concat(all, "", first, last)
  end
  return out
end

local function count(text)
  return math.ceil(#text / 4)
end

local function input_tokens(body)
  local n = 0
  for _, message in ipairs(body.messages) do
    n = n + count(chat.text(chat.table_or_empty(message).content))
  end
  return n
end

--- Say each piece by `verb`, as slowly and as incompletely as wanted.
local function say(list, verb, want)
  for i, piece in ipairs(list) do
    if want.pace then time.sleep(want.pace) end
    verb(piece)
    if want.cut == i then fault.raise("truncated", "The mock was asked to break off.") end
  end
end

local function call_tools(list, reply, want)
  local spoken = 0
  for i, tool in ipairs(list) do
    local arguments = json.encode(schema.example(tool.parameters))
    reply:tool_call { id = "call_mock_" .. i, name = tool.name }
    say(pieces(arguments, want.chunks or 2), function(piece)
      reply:tool_call { arguments = piece }
    end, want)
    spoken = spoken + count(arguments)
  end
  return spoken
end

local function think(reply, want)
  if (want.reasoning or 0) == 0 then return 0 end
  say(pieces(THOUGHT, 2), function(piece) reply:reasoning(piece) end, want)
  return count(THOUGHT)
end

local function fail_or_wait(want)
  if want.delay then time.sleep(want.delay) end
  if not want.status then return end
  fault.raise(chat_errors.by_status(want.status),
    ("The mock was asked to fail with %d."):format(want.status),
    { retry_after = want.retry_after, upstream_status = want.status })
end

local function answer(call, dep, reply)
  local body = call.body
  local source = last_message(body, "user")
  local want, text = options(dep.model, source and chat.text(source.content) or "")
  local last = last_message(body)
  if last and last.role == "tool" then text = chat.text(last.content) end
  if text == "" then text = DEFAULT_TEXT end

  fail_or_wait(want)
  reply:start { id = "chatcmpl-mock", model = dep.model }
  local thought = think(reply, want)
  local tools = tools_to_call(body, want)
  local spoken
  if #tools > 0 then
    spoken = call_tools(tools, reply, want)
  else
    text = structured(body, text) or text
    say(pieces(text, want.chunks), function(piece) reply:text(piece) end, want)
    spoken = count(text)
  end
  reply:finish(#tools > 0 and "tool_calls" or "stop")
  reply:usage {
    input_tokens = input_tokens(body), output_tokens = thought + spoken,
    cache_read_tokens = 0, reasoning_tokens = thought,
  }
end

-- Embeddings -----------------------------------------------------------------------

-- Always the same vector for a text, of length one.
local function vector(value, size)
  local text, list, sum = type(value) == "string" and value or json.text(value), {}, 0
  for i = 1, size do
    local x = tonumber(crypto.sha256(text .. "\0" .. i):sub(1, 6), 16) / 0x800000 - 1
    list[i], sum = x, sum + x * x
  end
  for i = 1, size do list[i] = list[i] / math.sqrt(sum) end
  return json.array(list)
end

local function embed(call, dep, reply)
  local doc = call.doc
  local input, size = doc:get("input"), doc:get("dimensions")
  if type(input) == "string" or type(input[1]) == "number" then input = { input } end
  if type(size) ~= "number" or size < 1 or size > MOST_DIMENSIONS then size = DIMENSIONS end
  fail_or_wait(options(dep.model, ""))
  local vectors, n = {}, 0
  for i, text in ipairs(input) do
    local list = vector(text, size)
    vectors[i] = call.wants_base64 and embeddings.base64(list) or list
    n = n + (type(text) == "table" and #text or count(tostring(text)))
  end
  embeddings.say(reply, dep.model, vectors, n)
end

-- The same in Gemini's words.
local function embed_as_gemini(call, dep, reply)
  local asked = embed_content.encode(call, dep)
  local input, list, n = asked.input, {}, 0
  for i, text in ipairs(type(input) == "string" and { input } or input) do
    list[i], n = { values = vector(text, DIMENSIONS) }, n + count(text)
  end
  embed_content.say(reply, list, n)
end

return chat.adapter {
  answer = answer, fields = {},
  natives = { embeddings = { answer = embed }, embed_content = { answer = embed_as_gemini } },
}

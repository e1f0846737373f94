-- A provider of Gemini's generateContent: what it answers, and what it was asked. The first
-- call of a turn is signed, and has to come back so, or with Google's word for having none.

local cjson = require "cjson"
local pieces = require "clients.pieces" -- first: it loads the engine
local json = require "engine.json"

local gemini = {}

local SIGNATURE = "c2lnbmVkIGJ5IHRoZSBtb29u"
local TAKEN = { [SIGNATURE] = true, skip_thought_signature_validator = true }

local function body(answer, parts, finish)
  return {
    candidates = json.array { {
      index = 0, content = { role = "model", parts = json.array(parts) }, finishReason = finish,
    } },
    usageMetadata = {
      promptTokenCount = answer.input, candidatesTokenCount = finish and answer.output or nil,
      totalTokenCount = answer.input + (finish and answer.output or 0),
      promptTokensDetails = { { modality = "TEXT", tokenCount = answer.input } },
    },
    modelVersion = "gemini-3-pro-preview", responseId = "moon-Rk3",
  }
end

local function function_call(call, i)
  return {
    functionCall = { id = call.id, name = call.name, args = json.raw(call.arguments) },
    thoughtSignature = i == 1 and SIGNATURE or nil,
  }
end

--- A whole answer.
function gemini.whole(answer)
  local parts = answer.calls and pieces.each(answer.calls, function_call)
    or { { text = answer.text } }
  return json.encode(body(answer, parts, "STOP"))
end

--- The same as a stream. Google's lines end with \r\n, and its last part is an empty text.
function gemini.stream(answer)
  local events = {}
  if answer.calls then
    events = pieces.each(answer.calls, function(call, i)
      return body(answer, { function_call(call, i) })
    end)
  else
    for i, piece in ipairs(pieces.of(answer.text)) do
      events[i] = body(answer, { { text = piece } })
    end
  end
  events[#events + 1] = body(answer, { { text = "" } }, "STOP")
  return (pieces.events(events):gsub("\n", "\r\n"))
end

local KINDS = { [400] = "INVALID_ARGUMENT", [429] = "RESOURCE_EXHAUSTED" }

--- How it fails.
function gemini.failure(failure)
  return json.encode {
    error = {
      code = failure.status, message = failure.message, status = KINDS[failure.status],
    },
  }
end

-- What it was asked -----------------------------------------------------------------------

local function read_part(asked, part, is_first)
  local call, result = part.functionCall, part.functionResponse
  if call then
    assert(not is_first or TAKEN[part.thoughtSignature], "a call came without its signature")
    asked.calls[#asked.calls + 1] = { id = call.id, name = call.name, arguments = call.args }
  elseif result then
    local said = result.response
    asked.results[#asked.results + 1] =
      { id = result.id, text = said.result or said.output or cjson.encode(said) }
  elseif part.text then
    asked.question = asked.question .. part.text
  end
end

--- What a request of it says, as families/openai.lua tells it.
function gemini.read(request)
  local read = cjson.decode(request.body)
  local model, verb = request.path:match "/v1beta/models/([^:]+):(%w+)"
  local asked = pieces.asked(model, verb == "streamGenerateContent")
  asked.key = request.headers["x-goog-api-key"]
  asked.system = pieces.text((read.systemInstruction or {}).parts)
  for _, turn in ipairs(read.contents) do
    local before = #asked.calls
    for _, part in ipairs(turn.parts) do read_part(asked, part, #asked.calls == before) end
  end
  for _, tool in ipairs(read.tools or {}) do
    for _, f in ipairs(tool.functionDeclarations or {}) do
      asked.tools[#asked.tools + 1] = { name = f.name, description = f.description,
        parameters = f.parametersJsonSchema or f.parameters_json_schema or f.parameters }
    end
  end
  return asked
end

gemini.call_id = "k3rm9zq7"
gemini.model = "gemini-3-pro-preview"
gemini.adapter, gemini.base = "gemini", "/v1beta"

return gemini

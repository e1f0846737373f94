-- The answer as Gemini's generateContent writes it: whole, as events, as errors.
--
-- Calls of functions come whole there: a stream's stand in its last piece. A stream that was
-- not asked for as events is one array, a piece an element.

local citations = require "lib.citations"
local counts = require "lib.gemini_usage"
local errors = require "dialects.gemini_errors"
local finish = require "lib.gemini_finish"
local json = require "engine.json"
local signatures = require "lib.generate_signatures"

local writer = { dialect = "gemini" }

local encode = json.encode

-- Pieces -------------------------------------------------------------------------

--- One piece of a stream, in the form that was asked for.
function writer.frame(reply, text)
  if not reply.call.as_array then return "data: " .. text .. "\n\n" end
  local before = reply.array_begun and ",\r\n" or "["
  reply.array_begun = true
  return before .. text
end

--- What a stream is called.
function writer.content_type(call)
  return call.as_array and "application/json" or "text/event-stream"
end

local function model_of(reply)
  return reply.model or (reply.call.dep and reply.call.dep.model) or reply.call.model
end

local ANSWER = { "candidates", "usageMetadata", "modelVersion", "responseId" }

local function answer(reply, parts, reason)
  return encode(json.object(ANSWER, {
    candidates = json.array {
      json.object({ "content", "finishReason", "index", "citationMetadata" }, {
        content = json.object({ "parts", "role" }, { parts = parts, role = "model" }),
        finishReason = reason, index = 0, citationMetadata = citations.gemini(reply.citations),
      }),
    },
    usageMetadata = reason and counts.write(reply.usage_total) or nil,
    modelVersion = model_of(reply), responseId = reply.call.id,
  }))
end

-- What all pieces of one stream begin and end with.
local function piece(reply, part)
  local ends = reply.piece_end
  if not ends then
    ends = ('],"role":"model"},"index":0}],"modelVersion":%s,"responseId":"%s"}'):format(
      encode(model_of(reply)), reply.call.id)
    reply.piece_end = ends
  end
  return writer.frame(reply, '{"candidates":[{"content":{"parts":[' .. part .. ends)
end

--- Nothing is said before the first part.
function writer.open()
  return ""
end

function writer.text(reply, text)
  return piece(reply, '{"text":' .. encode(text) .. "}")
end

writer.refusal = writer.text

function writer.reasoning(reply, text)
  return piece(reply, '{"text":' .. encode(text) .. ',"thought":true}')
end

--- The thought was said: its signature follows in a part of its own.
function writer.block(reply, block)
  local part = signatures.part(block)
  part.text = ""
  return piece(reply, encode(part))
end

--- Calls wait for their arguments.
function writer.tool_call()
  return ""
end

--- The reason stands in the last piece.
function writer.finish()
  return ""
end

-- Whole answers ------------------------------------------------------------------

local function signature_of(call)
  local google = call.extra and call.extra.extra_content and call.extra.extra_content.google
  local signature = google and google.thought_signature
  return type(signature) == "string" and signature or nil
end

-- Arguments have to be an object.
local function arguments_of(call)
  local text = table.concat(call.pieces)
  if text == "" then return json.raw("{}") end
  if not (text:find("^%s*{") and json.index(text)) then return { INVALID_JSON = text } end
  return json.raw((text:gsub("[\r\n]+", " "))) -- an event's data is one line
end

-- A turn's first call is signed, or says that it need not be: the next turn may be Gemini's.
local function add_calls(parts, calls)
  for i, call in ipairs(calls or {}) do
    parts[#parts + 1] = json.object({ "functionCall", "thoughtSignature" }, {
      functionCall = json.object({ "id", "name", "args" }, {
        id = call.id, name = call.name or "", args = arguments_of(call),
      }),
      thoughtSignature = signature_of(call) or i == 1 and signatures.NONE or nil,
    })
  end
  return parts
end

local function add_text(parts, texts, from, thought)
  local text = texts and table.concat(texts, "", from or 1) or ""
  if text == "" then return end
  parts[#parts + 1] =
    json.object({ "text", "thought" }, { text = text, thought = thought })
end

local function parts_of(reply)
  local parts = json.array {}
  for _, block in ipairs(reply.blocks or {}) do parts[#parts + 1] = signatures.part(block) end
  add_text(parts, reply.thoughts, reply.signed, true)
  add_text(parts, reply.texts)
  add_text(parts, reply.refusals)
  return add_calls(parts, reply.tool_calls)
end

local function never_empty(parts)
  if #parts == 0 then parts[1] = { text = "" } end
  return parts
end

--- What ends a stream that went well.
function writer.tail(reply)
  local before = ""
  if not reply.passing then
    local parts = never_empty(add_calls(json.array {}, reply.tool_calls))
    before = writer.frame(reply, answer(reply, parts, finish.written(reply.finish_reason)))
  end
  return reply.call.as_array and before .. "]" or before
end

--- A whole answer.
function writer.whole(reply)
  return answer(reply, never_empty(parts_of(reply)), finish.written(reply.finish_reason))
end

--- How many tokens a body has.
function writer.counted(n)
  return encode { totalTokens = n }
end

-- Errors -------------------------------------------------------------------------

writer.error = errors.body

--- An error in a stream that has begun.
function writer.stream_error(err, _, reply)
  if not (reply and reply.call.as_array) then
    return "data: " .. writer.error(err) .. "\n\n"
  end
  return writer.frame(reply, writer.error(err)) .. "]"
end

return writer

-- Gemini's generateContent passed on as it came, where client and provider both speak it: the
-- body's bytes, the answer's bytes, its events. The model's name is part of the address.

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local counts = require "lib.gemini_usage"
local fault = require "lib.fault"
local finishes = require "lib.gemini_finish"
local json = require "engine.json"
local signatures = require "lib.generate_signatures"
local spelling = require "lib.spelling"
local tokens = require "engine.tokens"
local values = require "lib.values"

local passing = { dialect = "gemini" }

local text_of = values.text

-- Request ------------------------------------------------------------------------

-- The name under which a member is there, or is to be.
local function written(doc, parent, name)
  local other = spelling.other(name)
  if not parent then return doc:type(other) and other or name end
  return doc:at(parent .. "." .. other) ~= nil and other or name
end

--- Where the longest answer is written: a path for splice().
function passing.limit_path(doc)
  local config = written(doc, nil, "generationConfig")
  return config .. "." .. written(doc, config, "maxOutputTokens")
end

-- The deployment's max_tokens is a ceiling: it lowers what was asked, and stands where nothing
-- was asked.
local function cap(doc, dep, edits)
  if not dep.max_tokens then return end
  local path = passing.limit_path(doc)
  local asked = doc:at(path)
  if type(asked) == "number" and asked <= dep.max_tokens then return end
  edits[path] = dep.max_tokens
end

--- The call as it came, but for the deployment's ceiling, a model that the body names too, and
--- signatures of others.
function passing.encode(call, dep)
  local doc, edits = call.doc, {}
  cap(doc, dep, edits)
  local named = doc:type("model") and "models/" .. dep.model or nil
  if named and doc:get("model") ~= named then edits.model = named end
  edits.contents = signatures.strip(doc)
  return next(edits) and doc:splice(edits) or doc
end

-- Answers ------------------------------------------------------------------------

local function blocked(feedback)
  return chat.given(chat.table_or_empty(feedback).blockReason)
end

local function reason_of(doc)
  if blocked(doc:get("promptFeedback")) then return "content_filter" end
  local reason = doc:at("candidates.0.finishReason")
  if not chat.given(reason) then return nil end
  return finishes.read(reason, tokens.mentions(doc, '"functionCall"'))
end

--- A whole answer.
function passing.decode(doc, reply)
  if chat.given(doc:get("error")) then chat_errors.raise(doc:decode()) end
  local reason = reason_of(doc)
  if not reason then
    fault.raise("invalid_response", "The provider's answer holds no candidate.")
  end
  local found = doc:at("candidates.0.groundingMetadata")
  local said = counts.read({}, {
    usageMetadata = doc:get("usageMetadata"), candidates = { { groundingMetadata = found } },
  }, true)
  if said then reply:usage(said) end
  local id, model = doc:at("responseId", "modelVersion")
  reply:ready_as(doc, { id = text_of(id), model = text_of(model), finish = reason })
end

-- Streams ------------------------------------------------------------------------

-- Bytes of text in an event, and whether it holds anything a client would miss.
local function said_in(data, state)
  local n, carries = 0, blocked(data.promptFeedback)
  for candidate in chat.objects(data.candidates) do
    carries = carries or chat.given(candidate.finishReason)
    for part in chat.objects(chat.table_or_empty(candidate.content).parts) do
      local text = text_of(part.text)
      n = n + #(text or "")
      carries = carries or text ~= nil or part.text == nil
      if part.functionCall then state.called = true end
    end
  end
  return n, carries
end

local function note(data, reply, state)
  if chat.given(data.error) then chat_errors.raise(data) end
  local first = chat.table_or_empty(chat.table_or_empty(data.candidates)[1])
  if chat.given(first.finishReason) then state.reason = first.finishReason end
  local reason = state.reason and finishes.read(state.reason, state.called)
  reply:known {
    id = text_of(data.responseId), model = text_of(data.modelVersion),
    finish = blocked(data.promptFeedback) and "content_filter" or reason,
  }
  local said = counts.read(state.usage, data, reply.finish_reason)
  if said then reply:usage(said) end
end

-- Comments break these clients, wherever they come from.
local function without_comments(bytes)
  if not (bytes:find("^:") or bytes:find("[\r\n]:")) then return bytes end
  local kept = {}
  for line in bytes:gmatch("[^\r\n]+") do
    if line:sub(1, 1) ~= ":" then kept[#kept + 1] = line end
  end
  return table.concat(kept, "\n") .. "\n\n"
end

--- A stream, event by event. Almost every one has counts, so none goes by unseen.
function passing.stream(upstream, reply)
  local state = { usage = {} }
  local frame = reply.writer.frame
  for _, data, bytes in upstream:sse() do
    if chat.is_readable(data) and not json.is_array(data) then
      local n, carries = said_in(data, state)
      note(data, reply, state)
      bytes = reply.call.as_array and frame(reply, chat.event_data(bytes))
        or without_comments(bytes)
      reply:pass(bytes, carries, n)
    end
  end
end

return passing

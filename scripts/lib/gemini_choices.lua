-- Gemini's candidates as OpenAI's choices: for what the reply's verbs do not say, several
-- candidates and the probabilities of their tokens.

local chat = require "lib.chat"
local contents = require "lib.gemini_contents"
local finish = require "lib.gemini_finish"
local json = require "engine.json"

local choices = {}

local function has_logprobs(candidate)
  return type(candidate.logprobsResult) == "table"
end

--- Do the verbs not suffice?
function choices.needed(body)
  local list = chat.table_or_empty(body.candidates)
  local first = chat.table_or_empty(list[1])
  return #list > 1 or (tonumber(first.index) or 0) > 0 or has_logprobs(first)
end

-- Probabilities --------------------------------------------------------------------

local LOGPROB = { "token", "logprob", "bytes", "top_logprobs" }

local function token(value)
  return json.object(LOGPROB, {
    token = value.token or "", logprob = value.logProbability or 0, bytes = json.null,
  })
end

local function logprobs(candidate)
  local result = chat.table_or_empty(candidate.logprobsResult)
  local out, top = json.array {}, chat.table_or_empty(result.topCandidates)
  for chosen in chat.objects(result.chosenCandidates) do
    local one = token(chosen)
    one.top_logprobs = json.array {}
    local others = chat.table_or_empty(top[#out + 1]).candidates
    for other in chat.objects(others) do
      one.top_logprobs[#one.top_logprobs + 1] = token(other)
    end
    out[#out + 1] = one
  end
  return #out > 0 and { content = out } or json.null
end

-- Messages -------------------------------------------------------------------------

local function tool_call(part, n, answer_id)
  local call = part.functionCall
  contents.check_call(call)
  local arguments = call.args and json.text(call.args) or "{}"
  local signature = part.thoughtSignature
  return json.object({ "index", "id", "type", "function" }, {
    index = n, type = "function",
    id = chat.given(call.id) and call.id
      or contents.call_id(answer_id, n, call.name, arguments),
    ["function"] = json.object({ "name", "arguments" }, {
      name = call.name, arguments = arguments,
    }),
    extra_content = signature and { google = { thought_signature = signature } } or nil,
  })
end

--- What a candidate says, as a message or a delta.
local function message(candidate, answer_id)
  local text, thought, calls = {}, {}, json.array {}
  local content = chat.table_or_empty(candidate.content)
  for part in chat.objects(content.parts) do
    if type(part.functionCall) == "table" then
      calls[#calls + 1] = tool_call(part, #calls, answer_id)
    elseif type(part.text) == "string" then
      local list = part.thought == true and thought or text
      list[#list + 1] = part.text
    end
  end
  return json.object({ "role", "content", "refusal", "reasoning_content", "tool_calls" }, {
    role = "assistant", content = #text > 0 and table.concat(text) or json.null,
    reasoning_content = #thought > 0 and table.concat(thought) or nil,
    tool_calls = #calls > 0 and calls or nil,
  })
end

local function choice(candidate, position, said_as, answer_id)
  local said = message(candidate, answer_id)
  local reason = candidate.finishReason
  return json.object({ "index", said_as, "logprobs", "finish_reason" }, {
    index = tonumber(candidate.index) or position, [said_as] = said,
    logprobs = logprobs(candidate),
    finish_reason = chat.given(reason) and finish.read(reason, said.tool_calls ~= nil)
      or json.null,
  })
end

local function answer(body, object, said_as)
  local list = json.array {}
  for candidate in chat.objects(body.candidates) do
    list[#list + 1] = choice(candidate, #list, said_as, body.responseId)
  end
  return json.object({ "id", "object", "created", "model", "choices" }, {
    id = "chatcmpl-" .. tostring(body.responseId or "0"), object = object,
    created = os.time(), model = body.modelVersion, choices = list,
  })
end

local function counts(total)
  local input, output = total.input_tokens or 0, total.output_tokens or 0
  return json.object({ "prompt_tokens", "completion_tokens", "total_tokens" }, {
    prompt_tokens = input, completion_tokens = output, total_tokens = input + output,
    prompt_tokens_details = { cached_tokens = total.cache_read_tokens or 0 },
    completion_tokens_details = { reasoning_tokens = total.reasoning_tokens or 0 },
  })
end

--- A whole answer.
function choices.completion(body, reply)
  local out = answer(body, "chat.completion", "message")
  out.usage = counts(reply.usage_total or {})
  reply:completion((json.index(json.encode(out))))
end

--- A piece of a stream.
function choices.chunk(body, reply)
  reply:chunk(answer(body, "chat.completion.chunk", "delta"))
end

--- The end of a stream: what it took, for clients that asked.
function choices.tail(reply)
  local out = answer({}, "chat.completion.chunk", "delta")
  out.id, out.model = "chatcmpl-" .. tostring(reply.id or "0"), reply.model
  out.usage = counts(reply.usage_total or {})
  reply:chunk(out)
end

return choices

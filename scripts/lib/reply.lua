-- The answer to one call: adapters say it in verbs, the client's dialect turns it into bytes.
--
-- Nothing reaches the client before the first real piece of an answer, so that whatever fails
-- until then can still be tried elsewhere; from then on `committed` is true. The last bytes
-- leave in close(), after the journal line.

local answer = require "lib.answer_headers"
local answer_text = require "lib.answer_text"
local chat_errors = require "lib.chat_errors"
local citations = require "lib.citations"
local finish = require "lib.finish"
local json = require "engine.json"
local new_table = require "table.new"
local reply_calls = require "lib.reply_calls"
local shared = require "engine.shared"
local spoken = require "lib.spoken"
local time = require "engine.time"
local tokens = require "lib.tokens"
local usage = require "lib.usage"
local values = require "lib.values"

local reply = {}

local text_of = values.text

-- Events of an OpenAI stream that a script must see; the engine passes all others on.
local MARKS = { '"usage":', '"finish_reason":', '"error":', "[DONE]" }
local MOST_READ = 1024 * 1024 -- bytes of an answer that is read again for its text
local AT_ONCE = 32 * 1024     -- bytes of text that are counted at once
local HELD_MOST = 16 -- events without substance; then the head leaves all the same
local TOKEN_BYTES = 4
local NOTHING = {} -- counts before anybody counted; never written to

---@class Reply
---@field committed boolean       bytes to the client have begun
---@field usage_total table       lib/usage.lua's shape, merged
---@field estimated boolean?      usage_total is our estimate, not the provider's word
---@field finish_reason string?
---@field first_token_at number?  monotonic seconds
---@field id string?              as the provider named the answer
---@field model string?           as the provider named the model

local Reply = {}
Reply.__index = Reply

--- An empty reply to `call`, in the words of `writer` (dialects/*_writer.lua).
---@return Reply
function reply.new(call, writer)
  local self = new_table(0, 32)
  self.call, self.request, self.writer, self.committed = call, call.request, writer, false
  self.usage_total, self.seen = NOTHING, 0
  return setmetatable(self, Reply)
end

local KEPT = { call = true, request = true, writer = true, committed = true }

--- Forget everything not yet sent, between two attempts.
function Reply:abandon()
  for name in pairs(self) do
    if not KEPT[name] then self[name] = nil end
  end
  self.usage_total, self.seen = NOTHING, 0
end

-- Bytes to the client -----------------------------------------------------------------

function Reply:commit()
  local content_type = self.writer.content_type
  local headers = answer.headers(self, self.content_type or content_type
    and content_type(self.call) or "text/event-stream")
  headers["cache-control"] = "no-cache"
  headers["x-accel-buffering"] = "no"
  self.committed = true
  self.first_token_at = self.first_token_at or time.monotonic()
  self.open_stream = shared.hold("streams:open", 1)
  self.request:begin(200, headers)
  local held = self.held
  self.held = nil
  if held then self.request:send(table.concat(held)) end
end

-- Bytes that carry something: from here on there is no second attempt.
local function emit(self, bytes)
  if bytes == "" then return end
  if not self.committed then self:commit() end
  self.request:send(bytes)
end

local function hold(self, bytes)
  if self.committed then return self.request:send(bytes) end
  local held = self.held or {}
  self.held = held
  held[#held + 1] = bytes
  if #held >= HELD_MOST then self:commit() end
end

-- The first chunk of a stream that we write ourselves.
local function open(self)
  if self.opened then return end
  self.opened = true
  hold(self, self.writer.open(self))
end

local function append(self, list, text)
  local texts = self[list]
  if not texts then
    texts = {}
    self[list] = texts
  end
  texts[#texts + 1] = text
end

local function piece(self, text, list, write)
  if type(text) ~= "string" or text == "" then return end
  self.seen = self.seen + #text
  self.first_token_at = self.first_token_at or time.monotonic()
  if not self.call.stream then return append(self, list, text) end
  open(self)
  emit(self, write(self, text))
end

-- The verbs ---------------------------------------------------------------------------

--- The answer begins. Not yet a reason to tell the client.
function Reply:start(info)
  self.id, self.model = info.id or self.id, info.model or self.model
  if self.call.stream then open(self) end
end

--- Text, and how likely its tokens were, where that was asked for: OpenAI's entries.
function Reply:text(text, likely)
  if likely then
    self.likely = likely
    for i = 1, #likely do append(self, "likelihoods", likely[i]) end
  end
  piece(self, text, "texts", self.writer.text)
  if likely then self.likely = nil end
end

--- What text that was said rests on (lib/citations.lua).
function Reply:cite(one)
  if not one then return end
  append(self, "citations", one)
  local write = self.call.stream and self.writer.cite
  if not write then return end
  open(self)
  emit(self, write(self, one))
end

function Reply:refusal(text)
  piece(self, text, "refusals", self.writer.refusal)
end

-- A signed (or redacted) block of thought, which the client has to send back as it came.
local function block(self, options)
  local value
  if options.redacted then
    value = json.object({ "type", "data" }, {
      type = "redacted_thinking", data = options.redacted,
    })
  else
    local thoughts = self.thoughts or {}
    value = json.object({ "type", "thinking", "signature" }, {
      type = "thinking", signature = options.signature,
      thinking = table.concat(thoughts, "", self.signed or 1),
    })
    self.signed = #thoughts + 1
  end
  append(self, "blocks", value)
  if not self.call.stream then return end
  open(self)
  emit(self, self.writer.block(self, value))
end

--- Thought aloud. options.signature closes the block the text so far belongs to;
--- options.redacted is a block of its own.
function Reply:reasoning(text, options)
  if self.call.stream and type(text) == "string" and text ~= "" then
    append(self, "thoughts", text) -- kept for the signature
  end
  piece(self, text, "thoughts", self.writer.reasoning)
  if options and (options.signature or options.redacted) then block(self, options) end
end

--- A tool call begins (with an id) or goes on (without).
function Reply:tool_call(call)
  local known, new = reply_calls.slot(self, call)
  local arguments = call.arguments or ""
  known.id, known.name = known.id or call.id, known.name or call.name
  known.pieces[#known.pieces + 1] = arguments
  self.seen = self.seen + #arguments + (new and #(call.name or "") or 0)
  self.first_token_at = self.first_token_at or time.monotonic()
  if not self.call.stream then return end
  open(self)
  emit(self, self.writer.tool_call(self, known, arguments, new))
end

--- Why it ended: stop, length, tool_calls, content_filter.
function Reply:finish(reason)
  local again = self.finish_reason
  self.finish_reason = reason
  if again or not self.call.stream then return end
  open(self)
  emit(self, self.writer.finish(self, reason))
end

--- Tokens, in any number of pieces; the last word on each kind stands.
function Reply:usage(counts)
  if self.usage_total == NOTHING then self.usage_total = new_table(0, 8) end
  usage.merge(self.usage_total, counts)
end

-- OpenAI's shapes ---------------------------------------------------------------------

local function tool_calls(self, calls)
  for _, call in ipairs(type(calls) == "table" and calls or {}) do
    local named = type(call["function"]) == "table" and call["function"] or {}
    self:tool_call {
      index = call.index, id = text_of(call.id), name = text_of(named.name),
      arguments = text_of(named.arguments),
    }
  end
end

local function say(self, message)
  if type(message) ~= "table" then return end
  self:reasoning(spoken.thought(message))
  self:text(spoken.text(message))
  if message.annotations then citations.tell(message.annotations, self) end
  self:refusal(message.refusal)
  tool_calls(self, message.tool_calls)
end

-- In OpenAI's words; some say "stop" though they called tools.
local function ended(self, reason)
  return reason == "stop" and self.tool_calls and "tool_calls" or finish.of(reason)
end

-- What we keep of a chunk or a whole answer, whoever else gets it.
local function note(self, t, choices)
  self.id, self.model = self.id or text_of(t.id), self.model or text_of(t.model)
  if type(t.usage) == "table" then
    local counts = usage.from_openai(t.usage)
    counts.service_tier = text_of(t.service_tier)
    self:usage(counts)
  end
  for _, choice in ipairs(choices) do
    self.finish_reason = finish.of(text_of(choice.finish_reason)) or self.finish_reason
  end
end

local function pass(self, t, choices, bytes)
  self.passing = true
  local asked = self.call.include_usage
  if #choices == 0 and type(t.usage) == "table" and not asked then return end
  bytes = bytes or "data: " .. json.encode(t) .. "\n\n"
  local n, carries = spoken.said(choices)
  self.seen = self.seen + n
  self.frame = self.frame or #bytes - n -- what an event weighs without its text
  if carries then emit(self, bytes) else hold(self, bytes) end
end

-- Other dialects have one answer: what streams of several say of the first.
local function first_of(choices)
  for _, choice in ipairs(choices) do
    if choice.index == nil or choice.index == 0 then return choice end
  end
  return nil
end

--- One OpenAI chunk. Goes out as the bytes it came in where the client speaks that dialect.
function Reply:chunk(t, bytes)
  if type(t) ~= "table" then return end
  if type(t.error) == "table" or type(t.error) == "string" then chat_errors.raise(t) end
  local choices = type(t.choices) == "table" and t.choices or {}
  if self.call.stream and self.writer.dialect == "openai" then
    note(self, t, choices)
    return pass(self, t, choices, bytes)
  end
  local before, choice = self.finish_reason, first_of(choices)
  note(self, t, { choice })
  if not choice then return end
  local reason = self.finish_reason
  self.finish_reason = before
  say(self, choice.delta)
  if reason then self:finish(ended(self, reason)) end
end

-- The few members that accounting needs; nobody decodes the rest.
local function note_doc(self, doc)
  local counts = usage.from_doc(doc)
  local id, model, reason, tier =
    doc:at("id", "model", "choices.0.finish_reason", "service_tier")
  if counts then
    counts.service_tier = text_of(tier)
    self.usage_total = usage.safe(counts)
  end
  self.id, self.model = text_of(id), text_of(model)
  self.finish_reason = finish.of(text_of(reason))
  self.seen = #doc
  self.ready = doc
  self.first_token_at = time.monotonic()
end

--- A whole OpenAI answer: a document, or a table. A document goes to a client of that dialect
--- as it is.
function Reply:completion(t)
  local is_doc = type(t) == "userdata"
  if is_doc and not self.call.stream and self.writer.dialect == "openai" then
    return note_doc(self, t)
  end
  if is_doc then t = t:decode() end
  local choice = type(t.choices) == "table" and t.choices[1]
  note(self, t, {})
  self:start { id = text_of(t.id), model = text_of(t.model) }
  if type(choice) ~= "table" then return end
  say(self, choice.message or { content = choice.text }) -- some completion's, read as a chat's
  self:finish(ended(self, text_of(choice.finish_reason) or "stop"))
end

-- What passes as it came ----------------------------------------------------------------

--- What the provider said of its answer: id, model, finish, content_type (where that is not
--- the dialect's), whole_instead (not the stream that was asked for).
function Reply:known(about)
  self.id, self.model = about.id or self.id, about.model or self.model
  self.content_type = about.content_type or self.content_type
  self.whole_instead = about.whole_instead or self.whole_instead
  self.finish_reason = about.finish or self.finish_reason
end

--- A whole answer in the client's own dialect, as a document.
function Reply:ready_as(doc, about)
  self:known(about)
  self.seen, self.ready, self.first_token_at = #doc, doc, time.monotonic()
end

--- An event in the client's own dialect, of which `text_bytes` are text. Those that carry
--- nothing yet wait for one that does.
function Reply:pass(bytes, carries, text_bytes)
  self.passing = true
  self.seen = self.seen + text_bytes
  self.frame = self.frame or text_bytes > 0 and #bytes - text_bytes or nil
  if carries then emit(self, bytes) else hold(self, bytes) end
end

-- Events ------------------------------------------------------------------------------

-- The events of a stream: name, data, bytes; where `relay`, those without a mark go by inside
-- the engine once the client has its first bytes.
local function events(self, upstream, marks, relay)
  local pull = upstream:sse()
  return function()
    if relay and self.committed and not self.done then
      return upstream:relay(self.request, marks)
    end
    return pull()
  end
end

--- The events of a stream in the client's own dialect; `marks` stand in those that a script
--- must see.
function Reply:passed_events(upstream, marks)
  return events(self, upstream, marks, true)
end

--- The events of an OpenAI stream, for adapters: name, data, bytes; "[DONE]" among them. Once
--- the client has its first bytes, events that no script must see go by inside the engine.
function Reply:events(upstream)
  local next_event = events(self, upstream, MARKS,
    self.call.stream and self.writer.dialect == "openai")
  return function()
    local name, data, bytes = next_event()
    if data == "[DONE]" then self.done = true end
    return name, data, bytes
  end
end

--- Take what the engine passed on by itself into account.
function Reply:relayed(passed)
  if not passed or not passed.events then return end
  self.relayed_events = passed.events
  local text = (passed.bytes or 0) - passed.events * (self.frame or 0)
  self.seen = self.seen + math.max(text, passed.events * TOKEN_BYTES)
end

--- Did the provider end this answer, or only stop?
function Reply:is_whole()
  return self.finish_reason ~= nil or self.done == true
end

--- Was anything said at all?
function Reply:is_empty()
  return not (self.ready or self.finish_reason or self.first_token_at or self.opened
    or self.passing)
end

-- Of what was passed on as it came, only the text was written by a model.
local function output_of(self, call)
  if not self.ready or #self.ready > MOST_READ then return tokens.of_bytes(self.seen) end
  local text = answer_text.of(self.ready)
  if #text > AT_ONCE then return tokens.of_bytes(#text) end
  return (tokens.count(text, call.dep.model))
end

--- Fill in what the provider did not count. Flags the total as an estimate where it had to.
function Reply:estimate(call)
  local total = self.usage_total
  if total.input_tokens and total.output_tokens then return end
  self.estimated = true
  self:usage {
    input_tokens = total.input_tokens or call.input_tokens,
    output_tokens = total.output_tokens or output_of(self, call),
  }
end

-- The end -----------------------------------------------------------------------------

--- Answer with a body of our own (a list of models, a health report).
function Reply:answer(status, body)
  self.own = { status = status, body = body }
end

local function retry_header(err)
  if err.exhausted or err.kind == "budget_exceeded" then return "false" end
  if err.status == 408 or err.status == 429 or err.status == 503 or err.status == 529 then
    return "true"
  end
  return "false"
end

local function refuse(self, err)
  local headers = answer.headers(self, "application/json")
  headers["x-should-retry"] = retry_header(err)
  if headers["x-should-retry"] == "true" and err.status ~= 408 then
    headers["retry-after"] = tostring(math.max(1, math.ceil(err.retry_after or 1)))
  end
  if err.allow then headers.allow = err.allow end
  self.request:respond(err.status, headers, err.body or self.writer.error(err, self.call))
end

-- A stream that broke: an event says so, and no mark of success follows it.
local function break_off(self, err)
  self.request:send(self.writer.stream_error(err, self.call, self))
  self.request:finish(false)
end

local function end_stream(self)
  if not self.committed then self:commit() end
  self.request:send(self.writer.tail(self))
  self.request:finish(true)
end

local function end_whole(self)
  local headers = answer.headers(self, self.content_type or "application/json", self.cost)
  self.request:respond(200, headers, self.ready or self.writer.whole(self))
end

--- The status that the client's dialect has for a fault.
function Reply:status_of(err)
  local status = self.writer.status
  return status and status(err) or err.status
end

--- The last bytes, or the error. May wait, and so may raise.
function Reply:close(err)
  if self.open_stream then self.open_stream:settle() end
  if err and err.kind == "cancelled" then
    if self.committed then self.request:finish(false) end
  elseif err and self.committed then
    break_off(self, err)
  elseif err then
    refuse(self, err)
  elseif self.own then
    local own = self.own
    self.request:respond(own.status, answer.headers(self, "application/json"), own.body)
  elseif self.call.stream and not self.whole_instead then
    end_stream(self)
  else
    end_whole(self)
  end
end

return reply

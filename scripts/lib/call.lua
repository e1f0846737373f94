-- What one client asked for: the call that stages and adapters read.

local crypto = require "engine.crypto"
local fault = require "lib.fault"
local new_table = require "table.new"
local tokens = require "lib.tokens"

local call = {}

-- Subtrees nobody has to understand: they keep their order, their empties and their digits.
local DECODE = {
  raw = {
    parameters = true, input_schema = true, schema = true, input = true, metadata = true,
  },
}

local NONE = {} -- never written to

---@class Call
---@field request table      the client's request (meta/engine.lua)
---@field id string          uuid7; x-moongate-request-id
---@field method string
---@field path string
---@field dialect string     "openai", "anthropic", "responses", "gemini", "embeddings" …
---@field cfg table
---@field key table          the virtual key
---@field doc table          the body, indexed
---@field model string       as asked
---@field group table        the model group that routing chose
---@field served table?      the group asked last: the same, or a fallback
---@field plan table        the accounts that pay (pipeline/plans.lua)
---@field admitted integer?  wall milliseconds: whose windows the cost belongs to
---@field reserved_tokens integer
---@field reserved_nano integer?  nano-dollars; nil where no price is known
---@field output_limit integer|false  output tokens of each choice, as asked
---@field choices integer
---@field wants_base64 boolean  embeddings as bytes, not as numbers
---@field media table|false  of doors beside chats: `input` tokens at most, `by` and `kind` of
---  what there may be at most (lib/bill_by.lua); `form`, `parts`, `places` where one came
---@field stream boolean
---@field started number     monotonic seconds
---@field deadline number    monotonic seconds; covers attempts, waits and fallbacks
---@field attempts table[]
---@field dropped string[]
---@field verb string|false  what a Gemini path wants of its model
---@field as_array boolean   a Gemini stream that is one JSON array
---@field door table|false   the dialect that is spoken (dialects/*)
---@field body table         lazily decoded: a chat's, whatever was spoken
---@field chat table         the same as a document, for the deployment that is asked
---@field notes table|false  what a translation could not tell (lib/notes.lua)
---@field input_tokens integer  counted when first read
---@field end_user string|false
---@field goes_on string|false  the member that names what a provider keeps (pipeline/pins.lua)
---@field pinned string|false  the provider that has it
---@field keeps boolean     the answer is kept by its provider
---@field over boolean      it is being recorded: nothing waits any more
---@field input_about table|false  what is known of that number, once it was read (lib/tokens)
---@field user string?
---@field session string|false  as the client's headers name it

local methods, lazy = {}, {}

-- A chat's body, whatever was spoken: what adapters read.
function lazy.body(self)
  local door = self.door
  if not (door and door.decode) then return self.doc:decode(DECODE) end
  local body, notes = door.decode(self.doc)
  rawset(self, "notes", notes)
  return body
end

function lazy.notes(self)
  return self.body and rawget(self, "notes") or false
end

-- The same as a document, for providers of OpenAI's dialect.
function lazy.chat(self)
  local door = self.door
  return door and door.document and door.document(self, self.dep) or self.doc
end

-- The group that the call has, or will have if nobody chooses another.
local function likely_group(self)
  local cfg = self.cfg
  return self.group or cfg.groups[cfg.aliases[self.model] or self.model]
end

-- Counted once, for the deployment that is asked then, or the group's first. Where all is over,
-- what one turn has no time for is estimated: nothing may wait there.
function lazy.input_tokens(self)
  local group = likely_group(self)
  local dep = self.dep or group and group.deployments[1]
  local n, about = tokens.count_call(self, dep and dep.model or self.model, self.over)
  self.input_about = about
  return n
end

local function first_text(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" and value ~= "" then return value end
  end
  return false
end

-- Whom the client serves: as the operator's header says, else the body.
function lazy.end_user(self)
  local limit = self.cfg.limits.user
  local header = limit and limit.header and self.request:header(limit.header)
  if header and header ~= "" then return header end
  local doc = self.doc
  if not doc then return false end
  return first_text(doc:at("user", "safety_identifier", "metadata.user_id"))
end

function lazy.user(self)
  return self.end_user or nil
end

function lazy.session(self)
  local request = self.request
  return request:header("x-session-id") or request:header("session-id")
    or request:header("x-claude-code-session-id") or false
end

-- Sticky: the same key and user (or session) fall on the same side of a percentage.
function lazy.bucket(self)
  local text = self.key.name .. "\0" .. (self.user or self.session or self.id)
  return tonumber(crypto.sha256(text):sub(1, 8), 16) % 100
end

--- 0 to 99, the same for the same key and user: `if call:percent() < 5 then …`.
function methods:percent()
  return self.bucket
end

--- Has it for certain at most so many input tokens? Counted only where its size does not say.
function methods:fits(most)
  return tokens.fits(self, most)
end

--- A hint that the provider cannot take and the client can do without; named to the client, or
--- refused where the deployment is strict.
function methods:drop(name)
  local dropped, notes, dep = self.dropped, rawget(self, "notes"), rawget(self, "dep")
  name = notes and notes.words[name] or name
  if dep and dep.strict then
    fault.raise("bad_request", ("%s is strict, and does not take `%s`."):format(dep.name, name),
      { param = name, code = "unsupported_parameter" })
  end
  for _, known in ipairs(dropped) do
    if known == name then return end
  end
  if dropped == NONE then
    dropped = {}
    self.dropped = dropped
  end
  dropped[#dropped + 1] = name
end

--- Has the client left a call that goes on without it?
function methods:is_deserted()
  return self.stays and self.request.gone
end

--- A further try drops its own hints, not the last one's, and is told in its own way.
function methods:drop_nothing()
  self.dropped, self.chat = NONE, nil
end

--- The body is another now: what was read of it is read again.
function methods:reread(doc)
  self.doc, self.body, self.chat, self.notes = doc, nil, nil, nil
end

local Call = {}

function Call.__index(self, name)
  local method = methods[name]
  if method then return method end
  local make = lazy[name]
  if not make then return nil end
  local value = make(self)
  rawset(self, name, value)
  return value
end

--- A call of `request`, not yet read.
---@return Call
function call.new(request, dialect, cfg)
  local self = new_table(0, 48) -- with room for what the stages add
  self.request, self.id, self.dialect, self.cfg = request, crypto.uuid7(), dialect, cfg
  self.started, self.attempts, self.dropped = request.started, {}, NONE
  self.method, self.path = request.method, request.path
  -- What may never be set is false, not absent: an absent member is looked for in `lazy`.
  self.stream, self.quiet, self.fault, self.hold, self.trail = false, false, false, false, false
  self.served, self.upstream, self.provider_headers, self.sent_at = false, false, false, false
  self.input_about, self.over = false, false
  self.plan, self.admitted, self.reserved_tokens, self.reserved_nano = false, false, 0, false
  self.output_limit, self.choices, self.clamped, self.limit_headers = false, 1, false, false
  self.covered, self.input_most, self.counted, self.stays = false, false, false, false
  self.waits_until, self.door, self.wants_base64 = false, false, false
  self.goes_on, self.pinned, self.keeps = false, false, false
  self.verb, self.as_array = false, false
  self.media = false
  return setmetatable(self, Call)
end

return call

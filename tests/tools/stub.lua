-- What adapters meet in their tests: a call nobody may write to, an upstream made of bytes, and
-- two replies, one that writes down the verbs and the real one with a client that listens.

local json = require "engine.json"
local usage = require "lib.usage"

local stub = {}

-- Events -------------------------------------------------------------------------

local function field(event, line)
  local name, value = line:match("^([^:]+): ?(.*)$")
  if not name then name, value = line, "" end
  if name == "event" then event.name = value end
  if name == "data" then event.data = event.data and event.data .. "\n" .. value or value end
end

--- The events of a stream: { name, data as text, bytes }. One without its blank line is none.
function stub.events(bytes)
  local list, event, from, at = {}, {}, 1, 1
  while true do
    local first, last = bytes:find("\r?\n", at)
    if not first then return list end
    local line = bytes:sub(at, first - 1)
    at = last + 1
    if line == "" then
      if event.data then
        event.bytes = bytes:sub(from, last)
        list[#list + 1] = event
      end
      event, from = {}, at
    elseif line:sub(1, 1) ~= ":" then
      field(event, line)
    end
  end
end

local function decoded(data)
  if not data:find("^%s*[%[{]") then return data end
  return json.decode(data) or data
end

-- A mark counts where null does not follow it (engine/lua_stream.c).
local function is_marked(bytes, marks)
  for _, mark in ipairs(marks) do
    local at = 1
    while true do
      local first, last = bytes:find(mark, at, true)
      if not first then break end
      if not bytes:find("^%s*null", last + 1) then return true end
      at = last + 1
    end
  end
  return false
end

-- Upstream -----------------------------------------------------------------------

local Upstream = {}
Upstream.__index = Upstream

function Upstream:header(name) return self.headers[name] end

function Upstream:body() return self.bytes end

function Upstream:json(options) return json.decode(self.bytes, options) end

function Upstream:document()
  local doc, err = json.index(self.bytes)
  if doc then return doc end
  err.text, err.kind = self.bytes:sub(1, 200), "invalid"
  return nil, err
end

function Upstream:next()
  self.position = self.position + 1
  local event = self.list[self.position]
  if not event then return nil end
  return event.name or "message", decoded(event.data), event.bytes
end

function Upstream:sse()
  return function() return self:next() end
end

-- Messages of a binary stream are written down as events; exceptions are known by their names.
function Upstream:messages()
  return function()
    local name, data = self:next()
    if name == nil then return nil end
    return name, data, name:find("Exception$") and "exception" or "event"
  end
end

function Upstream:relay(request, marks)
  for name, data, bytes in self:sse() do
    if is_marked(bytes, marks) then return name, data, bytes end
    request:send(bytes)
  end
  return nil
end

--- An answer made of these bytes. `events` limits how many of them arrive.
function stub.upstream(bytes, headers, events)
  local list = stub.events(bytes)
  return setmetatable({
    status = 200, headers = headers or {}, bytes = bytes, position = 0,
    list = { unpack(list, 1, math.min(events or #list, #list)) }, passed = {},
  }, Upstream)
end

--- A whole answer, as the adapter tells it to a reply.
function stub.decode(adapter, upstream, reply)
  if adapter.dialect == "openai" then return adapter.decode(upstream:document(), reply) end
  return adapter.decode(upstream:json { raw = { input = true, args = true } }, reply)
end

-- Call ---------------------------------------------------------------------------

local DECODE = {
  raw = {
    parameters = true, input_schema = true, schema = true, input = true, metadata = true,
  },
}

--- A call with this body, which raises when an adapter writes to it.
function stub.call(text)
  local doc = assert(json.index(text))
  local options = doc:get("stream_options")
  local values = {
    doc = doc, id = "0190", dialect = "openai", started = 0, attempts = {}, dropped = {},
    body = doc:decode(DECODE), stream = doc:get("stream") == true, model = doc:get("model"),
    include_usage = type(options) == "table" and options.include_usage == true,
  }
  function values.drop(_, name)
    values.dropped[#values.dropped + 1] = name
  end
  return setmetatable({}, {
    __index = values,
    __newindex = function(_, name) error("an adapter wrote call." .. name, 2) end,
  })
end

--- A call with this body that came in at a door (dialects/*).
function stub.visitor(door, text)
  local call = require("lib.call").new(
    { started = 0, method = "POST", path = "/", header = function() end }, door.name, {})
  call.id, call.door, call.doc = "0190", door, assert(json.index(text))
  if door.name == "gemini" then -- what stands in the path
    local model = call.doc:get("model")
    call.model_id = type(model) == "string" and model or "m"
    call.verb = call.doc:get("stream") == true and "streamGenerateContent" or "generateContent"
    call.request.query = "alt=sse"
    if call.doc:type("stream") then call.doc = call.doc:splice { stream = json.remove } end
  elseif door.name == "embed_content" then
    local many = call.doc:type("requests")
    call.model_id, call.verb = "m", many and "batchEmbedContents" or "embedContent"
  end
  door.read(call)
  return call
end

--- The bytes that a deployment is sent for it.
function stub.asked(call, dep)
  local adapter = dep.provider.adapter
  local face = require("lib.natives").of(call.dialect, dep) or adapter
  call.dep = dep
  call:drop_nothing()
  if face == adapter and call.door.fit then call.door.fit(call, dep) end
  local body = face.encode(call, dep)
  return type(body) == "table" and json.encode(body) or body:bytes()
end

--- A deployment of `model` at a provider that the adapter of this name speaks for.
function stub.deployment(adapter_name, model, more, provider)
  local dep = {
    model = model, name = adapter_name .. "/" .. model,
    provider = {
      name = adapter_name, adapter_name = adapter_name, api_key = "sk-test",
      adapter = require("providers." .. adapter_name),
    },
  }
  for name, value in pairs(provider or {}) do dep.provider[name] = value end
  for name, value in pairs(more or {}) do dep[name] = value end
  dep.provider = require("lib.families").provider(dep.provider, dep)
  return dep
end

--- The bytes that an adapter sends for a call.
function stub.encoded(call, dep)
  local body = dep.provider.adapter.encode(call, dep)
  return type(body) == "table" and json.encode(body) or body:bytes()
end

-- Replies ------------------------------------------------------------------------

local ORDER = {
  "id", "name", "model", "arguments", "extra", "input_tokens", "output_tokens",
  "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
  "signature", "redacted", "start", "stop", "text", "url", "title", "source",
}

local function written(value)
  if type(value) == "table" then
    return json.encode(next(value) and json.object(ORDER, value) or value)
  end
  if type(value) == "userdata" then return value:bytes() end
  return (value:gsub("[%z\1-\31\\]", function(c) return ("\\%d"):format(c:byte()) end))
end

local Recorder = {}

local VERBS = {
  "start", "text", "reasoning", "refusal", "tool_call", "finish", "usage", "chunk",
  "completion", "cite",
}

for _, verb in ipairs(VERBS) do
  Recorder[verb] = function(self, value, more)
    if value == nil or value == "" and not more then return end
    local line = verb .. " " .. written(value)
    if verb == "reasoning" and type(more) == "table" and next(more) then
      line = line .. " " .. written(more)
    end
    self.lines[#self.lines + 1] = line
    if verb == "usage" then usage.merge(self.usage_total, value) end
  end
end

function Recorder.events(_, upstream) return upstream:sse() end

--- A reply that writes the verbs down, one a line (HOUSE 5.3).
function stub.recorder()
  return setmetatable({ lines = {}, usage_total = {} }, { __index = Recorder })
end

local Client = {}
Client.__index = Client

function Client:begin(status) self.status = status end

function Client:send(bytes) self.sent[#self.sent + 1] = bytes end

function Client:finish(clean) self.clean = clean end

function Client:respond(status, _, body)
  self.status, self.clean = status, true
  self.sent[#self.sent + 1] = type(body) == "userdata" and body:bytes() or body
end

function Client:bytes() return table.concat(self.sent) end

-- The door's shared counters are not in the tests' module; the reply counts open streams there.
local function shared()
  local held = { settle = function() end }
  return { hold = function() return held end }
end

--- The real reply to a call, and the client that hears it. `dep` is its deployment; `door` the
--- dialect it is said in, OpenAI's where there is none.
function stub.reply(call, dep, door)
  package.loaded["engine.shared"] = package.loaded["engine.shared"] or shared()
  local client = setmetatable({ sent = {} }, Client)
  local seen = setmetatable({ request = client, dep = dep }, { __index = call })
  local writer = door and door.writer or require "dialects.openai_writer"
  return require("lib.reply").new(seen, writer), client
end

return stub

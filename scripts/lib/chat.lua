-- The OpenAI chat shapes, and adapters that speak them.

local beside = require "lib.beside"
local chat_errors = require "lib.chat_errors"
local completions = require "lib.completions"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local finish = require "lib.finish"
local json = require "engine.json"
local percent = require "lib.percent"
local quirks = require "lib.quirks"
local tongues = require "lib.tongues"
local usage = require "lib.usage"

local chat = {}

-- Small questions --------------------------------------------------------------

--- Is there a value: neither absent nor null?
function chat.given(value)
  return value ~= nil and value ~= json.null
end

--- `value` if it is a table, else an empty one: for members that may be null or missing.
function chat.table_or_empty(value)
  return type(value) == "table" and not json.is_raw(value) and value or {}
end

--- Iterate over the objects in what should be a list of them; whatever else is in it, is not.
function chat.objects(list)
  list = chat.table_or_empty(list)
  local i = 0
  return function()
    repeat i = i + 1 until type(list[i]) == "table" or list[i] == nil
    return list[i]
  end
end

--- The text of a message's content: a string, a list of parts, or nothing at all.
function chat.text(content)
  if type(content) == "string" then return content end
  local out = {}
  for part in chat.objects(content) do
    local text = part.text or part.refusal
    if type(text) == "string" then out[#out + 1] = text end
  end
  return table.concat(out)
end

--- media type and base64 text of a data URL; nil for every other URL.
function chat.data_url(url)
  if url:sub(1, 5):lower() ~= "data:" then return nil end
  local head, data = url:match("^[^:]+:([^,]*),(.*)$")
  if not head or not head:find(";base64$") then return nil end
  local media_type = head:match("^[^;]+")
  return media_type and media_type:lower() or "application/octet-stream", data
end

-- Request ----------------------------------------------------------------------

-- The deployment's max_tokens is a ceiling: it lowers what was asked, and stands where nothing
-- was asked.
local function cap_tokens(doc, dep, edits)
  local asked = false
  for _, name in ipairs { "max_completion_tokens", "max_tokens" } do
    local value = doc:get(name)
    asked = asked or chat.given(value)
    if type(value) == "number" and value > dep.max_tokens then edits[name] = dep.max_tokens end
  end
  if not asked then
    local adapter = dep.provider and dep.provider.adapter
    edits[adapter and adapter.max_tokens_name or "max_tokens"] = dep.max_tokens
  end
end

--- The call as it came (as a chat, where another dialect is spoken), but for the model's name,
--- the wish for usage, the ceiling, and what the server's quirks ask for.
function chat.encode(call, dep)
  local doc, edits = quirks.document(call), {}
  local model = dep.deployment or dep.model
  local own = dep.provider and dep.provider.adapter and dep.provider.adapter.quirks
  if doc:get("model") ~= model then edits.model = model end
  if call.stream and quirks.may_ask(own) then quirks.ask_for_usage(doc, edits) end
  if dep.max_tokens then cap_tokens(doc, dep, edits) end
  if own then quirks.edit(call, edits, own) end
  return next(edits) and doc:splice(edits) or doc
end

-- Response ---------------------------------------------------------------------

-- An answer that ends for a reason which is none, or holds an error beside its text, failed.
local function check_end(reason, problem)
  if type(problem) == "table" and next(problem) then chat_errors.raise { error = problem } end
  local kind = finish.failure(reason)
  if kind then fault.raise(kind, ("The provider broke off (%s)."):format(reason)) end
end

--- A whole answer, passed on as the bytes it came in.
function chat.decode(doc, reply)
  if doc:type("choices") ~= "array" and doc:type("usage") ~= "object" then
    if chat.given(doc:get("error")) then chat_errors.raise(doc:decode()) end
    fault.raise("invalid_response", "The provider's answer is no chat completion.")
  end
  check_end(doc:at("choices.0.finish_reason", "choices.0.error"))
  reply:completion(doc)
end

-- Most send the usage beside `choices`; Groq in x_groq, Moonshot in the choice.
local function hidden_usage(chunk)
  local groq = chat.table_or_empty(chunk.x_groq).usage
  if type(groq) == "table" then return groq end
  local choice = chat.table_or_empty(chat.table_or_empty(chunk.choices)[1])
  return type(choice.usage) == "table" and choice.usage or nil
end

--- Does an event hold an object to read? Empty ones and `[DONE]` do not; other text is a fault.
function chat.is_readable(data)
  if type(data) == "table" then return true end
  if data == "" or data == "[DONE]" then return false end
  fault.raise("invalid_response", "An event of the provider's stream is not JSON.")
end

local function event(name, data, bytes, reply, look)
  if name == "error" or chat.given(data.error) then chat_errors.raise(data) end
  for _, choice in ipairs(chat.table_or_empty(data.choices)) do
    if type(choice) ~= "table" then
      fault.raise("invalid_response", "An event of the provider's stream holds no choice.")
    end
    check_end(choice.finish_reason, choice.error)
  end
  local counts = hidden_usage(data)
  if counts then reply:usage(usage.from_openai(counts)) end
  if look then look(data, reply) end
  reply:chunk(data, bytes)
end

--- A stream, passed on event by event. What follows `[DONE]` is read, so that the connection
--- can serve again, and ignored. `look`, where there is one, sees each event first.
function chat.stream(upstream, reply, look)
  local done = false
  for name, data, bytes in reply:events(upstream) do
    done = done or data == "[DONE]"
    if not done and chat.is_readable(data) then event(name, data, bytes, reply, look) end
  end
end

--- The whole answer that some give where a stream was asked for; nil where a stream came.
function chat.whole_instead(upstream, options)
  local media_type = upstream:header("content-type") or ""
  if not media_type:lower():find("application/json", 1, true) then return nil end
  local body, err = upstream:json(options)
  if type(body) == "table" then return body end
  if err then error(fault.of(err), 0) end
  fault.raise("invalid_response", "The provider's answer is no object.")
end

--- The data of one server-sent event.
function chat.event_data(bytes)
  local lines = {}
  for line in bytes:gmatch("[^\r\n]+") do
    local data = line:match("^data: ?(.*)$")
    if data then lines[#lines + 1] = data end
  end
  return table.concat(lines, "\n")
end

--- The same, decoded again with `options`: for readers that need the text of a member as it
--- came.
function chat.reread(bytes, options)
  return json.decode(chat.event_data(bytes), options)
end

-- Adapters ---------------------------------------------------------------------

--- The key as a bearer token, where there is a key.
function chat.bearer(dep)
  local key = dep.provider.api_key
  return { authorization = key and "Bearer " .. key or nil }
end

local function check_message(message, at)
  if type(message) ~= "table" then
    fault.raise("invalid_type", "A message is an object.", { param = at })
  end
  if type(message.role) ~= "string" then
    fault.raise("invalid_type", "A message has a role.", { param = at .. ".role" })
  end
end

-- Who translates reads every message: what is none is the client's mistake, not the adapter's.
local function reading_messages(encode)
  return function(call, dep)
    for i, message in ipairs(call.body.messages) do
      check_message(message, ("messages[%d]"):format(i - 1))
    end
    return encode(call, dep)
  end
end

local Adapter = {}
Adapter.__index = Adapter

local DEFAULTS = {
  path = "/chat/completions", headers = chat.bearer, classify = chat_errors.classify,
  encode = chat.encode, decode = chat.decode, stream = chat.stream,
}

-- What servers of OpenAI's dialect have beside chats: an adapter says at which path.
local BESIDE = {
  embeddings = { embeddings = embeddings, embed_content = embed_content },
  completions = { completions = completions },
}

local function face_at(path, passing, cost)
  local face = setmetatable({ path = path }, { __index = passing })
  if cost then
    face.decode = quirks.decode(passing.decode, cost)
    face.stream = passing.stream and quirks.stream(passing.stream, cost)
  end
  return face
end

-- `inherited` names what the adapter it is made of has beside chats, and it perhaps not.
local function add_natives(adapter, inherited)
  local natives, cost = {}, adapter.quirks and adapter.quirks.cost
  for name, face in pairs(adapter.natives or {}) do
    if not inherited[name] then natives[name] = face end
  end
  for member, faces in pairs(BESIDE) do
    local path = adapter[member]
    for name, passing in pairs(path ~= nil and faces or {}) do
      natives[name] = path and face_at(path, passing, cost) or nil
    end
  end
  beside.add(natives, adapter.beside, cost)
  tongues.add(natives, adapter, cost)
  adapter.natives = natives
  adapter.deployment_fields = tongues.fields(adapter)
  return adapter
end

-- What an adapter has beside chats in its natives: another server perhaps has not.
local function inherited_by(adapter, natives)
  if natives then return {} end
  local names = tongues.own(adapter)
  for name in pairs(beside.paths(adapter.beside)) do names[name] = true end
  return names
end

--- An adapter: what `t` says, and the OpenAI chat dialect for the rest.
function chat.adapter(t)
  local adapter = {}
  for name, value in pairs(DEFAULTS) do adapter[name] = value end
  for name, value in pairs(t) do adapter[name] = value end
  if t.encode and t.encode ~= chat.encode then adapter.encode = reading_messages(t.encode) end
  if adapter.decode == chat.decode and not adapter.answer then adapter.dialect = "openai" end
  return setmetatable(add_natives(adapter, {}), Adapter)
end

-- "https://{host}/v1" → a function that puts the provider's fields in.
local function address(template)
  return function(dep)
    return (template:gsub("{([%w_]+)}", function(name)
      local value = dep.provider[name]
      if value then
        value = value:gsub("^https?://", ""):gsub("/+$", "") -- as it is copied from a browser
        return percent.encode(value, "[^%w%-._~:]")
      end
      fault.raise("internal", nil, { detail = ("%s has no %s"):format(dep.name, name) })
    end))
  end
end

--- The same adapter with some members changed. A base_url may name fields of the provider in
--- braces; `quirks` are lib/quirks.lua's. What a server has beside chats is never taken over.
function Adapter:with(changes)
  local copy = {}
  for name, value in pairs(self) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  local base, cost = changes.base_url, changes.quirks and changes.quirks.cost
  if type(base) == "string" and base:find("{", 1, true) then
    copy.template, copy.base_url = base, address(base)
  end
  if cost then
    copy.decode = quirks.decode(copy.decode, cost)
    copy.stream = quirks.stream(copy.stream, cost)
  end
  copy.beside, copy.deployment_fields = changes.beside, changes.deployment_fields
  copy.responses, copy.messages = changes.responses, changes.messages
  return setmetatable(add_natives(copy, inherited_by(self, changes.natives)), Adapter)
end

return chat

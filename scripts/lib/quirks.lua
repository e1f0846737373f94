-- Where servers that speak OpenAI's chat dialect differ from it, as data. An adapter on the
-- generic base says in `quirks` what is so there, with its source; nothing else is said twice.
-- What a server refuses with a good 400 of its own is no quirk: the client reads that 400.
--
--   rename = { seed = "random_seed" }     members of the request that have another name there
--   drop = { "store" }                    hints it refuses: left out, and named to the client
--   stream_options = "unasked"            it counts without being asked, so nobody asks;
--                  = "refused"            … and the client's own are left out
--   roles = { developer = "system" }      roles of messages that it calls otherwise
--   message = { reasoning_content = "reasoning" }
--                                         members of messages that have another name there;
--                                         false: refused, so left out and named to the client
--   call_ids = 9                          tool calls' ids are so many letters and digits
--   cost = { at = "usage.cost", nano = 1e9 }
--                                         where an answer says what it cost, and how many
--                                         nano-dollars its unit is; with `if_true` and `plus`,
--                                         what is added where a flag is set

local crypto = require "engine.crypto"
local json = require "engine.json"

local quirks = {}

local EXACT = 2 ^ 53 -- beyond it a double skips integers
local NONE = {}      -- never written to

--- The request as a chat: of clients that speak another dialect, what it became.
function quirks.document(call)
  return call.chat or call.doc
end

-- Members of the request -------------------------------------------------------------------

local function is_value(kind) return kind ~= nil and kind ~= "null" end

local function rename(doc, edits, names)
  for from, to in pairs(names) do
    local kind = doc:type(from)
    if is_value(kind) and not is_value(doc:type(to)) then
      edits[to] = edits[from] or json.raw(doc:raw(from))
    end
    if kind then edits[from] = json.remove end
  end
end

local function drop(call, edits, names)
  for _, name in ipairs(names) do
    local kind = quirks.document(call):type(name)
    if kind then edits[name] = json.remove end
    if is_value(kind) then call:drop(name) end
  end
end

-- Members of messages ----------------------------------------------------------------------

-- Always the same short id for a long one, so that a call and its result stay together.
local function short_id(id, length)
  if type(id) ~= "string" or #id == length and not id:find("%W") then return nil end
  return crypto.sha256(id):sub(1, length)
end

-- Put `value` in place of a member; was there a change?
local function put(object, name, value)
  if value == nil then return false end
  object[name] = value
  return true
end

local function shorten(message, length)
  local changed = put(message, "tool_call_id", short_id(message.tool_call_id, length))
  for _, call in ipairs(type(message.tool_calls) == "table" and message.tool_calls or NONE) do
    if type(call) == "table" then
      changed = put(call, "id", short_id(call.id, length)) or changed
    end
  end
  return changed
end

local function says_nothing(value)
  return value == json.null or type(value) == "table" and next(value) == nil
end

-- Always in one order, for what the client is told of.
local function sorted(names)
  local out = {}
  for name in pairs(names) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function rename_in(message, names, call)
  local changed = false
  for _, from in ipairs(sorted(names)) do
    local value, to = message[from], names[from]
    if value ~= nil then
      changed, message[from] = true, nil
      if says_nothing(value) then
        to = nil
      elseif not to then
        call:drop("messages." .. from)
      end
      local there = to and message[to]
      if to and (there == nil or there == json.null) then message[to] = value end
    end
  end
  return changed
end

local function rewrite(message, own, call)
  local changed = put(message, "role", (own.roles or NONE)[message.role])
  if own.message then changed = rename_in(message, own.message, call) or changed end
  if own.call_ids then changed = shorten(message, own.call_ids) or changed end
  return changed
end

-- The names that have to stand in the text of the messages for anything to be rewritten.
local function needles(own)
  local out = {}
  for name in pairs(own.roles or NONE) do out[#out + 1] = ('"%s"'):format(name) end
  for name in pairs(own.message or NONE) do out[#out + 1] = ('"%s"'):format(name) end
  if own.call_ids then out[#out + 1] = '"tool_call' end
  return out
end

local function mentions(text, own)
  for _, needle in ipairs(needles(own)) do
    if text:find(needle, 1, true) then return true end
  end
  return false
end

local function messages(call, edits, own)
  if not (own.roles or own.message or own.call_ids) then return end
  local text = quirks.document(call):raw("messages")
  if not text or not mentions(text, own) then return end
  local list, changed = json.decode(text, { ordered = true }), false
  for _, message in ipairs(type(list) == "table" and list or NONE) do
    if type(message) == "table" then changed = rewrite(message, own, call) or changed end
  end
  if changed then edits.messages = list end
end

--- May a stream's usage be asked for at a server with these quirks?
function quirks.may_ask(own)
  return not (own and own.stream_options)
end

--- A stream's usage has to be asked for, or nobody learns what it cost.
function quirks.ask_for_usage(doc, edits)
  local kind = doc:type("stream_options")
  if kind == "object" then
    if doc:get("stream_options").include_usage ~= true then
      edits["stream_options.include_usage"] = true
    end
  elseif kind == nil then
    edits["stream_options.include_usage"] = true
  else
    edits.stream_options = { include_usage = true }
  end
end

--- Add to the edits of a request what the server's quirks ask for.
function quirks.edit(call, edits, own)
  local doc = quirks.document(call)
  if own.rename then rename(doc, edits, own.rename) end
  if own.drop then drop(call, edits, own.drop) end
  if own.stream_options == "refused" and doc:type("stream_options") then
    edits.stream_options = json.remove
  end
  messages(call, edits, own)
end

-- What an answer cost ----------------------------------------------------------------------

local function nano_of(value, unit)
  if type(value) ~= "number" or value ~= value or value < 0 then return nil end
  local nano = math.floor(value * unit + 0.5)
  return nano < EXACT and nano or nil
end

-- The reported cost, given what stands at the three paths.
local function cost_of(own, said, flag, more)
  local nano = nano_of(said, own.nano)
  if not nano or not flag or flag == json.null then return nano end
  return nano + (nano_of(more, own.nano) or 0)
end

-- What stands at a path of a decoded answer.
local function at(value, path)
  for name in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

local function tell(reply, nano)
  if nano then reply:usage { cost_nano = nano } end
end

--- What sees answers, or pieces of them, as tables, and tells what they report; nil where that
--- is nothing.
function quirks.look(own)
  if not own then return nil end
  return function(event, reply)
    if type(event.usage) ~= "table" then return end
    local set = own.if_true and at(event, own.if_true)
    tell(reply, cost_of(own, at(event, own.at), set, own.plus and at(event, own.plus)))
  end
end

--- `decode` for a server that says what its answers cost.
function quirks.decode(decode, own)
  local flag, more = own.if_true or own.at, own.plus or own.at
  return function(doc, reply)
    decode(doc, reply)
    local said, set, added = doc:at(own.at, flag, more)
    tell(reply, cost_of(own, said, own.if_true and set, added))
  end
end

--- `stream` likewise.
function quirks.stream(stream, own)
  local look = quirks.look(own)
  return function(upstream, reply) return stream(upstream, reply, look) end
end

return quirks

-- Junk in place of every member, one at a time, of what clients send and providers answer: an
-- adapter takes it or raises a fault; it never trips.

require "engine"

local json = require "engine.json"
local lfs = require "lfs"
local stub = require "tools.stub"

local ROOT = "tests/golden"
local JUNK = {
  "null", "true", "5", "-1e300", '""', '"x"', "{}", "[]", "[null]", '[{"a":1}]',
  '{"type":"text"}',
}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("*a")
  file:close()
  return bytes
end

-- Call `use` with the text of `value` as often as it has members, with junk in place of one.
local function each_junk(value, use, whole)
  whole = whole or value
  for name, member in pairs(value) do
    for _, junk in ipairs(JUNK) do
      value[name] = json.raw(junk)
      use(json.encode(whole))
    end
    value[name] = member
    if type(member) == "table" then each_junk(member, use, whole) end
  end
end

local function takes(what, text, run)
  local ok, err = pcall(run)
  if ok or (type(err) == "table" and err.kind) then return end
  error(("%s: %s\n%s"):format(what, tostring(err), text), 0)
end

local function try_call(provider, model, text)
  local call = stub.call(text)
  takes("encode", text, function()
    stub.encoded(call, stub.deployment(provider, model, { max_tokens = 100 }))
  end)
end

-- The real reply, written to the end.
local function reply_to(stream)
  local call = stub.call(json.encode {
    model = "m", stream = stream, stream_options = { include_usage = true },
    messages = { { role = "user", content = "hello" } },
  })
  return stub.reply(call, { model = "m", name = "p/m" })
end

local function try_answer(adapter, text)
  takes("decode", text, function()
    local upstream, reply = stub.upstream(text), reply_to(false)
    if adapter.dialect == "openai" then
      adapter.decode(upstream:document(), reply)
    else
      adapter.decode(upstream:json { raw = { input = true, args = true } }, reply)
    end
    reply:close()
  end)
  takes("classify", text, function() adapter.classify(400, json.decode(text)) end)
end

local function try_stream(adapter, sse, position, text)
  local list = {}
  for i, event in ipairs(stub.events(sse)) do
    local named = event.name and ("event: %s\n"):format(event.name) or ""
    list[i] = i == position and ("%sdata: %s\n\n"):format(named, text) or event.bytes
  end
  takes("stream", text, function()
    local reply = reply_to(true)
    adapter.stream(stub.upstream(table.concat(list)), reply)
    reply:close()
  end)
end

local function calls(provider, call)
  local value = json.decode(call, { ordered = true })
  local model = value.model
  each_junk(value, function(text)
    -- Lists of messages are all that gets past the door.
    if json.index(text):type("messages") == "array" then try_call(provider, model, text) end
  end)
end

local function answers(adapter, answer)
  each_junk(json.decode(answer), function(text) try_answer(adapter, text) end)
end

local function streams(adapter, sse)
  for i, event in ipairs(stub.events(sse)) do
    if event.data:find("^{") then
      each_junk(json.decode(event.data), function(text) try_stream(adapter, sse, i, text) end)
    end
  end
end

local function entries(path)
  local list = {}
  for name in lfs.dir(path) do
    if name:sub(1, 1) ~= "." then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

for _, provider in ipairs(entries(ROOT)) do
  describe("junk for " .. provider, function()
    for _, name in ipairs(entries(ROOT .. "/" .. provider)) do
      local dir = ("%s/%s/%s/"):format(ROOT, provider, name)
      local answer, sse = read(dir .. "response.json"), read(dir .. "response.sse")
      local model = json.decode(assert(read(dir .. "call.json"))).model
      local adapter = stub.deployment(provider, model).provider.adapter
      it(name, function()
        calls(provider, assert(read(dir .. "call.json")))
        if answer then answers(adapter, answer) end
        if sse then streams(adapter, sse) end
      end)
    end
  end)
end

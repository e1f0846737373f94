-- Junk in place of every member, one at a time, of what clients send and providers answer: an
-- adapter takes it or raises a fault; it never trips.

require "engine"

local file = require "support.file"
local golden = require "support.golden"
local json = require "engine.json"
local junk = require "support.junk"
local stub = require "tools.stub"
local taken = require "support.taken"

local ROOT = "tests/golden"

local function try_call(provider, model, text)
  local call = stub.call(text)
  taken("encode " .. text, function()
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
  taken("decode " .. text, function()
    local reply = reply_to(false)
    stub.decode(adapter, stub.upstream(text), reply)
    reply:close()
  end)
  taken("classify " .. text, function() adapter.classify(400, json.decode(text)) end)
end

local function try_stream(adapter, sse, position, text)
  local list = {}
  for i, event in ipairs(stub.events(sse)) do
    local named = event.name and ("event: %s\n"):format(event.name) or ""
    list[i] = i == position and ("%sdata: %s\n\n"):format(named, text) or event.bytes
  end
  taken("stream " .. text, function()
    local reply = reply_to(true)
    adapter.stream(stub.upstream(table.concat(list)), reply)
    reply:close()
  end)
end

local function calls(provider, call)
  local value = json.decode(call, { ordered = true })
  local model = value.model
  junk.each(value, function(text)
    -- Lists of messages are all that gets past the door.
    if json.index(text):type("messages") == "array" then try_call(provider, model, text) end
  end)
end

local function answers(adapter, answer)
  junk.each(json.decode(answer), function(text) try_answer(adapter, text) end)
end

local function streams(adapter, sse)
  for i, event in ipairs(stub.events(sse)) do
    if event.data:find("^{") then
      junk.each(json.decode(event.data), function(text) try_stream(adapter, sse, i, text) end)
    end
  end
end

for _, provider in ipairs(file.names(ROOT)) do
  describe("junk for " .. provider, function()
    for _, case in ipairs(golden.cases(ROOT .. "/" .. provider)) do
      local model = json.decode(case.call).model
      local adapter = stub.deployment(provider, model).provider.adapter
      it(case.name, function()
        calls(provider, case.call)
        if case.json then answers(adapter, case.json) end
        if case.sse then streams(adapter, case.sse) end
      end)
    end
  end)
end

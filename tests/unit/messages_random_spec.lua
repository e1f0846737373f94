-- Properties of the door of Messages, on bodies and answers nobody thought of: a translator
-- raises nothing but faults of the client's, what it makes is stable, and what it writes is a
-- stream that a client can read.

require "engine"

local anthropic = require "dialects.anthropic"
local families = require "support.families"
local json = require "engine.json"
local passes = require "support.passing"
local stub = require "tools.stub"
local teller = require "support.teller"
local wild = require "support.wild"

local BODIES, ANSWERS, STABLE = 4000, 1500, 600

local words = wild.words {
  types = {
    "text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking",
    "search_result", "server_tool_use", "custom", "base64", "url", "content", "file", "tool",
    "auto", "any", "none", "enabled", "adaptive", "json_schema", "user", "assistant", "system",
  },
  names = {
    "type", "text", "source", "content", "id", "name", "input", "tool_use_id", "is_error",
    "thinking", "signature", "data", "media_type", "url", "title", "context", "citations",
    "cache_control", "role", "input_schema", "description", "strict", "effort", "format",
    "schema", "budget_tokens", "user_id", "enabled", "disable_parallel_tool_use",
  },
  members = {
    "system", "tools", "tool_choice", "thinking", "metadata", "output_config", "output_format",
    "stop_sequences", "temperature", "top_k", "container", "speed", "cache_control",
  },
  atoms = { "null", "true", "false", "0", "1.5", "-7", '""', '"x"', '"a b"', "[]", "{}" },
}

local HEAD = '"model":"m","max_tokens":64,"messages":['

-- Bodies of any shape.
local function body(random)
  local turns = {}
  for i = 1, random(4) do turns[i] = words:object(random, 4) end
  return words:body(random, HEAD .. table.concat(turns, ",") .. "]")
end

-- Bodies that are whole: blocks as clients write them, in any order.
local BLOCKS = {
  user = {
    '{"type":"text","text":"a"}', '{"type":"text","text":"b","cache_control":{"type":"x"}}',
    '{"type":"image","source":{"type":"url","url":"https://x"}}',
    '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}',
    '{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}',
    '{"type":"tool_result","tool_use_id":"t1","content":"r","is_error":true}',
    '{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"r"}]}',
  },
  assistant = {
    '{"type":"text","text":"a"}', '{"type":"thinking","thinking":"h","signature":"S"}',
    '{"type":"redacted_thinking","data":"D"}',
    '{"type":"tool_use","id":"t1","name":"f","input":{"b":1,"a":[]}}',
    '{"type":"tool_use","id":"t2","name":"g","input":{}}',
  },
}
local MORE = {
  '"system":"s"', '"system":[{"type":"text","text":"s","cache_control":{"type":"x"}}]',
  '"temperature":0.5', '"stop_sequences":["a"]', '"metadata":{"user_id":"u"}',
  '"tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}]',
  '"output_config":{"effort":"low"}', '"tool_choice":{"type":"any"}',
}

local function whole_body(random)
  local turns = {}
  for i = 1, random(5) do
    local role, list = random(2) == 1 and "user" or "assistant", {}
    for n = 1, random(4) do list[n] = BLOCKS[role][random(#BLOCKS[role])] end
    turns[i] = ('{"role":"%s","content":[%s]}'):format(role, table.concat(list, ","))
  end
  local parts = { HEAD .. table.concat(turns, ",") .. "]" }
  local used = {}
  for _ = 1, random(4) do
    local more = MORE[random(#MORE)]
    local name = more:match '^"([%w_]+)"'
    if not used[name] then parts[#parts + 1] = more end
    used[name] = true
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The blocks that a client puts together from a stream; raises where it is none.
local function read(bytes)
  local blocks, open, stage = {}, nil, "start"
  for name, data in bytes:gmatch "event: ([%w_]+)\ndata: ([^\n]+)\n\n" do
    local event = assert(json.decode(data))
    assert(event.type == name and stage ~= "over")
    if name == "message_start" then
      assert(stage == "start")
      stage = "blocks"
    elseif name == "content_block_start" then
      assert(stage == "blocks" and not open and event.index == #blocks)
      open = event.content_block
      blocks[#blocks + 1] = { type = open.type, id = open.id, said = "" }
    elseif name == "content_block_delta" then
      assert(open and event.index == #blocks - 1)
      local delta, block = event.delta, blocks[#blocks]
      block.said = block.said .. (delta.text or delta.partial_json or delta.thinking or "")
    elseif name == "content_block_stop" then
      assert(open and event.index == #blocks - 1)
      open = nil
    elseif name == "message_delta" then
      assert(stage == "blocks" and not open)
      stage = "ended"
    else
      assert(name == "message_stop" and stage == "ended")
      stage = "over"
    end
  end
  assert(stage == "over", bytes)
  return blocks
end

local function visitor(stream)
  return stub.visitor(anthropic,
    ('{"model":"m","max_tokens":9,"stream":%s,"messages":[1]}'):format(tostring(stream)))
end

local function said(seed, stream)
  local reply, client =
    stub.reply(visitor(stream), stub.deployment("openai", "m"), anthropic)
  teller.say(reply, wild.random(seed))
  return client:bytes(), reply
end

-- Properties ------------------------------------------------------------------------------

describe("the door of Messages, whatever comes,", function()
  it("refuses with faults of the client's only", function()
    local answered = 0
    for seed = 1, BODIES do
      local text = body(wild.random(seed))
      answered = answered + families.told(anthropic, text)
    end
    assert.is_true(answered > BODIES) -- Anthropic takes all of them, others some
  end)

  it("drops what it may, and then refuses nothing but broken bodies", function()
    for seed = 1, BODIES / 4 do
      local text = body(wild.random(seed))
      local call = stub.visitor(anthropic, text)
      local ok, err = pcall(stub.asked, call,
        stub.deployment("openai", "gpt-5.4", { drop_unsupported = true }))
      if not ok then assert.equal("invalid_type", err.kind, text) end
    end
  end)

  it("makes the same of a chat, however often it goes to and fro", function()
    local dep = stub.deployment("anthropic", "claude-opus-4-6")
    local function again(text)
      local call = stub.visitor(anthropic, text)
      return json.encode(dep.provider.adapter.encode(call, dep))
    end
    for seed = 1, STABLE do
      local once = again(whole_body(wild.random(seed)))
      if not once:find('"messages":[]', 1, true) then
        local twice = again(once) -- a chat's turn has thoughts, words and calls, in this order
        assert.equal(twice, again(twice))
      end
    end
  end)

  it("writes streams in order, which say what whole answers do", function()
    for seed = 1, ANSWERS do
      local bytes, reply = said(seed, true)
      local blocks = read(bytes)
      local whole = assert(json.decode((said(seed, false))))
      local texts, calls = {}, {}
      for _, block in ipairs(blocks) do
        if block.type == "text" then texts[#texts + 1] = block.said end
        if block.type == "tool_use" then calls[#calls + 1] = block.id end
      end
      local want_texts, want_calls = {}, {}
      for _, block in ipairs(whole.content) do
        if block.type == "text" then want_texts[#want_texts + 1] = block.text end
        if block.type == "tool_use" then want_calls[#want_calls + 1] = block.id end
      end
      assert.equal(#table.concat(want_texts), #table.concat(texts), "seed " .. seed)
      assert.same(want_calls, calls, "seed " .. seed)
      assert.equal(#want_calls, #(reply.tool_calls or {}))
    end
  end)

  it("passes on what no provider should send, or calls it a fault", function()
    local face = require "lib.messages_pass"
    local names = {
      "message_start", "content_block_start", "content_block_delta", "message_delta", "ping",
      "message_stop", "error", "odd",
    }
    for seed = 1, ANSWERS do
      local random, events = wild.random(seed), {}
      local function value() return words:value(random, 2) end
      for i = 1, random(6) do
        local name = names[random(#names)]
        local more = ',"message":%s,"delta":%s,"usage":%s}'
        local data = random(5) == 1 and value()
          or ('{"type":"%s"' .. more):format(name, value(), value(), value())
        events[i] = ("event: %s\ndata: %s\n\n"):format(name, data)
      end
      passes(face, events, body(random), function(stream)
        return stub.reply(visitor(stream), stub.deployment("anthropic", "m"), anthropic)
      end)
    end
  end)

  it("loses no piece of calls that come at once", function()
    local reply, client =
      stub.reply(visitor(true), stub.deployment("openai", "m"), anthropic)
    local want = teller.say_at_once(reply)
    local blocks = read(client:bytes())
    assert.same(want,
      { blocks[1].said, blocks[2].said, blocks[3].said, blocks[4].said })
    assert.same({ "a", "b", "c" }, { blocks[1].id, blocks[2].id, blocks[3].id })
  end)
end)

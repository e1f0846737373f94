-- Properties of the door of Messages, on bodies and answers nobody thought of: a translator
-- raises nothing but faults of the client's, what it makes is stable, and what it writes is a
-- stream that a client can read.

require "engine"

local anthropic = require "dialects.anthropic"
local fault = require "lib.fault"
local json = require "engine.json"
local stub = require "tools.stub"

local BODIES, ANSWERS, STABLE = 4000, 1500, 600

-- One row of numbers for each run: a failure is found again.
local function random_of(seed)
  local state = seed
  return function(n)
    state = (state * 16807) % 2147483647
    return state % n + 1
  end
end

-- Bodies of any shape ---------------------------------------------------------------------

local TYPES = {
  "text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking",
  "search_result", "server_tool_use", "custom", "base64", "url", "content", "file", "tool",
  "auto", "any", "none", "enabled", "adaptive", "json_schema", "user", "assistant", "system",
}
local NAMES = {
  "type", "text", "source", "content", "id", "name", "input", "tool_use_id", "is_error",
  "thinking", "signature", "data", "media_type", "url", "title", "context", "citations",
  "cache_control", "role", "input_schema", "description", "strict", "effort", "format",
  "schema", "budget_tokens", "user_id", "enabled", "disable_parallel_tool_use",
}
local MEMBERS = {
  "system", "tools", "tool_choice", "thinking", "metadata", "output_config", "output_format",
  "stop_sequences", "temperature", "top_k", "container", "speed", "cache_control",
}
local ATOMS = { "null", "true", "false", "0", "1.5", "-7", '""', '"x"', '"a b"', "[]", "{}" }

local HEAD = '"model":"m","max_tokens":64,"messages":['

local value

local function object(random, depth)
  local parts, seen = {}, {}
  for _ = 1, random(5) do
    local name = NAMES[random(#NAMES)]
    if not seen[name] then
      seen[name] = true
      local of_type = (name == "type" or name == "role") and random(6) > 1
      parts[#parts + 1] = ('"%s":%s'):format(name,
        of_type and '"' .. TYPES[random(#TYPES)] .. '"' or value(random, depth - 1))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function value(random, depth)
  local kind = random(depth > 0 and 6 or 2)
  if kind == 1 then return ATOMS[random(#ATOMS)] end
  if kind == 2 then return '"' .. TYPES[random(#TYPES)] .. '"' end
  if kind > 4 then return object(random, depth) end
  local list = {}
  for i = 1, random(4) - 1 do list[i] = value(random, depth - 1) end
  return "[" .. table.concat(list, ",") .. "]"
end

local function body(random)
  local turns = {}
  for i = 1, random(4) do turns[i] = object(random, 4) end
  local parts = { HEAD .. table.concat(turns, ",") .. "]" }
  for _, name in ipairs(MEMBERS) do
    if random(6) == 1 then parts[#parts + 1] = ('"%s":%s'):format(name, value(random, 3)) end
  end
  return "{" .. table.concat(parts, ",") .. "}"
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

local FAMILIES = {
  { "openai", "gpt-5.4" }, { "mistral", "m" }, { "gemini", "gemini-3-pro" },
  { "anthropic", "claude-opus-4-6" },
}

local function check_fault(err, text)
  local kind = type(err) == "table" and err.kind
  assert.is_truthy(kind and fault.is_kind(kind), tostring(err) .. "\n" .. text)
  assert.is_true(err.status == 400, text)
end

-- Answers as providers may cut them -------------------------------------------------------

local PIECES = { '{"a"', ':"', "b\\n", '"}', "{", "}", "{}", '{"a":1}', "" }

local VERBS = {
  function(reply, random) reply:text(("word "):rep(random(3) - 1)) end,
  function(reply) reply:refusal "no" end,
  function(reply) reply:reasoning "hm" end,
  function(reply) reply:reasoning("", { signature = "S" }) end,
  function(reply) reply:reasoning("", { redacted = "D" }) end,
  function(reply, random)
    local n = random(3)
    reply:tool_call { index = n, id = "call_" .. n, name = "f", arguments = PIECES[random(9)] }
  end,
  function(reply, random)
    local n, piece = random(3), PIECES[random(#PIECES)]
    local known = reply.tool_calls and reply.tool_calls.by_index[n]
    if known then reply:tool_call { index = n, arguments = piece } end
  end,
  function(reply, random)
    reply:tool_call {
      id = "own_" .. random(9), name = "g", arguments = PIECES[random(#PIECES)],
      extra = { extra_content = { google = { thought_signature = "c2ln" } } },
    }
  end,
}

local function say(reply, random)
  reply:start { id = "x", model = "m" }
  for _ = 1, random(12) do VERBS[random(#VERBS)](reply, random) end
  reply:finish(({ "stop", "length", "tool_calls", "content_filter", "odd" })[random(5)])
  reply:usage { input_tokens = 9, output_tokens = random(50), cache_read_tokens = 4 }
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
  say(reply, random_of(seed))
  reply:close()
  return client:bytes(), reply
end

-- Properties ------------------------------------------------------------------------------

describe("the door of Messages, whatever comes,", function()
  it("refuses with faults of the client's only", function()
    local answered = 0
    for seed = 1, BODIES do
      local text = body(random_of(seed))
      for _, family in ipairs(FAMILIES) do
        local ok, err = pcall(function()
          return assert(json.decode(stub.asked(stub.visitor(anthropic, text),
            stub.deployment(unpack(family)))))
        end)
        if ok then answered = answered + 1 else check_fault(err, text) end
      end
    end
    assert.is_true(answered > BODIES) -- Anthropic takes all of them, others some
  end)

  it("drops what it may, and then refuses nothing but broken bodies", function()
    for seed = 1, BODIES / 4 do
      local text = body(random_of(seed))
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
      local once = again(whole_body(random_of(seed)))
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
    local passing = require "lib.messages_pass"
    local names = {
      "message_start", "content_block_start", "content_block_delta", "message_delta", "ping",
      "message_stop", "error", "odd",
    }
    for seed = 1, ANSWERS do
      local random, events = random_of(seed), {}
      for i = 1, random(6) do
        local name = names[random(#names)]
        local more = ',"message":%s,"delta":%s,"usage":%s}'
        local data = random(5) == 1 and value(random, 2)
          or ('{"type":"%s"' .. more):format(name, value(random, 2), value(random, 2),
            value(random, 2))
        events[i] = ("event: %s\ndata: %s\n\n"):format(name, data)
      end
      local bytes = table.concat(events)
      local reply, client =
        stub.reply(visitor(true), stub.deployment("anthropic", "m"), anthropic)
      local ok, err = pcall(passing.stream, stub.upstream(bytes), reply)
      if ok then
        reply:close()
        local sent = client:bytes()
        assert.equal(sent, bytes:sub(1, #sent))
      else
        assert.is_truthy(type(err) == "table" and fault.is_kind(err.kind), tostring(err))
      end
      local whole = assert(json.index(body(random)))
      local answer = stub.reply(visitor(false), stub.deployment("anthropic", "m"), anthropic)
      ok, err = pcall(passing.decode, whole, answer)
      assert.is_truthy(ok or type(err) == "table" and fault.is_kind(err.kind), tostring(err))
    end
  end)

  it("loses no piece of calls that come at once", function()
    local reply, client =
      stub.reply(visitor(true), stub.deployment("openai", "m"), anthropic)
    reply:tool_call { index = 0, id = "a", name = "f", arguments = '{"x":' }
    reply:tool_call { index = 1, id = "b", name = "g", arguments = '{"y"' }
    reply:tool_call { index = 0, arguments = "1}" }
    reply:tool_call { index = 2, id = "c", name = "h", arguments = "" }
    reply:tool_call { index = 1, arguments = ":2}" }
    reply:text "and"
    reply:finish "tool_calls"
    reply:close()
    local blocks = read(client:bytes())
    assert.same({ '{"x":1}', '{"y":2}', "", "and" }, {
      blocks[1].said, blocks[2].said, blocks[3].said, blocks[4].said,
    })
    assert.same({ "a", "b", "c" }, { blocks[1].id, blocks[2].id, blocks[3].id })
  end)
end)

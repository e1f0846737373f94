-- Properties of the door of Responses, on bodies and answers nobody thought of: a translator
-- raises nothing but faults of the client's, and what it writes is a stream that a client can
-- read and that says what a whole answer does.

require "engine"

local fault = require "lib.fault"
local json = require "engine.json"
local responses = require "dialects.responses"
local stub = require "tools.stub"

local BODIES, ANSWERS = 3000, 1500

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
  "message", "function_call", "function_call_output", "reasoning", "item_reference",
  "custom_tool_call", "input_text", "output_text", "input_image", "input_file", "input_audio",
  "refusal", "summary_text", "function", "namespace", "custom", "web_search", "json_schema",
  "json_object", "text", "user", "assistant", "system", "developer", "auto", "required",
}
local NAMES = {
  "type", "role", "content", "text", "id", "call_id", "name", "namespace", "arguments",
  "output", "summary", "encrypted_content", "image_url", "file_id", "file_data", "detail",
  "input_audio", "refusal", "tools", "parameters", "strict", "description", "format", "schema",
  "effort", "verbosity",
}
local MEMBERS = {
  "instructions", "tools", "tool_choice", "reasoning", "text", "metadata", "include",
  "temperature", "parallel_tool_calls", "truncation", "top_logprobs", "user", "prompt",
  "conversation", "stream_options", "service_tier",
}
local ATOMS = {
  "null", "true", "false", "0", "1.5", "-7", '""', '"x"', '"moongate:signed:S"',
  '"moongate:google:c:S"', '"moongate:google:"', "[]", "{}",
}

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
  local items = {}
  for i = 1, random(4) do items[i] = object(random, 4) end
  local parts = { '"model":"m","input":[' .. table.concat(items, ",") .. "]" }
  for _, name in ipairs(MEMBERS) do
    if random(6) == 1 then parts[#parts + 1] = ('"%s":%s'):format(name, value(random, 3)) end
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

-- The items that a client puts together from a stream; raises where it is none.
local function read(bytes)
  local items, n, last = {}, 0, nil
  for name, data in bytes:gmatch "event: ([%w_.]+)\ndata: ([^\n]+)\n\n" do
    local event = assert(json.decode(data))
    assert(event.type == name and event.sequence_number == n and not last)
    n = n + 1
    local index = event.output_index
    local item = index and items[index + 1]
    if name == "response.output_item.added" then
      assert(index == #items)
      items[index + 1] = { id = event.item.id, type = event.item.type, said = "", open = true }
    elseif name == "response.output_item.done" then
      assert(item.open and item.id == event.item.id)
      item.open, item.item = false, event.item
    elseif index then
      assert(item.open and item.id == event.item_id)
      if name:find "delta$" then item.said = item.said .. event.delta end
    elseif name == "response.completed" or name == "response.incomplete" then
      last = event.response
    end
  end
  for _, item in ipairs(items) do assert(not item.open) end
  return items, assert(last, bytes)
end

local function visitor(stream)
  return stub.visitor(responses,
    ('{"model":"m","stream":%s,"input":"hi"}'):format(tostring(stream)))
end

local function said(seed, stream)
  local reply, client =
    stub.reply(visitor(stream), stub.deployment("openai_compatible", "m"), responses)
  say(reply, random_of(seed))
  reply:close()
  return client:bytes()
end

local function text_of(item)
  local out = {}
  for _, part in ipairs(item.content or item.summary or {}) do
    out[#out + 1] = part.text or part.refusal
  end
  return table.concat(out)
end

-- What of a response does not depend on where pieces were cut.
local function gist(response)
  local texts, calls = 0, {}
  for _, item in ipairs(response.output) do
    if item.type == "function_call" then calls[#calls + 1] = item.call_id end
    if item.type == "message" then texts = texts + #text_of(item) end
  end
  table.sort(calls)
  return { texts, calls, response.status, response.usage.output_tokens }
end

-- Properties ------------------------------------------------------------------------------

describe("the door of Responses, whatever comes,", function()
  it("refuses with faults of the client's only", function()
    local answered = 0
    for seed = 1, BODIES do
      local text = body(random_of(seed))
      for _, family in ipairs(FAMILIES) do
        local ok, err = pcall(function()
          return assert(json.decode(stub.asked(stub.visitor(responses, text),
            stub.deployment(unpack(family)))))
        end)
        if ok then answered = answered + 1 else check_fault(err, text) end
      end
    end
    assert.is_true(answered > BODIES / 2) -- OpenAI takes all that the door lets in
  end)

  it("drops what it may, and then refuses nothing but broken bodies", function()
    for seed = 1, BODIES / 3 do
      local text = body(random_of(seed))
      local ok, err = pcall(function()
        return stub.asked(stub.visitor(responses, text),
          stub.deployment("mistral", "m", { drop_unsupported = true }))
      end)
      if not ok then
        assert.is_truthy(err.kind == "invalid_type" or err.kind == "invalid_value", text)
      end
    end
  end)

  it("writes streams in order, which say what whole answers do", function()
    for seed = 1, ANSWERS do
      local items, last = read(said(seed, true))
      local output = {}
      for i, item in ipairs(items) do
        output[i] = item.item
        local whole = item.type == "function_call" and item.item.arguments or text_of(item.item)
        if item.said ~= "" or whole ~= "{}" then
          assert.equal(item.said, whole, "seed " .. seed)
        end
      end
      assert.same(output, last.output)
      assert.same(gist(json.decode((said(seed, false)))), gist(last), "seed " .. seed)
    end
  end)

  it("passes on what no provider should send, or calls it a fault", function()
    local passing = require "lib.responses_pass"
    local names = {
      "response.created", "response.in_progress", "response.output_text.delta", "error", "odd",
      "response.completed", "response.incomplete", "response.failed",
    }
    local function is_fault(err)
      return type(err) == "table" and fault.is_kind(err.kind)
    end
    for seed = 1, ANSWERS do
      local random, events = random_of(seed), {}
      for i = 1, random(6) do
        local name = names[random(#names)]
        local inner = random(2) == 1 and value(random, 3)
          or ('{"status":%s,"output":%s,"usage":%s,"error":%s,"id":%s}'):format(
            value(random, 1), value(random, 2), value(random, 2), value(random, 1),
            value(random, 1))
        local data = random(5) == 1 and value(random, 2)
          or ('{"type":"%s","response":%s,"delta":%s,"sequence_number":%s}'):format(name, inner,
            value(random, 2), ({ "1e308", "-1", "0.5", "7", '"x"' })[random(5)])
        events[i] = ("event: %s\ndata: %s\n\n"):format(name, data)
      end
      local bytes = table.concat(events)
      local reply, client = stub.reply(visitor(true), stub.deployment("openai", "m"), responses)
      local ok, err = pcall(passing.stream, stub.upstream(bytes), reply)
      assert.is_truthy(ok or is_fault(err), tostring(err))
      reply:close(not ok and err or nil)
      local sent = client:bytes()
      if ok then assert.equal(sent, bytes:sub(1, #sent)) end
      local whole = assert(json.index(body(random)))
      local answer = stub.reply(visitor(false), stub.deployment("openai", "m"), responses)
      ok, err = pcall(passing.decode, whole, answer)
      assert.is_truthy(ok or is_fault(err), tostring(err))
    end
  end)

  it("loses no piece of calls that come at once", function()
    local reply, client =
      stub.reply(visitor(true), stub.deployment("openai_compatible", "m"), responses)
    reply:tool_call { index = 0, id = "a", name = "f", arguments = '{"x":' }
    reply:tool_call { index = 1, id = "b", name = "g", arguments = '{"y"' }
    reply:tool_call { index = 0, arguments = "1}" }
    reply:tool_call { index = 2, id = "c", name = "h", arguments = "" }
    reply:tool_call { index = 1, arguments = ":2}" }
    reply:text "and"
    reply:finish "tool_calls"
    reply:close()
    local items = read(client:bytes())
    assert.same({ '{"x":1}', '{"y":2}', "", "and" }, {
      items[1].said, items[2].said, items[3].said, items[4].said,
    })
    assert.equal("{}", items[3].item.arguments)
  end)
end)

-- Properties of the door of Responses, on bodies and answers nobody thought of: a translator
-- raises nothing but faults of the client's, and what it writes is a stream that a client can
-- read and that says what a whole answer does.

require "engine"

local families = require "support.families"
local json = require "engine.json"
local passes = require "support.passing"
local responses = require "dialects.responses"
local stub = require "tools.stub"
local teller = require "support.teller"
local wild = require "support.wild"

local BODIES, ANSWERS = 3000, 1500

local words = wild.words {
  types = {
    "message", "function_call", "function_call_output", "reasoning", "item_reference",
    "custom_tool_call", "input_text", "output_text", "input_image", "input_file", "input_audio",
    "refusal", "summary_text", "function", "namespace", "custom", "web_search", "json_schema",
    "json_object", "text", "user", "assistant", "system", "developer", "auto", "required",
  },
  names = {
    "type", "role", "content", "text", "id", "call_id", "name", "namespace", "arguments",
    "output", "summary", "encrypted_content", "image_url", "file_id", "file_data", "detail",
    "input_audio", "refusal", "tools", "parameters", "strict", "description", "format",
    "schema", "effort", "verbosity",
  },
  members = {
    "instructions", "tools", "tool_choice", "reasoning", "text", "metadata", "include",
    "temperature", "parallel_tool_calls", "truncation", "top_logprobs", "user", "prompt",
    "conversation", "stream_options", "service_tier",
  },
  atoms = {
    "null", "true", "false", "0", "1.5", "-7", '""', '"x"', '"moongate:signed:S"',
    '"moongate:google:c:S"', '"moongate:google:"', "[]", "{}",
  },
}

-- Bodies of any shape.
local function body(random)
  local items = {}
  for i = 1, random(4) do items[i] = words:object(random, 4) end
  return words:body(random, '"model":"m","input":[' .. table.concat(items, ",") .. "]")
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
  teller.say(reply, wild.random(seed))
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
      local text = body(wild.random(seed))
      answered = answered + families.told(responses, text)
    end
    assert.is_true(answered > BODIES / 2) -- OpenAI takes all that the door lets in
  end)

  it("drops what it may, and then refuses nothing but broken bodies", function()
    for seed = 1, BODIES / 3 do
      local text = body(wild.random(seed))
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
    local face = require "lib.responses_pass"
    local names = {
      "response.created", "response.in_progress", "response.output_text.delta", "error", "odd",
      "response.completed", "response.incomplete", "response.failed",
    }
    for seed = 1, ANSWERS do
      local random, events = wild.random(seed), {}
      local function value(depth) return words:value(random, depth) end
      for i = 1, random(6) do
        local name = names[random(#names)]
        local inner = random(2) == 1 and value(3)
          or ('{"status":%s,"output":%s,"usage":%s,"error":%s,"id":%s}'):format(
            value(1), value(2), value(2), value(1), value(1))
        local data = random(5) == 1 and value(2)
          or ('{"type":"%s","response":%s,"delta":%s,"sequence_number":%s}'):format(name, inner,
            value(2), ({ "1e308", "-1", "0.5", "7", '"x"' })[random(5)])
        events[i] = ("event: %s\ndata: %s\n\n"):format(name, data)
      end
      passes(face, events, body(random), function(stream)
        return stub.reply(visitor(stream), stub.deployment("openai", "m"), responses)
      end)
    end
  end)

  it("loses no piece of calls that come at once", function()
    local reply, client =
      stub.reply(visitor(true), stub.deployment("openai_compatible", "m"), responses)
    local want = teller.say_at_once(reply)
    local items = read(client:bytes())
    assert.same(want,
      { items[1].said, items[2].said, items[3].said, items[4].said })
    assert.equal("{}", items[3].item.arguments)
  end)
end)

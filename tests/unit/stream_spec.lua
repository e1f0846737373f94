-- Streams through the whole pipeline: when the head leaves, what passes untouched, how it ends.

local world = require "unit.world"
local json = require "engine.json"

local ROUTES = [[
local a = provider "openai_compatible" { name = "a", base_url = "http://a/v1" }
local b = provider "openai_compatible" { name = "b", base_url = "http://b/v1" }
local mock = provider "mock" {}
model "one" {
  a { "gpt-4o-mini", price = { input = 1, output = 2 } }, retries = 0, fallback = { "other" },
}
model "other" { b { "m" }, retries = 0 }
model "mock" { mock "mock", retries = 0 }
]]

local DONE = "data: [DONE]\n\n"
local STREAM = { stream = true }

describe("a stream", function()
  local w

  before_each(function() w = world.new(ROUTES) end)

  after_each(function()
    assert.equal(0, w.engine.shared.get("streams:open") or 0)
    for _, upstream in ipairs(w.upstreams) do assert.is_true(upstream.closed) end
  end)

  local function sse(...)
    return { events = { ... }, headers = { ["content-type"] = "text/event-stream" } }
  end

  local function last_event(request)
    return json.decode(request.pieces[#request.pieces]:match("^data: (.*)\n\n$"))
  end

  it("passes events as they came, without the usage that nobody asked for", function()
    local answer = world.stream("Hel", "lo")
    w.answers.a = { answer }
    local request = w:chat("one", STREAM)
    local events = answer.events
    local expected = { unpack(events, 1, #events - 2) }
    expected[#expected + 1] = DONE
    assert.equal(table.concat(expected), request.answer)
    assert.is_true(request.clean)
    assert.equal("text/event-stream", request.sent_headers["content-type"])
    assert.equal("no-cache", request.sent_headers["cache-control"])
    assert.equal("no", request.sent_headers["x-accel-buffering"])
    assert.is_nil(request.sent_headers["x-moongate-cost"])
    local usage = w:usage()
    assert.same({ 10, 5, 20000, false, "stop" }, {
      usage.tokens.input, usage.tokens.output, usage.cost_nano, usage.estimated, usage.finish,
    })
  end)

  it("passes the usage to whom asked for it", function()
    local answer = world.stream "hi"
    w.answers.a = { answer }
    local request = w:chat("one", {
      stream = true, stream_options = { include_usage = true },
    })
    assert.equal(table.concat(answer.events), request.answer)
  end)

  it("asks for usage, and changes nothing else but the model", function()
    w.answers.a = { world.stream "hi" }
    w:serve { body = '{"stream":true, "model":"one","messages":[{"role":"user"}],"x":[]}' }
    local sent = w.calls[1].request.body:bytes()
    assert.is_truthy(sent:find('"include_usage":true', 1, true))
    assert.is_truthy(sent:find('"messages":[{"role":"user"}],"x":[]', 1, true))
  end)

  it("writes the usage line before the mark of the end", function()
    w.answers.a = { world.stream "hi" }
    local request = world.request(w, { body = '{"model":"one","messages":[1],"stream":true}' })
    local send, seen = request.send, nil
    request.send = function(self, bytes)
      if bytes:find("[DONE]", 1, true) then seen = w:usage() end
      return send(self, bytes)
    end
    w.pipeline.serve(request, w.cfg)
    assert.equal("ok", seen.outcome)
  end)

  it("holds the head until something is said, so a first error can fall back", function()
    w.answers.a = { sse(world.chunk '{"role":"assistant","content":""}',
      'data: {"error":{"message":"busy","type":"overloaded_error"}}\n\n') }
    w.answers.b = { world.stream "hi" }
    local request = w:chat("one", STREAM)
    assert.equal(200, request.status)
    assert.equal("b/m", request.sent_headers["x-moongate-deployment"])
    assert.equal("2", request.sent_headers["x-moongate-attempts"])
    assert.is_nil(request.answer:find("busy", 1, true))
  end)

  it("gives a first error its real status where nobody is left", function()
    w.answers.a = { sse 'data: {"error":{"message":"busy","type":"overloaded_error"}}\n\n' }
    w.answers.b = w.answers.a
    local request = w:chat("one", STREAM)
    assert.equal(503, request.status)
    assert.equal("overloaded", request.json.error.code)
  end)

  it("ends with an error event, and no [DONE], after the first byte", function()
    local breaks = {
      ["error event"] = sse(world.chunk '{"content":"Hel"}',
        'data: {"error":{"message":"it broke","type":"server_error"}}\n\n'),
      ["cut"] = sse(world.chunk '{"content":"Hel"}'),
      ["stall"] = sse(world.chunk '{"content":"Hel"}'),
    }
    breaks.stall.breaks = { kind = "stalled", message = "no byte", sent = true }
    local codes = {
      ["error event"] = "upstream_error", cut = "upstream_truncated",
      stall = "upstream_stalled",
    }
    for name, answer in pairs(breaks) do
      w = world.new(ROUTES)
      w.answers.a, w.answers.b = { answer }, { world.stream "never" }
      local request = w:chat("one", STREAM)
      assert.equal(codes[name], last_event(request).error.code)
      assert.is_false(request.clean)
      assert.is_nil(request.answer:find("[DONE]", 1, true))
      assert.same({ "a" }, w:hosts())
      local usage = w:usage()
      assert.same({ true, "upstream_error" }, { usage.estimated, usage.outcome })
      assert.is_true(usage.tokens.input > 0 and usage.tokens.output > 0)
    end
  end)

  it("adds the [DONE] that a finished stream forgot", function()
    w.answers.a = { sse(world.chunk '{"content":"hi"}', world.chunk("{}", "stop")) }
    local request = w:chat("one", STREAM)
    assert.is_true(request.clean)
    assert.equal(DONE, request.pieces[#request.pieces])
    assert.is_true(w:usage().estimated)
  end)

  it("takes one [DONE] and nothing after it", function()
    w.answers.a = { sse(world.chunk '{"content":"hi"}', world.chunk("{}", "stop"), DONE,
      world.chunk '{"content":"more"}', DONE) }
    w.answers.a[1].breaks = { kind = "truncated", message = "torn" }
    local request = w:chat("one", STREAM)
    assert.is_true(request.clean)
    assert.is_nil(request.answer:find("more", 1, true))
    assert.equal(1, select(2, request.answer:gsub("%[DONE%]", "")))
  end)

  it("does not take a first comment or an empty stream for an answer", function()
    w.answers.a, w.answers.b = { sse ": hello\n\n" }, { world.stream "hi" }
    assert.equal("b/m", w:chat("one", STREAM).sent_headers["x-moongate-deployment"])
  end)

  it("bills what was seen when the client leaves in the middle", function()
    w.answers.a = { world.stream("one", "two", "three") }
    local request = w:chat("one", STREAM, { leaves_at = 2 })
    assert.is_false(request.clean)
    local usage = w:usage()
    assert.same({ 499, "cancelled", true }, { usage.status, usage.outcome, usage.estimated })
    assert.is_true(usage.tokens.output > 0 and usage.cost_nano > 0)
    assert.same({ "a" }, w:hosts())
  end)

  it("takes the last word on usage, not the sum", function()
    local counts = '{"prompt_tokens":7,"completion_tokens":%d}'
    w.answers.a = { sse(world.chunk('{"content":"a"}', nil, counts:format(1)),
      world.chunk('{"content":"b"}', "stop", counts:format(2)), DONE) }
    w:chat("one", STREAM)
    assert.same({ 7, 2 }, { w:usage().tokens.input, w:usage().tokens.output })
  end)

  it("makes a stream of a whole answer, and a whole answer of a stream", function()
    w.answers.a = { world.completion "hello" }
    local request = w:chat("one", STREAM)
    assert.is_truthy(request.answer:find('"content":"hello"', 1, true))
    assert.equal(DONE, request.pieces[#request.pieces])
    w.answers.a = { { body = table.concat(world.stream("Hel", "lo").events) } }
    request = w:chat "one"
    assert.equal("Hello", request.json.choices[1].message.content)
    assert.equal(15, request.json.usage.total_tokens)
  end)

  it("writes the mock's verbs as chunks", function()
    local request = w:chat("mock", { stream = true, stream_options = { include_usage = true } })
    local events = {}
    for data in request.answer:gmatch("data: ({[^\n]*})\n\n") do
      events[#events + 1] = json.decode(data)
    end
    assert.equal("assistant", events[1].choices[1].delta.role)
    local text = {}
    for _, event in ipairs(events) do
      assert.equal(events[1].id, event.id)
      assert.equal("chat.completion.chunk", event.object)
      local choice = event.choices[1]
      text[#text + 1] = choice and choice.delta.content or ""
    end
    assert.equal("hello", table.concat(text))
    assert.equal("stop", events[#events - 1].choices[1].finish_reason)
    assert.same({}, { unpack(events[#events].choices) })
    assert.is_true(events[#events].usage.total_tokens > 0)
    assert.equal(json.null, events[1].usage)
  end)

  it("shows nothing of itself where a stream fails before it began", function()
    w.answers.a = { { error = { kind = "first_token_timeout", message = "", sent = true } } }
    w.answers.b = { { error = { kind = "connect", message = "10.1.2.3 refused" } } }
    local request = w:chat("one", STREAM)
    assert.equal(502, request.status)
    assert.equal("application/json", request.sent_headers["content-type"])
    assert.is_nil(request.answer:find("10.1.2.3", 1, true))
  end)
end)

-- Gemini's generateContent as a door: paths, limits, what passes, streams in both forms, and
-- properties on bodies nobody thought of. What is asked of whom: tests/doors/gemini.

require "engine"

local families = require "support.families"
local gemini = require "dialects.gemini"
local json = require "engine.json"
local stub = require "tools.stub"
local wild = require "support.wild"
local world = require "unit.world"

local BODIES = 3000
local HELLO = '{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}'

local ROUTES = [[
local up = provider "openai_compatible" { name = "up", base_url = "http://up/v1" }
local g = provider "gemini" { name = "g", api_key = "k", base_url = "http://g/v1beta" }
model "chat" { up "gpt-4o-mini" }
model "own" { g "gemini-2.5-flash" }
model "short" { g { "gemini-2.5-flash", name = "short", max_tokens = 50 } }
model "vendor/tiny:1" { up "tiny" }
alias { ["nick"] = "own" }
virtual_key "k" { token = env.KEY, models = { "*" } }
]]

local EVENT = '{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"}%s,'
  .. '"index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":%d},'
  .. '"modelVersion":"gemini-2.5-flash","responseId":"r1"}'

local function events()
  return {
    "data: " .. EVENT:format("Hel", "", 1) .. "\r\n\r\n", ": a comment\n\n",
    ": another\ndata: " .. EVENT:format("lo", ',"finishReason":"STOP"', 2) .. "\n\n",
  }
end

describe("the door of Gemini", function()
  local w

  before_each(function() w = world.new(ROUTES, { KEY = "secret-key" }) end)

  local function ask(path, body, more)
    local want = { path = path, body = body or HELLO }
    for name, value in pairs(more or {}) do want[name] = value end
    return w:serve(want)
  end

  local function whole()
    w.answers.g = { { body = EVENT:format("hi", ',"finishReason":"STOP"', 2) } }
  end

  local function streaming()
    w.answers.g =
      { { events = events(), headers = { ["content-type"] = "text/event-stream" } } }
  end

  it("passes body and answer as they are", function()
    whole()
    local odd = '{ "contents" :[{"parts":[{"text":"é","new":1.0}]}] ,"unheard":{} }'
    for _, path in ipairs {
      "/v1beta/models/own:generateContent", "/v1/models/own:generateContent",
      "/v1beta/models/%6Fwn:generateContent", "/v1beta/models/models/own:generateContent",
      "/v1beta/models/nick:generateContent",
    } do
      local request = ask(path, odd)
      assert.equal(200, request.status, request.answer)
      assert.equal(w.answers.g[1].body, request.answer)
      local sent = w.calls[#w.calls].request
      assert.equal(odd, type(sent.body) == "userdata" and sent.body:bytes() or sent.body)
      assert.is_truthy(sent.url:find("/models/gemini-2.5-flash:generateContent", 1, true))
    end
    local row = w:usage()
    assert.equal("gemini", row.dialect)
    assert.equal(3, row.tokens.input)
    assert.equal(2, row.tokens.output)
  end)

  it("relays events as received, and never a comment", function()
    streaming()
    local request = ask("/v1beta/models/own:streamGenerateContent", nil, { query = "alt=sse" })
    local sent = events()
    assert.equal(sent[1] .. sent[3]:gsub("^: another\n", ""), request.answer)
    assert.equal("text/event-stream", request.sent_headers["content-type"])
    assert.equal("stop", (w:usage()).finish)
  end)

  it("gives a stream as one array where no events were asked for", function()
    streaming()
    local request = ask("/v1beta/models/own:streamGenerateContent")
    assert.equal("application/json", request.sent_headers["content-type"])
    assert.equal(2, #json.decode(request.answer), request.answer)
    w.answers.up = { world.stream("a", "b") }
    request = ask("/v1beta/models/chat:streamGenerateContent")
    assert.equal(3, #json.decode(request.answer), request.answer)
  end)

  it("ends a broken array with the error, still an array", function()
    local list = events()
    w.answers.g = { {
      events = { list[1], 'data: {"error":{"code":503,"message":"full"}}\n\n' },
      headers = { ["content-type"] = "text/event-stream" },
    } }
    local array = json.decode(ask("/v1beta/models/own:streamGenerateContent").answer)
    assert.equal(503, array[2].error.code)
    assert.equal("UNAVAILABLE", array[2].error.status)
  end)

  it("refuses other forms of a stream", function()
    local path = "/v1beta/models/own:streamGenerateContent"
    local request = ask(path, nil, { query = "alt=proto" })
    assert.equal(400, request.status)
    assert.equal("INVALID_ARGUMENT", request.json.error.status)
  end)

  it("takes names with the marks they have, and no others", function()
    w.answers.up = { world.completion "hi" }
    for _, name in ipairs { "vendor/tiny:1", "vendor%2Ftiny%3A1" } do
      assert.equal(200, ask("/v1beta/models/" .. name .. ":generateContent").status)
    end
    for _, name in ipairs {
      "a%00b", "a%0d%0ab", "..%2fadmin", "a%20b", "a%3Fb", "a%23", "%25",
    } do
      local request = ask("/v1beta/models/" .. name .. ":generateContent")
      assert.equal(400, request.status, name)
      assert.equal(400, request.json.error.code)
    end
    assert.equal(404, ask("/v1beta/models/none:generateContent").status)
    assert.equal(404, ask("/v1beta/models/own:embedText").json.error.code)
    assert.equal(404, ask("/v1beta/nothing").json.error.code)
    assert.equal(405, ask("/v1beta/models/own:generateContent", nil, { method = "GET" }).status)
  end)

  it("lowers an answer's length, and names a model as the path does", function()
    whole()
    for body, want in pairs {
      ['{"contents":[1]}'] = '{"generationConfig":{"maxOutputTokens":50},"contents":[1]}',
      ['{"contents":[1],"generation_config":{"max_output_tokens":99}}'] =
        '{"contents":[1],"generation_config":{"max_output_tokens":50}}',
      ['{"contents":[1],"generationConfig":{"maxOutputTokens":7}}'] =
        '{"contents":[1],"generationConfig":{"maxOutputTokens":7}}',
      ['{"model":"models/dear","contents":[1],"generationConfig":{"maxOutputTokens":7}}'] =
        '{"model":"models/gemini-2.5-flash","contents":[1],"generationConfig":'
        .. '{"maxOutputTokens":7}}',
    } do
      assert.equal(200, ask("/v1beta/models/short:generateContent", body).status)
      local sent = w.calls[#w.calls].request.body
      assert.equal(want, type(sent) == "userdata" and sent:bytes() or sent)
    end
  end)

  it("refuses limits that it could not hold", function()
    for _, members in ipairs {
      '"generationConfig":{"MaxOutputTokens":9}', '"GenerationConfig":{}',
      '"generationConfig":{"maxOutputTokens":9,"max_output_tokens":10}',
      '"generationConfig":{},"generation_config":{}', '"generationConfig":[]',
      '"generationConfig":{"maxOutputTokens":"9"}', '"generationConfig":{"candidateCount":0}',
      '"Contents":[]', '"Model":"x"',
    } do
      local request = ask("/v1beta/models/own:generateContent",
        '{"contents":[{"parts":[{"text":"x"}]}],' .. members .. "}")
      assert.equal(400, request.status, members)
    end
    local bodies = { "{}", '{"contents":null}', '{"contents":[]}', '{"contents":"x"}' }
    for _, body in ipairs(bodies) do
      assert.equal(400, ask("/v1beta/models/own:generateContent", body).status, body)
    end
  end)

  it("shortens an answer that a budget cannot pay for, in the body's own words", function()
    w = world.new([[
local g = provider "gemini" { name = "g", api_key = "k", base_url = "http://g/v1beta" }
local up = provider "openai_compatible" { name = "up", base_url = "http://up/v1" }
model "own" { g { "gemini-2.5-flash", price = { input = 0, output = 1 } } }
model "chat" { up { "gpt-4o-mini", price = { input = 0, output = 1 } } }
virtual_key "k" { token = env.KEY, models = { "*" }, budget = "$0.001/day",
  on_low_budget = "clamp" }
]], { KEY = "secret-key" })
    whole()
    w.answers.up = { world.completion "hi" }
    local function sent() return w.calls[#w.calls].request.body:bytes() end
    local asked = '{"contents":[{"parts":[{"text":"x"}]}],%s}'
    for members, want in pairs {
      ['"generationConfig":{"maxOutputTokens":5000}'] = '"maxOutputTokens":%d+}',
      ['"generation_config":{"max_output_tokens":5000}'] = '"max_output_tokens":%d+}',
      ['"labels":{}'] = '"generationConfig":{"maxOutputTokens":%d+}',
    } do
      local request = ask("/v1beta/models/own:generateContent", asked:format(members))
      assert.equal(200, request.status, request.answer)
      local most = tonumber(sent():match(want):match "%d+")
      assert.is_true(most > 0 and most <= 1000, sent())
      assert.equal(tostring(most), request.sent_headers["x-moongate-clamped"])
    end
    local request = ask("/v1beta/models/chat:generateContent",
      asked:format '"generationConfig":{"maxOutputTokens":5000}')
    assert.equal(200, request.status, request.answer)
    assert.is_true(tonumber(sent():match '"max_tokens":(%d+)') <= 1000)
    local err = ask("/v1beta/models/own:generateContent",
      asked:format '"generationConfig":{"candidateCount":128}')
    assert.is_true(err.status == 200 or err.json.error.status == "RESOURCE_EXHAUSTED")
  end)

  it("counts tokens", function()
    local bodies = {
      HELLO, '{"generateContentRequest":' .. HELLO .. "}",
      '{"contents":{"parts":{"text":"hello"}}}',
    }
    for _, body in ipairs(bodies) do
      local request = ask("/v1beta/models/own:countTokens", body)
      assert.equal(200, request.status, request.answer)
      assert.is_true(request.json.totalTokens > 0)
    end
    assert.equal(0, #w.calls)
  end)

  it("lists models in Gemini's words", function()
    local list = ask("/v1beta/models", nil, { method = "GET" }).json.models
    assert.equal("models/chat", list[1].name)
    local one = ask("/v1beta/models/own", nil, { method = "GET" }).json
    assert.equal("models/own", one.name)
    assert.equal("NOT_FOUND",
      ask("/v1beta/models/none", nil, { method = "GET" }).json.error.status)
  end)

  it("T2: says where a key belongs", function()
    local path = "/v1beta/models/own:generateContent"
    local request =
      ask(path, nil, { query = "key=secret-key", headers = { authorization = false } })
    assert.equal(401, request.status)
    assert.equal("UNAUTHENTICATED", request.json.error.status)
    assert.is_truthy(request.json.error.message:find("x-goog-api-key", 1, true))
    whole()
    assert.equal(200, ask(path, nil, {
      headers = { authorization = false, ["x-goog-api-key"] = "secret-key" },
    }).status)
  end)

  it("tells a provider's error in its own words, and the time to come back", function()
    w.answers.up = { world.failure(429, "x", { headers = { ["retry-after"] = "7" } }) }
    local err = ask("/v1beta/models/chat:generateContent").json.error
    assert.equal("RESOURCE_EXHAUSTED", err.status)
    assert.equal(429, err.code)
  end)
end)

-- Whatever comes ------------------------------------------------------------------------------

local words = wild.words {
  one_in = 5, depth = 4,
  names = {
    "text", "parts", "role", "inlineData", "inline_data", "mimeType", "data", "fileData",
    "fileUri", "functionCall", "functionResponse", "name", "args", "response", "id", "thought",
    "thoughtSignature", "functionDeclarations", "parameters", "parametersJsonSchema", "type",
    "properties", "items", "anyOf", "nullable", "functionCallingConfig", "mode",
    "allowedFunctionNames", "maxOutputTokens", "topK", "stopSequences", "responseSchema",
    "responseMimeType", "thinkingConfig", "thinkingBudget", "thinkingLevel", "executableCode",
  },
  members = {
    "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "labels",
    "cachedContent", "tool_config", "model", "store",
  },
  atoms = {
    "null", "true", "false", "0", "1.5", "-7", '""', '"x"', "[]", "{}", '"user"', '"model"',
    '"image/png"', '"application/json"', '"OBJECT"', '"ANY"', '"bW9vbmdhdGU6U2ln"',
    '"https://x/y.png"',
  },
}

local ROLES = { '"role":"user",', '"role":"model",', "" }

local function body(random)
  local turns = {}
  for i = 1, random(4) do
    local list = {}
    for n = 1, random(3) do list[n] = words:object(random, 3) end
    turns[i] = ('{%s"parts":[%s]}'):format(ROLES[random(3)], table.concat(list, ","))
  end
  return words:body(random, '"contents":[' .. table.concat(turns, ",") .. "]")
end

describe("the door of Gemini, whatever comes,", function()
  it("refuses with faults of the client's only", function()
    local answered, refused = 0, 0
    for seed = 1, BODIES do
      local text = body(wild.random(seed))
      for _, more in ipairs { {}, { drop_unsupported = true } } do
        local told = families.told(gemini, text, more)
        answered, refused = answered + told, refused + families.count - told
      end
    end
    assert.is_true(answered > BODIES and refused > BODIES)
  end)

  it("says the same in a stream as at once", function()
    local verbs = {
      function(reply) reply:text "word " end, function(reply) reply:reasoning "hm" end,
      function(reply) reply:reasoning("", { signature = "U2ln" }) end,
      function(reply) reply:reasoning("", { redacted = "SGlk" }) end,
      function(reply, random)
        reply:tool_call { id = "c" .. random(99), name = "f", arguments = '{"a":' }
        reply:tool_call { arguments = "1}" }
      end,
    }
    local function said(seed, stream, as_array)
      local call = stub.visitor(gemini, stream and '{"contents":[1],"stream":true}'
        or '{"contents":[1]}')
      call.as_array = as_array
      local reply, client = stub.reply(call, stub.deployment("openai", "m"), gemini)
      local random = wild.random(seed)
      for _ = 1, random(9) do verbs[random(#verbs)](reply, random) end
      reply:finish(({ "stop", "length", "tool_calls", "content_filter" })[random(4)])
      reply:usage { input_tokens = 9, output_tokens = random(50), reasoning_tokens = 1 }
      reply:close()
      return client:bytes()
    end
    local function meaning(list)
      local out = { text = "", thought = "", calls = {}, signed = {} }
      for _, one in ipairs(list) do
        local candidate = one.candidates[1]
        for _, part in ipairs(candidate.content.parts) do
          if part.functionCall then
            out.calls[#out.calls + 1] = json.encode(part.functionCall)
          else
            local kind = part.thought and "thought" or "text"
            out[kind] = out[kind] .. part.text
          end
          if part.thought then out.signed[#out.signed + 1] = part.thoughtSignature end
        end
        out.finish, out.usage = candidate.finishReason, one.usageMetadata
      end
      return out
    end
    for seed = 1, 500 do
      local want, list = meaning { json.decode(said(seed)) }, {}
      for data in said(seed, true):gmatch "data: ([^\n]+)\n\n" do
        list[#list + 1] = json.decode(data)
      end
      assert.same(want, meaning(list), "seed " .. seed)
      assert.same(want, meaning(json.decode(said(seed, true, true))), "seed " .. seed)
    end
  end)
end)

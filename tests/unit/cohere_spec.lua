-- Cohere's second API: what golden cases (tests/golden/cohere) do not show.

require "engine"

local bill = require "lib.bill"
local cjson = require "cjson"
local rates = require "lib.rates"
local stub = require "tools.stub"

local adapter = require "providers.cohere"

local function asked(body, model, more)
  local call = stub.call(body)
  local dep = stub.deployment("cohere", model or "command-a", more)
  return cjson.decode(stub.encoded(call, dep)), call
end

local function chat(members, messages)
  return ('{"model":"m","messages":%s%s}')
    :format(messages or '[{"role":"user","content":"a"}]', members and "," .. members or "")
end

local function refused(...)
  local ok, err = pcall(asked, ...)
  assert.is_false(ok)
  return err
end

describe("a chat asked of Cohere", function()
  it("has plans where calls follow, and thoughts where the model reasons", function()
    local messages = [==[[{"role":"user","content":"a"},
      {"role":"assistant","reasoning_content":"I plan.","content":null,"tool_calls":[
        {"id":"c","type":"function","function":{"name":"f","arguments":""}}]},
      {"role":"tool","tool_call_id":"c","content":"x"},
      {"role":"assistant","reasoning_content":"I end.","content":"b"},
      {"role":"user","content":"c"}]]==]
    local plain = asked(chat(nil, messages)).messages
    assert.equal("I plan.", plain[2].tool_plan)
    assert.equal("{}", plain[2].tool_calls[1]["function"].arguments)
    assert.is_nil(plain[2].content)
    assert.same({ role = "assistant", content = "b" }, plain[4])
    local reasons = asked(chat(nil, messages), "command-a-reasoning-08-2025").messages
    assert.is_nil(reasons[2].tool_plan)
    assert.same({ { type = "thinking", thinking = "I plan." } }, reasons[2].content)
    assert.same({ { type = "thinking", thinking = "I end." }, { type = "text", text = "b" } },
      reasons[4].content)
  end)

  it("shows pictures of results as a user's, after all of them", function()
    local messages = asked(chat(nil, [==[[{"role":"user","content":"a"},
      {"role":"assistant","tool_calls":[
        {"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"t"},
        {"type":"image_url","image_url":{"url":"https://x/a.png"}}]},
      {"role":"tool","tool_call_id":"2","content":[{"type":"document",
        "document":{"id":"d","data":{"title":"T"}}}]}]]==])).messages
    assert.equal("t", messages[3].content)
    assert.same({ { type = "document", document = { id = "d", data = { title = "T" } } } },
      messages[4].content)
    assert.same({ role = "user", content = {
      { type = "image_url", image_url = { url = "https://x/a.png" } } } }, messages[5])
  end)

  it("drops hints that it has no word for, and refuses the rest", function()
    local body, call = asked(chat('"frequency_penalty":-1,"presence_penalty":0.5,'
      .. '"reasoning_effort":"high","logit_bias":{"1":2},"tools":[{"type":"function",'
      .. '"function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g"}}]'))
    table.sort(call.dropped)
    assert.same({ "frequency_penalty", "logit_bias", "reasoning_effort", "tools.strict" },
      call.dropped)
    assert.equal(0.5, body.presence_penalty)
    assert.equal("n", refused(chat '"n":2').param)
    assert.equal("top_logprobs", refused(chat '"logprobs":true,"top_logprobs":3').param)
    assert.equal("messages[0].content[0]", refused(chat(nil,
      '[{"role":"user","content":[{"type":"file","file":{"file_data":'
      .. '"data:application/pdf;base64,JVBERi0="}}]}]')).param)
    assert.equal("parallel_tool_calls", refused(chat('"parallel_tool_calls":false,"tools":['
      .. '{"type":"function","function":{"name":"f"}},'
      .. '{"type":"function","function":{"name":"g"}}]')).param)
  end)

  it("takes its own words", function()
    local body = asked(chat('"safety_mode":"OFF","citation_options":{"mode":"FAST"},"k":3,'
      .. '"p":0.4,"stop_sequences":["x"],"documents":["a"],"thinking":{"type":"enabled",'
      .. '"budget_tokens":5},"priority":2,"strict_tools":true'))
    assert.same({ "OFF", "FAST", 3, 0.4, "x", "a", 5, 2, true }, {
      body.safety_mode, body.citation_options.mode, body.k, body.p, body.stop_sequences[1],
      body.documents[1], body.thinking.token_budget, body.priority, body.strict_tools,
    })
  end)

  it("thinks as long as it is told to, where it can", function()
    local function thinking(effort)
      return asked(chat(('"reasoning_effort":"%s"'):format(effort)),
        "command-a-plus-05-2026").thinking
    end
    assert.same({ type = "disabled" }, thinking "none")
    assert.same({ type = "enabled", token_budget = 8192 }, thinking "medium")
    assert.same({ type = "enabled" }, thinking "high")
  end)

  it("calls one tool by leaving out the others", function()
    local body = asked(chat('"tools":[{"type":"function","function":{"name":"f"}},'
      .. '{"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools",'
      .. '"allowed_tools":{"mode":"required","tools":[{"type":"function",'
      .. '"function":{"name":"g"}}]}}'))
    assert.equal("REQUIRED", body.tool_choice)
    assert.same({ "g" }, { body.tools[1]["function"].name, body.tools[2] })
  end)
end)

describe("an answer of Cohere's", function()
  local function heard(answer, stream)
    local call = stub.call(('{"model":"m","stream":%s,"messages":[]}')
      :format(stream and "true" or "false"))
    local reply, client = stub.reply(call, stub.deployment("cohere", "m"))
    local upstream = stub.upstream(answer)
    if stream then
      adapter.stream(upstream, reply)
    else
      adapter.decode(upstream:json(), reply)
    end
    reply:close()
    return client:bytes(), reply
  end

  it("tells how likely its tokens were", function()
    local bytes = heard(cjson.encode { id = "1", finish_reason = "COMPLETE",
      message = { content = { { type = "text", text = "Hi you" } } },
      logprobs = { { text = "Hi", token_ids = { 1 }, logprobs = { -0.5 } },
        { text = " you", token_ids = { 2, 3 }, logprobs = { -1, -0.25 } } } })
    local content = cjson.decode(bytes).choices[1].logprobs.content
    assert.same({ "Hi", -0.5, " you", -1.25 },
      { content[1].token, content[1].logprob, content[2].token, content[2].logprob })
    bytes = heard('data: {"type":"content-delta","delta":{"message":{"content":{"text":"Hi"}}},'
      .. '"logprobs":{"text":"Hi","token_ids":[1],"logprobs":[-0.5]}}\n\n'
      .. 'data: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}\n\n', true)
    assert.truthy(bytes:find('"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi",'
      .. '"logprob":-0.5,"bytes":null,"top_logprobs":[]}]}', 1, true), bytes)
  end)

  it("is none where it broke off", function()
    for reason, kind in pairs { ERROR = "server_error", TIMEOUT = "timeout" } do
      local ok, err = pcall(heard, ('{"id":"1","finish_reason":"%s","message":{"content":'
        .. '[{"type":"text","text":"a"}]}}'):format(reason))
      assert.is_false(ok)
      assert.equal(kind, err.kind)
      ok, err = pcall(heard, ('data: {"type":"message-end","delta":{"finish_reason":"%s"}}\n\n')
        :format(reason), true)
      assert.is_false(ok)
      assert.equal(kind, err.kind)
    end
    local ok, err = pcall(heard, 'data: {"type":"message-end","delta":{"finish_reason":"ERROR",'
      .. '"error":"no such model"}}\n\n', true)
    assert.is_false(ok)
    assert.equal("no such model", err.message)
    ok, err = pcall(heard, 'data: {"message":"too many tokens"}\n\n', true)
    assert.is_false(ok)
    assert.equal("context_window", err.kind)
  end)

  it("is billed for what is charged, not for what was read", function()
    local _, reply = heard('{"id":"1","finish_reason":"COMPLETE","message":{"content":[]},'
      .. '"usage":{"billed_units":{"input_tokens":11,"output_tokens":3},"cached_tokens":448,'
      .. '"tokens":{"input_tokens":506,"output_tokens":4}}}')
    local call = stub.call '{"model":"m","messages":[]}'
    assert.equal(506, reply.usage_total.input_tokens)
    assert.equal(448, reply.usage_total.cache_read_tokens)
    assert.equal(11 * 2500 + 3 * 10000,
      bill.cost(rates.read { input = 2.5, output = 10 }, call, reply.usage_total))
  end)

  it("that refuses says why", function()
    assert.equal("content_policy", (adapter.classify(498, { message = "invalid token" })))
    local kind, more = adapter.classify(429, { message = "You are using a Trial key, which is "
      .. "limited to 1000 API calls / month." })
    assert.same({ "rate_limit", true }, { kind, more.exhausted })
    assert.is_nil((adapter.classify(429, { message = "limited to 10 API calls / minute" })))
  end)
end)

describe("embeddings of Cohere's", function()
  local face = adapter.natives.embeddings

  local function body_of(text)
    local call = stub.call(text)
    return cjson.decode(require("engine.json").encode(face.encode(call,
      stub.deployment("cohere", "embed-v4.0")))), call
  end

  it("are asked for as texts, for documents unless something else is said", function()
    assert.same({ model = "embed-v4.0", texts = { "a" }, input_type = "search_document",
      embedding_types = { "float" }, output_dimension = 256 },
      (body_of '{"model":"m","input":"a","dimensions":256,"encoding_format":"base64"}'))
    local body, call = body_of('{"model":"m","input":["a","b"],'
      .. '"input_type":"search_query","truncate":"END","user":"u"}')
    assert.same({ "search_query", "END", "b" },
      { body.input_type, body.truncate, body.texts[2] })
    assert.same({ "user" }, call.dropped)
  end)

  it("come digit for digit, in the older shape as well", function()
    for _, list in ipairs { '{"float":[[1.10,-2e-05],[3,4]]}', "[[1.10,-2e-05],[3,4]]" } do
      local _, call = body_of '{"model":"m","input":["a","b"]}'
      local reply, client = stub.reply(call, stub.deployment("cohere", "embed-v4.0"))
      local answer = ('{"id":"1","embeddings":%s,"meta":{"billed_units":{"input_tokens":7}}}')
        :format(list)
      face.decode(stub.upstream(answer):document(), reply)
      reply:close()
      local bytes = client:bytes()
      assert.truthy(bytes:find('"embedding":[1.10,-2e-05]', 1, true), bytes)
      assert.equal(7, cjson.decode(bytes).usage.prompt_tokens)
    end
  end)

  it("are not made of tokens", function()
    local ok, err = pcall(body_of, '{"model":"m","input":[[1,2]]}')
    assert.is_false(ok)
    assert.same({ "bad_request", "input" }, { err.kind, err.param })
  end)

  it("know what Gemini's clients want them for", function()
    local door = require "dialects.embed_content"
    local call = stub.visitor(door,
      '{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"}')
    local sent = cjson.decode(stub.asked(call, stub.deployment("cohere", "embed-v4.0")))
    assert.same({ "search_query", "a" }, { sent.input_type, sent.texts[1] })
  end)
end)

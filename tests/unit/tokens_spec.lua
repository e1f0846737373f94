-- Token counts of chat bodies, against what providers reported for recorded ones.

require "engine"
local json = require "engine.json"
local exchanges = require "tokens.exchanges"
local lfs = require "lfs"
local tokens = require "lib.tokens"

local exact = lfs.attributes "build/vocabularies/made" and it or pending

local FOLDER = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic"

local function body_of(text)
  return assert(json.decode(text, { raw = { parameters = true, schema = true } }))
end

local function say(text)
  return { messages = { { role = "user", content = text } } }
end

describe("tokens", function()
  exact("counts a message with what stands around it", function()
    local n, found = tokens.count_messages(say "hello world", "gpt-4o")
    assert.same({ 3 + 3 + 1 + 2, true, 9, 9 }, { n, found.exact, found.low, found.high })
    assert.equal(8, (tokens.count_messages(say "hello world", "gpt-5")))
  end)

  -- Recorded requests of one kind: at most so many, or so much of them, off.
  local function check_recorded(label, with, most, share)
    local profiles, seen = tokens.profiles(), 0
    for _, one in ipairs(exchanges.all(FOLDER)) do
      local profile = profiles:of(one.model)
      if profile.family.label == label and exchanges.kind(one) == with then
        local n, about = tokens.count_doc(one.doc, profile)
        seen = seen + 1
        local told = ("%s: counted %d, reported %d"):format(one.file, n, one.reported)
        assert.is_true(math.abs(n - one.reported) <= math.max(most, share * one.reported), told)
        if share <= 0.05 then
          assert.is_true(about.low <= one.reported and one.reported <= about.high, told)
        end
      end
    end
    assert.is_true(seen > 0 or #exchanges.all(FOLDER) == 0, "no " .. label .. ", " .. with)
  end

  exact("are what OpenAI reported for recorded texts, to the token", function()
    for _, label in ipairs { "openai", "openai_41", "gpt5", "oss" } do
      check_recorded(label, "text", 0, 0)
    end
  end)

  exact("are within two, or 1 %, of what it reported for recorded tools", function()
    check_recorded("openai", "tools", 2, 0.01)
    check_recorded("openai_41", "tools", 2, 0.01)
    check_recorded("openai", "schemas", 5, 0.03)
    check_recorded("gpt5", "tools", 11, 0.05) -- a hidden text comes before them
    check_recorded("gpt5", "schemas", 5, 0.03)
  end)

  exact("are near what others reported for recorded texts", function()
    check_recorded("claude_45", "text", 4, 0.3) -- one is a long number in capitals
    check_recorded("claude", "text", 4, 0.15)
    check_recorded("gemini", "text", 2, 0.1)
    check_recorded("deepseek", "text", 3, 0.15)
    check_recorded("claude_45", "tools", 60, 0.13)
  end)

  it("says that tools, schemas, images and other families are estimates", function()
    local tool = '{"messages":[],"tools":[{"type":"function","function":{"name":"f",'
      .. '"parameters":{"type":"object","properties":{"a":{"type":"string","enum":["x"]},'
      .. '"b":{"type":"array","items":{"type":"integer"}}}}}}]}'
    local schema = '{"messages":[],"response_format":{"type":"json_schema",'
      .. '"json_schema":{"name":"s","schema":{"type":"object"}}}}'
    local image = '{"messages":[{"role":"user","content":[{"type":"image_url",'
      .. '"image_url":{"url":"https://example.org/a.png"}}]}]}'
    for _, text in ipairs { tool, schema, image } do
      local n, found = tokens.count_messages(body_of(text), "gpt-4o")
      assert.is_false(found.exact)
      assert.is_true(found.low <= n and n <= found.high, text)
    end
    assert.is_false(select(2, tokens.count_messages(say "hi", "claude-sonnet-4-5")).exact)
  end)

  it("stops behind a limit", function()
    local long = say(("word "):rep(1000))
    assert.equal(11, (tokens.count_messages(long, "gpt-4o", 10)))
    assert.equal(11, (tokens.count_messages(long, "claude-sonnet-4-5", 10)))
    assert.equal(6, (tokens.count(("word "):rep(1000), "o200k_base", 5)))
    assert.is_true(tokens.count_messages(long, "gpt-4o", 5000) < 1100)
  end)

  it("takes what is no chat body for an empty one", function()
    for _, text in ipairs {
      "{}", '{"messages":7}', '{"messages":[7,null,{"role":1,"content":false,"tool_calls":4}]}',
      '{"messages":[],"tools":[1,{"function":{}}],"response_format":{"json_schema":{}}}',
      '{"messages":[{"tool_calls":[{"function":{"name":3,"arguments":{"a":1}}},9]}]}',
      '{"tools":[{"function":{"parameters":{"properties":{"a":{"type":["x",null]}}}}}]}',
      '{"tools":[{"function":{"parameters":{"required":[1,{}],"properties":{"a":1}}}}]}',
      '{"tools":[{"function":{"parameters":{"properties":{"a":{"anyOf":[1]}}}}}]}',
      '{"system":[{"type":"text","text":5}],"tool_choice":{"function":{}},"tools":[{}]}',
    } do
      assert.is_number((tokens.count_messages(body_of(text), "gpt-4o")))
    end
  end)

  local function call_of(text)
    return { doc = assert(json.index(text)), body = body_of(text) }
  end

  it("bounds every recorded body by its bytes, or says that they say nothing", function()
    for _, one in ipairs(exchanges.all(FOLDER)) do
      local kind, bound = exchanges.kind(one), tokens.bound { doc = one.doc }
      -- One provider put a prompt of 550 tokens of its own before "hello".
      local own = one.model == "meta-llama/llama-3.2-3b-instruct:free"
      if bound and not own and (kind == "text" or kind == "tools") then
        assert.is_true(bound >= one.reported, one.file)
      end
    end
  end)

  it("bounds a body by its bytes, where bytes say something", function()
    local long = '{"messages":[{"role":"user","content":"' .. ("a b "):rep(500) .. '"}]}'
    local tools = '{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}'
    for _, text in ipairs { "{}", long, tools, '{"messages":[{"role":"user"}]}' } do
      for _, model in ipairs { "gpt-4o", "gpt-5", "gpt-4", "claude-opus-4-8", "gemini" } do
        local bound = tokens.bound(call_of(text))
        local n = tokens.count_messages(body_of(text), model)
        assert.is_true(bound >= n, model .. ": " .. text:sub(1, 80))
      end
    end
    for _, text in ipairs {
      '{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}',
      '{"messages":[{"content":[{"type":"\\u0069mage"}]}]}', '{"prompt":{"id":"x"}}',
      '{"contents":[{"parts":[{"inlineData":{}}]}]}', '{"previous_response_id":"x"}',
    } do
      assert.is_nil(tokens.bound(call_of(text)), text)
    end
  end)

  exact("counts the same conversation in every dialect", function()
    local chat = { messages = {
      { role = "system", content = "Be short." }, { role = "user", content = "hello world" },
    } }
    local items = {
      instructions = "Be short.",
      input = { { role = "user", content = { { text = "hello world" } } } },
    }
    local messages = {
      system = { { type = "text", text = "Be short." } },
      messages = { { role = "user", content = { { type = "text", text = "hello world" } } } },
    }
    local n = tokens.count_messages(chat, "gpt-4o")
    assert.equal(3 + 2 * 3 + 2 + 3 + 2, n)
    assert.equal(n, (tokens.count_messages(items, "gpt-4o")))
    assert.equal(n, (tokens.count_messages(messages, "gpt-4o")))
    local contents = {
      systemInstruction = { parts = { { text = "Be short." } } },
      contents = { { role = "user", parts = { { text = "hello world" } } } },
    }
    local gemini, about = tokens.count_messages(contents, "gemini-2.5-flash")
    assert.is_true(gemini >= 5 and gemini <= 6)
    assert.is_false(about.exact)
  end)

  exact("undoes escapes before it counts, and passes on JSON without its blanks", function()
    local function count(text, model)
      return (tokens.count_messages(assert(json.index(text)), model or "gpt-4o"))
    end
    local plain = '{"messages":[{"role":"user","content":"\208\151\208\180 \"a\" / b"}]}'
    local escaped = '{"messages":[{"role":"user","content":'
      .. '"\\u0417\\u0434 \\"a\\" \\/ b"}]}'
    assert.equal(count((plain:gsub('"a"', '\\"a\\"'))), count(escaped))
    local tight = '{"messages":[],"tools":[{"name":"f","input_schema":{"a":[1,"x y"]}}]}'
    local loose = tight:gsub("([:,%[])", "%1 \n ")
    assert.equal(count(tight, "claude-sonnet-4-5"), count(loose, "claude-sonnet-4-5"))
  end)

  it("knows calls, their results and tools in every dialect", function()
    local function in_messages(one) return '{"messages":[{' .. one .. "}]}" end
    for _, case in ipairs {
      in_messages '"tool_calls":[{"function":{"name":"f","arguments":"%s"}}]',
      in_messages '"role":"tool","content":"%s"',
      in_messages '"content":[{"type":"tool_use","name":"f","input":{"a":"%s"}}]',
      in_messages '"content":[{"type":"tool_result","content":[{"text":"%s"}]}]',
      '{"input":[{"type":"function_call","name":"f","arguments":"%s"}]}',
      '{"input":[{"type":"function_call_output","output":"%s"}]}',
      '{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"a":"%s"}}}]}]}',
      '{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"a":"%s"}}}]}]}',
      '{"tools":[{"function":{"name":"f","description":"%s"}}]}',
      '{"tools":[{"type":"function","name":"f","description":"%s"}]}',
      '{"tools":[{"functionDeclarations":[{"name":"f","description":"%s"}]}]}',
      '{"tools":[{"name":"f","input_schema":{"properties":{"a":{"description":"%s"}}}}]}',
      '{"response_format":{"type":"json_schema","json_schema":{"schema":{"a":"%s"}}}}',
    } do
      for _, model in ipairs { "gpt-4o", "gpt-5", "claude-sonnet-4-5", "mistral-large" } do
        local short = tokens.count_messages(json.index(case:format "x"), model)
        local words = ("word "):rep(200)
        local long = tokens.count_messages(json.index(case:format(words)), model)
        assert.is_true(long - short > 150 and long - short < 400, case .. model)
      end
    end
  end)

  it("takes an image's size from its first bytes, and fetches nothing", function()
    -- 1 × 1, made larger by hand: the head is all that is read.
    local png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABAAAAAMACAYAAAC6pPnTAAAA"
    local gif = "R0lGODlhAAEAAfAAAAAAAAAAACH5BAAAAAAALAAAAAABAAEAAAIEhI+pAAAAAAAAAAAAAAAAAAAA"
    local function openai(url, detail, model)
      local n, about = tokens.count_messages({ messages = { { role = "user", content = {
        { type = "image_url", image_url = { url = url, detail = detail } },
      } } } }, model or "gpt-4o")
      return n - 7, about
    end
    assert.equal(85 + 170 * 4, (openai(png)))
    assert.equal(85, (openai(png, "low")))
    assert.equal(2833 + 5667 * 4, (openai(png, nil, "gpt-4o-mini")))
    local n, about = openai("https://example.org/a.png")
    assert.is_true(n == 85 + 170 * 4 and about.high > n and not about.exact)
    assert.equal(1, about.images)
    local function anthropic(data)
      return (tokens.count_messages({ messages = { { content = {
        { type = "image", source = { type = "base64", data = data } },
      } } } }, "claude-sonnet-4-5"))
    end
    assert.equal(5 + 10 * 10, anthropic(gif))
    local inline = { contents = { { parts = { { inlineData = { data = gif } } } } } }
    assert.equal(258, (tokens.count_messages(inline, "gemini-2.5-pro")))
    local image = { type = "input_image", detail = "low", image_url = png }
    local item = { input = { { content = { image } } } }
    assert.equal(6 + 85, (tokens.count_messages(item, "gpt-4o")))
  end)
end)

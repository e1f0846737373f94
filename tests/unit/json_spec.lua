-- engine.json: what scripts do with other people's JSON. Rows (A-..) are those of MATRICES.md.

local cjson = require "cjson"
require "engine"
local json = require "engine.json"

local function decoded(text, options)
  local value, err = json.decode(text, options)
  assert(err == nil, err and err.message)
  return value
end

local function again(text, options) return json.encode(decoded(text, options)) end

local function refused(text, code)
  local value, err = json.decode(text)
  assert.is_nil(value, text)
  assert.equal(code or "invalid_json", err.code, text)
  assert.is_string(err.message)
end

local function doc_of(text)
  local doc, err = json.index(text)
  assert(doc, err and err.message)
  return doc
end

describe("json.decode", function()
  it("decodes every type", function()
    local value =
      decoded '{"s":"x","n":1.5,"t":true,"f":false,"z":null,"a":[1,[]],"o":{"p":{}}}'
    assert.equal("x", value.s)
    assert.equal(1.5, value.n)
    assert.is_true(value.t)
    assert.is_false(value.f)
    assert.equal(json.null, value.z)
    assert.equal(1, value.a[1])
    assert.is_true(json.is_array(value.a[2]))
    assert.is_false(json.is_array(value.o.p))
    assert.equal("text", decoded '"text"')
    assert.equal(json.null, decoded "null")
  end)

  it("undoes escapes, short and long", function()
    assert.equal('a"\\/\b\f\n\r\t\0é€😀',
      decoded [["a\"\\\/\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\ude00"]])
    local long = ("\\n"):rep(3000)
    assert.equal(("\n"):rep(3000), decoded('"' .. long .. '"'))
    assert.equal(1, decoded('{"\\u0061":1}').a)
  end)

  it("refuses what is not JSON (A-01, A-03, A-04, A-05, A-15, A-16)", function()
    for _, text in ipairs {
      "", " ", "{} x", "{}{}", "[1,]", '{"a":1,}', "{'a':1}", "// c\n{}", "\239\187\191{}",
      "NaN", "Infinity", "-Infinity", "0x10", "01", "+1", ".5", "1.", "-", "[", '{"a"', '"a',
      '"\\ud800"', '"\\udc00x"', '"\n"', '"\1"', "nul", "[1 2]", "{]", ("1"):rep(65),
    } do
      refused(text)
    end
  end)

  it("refuses bad UTF-8 (A-14) and bombs (A-11, A-12)", function()
    for _, text in ipairs { '"\255"', '"\192\175"', '"\237\160\128"', '"\226\130"' } do
      refused(text, "invalid_utf8")
    end
    assert(json.decode(("["):rep(64) .. ("]"):rep(64)))
    refused(("["):rep(65) .. ("]"):rep(65), "too_deep")
    refused(("["):rep(1e6), "too_deep")
    refused("[" .. ("[],"):rep(1100000) .. "0]", "too_many_nodes")
  end)

  it("refuses a body cut anywhere (A-02)", function()
    local body = '{"model":"é😀","messages":[{"content":"\\u00e9"}],"n":-1.5e3}'
    for i = 0, #body - 1 do refused(body:sub(1, i)) end
  end)

  it("says what is wrong, and where", function()
    local _, err = json.decode '{"a":tru}'
    assert.same({ code = "invalid_json", at = 8,
      message = "invalid JSON at byte 8: unexpected character" }, err)
  end)

  it("takes the last of duplicate names", function()
    assert.equal(2, decoded('{"a":1,"a":2}').a)
  end)

  it("leaves nothing behind on the stack of a failing decode", function()
    for _ = 1, 20000 do json.decode '[[{"a":[1,2,{"b":tru' end
    assert.equal("fine", decoded '"fine"')
  end)

  it("wants a string", function()
    assert.has_error(function() json.decode() end)
    assert.has_error(function() json.decode({}) end)
    assert.has_error(function() json.decode("{}", "raw") end)
  end)
end)

describe("numbers (A-06)", function()
  it("are numbers where a double carries them", function()
    for _, text in ipairs {
      "0", "-0", "1", "-1", "0.1", "0.30000000000000004", "3.141592653589793", "5e-324",
      "1e-05", "1e+20", "9007199254740992", "-9007199254740992", "1234567890123456",
      "123456789.12345679", "1.7976931348623157e+308",
    } do
      assert.is_number(decoded(text))
      assert.equal(text, again(text))
    end
    assert.equal("1", again "1.0")
    assert.equal("100", again "1e2")
  end)

  it("keep their digits where it does not", function()
    for _, text in ipairs {
      "9007199254740993", "-9007199254740993", "1234567890123456789", "1e400", "-1E400",
      "0.1234567890123456789", "0.30000000000000003", "1e-400",
      "123456789012345678901234567890",
    } do
      local value = decoded(text)
      assert.is_true(json.is_raw(value), text)
      assert.equal(text, tostring(value))
      assert.equal('{"x":[' .. text .. "]}", again('{"x":[' .. text .. "]}"))
      assert.is_true(value == decoded(text))
      assert.is_false(value == decoded(text .. "1"))
    end
  end)

  it("are printed as briefly as they read back", function()
    math.randomseed(7)
    for _ = 1, 20000 do
      local n = (math.random() - 0.5) * 10 ^ math.random(-320, 300)
      assert.equal(n, tonumber(json.encode(n)))
      if math.abs(n) < 2 ^ 53 then assert.is_number(decoded(json.encode(n))) end
    end
    for i = 0, 20 do
      assert.equal(("%.0f"):format(2 ^ 53 - i), json.encode(2 ^ 53 - i))
    end
  end)
end)

describe("json.encode", function()
  it("keeps arrays arrays and objects objects (A-07)", function()
    local text = '{"metadata":{},"nested":[[],{},[{}]],"required":[],"stop":[],"tools":[]}'
    assert.equal(text, again(text))
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("[1,2]", json.encode { 1, 2 })
    assert.equal("[null,1]", json.encode(json.array { json.null, 1 }))
  end)

  it("keeps null (A-08)", function()
    assert.equal('{"a":null}', again '{"a":null}')
    assert.equal("null", json.encode(nil))
  end)

  it("sorts names, so that two runs agree", function()
    assert.equal('{"":0,"B":1,"a":2,"aa":3,"b":4}',
      json.encode { b = 4, a = 2, aa = 3, B = 1, [""] = 0 })
  end)

  it("writes json.object in its order, and the rest sorted", function()
    local value = json.object({ "z", "gone", "a", "z" }, { a = 1, z = 2, y = 3, b = 4 })
    assert.equal('{"z":2,"a":1,"b":4,"y":3}', json.encode(value))
    value.gone = json.array {}
    assert.equal('{"z":2,"gone":[],"a":1,"b":4,"y":3}', json.encode(value))
    assert.equal("{}", json.encode(json.object({}, {})))
    assert.has_error(function() json.object({ 1 }, {}) end)
    assert.has_error(function() json.object("a", {}) end)
  end)

  it("escapes what must be, and nothing else", function()
    assert.equal([["/\"\\\n\r\t\b\f\u0001\u0000é😀]] .. '\127"',
      json.encode '/"\\\n\r\t\b\f\1\0é😀\127')
    assert.equal([["a\ufffdb\ufffd"]], json.encode "a\255b\195")
    assert.equal([[{"a\"b":1}]], json.encode { ['a"b'] = 1 })
  end)

  it("raises on what JSON does not have", function()
    local loop = {}
    loop.loop = loop
    for _, value in ipairs {
      print, loop, { 1, 2, x = 3 }, { [2] = 1 }, { [true] = 1 }, { 1, nil, 3, [7] = 1 }, 0 / 0,
      1 / 0, -1 / 0, coroutine.create(print), io.stdout, { a = { b = { print } } },
      { [1.5] = 1 }, json.remove,
    } do
      assert.has_error(function() json.encode(value) end)
    end
    assert.equal("[1]", json.encode { 1 }) -- and goes on after
  end)

  it("goes as deep as documents may be", function()
    local deep = json.array {}
    for _ = 1, 63 do deep = { deep } end
    assert.equal(("["):rep(64) .. ("]"):rep(64), json.encode(deep))
    assert.has_error(function() json.encode { deep } end)
  end)

  it("encodes the largest of tables", function()
    local wide, text = {}, {}
    for i = 1, 20000 do
      wide[("k%05d"):format(i)] = { n = i }
      text[i] = ('"k%05d":{"n":%d}'):format(i, i)
    end
    assert.equal("{" .. table.concat(text, ",") .. "}", json.encode(wide))
  end)
end)

describe("order, raw slices and marks", function()
  local SCHEMA = '{"z":1.0,"a":[ ],"m":{},"n":1e400}'
  local TOOL = '{"type":"function","parameters":' .. SCHEMA .. ',"name":"f"}'

  it("options.ordered remembers how objects were written", function()
    local text = '{"z":{"y":1,"x":{}},"a":[{"c":1,"b":2}],"m":null}'
    assert.equal(text, again(text, { ordered = true }))
    local value = decoded(text, { ordered = true })
    value.z.y, value.z.w, value.new = nil, 3, 4
    assert.equal('{"z":{"x":{},"w":3},"a":[{"c":1,"b":2}],"m":null,"new":4}',
      json.encode(value))
    assert.equal('{"b":3,"a":2}', again('{"b":1,"a":2,"b":3}', { ordered = true }))
    assert.equal('{"__gc":1,"__index":2}', again('{"__gc":1,"__index":2}', { ordered = true }))
  end)

  it("options.raw leaves subtrees as they were", function()
    local value = decoded(TOOL, { raw = { parameters = true } })
    assert.is_true(json.is_raw(value.parameters))
    assert.equal(SCHEMA, tostring(value.parameters))
    assert.equal('{"name":"f","parameters":' .. SCHEMA .. ',"type":"function"}',
      json.encode(value))
    assert.equal("plain", decoded('{"parameters":"plain"}', { raw = { parameters = true } })
      .parameters)
    assert.is_nil(json.decode('{"parameters":[1,}', { raw = { parameters = true } }))
    assert.equal('[{"a":[ ]}]',
      again('[{"a":[ ]}]', { ordered = true, raw = { a = true } }))
  end)

  it("json.raw is checked text", function()
    local raw = json.raw ' {"b":1, "a":[]}\n'
    assert.equal('{"b":1, "a":[]}', tostring(raw))
    assert.equal('{"x":{"b":1, "a":[]}}', json.encode { x = raw })
    assert.is_true(raw == json.raw '{"b":1, "a":[]}')
    assert.is_false(raw == json.raw "{}")
    for _, bad in ipairs { "", "{", "{} {}", '"\255"', "nope" } do
      assert.has_error(function() json.raw(bad) end)
    end
    assert.is_false(json.is_raw {})
    assert.is_false(json.is_raw "x")
    assert.is_false(json.is_raw(io.stdout))
  end)

  it("json.text gives the text of either", function()
    assert.equal("[ 1 ]", json.text(json.raw "[ 1 ]"))
    assert.equal('{"a":[]}', json.text { a = json.array {} })
    assert.equal('"x"', json.text "x")
  end)

  it("json.is_array says what would be encoded as an array", function()
    assert.is_true(json.is_array(json.array {}))
    assert.is_true(json.is_array { 1, 2 })
    assert.is_true(json.is_array(decoded "[]"))
    assert.is_false(json.is_array {})
    assert.is_false(json.is_array { 1, x = 2 })
    assert.is_false(json.is_array "x")
    assert.is_false(json.is_array(json.null))
  end)

  it("json.null is cjson's, so that fixtures compare", function()
    assert.equal(cjson.null, json.null)
    assert.not_equal(json.null, json.remove)
  end)
end)

describe("documents", function()
  local BODY = '{ "model" : "gpt-4o", "stream":true,"n":1.0, "id":9007199254740993,'
    .. '"messages":[{"role":"user","content":"\\u00e9"}],"tools":[],"metadata":{},'
    .. '"stream_options":{"include_usage":false,"x":1},"stop":null }'

  it("are read member by member", function()
    local doc = doc_of(BODY)
    assert.equal("gpt-4o", doc:get "model")
    assert.is_true(doc:get "stream")
    assert.equal(json.null, doc:get "stop")
    assert.is_nil((doc:get "absent"))
    assert.equal("é", doc:get("messages")[1].content)
    assert.equal("9007199254740993", tostring(doc:get "id"))
    assert.equal("1.0", doc:number_text "n")
    assert.is_nil((doc:number_text "model"))
    assert.equal('[{"role":"user","content":"\\u00e9"}]', doc:raw "messages")
    assert.is_nil((doc:raw "absent"))
    assert.equal(BODY, doc:bytes())
    assert.equal(#BODY, #doc)
    assert.equal("gpt-4o", doc:decode().model)
    assert.is_true(json.is_raw(doc:decode { raw = { metadata = true } }.metadata))
  end)

  it("know types", function()
    local doc = doc_of(BODY)
    for name, type in pairs {
      model = "string", stream = "boolean", n = "number", messages = "array", stop = "null",
      metadata = "object", tools = "array",
    } do
      assert.equal(type, doc:type(name))
    end
    assert.is_nil((doc:type "absent"))
  end)

  it("look one level deeper", function()
    local doc = doc_of(BODY)
    assert.is_false(doc:get("stream_options", "include_usage"))
    assert.equal("number", doc:type("stream_options", "x"))
    assert.equal("1", doc:raw("stream_options", "x"))
    assert.is_nil((doc:get("stream_options", "y")))
    assert.is_nil((doc:get("model", "y")))
  end)

  it("are objects without duplicates (A-09, A-10, A-17)", function()
    local function code_of(text)
      local doc, err = json.index(text)
      assert.is_nil(doc)
      return err.code, err.param
    end
    for _, text in ipairs { "[]", '"x"', "1", "null", "true" } do
      assert.equal("body_not_object", (code_of(text)))
    end
    for _, name in ipairs { "model", "stream", "max_tokens", "messages", "n", "other" } do
      local code, param = code_of(('{"%s":1,"x":2,"%s":1}'):format(name, name))
      assert.equal("duplicate_parameter", code)
      assert.equal(name, param)
    end
    local code, param = code_of '{"model":1,"mod\\u0065l":2}'
    assert.equal("duplicate_parameter", code)
    assert.equal("model", param)
    assert.is_truthy(json.index '{"arguments":{"a":1,"a":2}}')
    assert.equal("too_many_nodes", (code_of('{"a":[' .. ("0,"):rep(200000) .. "0]}")))
    assert.equal("invalid_json", (code_of ""))
  end)

  it("carry NUL in content, and show it in a name (A-15)", function()
    local doc = doc_of '{"model":"a\\u0000b","content":"\\u0000"}'
    assert.equal("a\0b", doc:get "model")
    assert.equal("\\u0000", doc:raw("content"):sub(2, -2))
  end)

  it("are encoded as they stand", function()
    assert.equal('{"body":' .. BODY .. "}", json.encode { body = doc_of(BODY) })
  end)

  it("raise on foreign arguments", function()
    local doc = doc_of "{}"
    assert.has_error(function() doc.get({}, "x") end)
    assert.has_error(function() doc:get() end)
    assert.has_error(function() doc:get {} end)
    assert.has_error(function() doc:splice() end)
    assert.has_error(function() doc:decode "raw" end)
  end)
end)

describe("splice", function()
  local function spliced(text, edits) return doc_of(text):splice(edits):bytes() end

  it("sets, adds and removes, and touches nothing else", function()
    local text = '{ "model" : "a" , "seed":9007199254740993, "x":1.0, "t":[ ],"m":{ } }'
    assert.equal('{ "model" : "b" , "seed":9007199254740993, "x":1.0, "t":[ ],"m":{ } }',
      spliced(text, { model = "b" }))
    assert.equal('{"a":1,"b":[], "model" : "a" , "seed":9007199254740993, "t":[ ],"m":{ } }',
      spliced(text, { b = json.array {}, a = 1, x = json.remove }))
    assert.equal(text, spliced(text, {}))
    assert.equal(text, spliced(text, { absent = json.remove, ["no.where"] = json.remove }))
    assert.equal("{}", spliced('{"a":1,"b":2}', { a = json.remove, b = json.remove }))
  end)

  it("edits inside an object, made if absent", function()
    local usage = { ["stream_options.include_usage"] = true }
    assert.equal('{"stream_options":{"include_usage":true},"a":1}', spliced('{"a":1}', usage))
    assert.equal('{"stream_options":{"include_usage":true, "x":[]}}',
      spliced('{"stream_options":{"include_usage":false, "x":[]}}', usage))
    assert.equal('{"stream_options":{"include_usage":true,"x":1}}',
      spliced('{"stream_options":{"x":1}}', usage))
    assert.equal('{"stream_options":{"include_usage":true}}',
      spliced('{"stream_options":null}', usage))
    assert.equal('{"o-a":3,"o":{"a":1,"b":2}}',
      spliced("{}", { ["o.a"] = 1, ["o.b"] = 2, ["o-a"] = 3 }))
    assert.equal('{"o":{}}', spliced('{"o":{"a":1}}', { ["o.a"] = json.remove }))
  end)

  it("takes raw values, tables and documents", function()
    assert.equal('{"a":[ 1 ],"b":{"c":null},"d":{ }}',
      spliced("{}", { a = json.raw "[ 1 ]", b = { c = json.null }, d = doc_of "{ }" }))
  end)

  it("makes documents like any other", function()
    local doc = doc_of '{"model":"a","x":1}'
    local made = doc:splice { model = "b", ["o.k"] = 2 }
    assert.equal("b", made:get "model")
    assert.equal(2, made:get("o", "k"))
    assert.equal('{"o":{"k":2},"model":"c","x":1}', made:splice({ model = "c" }):bytes())
    assert.equal("a", doc:get "model")
  end)

  it("raises on what makes no sense, and is usable after", function()
    local doc = doc_of '{"o":{}}'
    assert.has_error(function() doc:splice { print } end)
    assert.has_error(function() doc:splice { a = print } end)
    assert.has_error(function() doc:splice { a = 1, b = { {}, x = 1 } } end)
    assert.error_matches(function() doc:splice { o = 1, ["o.a"] = 2 } end, "whole")
    assert.equal('{"o":1}', doc:splice({ o = 1 }):bytes())
  end)

  it("means the same as editing the decoded value", function()
    math.randomseed(42)
    local names = { "a", "b", "c", "o", "p" }
    local values = { "1", "[]", "{}", '{"x":1}', '{"x":1,"y":[2],"z":null}', '"s"', "null" }
    local function random_object()
      local parts, used = {}, {}
      for _ = 1, math.random(0, 5) do
        local name = names[math.random(#names)]
        if not used[name] then
          used[name] = true
          parts[#parts + 1] = ('%s"%s"%s:%s'):format((" "):rep(math.random(0, 1)), name,
            (" "):rep(math.random(0, 1)), values[math.random(#values)])
        end
      end
      return "{" .. table.concat(parts, ",") .. "}"
    end
    local function random_edits()
      local edits = {}
      for _ = 1, math.random(1, 4) do
        local name, value = names[math.random(#names)], json.remove
        if math.random() < 0.6 then value = math.random(100) end
        if name == "o" or name == "p" then
          name = name .. "." .. ("xyz"):sub(math.random(3)):sub(1, 1)
        end
        edits[name] = value
      end
      return edits
    end
    local function edit(value, edits)
      for path, new in pairs(edits) do
        local parent, name, removes = value, path, new == json.remove
        local head, tail = path:match "^(.-)%.(.*)$"
        if head then
          local inner = value[head]
          if type(inner) ~= "table" or json.is_array(inner) then
            inner = {}
            if not removes then value[head] = inner end
          end
          parent, name = inner, tail
        end
        if removes then parent[name] = nil else parent[name] = new end
      end
      return json.encode(value)
    end
    for _ = 1, 5000 do
      local text, edits = random_object(), random_edits()
      assert.equal(edit(decoded(text), edits), again(spliced(text, edits)), text)
    end
  end)
end)

describe("memory", function()
  it("of dead documents comes back without being asked for", function()
    local function resident()
      local file = assert(io.open "/proc/self/statm")
      local pages = file:read("*a"):match "^%d+ (%d+)"
      file:close()
      return tonumber(pages) * 4096
    end
    local text = '{"content":"' .. ("x"):rep(2 ^ 20) .. '"}'
    local before = resident()
    for _ = 1, 600 do json.index(text):splice { a = 1 } end -- 1.2 GB in all
    assert.is_true(resident() - before < 400 * 2 ^ 20, "grew by " .. resident() - before)
  end)

  it("of an encoder that raised comes back", function()
    local big = { ("x"):rep(2 ^ 20), print }
    local before = collectgarbage "count"
    for _ = 1, 200 do pcall(json.encode, big) end
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 1024)
  end)
end)

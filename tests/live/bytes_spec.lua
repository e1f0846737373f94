-- Bytes that arrive are the bytes that leave, where client and provider speak one dialect.

local helper = require "helper"
local pair = require "support.pair"

describe("bytes", function()
  local up, gw = pair.once(function(up)
    return { routes = helper.routes(up, { "one" }) }
  end)

  local ODD = [[{ "zebra" : 12345678901234567890 , "model":"one",
    "empty":[ ],"none":{ }, "apple": 1.0e+2,"null":null,
	"messages":[ {"role":"user","content":"h\u00e9\/ \ud83c\udf19 é 🌙", "x":[ ]} ],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object",]]
    .. [["required":[],"properties":{"z":{},"a":{"enum":[]}}}}}], "tail" : -0 }]]

  it("changes a request in its model alone", function()
    up:reply("one", { body = helper.completion "hi" })
    assert.equal(200, gw:chat(ODD).status)
    local want = ODD:gsub('"model":"one"', '"model":"gpt-4o-mini"')
    assert.equal(want, up:last("one").body)
  end)

  it("changes nothing where the model's name is the provider's", function()
    gw:reload((helper.routes(up, { "one" }):gsub("gpt%-4o%-mini", "one")))
    up:reply("one", { body = helper.completion "hi" })
    assert.equal(200, gw:chat(ODD).status)
    assert.equal(ODD, up:last("one").body)
    gw:reload(helper.routes(up, { "one" }))
  end)

  -- Without what asks the provider for a stream's usage.
  local function without_usage_option(body)
    return (body:gsub('"stream_options"%s*:%s*{%s*"include_usage"%s*:%s*true%s*},?', ""))
  end

  it("asks for a stream's usage, and changes nothing else", function()
    up:reply("one", { stream = "whole", body = helper.stream "hi" })
    local odd = ODD:gsub('"tail"', '"stream":true,"tail"')
    assert.equal(200, gw:chat(odd).status)
    local sent = up:last("one").body
    assert.is_true(helper.json.decode(sent).stream_options.include_usage)
    assert.equal(odd:gsub('"model":"one"', '"model":"gpt-4o-mini"'), without_usage_option(sent))
  end)

  it("keeps the client's stream options", function()
    up:reply("one", { stream = "whole", body = helper.stream "hi" })
    gw:chat(helper.ask("one", '"stream":true,"stream_options":{"x":1,"include_usage":false}'))
    local options = helper.json.decode(up:last("one").body).stream_options
    assert.same({ x = 1, include_usage = true }, options)
  end)

  local ANSWER = [[{ "id": "chatcmpl-9", "object":"chat.completion" ,"created": 1700000000,
 "model":"gpt-4o-mini-2024-07-18", "big": 12345678901234567890, "e":[], "o":{ },
 "choices":[ {"index":0,"message":{"role":"assistant","content":"h\u00e9 \/ é"},]]
    .. [["finish_reason":"stop","logprobs":null} ],
 "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"x":[]}, "z":1, "a":2 }
]]

  it("hands a whole answer on as it came", function()
    up:reply("one", { body = ANSWER })
    assert.equal(ANSWER, gw:chat(helper.ask "one").body)
  end)

  local EVENTS = ': a comment\n\ndata: {"id":"c","object":"chat.completion.chunk","created":1,'
    .. '"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    .. '"finish_reason":null}],"big":12345678901234567890}\n\n'
    .. 'data:{"id":"c","choices":[ {"index":0,"delta":{"content":"h\\u00e9 🌙"},'
    .. '"finish_reason":null} ],"z":[],"a":{}}\r\n\r\n'
    .. 'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    .. 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,'
    .. '"total_tokens":15}}\n\ndata: [DONE]\n\n'

  for _, mode in ipairs { "whole", "drip" } do
    it("hands a stream on as it came, " .. mode, function()
      up:reply("one", { stream = mode, body = EVENTS })
      local ask = helper.ask("one", '"stream":true,"stream_options":{"include_usage":true}')
      local response = gw:chat(ask)
      assert.equal("text/event-stream", (response.headers["content-type"]:match "^[^;]*"))
      assert.equal(EVENTS, response.body)
    end)
  end

  it("A-23: keeps the usage that the client did not ask for to itself", function()
    up:reply("one", { stream = "whole", body = EVENTS })
    local body = gw:chat(helper.ask("one", '"stream":true')).body
    local usage = EVENTS:match '(data: {"id":"c","choices":%[%],"usage".-\n\n)'
    assert.equal((EVENTS:gsub(helper.plain(usage), "")), body)
  end)

  it("sends the provider's key, never the client's", function()
    up:reply("one", { body = helper.completion "hi" })
    gw:chat(helper.ask "one", { key = "mg-canary-client-0123456789" })
    local sent = up:last "one"
    assert.equal("Bearer upstream-key", sent.headers.authorization)
    assert.is_nil(sent.raw:find("canary", 1, true))
    assert.equal("POST", sent.method)
    assert.equal("/one/v1/chat/completions", sent.path)
    assert.is_nil(sent.headers.expect)
  end)

  it("keeps a provider's other headers to itself", function()
    up:reply("one", { body = helper.completion "hi", headers = {
      ["set-cookie"] = "a=b", ["alt-svc"] = "h3", server = "them", ["x-request-id"] = "theirs",
    } })
    local headers = gw:chat(helper.ask "one").headers
    assert.is_nil(headers["set-cookie"])
    assert.is_nil(headers["alt-svc"])
    assert.is_not.equal("them", headers.server)
    assert.is_not.equal("theirs", headers["x-request-id"])
  end)

  it("sends on a new connection's request, and pools the connection", function()
    up:reply("one", { body = helper.completion "hi" })
    for _ = 1, 5 do gw:chat(helper.ask "one") end
    local ids = {}
    for _, request in ipairs(up:requests "one") do ids[request.connection] = true end
    assert.is_nil(next(ids, next(ids)), "more than one connection for five calls in a row")
  end)

  it("U-13: a dead pooled connection never sends a request twice", function()
    up:script("one", helper.script.script { body = helper.completion "hi" }, 1)
    up:script("one", "rst\n", 1)
    up:reply("one", { body = helper.completion "again" })
    assert.equal(200, gw:chat(helper.ask "one").status)
    assert.equal(502, gw:chat(helper.ask "one").status)
    assert.equal(2, #up:requests "one")
  end)

  it("takes a body in chunks, and a large one", function()
    up:reply("one", { body = helper.completion "hi" })
    local text = ("long "):rep(600000) -- 3 MB
    local response = gw:chat(helper.ask("one", ('"user":"%s"'):format(text)))
    assert.equal(200, response.status, response.body)
    assert.is_truthy(up:last("one").body:find(text, 1, true))
  end)

  it("U-65: reports an early error while the prompt is still being sent", function()
    local refusal = '{"error":{"message":"too long","type":"invalid_request_error"}}'
    up:script("one", "early\n" .. helper.script.script { status = 413, body = refusal }
      .. "wait 2000\nfin\n")
    local response = gw:chat(helper.ask("one", ('"user":"%s"'):format(("x"):rep(2e7))))
    assert.equal(413, response.status)
    assert.equal(refusal, response.body)
    assert.equal(1, #up:requests "one")
  end)

  it("takes a request that comes a byte at a time", function()
    up:reply("one", { body = helper.completion "hi" })
    local body = helper.ask "one"
    local connection = helper.http.connect(gw.port)
    for byte in ("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: "
      .. "application/json\r\ncontent-length: " .. #body .. "\r\n\r\n" .. body):gmatch "." do
      connection:send(byte)
    end
    assert.equal(200, connection:response().status)
    connection:close()
  end)

  it("keeps a hundred streams apart", function()
    local connections = {}
    for i = 1, 100 do
      up:reply("one", { stream = i % 3 == 0 and "drip" or "whole",
        body = helper.stream("<" .. i .. ">", ("word "):rep(i)) }, 1)
      connections[i] = gw:chat_open(helper.ask("one", '"stream":true,"user":"' .. i .. '"'))
      up:wait_for("one", i) -- so that the i-th script is this one's
    end
    for i, connection in ipairs(connections) do
      local response = connection:response()
      assert.equal(200, response.status)
      assert.equal("<" .. i .. ">", response.body:match "<%d+>")
      assert.is_truthy(response.body:find("[DONE]", 1, true))
      connection:close()
    end
  end)
end)

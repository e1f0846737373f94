-- Providers that answer nonsense: the client hears of it, and the request leaves its record.

local helper = require "helper"
local pair = require "support.pair"

local SECRET = "upstream-key" -- what helper.routes gives the provider

-- The answer to a whole request and, as the first event, to a stream.
local JUNK = {
  counts = [[{"choices":[{"index":0,"message":{"content":"x"},"delta":{"content":"x"},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":1e308,"completion_tokens":9e18}}]],
  nan = '{"error":{"message":"m","code":"nan"}}',
  infinite = '{"error":{"message":"m","code":"-inf"}}',
  large = '{"error":{"message":"m","code":1e300}}',
  fraction = '{"error":{"message":"m","code":503.25}}',
  choice = '{"choices":[5]}',
  quoted = ('{"error":{"message":"no KEY","code":"KEY","param":"KEY",'
    .. '"type":"context_length_exceeded"}}'):gsub("KEY", SECRET),
}

describe("a provider that answers nonsense", function()
  local up, gw = pair.once(function(up)
    local lanes = { "inf", "nines", "years", "refused" }
    for name in pairs(JUNK) do lanes[#lanes + 1] = name end
    return {
      routes = "defaults { cooldown = { allowed_fails = 1000 } }\n" .. helper.routes(up, lanes),
    }
  end)

  local function records(ask)
    local rows, lines = #gw:journal(), #gw:log "request"
    local response = gw:chat(ask)
    assert.is_truthy(({ [200] = 1, [400] = 1, [422] = 1, [429] = 1 })[response.status]
      or response.status >= 502, response.status .. response.body)
    assert.is_nil(response.body:find(SECRET, 1, true), response.body)
    helper.wait_until(function() return #gw:log "request" > lines end, 5, "a log line")
    assert.equal(rows + 2, #gw:journal()) -- intent and usage
    assert.is_nil(gw:journal_text():find(SECRET, 1, true))
    return response
  end

  for name, body in pairs(JUNK) do
    it("leaves a record: " .. name, function()
      body = body:gsub("\n", "")
      up:reply(name, { body = body })
      records(helper.ask(name))
      up:reply(name, { body = body }) -- a whole answer where a stream was asked for
      records(helper.ask(name, '"stream":true'))
      up:reply(name, { stream = "whole", body = "data: " .. body .. "\n\ndata: [DONE]\n\n" })
      records(helper.ask(name, '"stream":true'))
      up:reply(name, {
        stream = "whole", body = helper.piece "a" .. "data: " .. body .. "\n\ndata: [DONE]\n\n",
      })
      records(helper.ask(name, '"stream":true'))
    end)
  end

  for name, said in pairs { inf = "inf", nines = ("9"):rep(400), years = "99999999" } do
    it("is believed a minute: " .. name, function()
      up:reply(name, { status = 429, headers = { ["retry-after"] = said }, body = "{}" })
      assert.equal("60", records(helper.ask(name)).headers["retry-after"])
    end)
  end

  it("keeps its key out of errors that are passed on", function()
    local body = JUNK.quoted:gsub("context_length_exceeded", "x")
    up:reply("refused", { status = 422, body = body })
    assert.equal(422, records(helper.ask "refused").status)
  end)
end)

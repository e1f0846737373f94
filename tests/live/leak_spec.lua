-- Nothing that was set aside is forgotten, whatever becomes of a request (B-24): clients that
-- leave at every moment, providers that fail in every way, reloads in between.

local helper = require "helper"
local socket = require "socket"

local KEY = "mg-test-leaks-0123456789abcdef"

describe("what was set aside", function()
  local up, gw, routes

  local function key(rpm)
    return ('virtual_key "k" { token = env.KEY, team = "red", rpm = %d, tpm = 1e9, '
      .. 'parallel = 1000, budget = { "$100/month", "$50/day" } }\n'):format(rpm)
      .. 'limits { org = { budget = "$1000/month" }, user = { budget = "$1/day" } }'
  end

  setup(function()
    up = helper.upstream()
    routes = helper.routes(up, { "one", "two" }, [[
model "chain" {
  provider "openai_compatible" { name = "c", base_url = "]] .. up:url "bad" .. [[/v1" } {
    "m", price = { input = 1, output = 1 },
    timeout = { first_token = "200ms", total = "300ms" },
  },
  fallback = { "one" }, retries = 1, backoff = "1ms",
}
]])
    routes = routes:gsub('(model "two" {)', '%1 on_disconnect = "drain",')
    gw = helper.gateway { env = { KEY = KEY }, workers = 2, routes = routes .. key(1e6) }
  end)

  teardown(function()
    -- B-32: after all of it, rows, budgets and metrics say the same.
    local status, out, err = gw:run { "audit", "--admin", "127.0.0.1:" .. gw.admin_port }
    gw:stop()
    up:stop()
    assert.equal(0, status, out .. err)
  end)

  before_each(function() up:reset() end)

  local function own()
    local response = gw:request {
      method = "GET", path = "/v1/usage", headers = { authorization = "Bearer " .. KEY },
    }
    return helper.json.decode(response.body)
  end

  -- What all rows cost; and an intent that has none.
  local function usage_rows()
    local nano, seen, begun = 0, {}, {}
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" then
        assert.is_nil(seen[line.id], "two rows of one request")
        seen[line.id] = true
        if line.cost_nano ~= helper.json.null then nano = nano + line.cost_nano end
      elseif line.type == "intent" then
        begun[line.id] = true
      end
    end
    for id in pairs(seen) do begun[id] = nil end
    return nano, next(begun)
  end

  -- The key's state once nothing is set aside any more. A request whose client is gone may come
  -- in last.
  local function at_rest()
    local state = own()
    for _, account in ipairs(state.limits) do
      for _, budget in ipairs(account.budgets) do
        if budget.reserved_usd ~= "0" then return nil end
      end
    end
    return state.limits[1].parallel.remaining == 1000 and state
  end

  -- Every request that a provider saw has its row, and all rows are what was spent: once what
  -- was settled in this very moment is written too.
  after_each(function()
    gw:turns_end() -- of clients that have just left it may know nothing yet
    gw:assert_silent()
    local spent, rows, begun
    helper.wait_until(function()
      local state = at_rest()
      local nano, id = usage_rows()
      begun, rows = id, ("%.9f"):format(nano / 1e9)
      spent = state and ("%.9f"):format(state.spend_usd.year)
      return spent == rows and not begun
    end, 5, function()
      return ("%s spent, by %s in rows; an intent without a row: %s"):format(tostring(spent),
        rows, tostring(begun))
    end)
  end)

  local function leave(model, more, prepare)
    local connection = gw:chat_open(helper.ask(model, more), { key = KEY })
    if prepare then prepare(connection) end
    connection:close()
  end

  local MORE = '"user":"u","max_tokens":9'

  -- Has the provider seen a request of this end user? Another's may come late.
  local function is_asked(user)
    for _, request in ipairs(up:requests "one") do
      if request.body:find('"user":"' .. user .. '"', 1, true) then return true end
    end
  end

  it("B-14, B-16: comes back from clients that leave at once, waiting, or in the stream",
    function()
      local hung = helper.script.script {
        stream = "whole", body = helper.piece "first", after = "halt\n",
      }
      for i = 1, 8 do
        up:reset()
        leave("one", MORE) -- before anything happened, perhaps
        socket.sleep(0.01)
        up:script("one", "halt\n")
        leave("one", '"user":"waits","max_tokens":9', function()
          helper.wait_until(function() return is_asked "waits" end, 10, "the one that waits")
        end)
        up:reset()
        up:script("one", hung)
        leave("one", MORE .. ',"stream":true', function(connection)
          connection:head()
          for _ = 1, i % 2 do connection:event() end
        end)
      end
      helper.wait_until(function() return gw:metric "moongate_requests_in_flight" == 0 end)
      helper.wait_until(function()
        local all = true
        for _, request in ipairs(up:requests "one") do
          all = all and up:connection(request.connection) ~= "open"
        end
        return all
      end, 5, "the provider's connections closed")
      local n
      helper.wait_until(function()
        n = 0
        for _, line in ipairs(gw:rows()) do
          if line.outcome == "cancelled" and line.estimated then
            n = n + 1
            assert.is_true(line.tokens.input > 0 and line.cost_nano > 0)
          end
        end
        return n >= 16
      end, 5, function() return "16 rows of clients that left; there were " .. n end)
    end)

  -- The rows of a group by id: each worker has a file of its own, so they have no order.
  local function rows_of(group)
    local out = {}
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" and line.group == group then out[line.id] = line end
    end
    return out
  end

  -- A group that reads on: the row of one more request.
  local function drained(more, reply)
    local seen, before = #up:requests "two", rows_of "two"
    up:script("two", reply)
    local connection = gw:chat_open(helper.ask("two", MORE .. more), { key = KEY })
    up:wait_for("two", seen + 1)
    if more ~= "" then connection:head() end
    connection:close()
    gw:turns_end() -- it knows that its client left
    up:open "on"
    local row = helper.wait_until(function()
      for id, line in pairs(rows_of "two") do
        if not before[id] then return line end
      end
    end, 10, "its row")
    up:reset()
    return row
  end

  it("B-15: bills what a provider reports where an answer is read on", function()
    local stream = helper.script.script {
      stream = "whole", body = helper.piece "first", after = "gate on\n"
        .. helper.script.send(helper.script.chunk(helper.stream("a", "b"))
          .. helper.script.chunk "" ),
    }
    local whole = "gate on\n" .. helper.script.script { body = helper.completion "hi" }
    for more, reply in pairs { [""] = whole, [',"stream":true'] = stream } do
      local line = drained(more, reply)
      assert.same({ "cancelled", 499, false, 10, 5, 20000 }, {
        line.outcome, line.status, line.estimated, line.tokens.input, line.tokens.output,
        line.cost_nano,
      })
    end
  end)

  it("B-15: reads no more than a megabyte that nobody wants", function()
    local piece = helper.script.chunk(helper.piece(("x"):rep(10000)))
    local line = drained(',"stream":true',
      helper.script.send(helper.script.stream_head() .. piece) .. "gate on\n"
        .. ("repeat 400 %d\n%s"):format(#piece, piece) .. "halt\n")
    assert.is_true(line.estimated, helper.json.encode(line))
    assert.is_true(line.tokens.output < 400000)
    assert.equal("cancelled", line.outcome)
  end)

  local FAILURES = {
    ["B-10: a 500, then an answer"] = function()
      up:reply("bad", { status = 500, body = "{}" }, 1)
      up:reply("bad", { body = helper.completion "hi" })
    end,
    ["B-11: a silent provider"] = function() up:script("bad", "halt\n") end,
    ["a reset"] = function() up:script("bad", "rst\n") end,
    ["B-12: a 503"] = function() up:reply("bad", { status = 503, body = "{}" }) end,
    ["no JSON"] = function() up:reply("bad", { body = "no" }) end,
    ["a 400"] = function() up:reply("bad", { status = 400, body = '{"error":{}}' }) end,
    ["B-17: a stream that breaks off"] = function()
      up:reply("bad", { stream = "whole", body = helper.piece "first", after = "rst\n" })
    end,
  }
  for name, prepare in pairs(FAILURES) do
    it("comes back from " .. name, function()
      up:reply("one", { body = helper.completion "hi" })
      prepare()
      for _, more in ipairs { MORE, MORE .. ',"stream":true' } do
        for _ = 1, 3 do gw:chat(helper.ask("chain", more), { key = KEY }) end
        leave("chain", more)
      end
    end)
  end

  it("comes back where a reload goes on underneath", function()
    up:reply("one", { body = helper.completion "hi" })
    local connections = {}
    for i = 1, 30 do
      connections[i] = gw:chat_open(helper.ask("one", MORE), { key = KEY })
      if i % 10 == 0 then gw:reload(routes .. key(1e6 + i)) end
    end
    for i, connection in ipairs(connections) do
      if i % 3 > 0 then assert.equal(200, connection:response().status) end
      connection:close()
    end
  end)

  it("comes back from what is refused before anybody is called", function()
    local before = own().limits[1].requests.remaining
    for _ = 1, 5 do
      assert.equal(404, gw:chat(helper.ask "none", { key = KEY }).status)
      assert.equal(400, gw:chat("{", { key = KEY }).status)
      assert.equal(400, gw:chat(helper.ask("one", '"n":0'), { key = KEY }).status)
    end
    assert.is_true(own().limits[1].requests.remaining >= before)
  end)
end)

-- Names of providers: that do not resolve, move, have dead addresses, or lead where they must
-- not.

local fire = require "support.fire"
local helper = require "helper"
local is_refused = require "support.refusal"
local names = require "support.names"

local missing = names.missing()
local IDS = "U-03, U-04, U-05, U-06, U-07"

describe("a provider's name", function()
  if missing then
    it(IDS .. ": cannot be tried here", function() pending(missing) end)
    return
  end

  local world = fire.world()
  local up = world.up
  local ns

  local HOWS = { "nxdomain", "servfail", "empty" }
  local PRIVATE = { "dead", "six", "moves", "fine", "nxdomain", "servfail", "empty" }
  local PUBLIC = { "loop", "meta", "mapped", "unique", "link" }
  local DEAD = "127.66.77.88" -- nobody listens there
  local under = {}

  local function routes(at)
    ns = names.start()
    for i, word in ipairs(ns:under()) do under[i] = word end
    local out = {}
    local function model(name, host, provider, more)
      local url = ("http://%s:%d/dns/v1"):format(host, at.port)
      out[#out + 1] = fire.model(name, { fire.deployment(name, url, nil, provider) }, more)
    end
    for _, name in ipairs(PRIVATE) do model(name, name .. ".example.com", "private = true,") end
    for _, name in ipairs(PUBLIC) do
      model(name, name .. ".example.com")
    end
    for _, how in ipairs(HOWS) do
      model("then-" .. how, "other-" .. how .. ".example.com", "private = true,",
        'retries = 0, fallback = { "fine" }')
    end
    model("then-loop", "loop2.example.com", nil, 'retries = 2, fallback = { "fine" }')
    model("silent", "silent.example.com", "private = true,")
    model("compose", "provider")
    return table.concat(out)
  end

  setup(function()
    fire.start(world, { scale = 0.2, connect = "8s", routes = routes, under = under })
  end)
  teardown(function()
    world:stop()
    ns:stop()
  end)

  local function here(response)
    assert.equal(200, response.status, response.body)
    assert.equal("here", response.json.choices[1].message.content)
  end
  local function refused(response, code) is_refused(response, 502, code) end
  -- Each answer closes its connection: the next request needs an address.
  local function answer()
    local body = helper.completion "here"
    up:script("dns", helper.script.send(helper.script.head(200, {
      ["content-type"] = "application/json", ["content-length"] = #body, connection = "close",
    }) .. body) .. "fin\n")
  end

  world:row("U-03: two of three addresses are dead, and later the live one is the first", {},
    function()
      ns:set { ["dead.example.com"] = DEAD .. ",127.66.77.89,127.0.0.1" }
      answer()
      for _ = 1, 5 do here(world:chat "dead") end
    end)

  world:row("U-03: IPv6 is dead, IPv4 alive", {}, function()
    ns:set { ["six.example.com"] = "::1,127.0.0.1" }
    answer()
    for _ = 1, 3 do here(world:chat "six") end
  end)

  for _, how in ipairs(HOWS) do
    world:row("U-04: " .. how .. ": said so, the fallback, and looked at again after 5 s",
      { without = { hits = true } }, function()
        ns:set {
          [how .. ".example.com"] = how, ["other-" .. how .. ".example.com"] = how,
          ["fine.example.com"] = "127.0.0.1",
        }
        answer()
        refused(world:chat(how), "upstream_dns_failure")
        here(world:chat("then-" .. how))
        local asked = ns:asked(how .. ".example.com")
        refused(world:chat(how), "upstream_dns_failure")
        assert.equal(asked, ns:asked(how .. ".example.com"), "remembered")
        ns:set { [how .. ".example.com"] = "127.0.0.1" }
        helper.wait_until(function() return world:chat(how).status == 200 end, 15,
          "another look at the name")
      end)
  end

  world:row("U-05: the name server says nothing: everybody hears in time, and who leaves may",
    { hits = 0, memory = 16 * 1024 }, function()
      ns:set { ["silent.example.com"] = "silent" }
      local function threads() return world.gw:tasks() end
      local before, open = threads(), {}
      for i = 1, 300 do open[i] = world:open "silent" end
      for i = 1, 300, 2 do open[i]:close() end
      local health = world.gw:request { method = "GET", path = "/healthz" }
      assert.equal(200, health.status)
      for i = 2, 300, 2 do
        local response = world:finish(open[i])
        assert.equal(504, response.status, response.body)
        assert.equal("upstream_connect_timeout", response.json.error.code)
      end
      assert.is_true(threads() <= before + 4)
    end)

  world:row("U-06: the name moves: the new address within a minute",
    { without = { hits = true } }, function()
      ns:set { ["moves.example.com"] = "127.0.0.1" }
      answer()
      here(world:chat "moves")
      ns:set { ["moves.example.com"] = DEAD }
      here(world:chat "moves") -- known for a while
      helper.wait_until(function()
        local response = world:chat "moves"
        return response.status == 502 and response.json.error.code == "upstream_unreachable"
      end, 30, "a look at the new address")
    end)

  for name, address in pairs {
    loop = "127.0.0.1", meta = "169.254.169.254", mapped = "::ffff:10.0.0.1",
    unique = "fd00::1,10.0.0.1", link = "fe80::1,169.254.1.1",
  } do
    local what = "a public name that leads within is not called: " .. address
    world:row("U-07, S-11: " .. what, { hits = 0 }, function()
      ns:set { [name .. ".example.com"] = address }
      answer()
      local function blocked()
        return world.gw:metric("moongate_upstream_blocked_total", { provider = name }) or 0
      end
      local before = blocked()
      refused(world:chat(name), "upstream_blocked")
      assert.equal(before + 1, blocked())
      assert.is_truthy(world.gw:log_text():find('"event":"blocked"', 1, true))
    end)
  end

  world:row("U-07: the fallback answers where a name leads within", { hits = 1 }, function()
    ns:set { ["loop2.example.com"] = "127.0.0.1", ["fine.example.com"] = "127.0.0.1" }
    answer()
    here(world:chat "then-loop")
  end)

  world:row("U-07: names that nobody can register may lead within", {}, function()
    ns:set { provider = "127.0.0.1" }
    answer()
    here(world:chat "compose")
  end)
end)

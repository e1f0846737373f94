-- Policies as tables: facts in, verdict out.

local world = require "unit.world"

describe("policy", function()
  local w, balance, cooldown, fault, stats, verdict

  before_each(function()
    w = world.new [[ model "m" { provider "mock" {} "mock" } ]]
    balance = require "policy.balance"
    cooldown = require "policy.cooldown"
    fault = require "lib.fault"
    stats = require "policy.stats"
    verdict = require "policy.verdict"
  end)

  local function dep(name, more)
    local out = { name = name, model = name, weight = 1, provider = { name = "p" } }
    for field, value in pairs(more or {}) do out[field] = value end
    return out
  end

  local function group(deployments, more)
    local out = {
      name = "g", deployments = deployments, retries = 2, backoff = 1, balance = "weighted",
      fallback = {}, fallback_by_kind = {},
      cooldown = { allowed_fails = 2, within = 60, time = 30 },
    }
    for field, value in pairs(more or {}) do out[field] = value end
    return out
  end

  local function call(more)
    local out = {
      doc = setmetatable({ get = function() end }, { __len = function() return 400 end }),
      deadline = w.clock + 600, attempts = {}, key = { name = "k", tags = {} },
      request = { header = function() end }, stream = false, model = "g", cfg = {},
    }
    for field, value in pairs(more or {}) do out[field] = value end
    return out
  end

  -- How often each is picked, of 1,000.
  local function picks(g)
    local out = {}
    for _ = 1, 1000 do
      local one = balance.pick(verdict.trail(g), call())
      out[one.name] = (out[one.name] or 0) + 1
    end
    return out
  end

  local function near(expected, n) assert.is_true(math.abs(n - expected) < 60, tostring(n)) end

  describe("balance", function()
    it("shares by weight, and gives nothing to weight 0", function()
      local got = picks(group { dep("a", { weight = 3 }), dep "b", dep("c", { weight = 0 }) })
      near(750, got.a)
      near(250, got.b)
      assert.is_nil(got.c)
    end)

    it("replays the same choices from the same seed", function()
      local g, runs = group { dep "a", dep "b", dep "c" }, {}
      for run = 1, 2 do
        math.randomseed(11)
        local out = {}
        for i = 1, 20 do out[i] = balance.pick(verdict.trail(g), call()).name end
        runs[run] = table.concat(out)
      end
      assert.equal(runs[1], runs[2])
    end)

    it("takes who has least to do, by weight", function()
      local g = group({ dep "a", dep("b", { weight = 2 }) }, { balance = "least_busy" })
      w.engine.shared.set("in_flight:a", 2)
      w.engine.shared.set("in_flight:b", 3)
      assert.same({ b = 1000 }, picks(g))
      w.engine.shared.set("in_flight:b", 5)
      assert.same({ a = 1000 }, picks(g))
    end)

    it("takes the fastest, and gives newcomers some of it", function()
      local g = group({ dep "a", dep "b", dep "new" }, { balance = "lowest_latency" })
      for _ = 1, 10 do
        stats.answered(g.deployments[1], g, 0.2)
        stats.answered(g.deployments[2], g, 0.4)
      end
      local got = picks(g)
      near(900, got.a)
      near(100, got.new)
      assert.is_nil(got.b)
    end)

    it("forgets the past of who was not asked, and marks failures as slow", function()
      local g = group({ dep "a", dep "b" }, { balance = "lowest_latency" })
      stats.answered(g.deployments[1], g, 0.2)
      stats.answered(g.deployments[2], g, 0.4)
      for _ = 1, 5 do stats.failed(g.deployments[1], g) end
      assert.same({ b = 1000 }, picks(g))
      w.clock = w.clock + 121
      assert.is_nil(stats.latency(g.deployments[1]))
    end)

    it("takes the cheapest, unknown prices last, free ones first", function()
      local g = group({
        dep "unknown", dep("dear", { price = { input = 5, output = 10 } }),
        dep("cheap", { price = { input = 1, output = 2 } }),
      }, { balance = "lowest_cost" })
      assert.same({ cheap = 1000 }, picks(g))
      g.deployments[4] = dep("free", { price = { input = 0, output = 0 } })
      assert.same({ free = 1000 }, picks(g))
    end)

    it("lets a function choose, by what it is shown", function()
      local seen
      local g = group({ dep("a", { region = "eu" }), dep "b" }, {
        balance = function(list, about)
          local one = list[1]
          seen = { one.region, one.stats.in_flight, list[2].price.output, about.key.name }
          list[1].name = "changed" -- a copy
          return list[2]
        end,
      })
      assert.equal("b", balance.pick(verdict.trail(g), call()).name)
      assert.same({ "eu", 0, math.huge, "k" }, seen)
      assert.equal("a", g.deployments[1].name)
      g.balance = function() return nil end
      assert.is_nil(balance.pick(verdict.trail(g), call()))
      g.balance = function() return {} end
      assert.has_error(function() balance.pick(verdict.trail(g), call()) end)
    end)

    it("passes over who rests, who failed here and who was passed over", function()
      local g = group { dep "a", dep "b", dep "c" }
      local trail = verdict.trail(g)
      w.engine.shared.set("cooldown:a", w.clock + 10)
      trail:fail { name = "b" }
      for _ = 1, 20 do assert.equal("c", balance.pick(trail, call()).name) end
      assert.is_true(balance.untried(trail))
      trail:skip { name = "c" }
      assert.equal("b", balance.pick(trail, call()).name) -- it failed, but it is there
      assert.is_false(balance.untried(trail))
      trail:skip { name = "b" }
      assert.is_nil(balance.pick(trail, call()))
    end)
  end)

  describe("cooldown", function()
    local a, rules

    before_each(function()
      a, rules = dep "a", { allowed_fails = 2, within = 60, time = 30 }
    end)

    local function note(kind, more) cooldown.note(a, fault.new(kind, "x", more), rules) end

    it("rests who fails more often than allowed, within the window", function()
      note "server_error"
      note "connect"
      assert.equal("up", cooldown.state(a))
      note "timeout"
      local state, left = cooldown.state(a)
      assert.same({ "resting", 30 }, { state, left })
    end)

    it("takes what fails twice in one request for one failure", function()
      for _ = 1, 2 do
        note "server_error"
        cooldown.note(a, fault.new("server_error", "x"), rules, false, true)
      end
      assert.equal("up", cooldown.state(a))
      note "server_error"
      assert.equal("resting", cooldown.state(a))
    end)

    it("rests at once who fails again and asks for it, or was on probation", function()
      cooldown.note(a, fault.new("rate_limit", "x", { retry_after = 7 }), rules, false, true)
      assert.same({ "resting", 7 }, { cooldown.state(a) })
      local b = dep "b"
      cooldown.note(b, fault.new("server_error", "x"), rules, true, true)
      assert.same({ "resting", 30 }, { cooldown.state(b) })
    end)

    it("knows who recovers first, but for those that asked to be left alone", function()
      local b, c = dep "b", dep "c"
      local g = group { a, b, c }
      rules.allowed_fails = 0
      note "server_error"
      w.clock = w.clock + 5
      cooldown.note(b, fault.new("server_error", "x"), rules)
      cooldown.note(c, fault.new("rate_limit", "x", { retry_after = 2 }), rules)
      assert.equal("a", cooldown.soonest(g, {}).name)
      assert.equal("b", cooldown.soonest(g, { a = true }).name)
      assert.is_nil(cooldown.soonest(g, { a = true, b = true }))
    end)

    it("forgets failures that are older than the window", function()
      note "server_error"
      note "server_error"
      w.clock = w.clock + 61
      note "server_error"
      assert.equal("up", cooldown.state(a))
    end)

    local AT_ONCE = {
      { "rate_limit", { retry_after = 7 }, 7 }, { "rate_limit", { retry_after = 1e9 }, 60 },
      { "overloaded", { retry_after = 2 }, 2 }, { "auth", nil, 60 },
      { "rate_limit", { exhausted = true }, 600 },
    }
    for _, row in ipairs(AT_ONCE) do
      it(("rests at once for %s: %d s"):format(row[1], row[3]), function()
        note(row[1], row[2])
        local state, left = cooldown.state(a)
        assert.same({ "resting", row[3] }, { state, left })
      end)
    end

    for _, kind in ipairs {
      "bad_request", "context_window", "content_policy", "cancelled", "internal",
      "script_error",
    } do
      it("holds nobody to account for " .. kind, function()
        rules.allowed_fails = 0
        note(kind)
        assert.equal("up", cooldown.state(a))
      end)
    end

    it("keeps the longer of two rests", function()
      note("rate_limit", { retry_after = 50 })
      note("rate_limit", { retry_after = 5 })
      assert.equal(50, select(2, cooldown.state(a)))
    end)

    it("lets everybody back after a rest that was asked for", function()
      note("rate_limit", { retry_after = 5 })
      w.clock = w.clock + 5
      assert.equal("up", cooldown.state(a))
    end)

    it("lets one request at a time try who is on probation", function()
      rules.allowed_fails = 0
      note "server_error"
      w.clock = w.clock + 30
      assert.equal("probation", cooldown.state(a))
      assert.same({ true, true }, { cooldown.enter(a) })
      assert.is_false((cooldown.enter(a)))
      cooldown.clear(a)
      assert.same({ true, false }, { cooldown.enter(a) })
    end)

    it("tells when somebody may be asked again", function()
      local g = group { a, dep "b" }
      assert.equal(0, cooldown.earliest(g))
      w.engine.shared.set("cooldown:a", w.clock + 10)
      w.engine.shared.set("cooldown:b", w.clock + 4)
      assert.equal(4, cooldown.earliest(g))
    end)
  end)

  describe("verdict", function()
    local g, cfg, trail

    before_each(function()
      g = group({ dep "a", dep "b" }, { fallback = { "f1", "f2" } })
      cfg = { groups = { g = g, f1 = group({ dep "x" }, { name = "f1" }),
        f2 = group({ dep "y" }, { name = "f2" }), long = group({ dep "z" }, { name = "long" }),
      }, hooks = {} }
      trail = verdict.trail(g)
      trail:fail { name = "a" }
    end)

    local function after(kind, more, on)
      local to, seconds = verdict.after(trail, fault.new(kind, "x", more), call(on), cfg)
      return to and to.name, seconds
    end

    local NEW_ONE = { -- kind → where to, while b has not been asked
      connect = "g", timeout = "g", rate_limit = "g", overloaded = "g", server_error = "g",
      truncated = "g", invalid_response = "g", auth = "g", model_missing = "g",
      context_window = "f1", content_policy = "f1", unavailable = "f1",
    }
    for kind, to in pairs(NEW_ONE) do
      it(("%s goes to %s, at once"):format(kind, to), function()
        assert.same({ to, 0 }, { after(kind) })
      end)
    end

    for _, kind in ipairs { "bad_request", "cancelled", "internal", "script_error" } do
      it(kind .. " stops", function() assert.is_nil((after(kind))) end)
    end

    local SAME = { -- kind → may the same deployment be asked again, after a wait?
      connect = true, timeout = true, rate_limit = true, overloaded = true, server_error = true,
      truncated = true, invalid_response = false, auth = false, model_missing = false,
    }
    for kind, again in pairs(SAME) do
      it(kind .. (again and " waits for" or " never repeats") .. " the same one", function()
        trail:fail { name = "b" }
        g.fallback = {}
        local to, seconds = after(kind)
        assert.equal(again and "g" or nil, to)
        if again then assert.is_true(seconds >= 0 and seconds <= 1) end
      end)
    end

    it("retries as often as the group allows, then falls back, each once", function()
      trail:fail { name = "b" }
      local seen = {}
      for i = 1, 6 do
        local to, seconds = verdict.after(trail, fault.new("connect", "x"), call(), cfg)
        if not to then break end
        seen[i] = to.name
        trail:move(to)
        trail:fail(to.deployments[1])
        assert.is_true(seconds <= 8)
      end
      assert.same({ "g", "g", "f1", "f1", "f1", "f2" }, seen)
    end)

    it("goes to the fallback rather than wait for a Retry-After", function()
      trail:fail { name = "b" }
      assert.same({ "f1", 0 }, { after("rate_limit", { retry_after = 3 }) })
      g.fallback = {}
      assert.same({ "g", 3 }, { after("rate_limit", { retry_after = 3 }) })
      assert.same({ "g", 30 }, { after("rate_limit", { retry_after = 1e9 }) })
    end)

    it("begins no wait that would pass the deadline", function()
      trail:fail { name = "b" }
      g.fallback = {}
      local soon = { deadline = w.clock + 2 }
      assert.is_nil((after("rate_limit", { retry_after = 3 }, soon)))
      assert.is_nil((after("connect", nil, { deadline = w.clock })))
    end)

    it("does not wait for somebody who rests longer", function()
      trail:fail { name = "b" }
      g.fallback = {}
      for _, one in ipairs(g.deployments) do
        w.engine.shared.set("cooldown:" .. one.name, w.clock + 60)
      end
      assert.is_nil((after "connect"))
    end)

    it("follows the fallback of a kind first, and none where it is false", function()
      g.fallback_by_kind = { context_window = "long", content_policy = false }
      assert.equal("long", (after "context_window"))
      assert.is_nil((after "content_policy"))
      trail.visited = { long = true }
      assert.equal("f1", (after "context_window"))
      g.fallback_by_kind = { bad_request = "long" }
      trail.visited = nil
      assert.equal("long", (after "bad_request"))
    end)

    it("doubles the wait, up to a ceiling, with full jitter", function()
      trail:fail { name = "b" }
      g.fallback, g.retries, g.backoff = {}, 20, 1
      for retries, most in pairs { [0] = 1, [1] = 2, [2] = 4, [3] = 8, [10] = 8 } do
        trail.retries = retries
        local highest = 0
        for _ = 1, 200 do highest = math.max(highest, select(2, after "connect")) end
        assert.is_true(highest <= most and highest > most * 0.8)
      end
    end)

    it("makes no retry beyond the gateway's budget, but falls back", function()
      w.engine.shared.set("requests:retrying", 3)
      assert.equal("f1", (after "connect"))
      w.engine.shared.set("requests:active", 16)
      assert.equal("g", (after "connect"))
    end)

    it("does what the hook says, within the deadline", function()
      local said
      cfg.hooks.on_error = function() return said end
      said = { verdict = "fallback", group = "long" }
      assert.same({ "long", 0 }, { after "connect" })
      said = { verdict = "wait", seconds = 5 }
      assert.same({ "g", 5 }, { after "bad_request" })
      said = { verdict = "wait", seconds = 5000 }
      assert.is_nil((after "bad_request"))
      said = { verdict = "retry" }
      assert.same({ "g", 0 }, { after "bad_request" }) -- b has not been asked
      local nobody = { verdict = "fallback", group = "?" }
      for _, nonsense in ipairs { "x", { verdict = "?" }, nobody } do
        said = nonsense
        assert.has_error(function() after "connect" end)
      end
    end)
  end)
end)

-- The audit: what it takes for equal while requests go on, and what it finds.

require "engine"
local admin_world = require "unit.admin_world"
local json = require "engine.json"

describe("the audit", function()
  local a, sums, spent, metric

  before_each(function()
    sums = {
      requests = 500, attempts = 500, hours = 700, days = 700, org = 700, rolled = 700,
      served = 400,
    }
    metric = 400
    spent = { { name = "org", day = { spent = 300, reserved = 0, start = 86400 } } }
    a = admin_world.new {
      answers = {
        ["audit.run"] = function(args)
          local out = {}
          for name, value in pairs(sums) do out[name] = value end
          out.spent = json.array {}
          for i in ipairs(args.accounts or {}) do out.spent[i] = sums.of_org or 300 end
          return out
        end,
      },
    }
    package.loaded["engine.admin"].metrics = function()
      metric = metric + (a.moves or 0)
      return ('# x\nmoongate_cost_usd_total{group="a",team=""} 0.0000001\n'
        .. 'moongate_cost_usd_total{group="b",team=""} %.9f\n'):format((metric - 100) / 1e9)
    end
    package.loaded["engine.accounts"].each = function(prefix)
      return prefix == "org" and spent or {}
    end
    package.loaded["engine.time"].sleep = function(seconds)
      if seconds >= 0.05 then a.slept = (a.slept or 0) + 1 end
    end
  end)

  local function audit() return a.ask("GET", "/admin/audit").json end

  it("finds all equal, of rows that are there and of those that were taken away", function()
    local found = audit()
    assert.is_true(found.equal, json.encode(found))
    assert.is_true(found.settled)
    assert.same({ 6, 1, 0 }, { #found.sums, found.accounts, #found.different })
    assert.is_nil(a.slept)
    assert.equal(7, a.asked[1].args.boot)
  end)

  it("finds a nano-dollar missing in each place, after it has waited for it", function()
    for name, of in pairs {
      attempts = "billed attempts", hours = "roll-ups by hour", days = "roll-ups by day",
      org = "spent by org", served = "moongate_cost_usd_total since start",
    } do
      for _, change in ipairs { -1, 1 } do
        sums[name], a.slept = sums[name] + change, nil
        local found = audit()
        assert.is_false(found.equal, name)
        assert.is_true(a.slept > 1)
        for _, sum in ipairs(found.sums) do assert.equal(sum.name ~= of, sum.equal, name) end
        sums[name] = sums[name] - change
      end
    end
  end)

  it("names the accounts that are wrong", function()
    sums.of_org = 299
    local found = audit()
    assert.is_false(found.equal)
    assert.same({ "org, this day", 300, 299, "0.0000003" }, {
      found.different[1].name, found.different[1].nano, found.different[1].expected_nano,
      found.different[1].usd,
    })
  end)

  it("lets requests go on: what the ledger says lies between before and after", function()
    a.moves, sums.served = 10, 415
    local found = audit()
    assert.is_true(found.equal, json.encode(found))
    assert.is_false(found.settled)
    a.moves, sums.served = 10, 5
    assert.is_false(audit().equal)
  end)

  it("leaves out what the retention has taken from this process", function()
    sums.served = nil
    local found = audit()
    assert.is_true(found.equal)
    assert.equal(5, #found.sums)
  end)

  it("adds up more than a double holds", function()
    for name in pairs(sums) do sums[name] = "12345678901234567890" end
    sums.served = 400
    local request = a.ask("GET", "/admin/audit")
    assert.is_true(request.json.equal, request.answer)
    assert.is_truthy(request.answer:find('"nano":12345678901234567890,', 1, true))
    assert.equal("12345678901.23456789", request.json.sums[1].usd)
  end)
end)

-- The table that `make matrix` prints: what counts as passed.

local rows = require "matrix.rows"
local run = require "matrix.run"

describe("the fault matrix", function()
  local function verdict(list, decision)
    return run.verdict({ id = "U-01", decision = decision }, list)
  end
  local function test(status) return { name = "U-01: x", status = status, message = "why" } end

  it("finds ids where they stand alone", function()
    assert.same({ ["A-01"] = true, ["U-80"] = true }, rows.ids "A-01, U-80: UTF-16 xA-02 A-033")
  end)

  it("has rows, each with a priority and a title, each once", function()
    local seen = {}
    for _, row in ipairs(rows.read "tests/matrix") do
      assert.is_nil(seen[row.id])
      assert.truthy(row.priority == 0 or row.priority == 1)
      seen[row.id] = true
    end
    assert.truthy(seen["A-01"] and seen["B-36"])
  end)

  it("has the rows of the paper that it was taken from, where that is at hand", function()
    local file = io.open "../shared/MATRICES.md"
    if not file then return pending "../shared/MATRICES.md is absent" end
    local want, have = {}, {}
    for id, priority in file:read "*a":gmatch "\n| ([AULCSB]%-%d%d) | ([01]) " do
      want[id] = tonumber(priority)
    end
    file:close()
    for _, row in ipairs(rows.read "tests/matrix") do have[row.id] = row.priority end
    assert.same(want, have)
  end)

  it("counts a row without a test as missing", function()
    assert.equal("missing", (verdict(nil)))
    assert.equal("missing", (verdict(nil, { changed = "otherwise" })))
  end)

  it("fails a row of which one test failed", function()
    assert.equal("fail", (verdict { test "success", test "failure" }))
    assert.equal("fail", (verdict { test "pending", test "error" }))
  end)

  it("passes a row of which a test ran, and none failed", function()
    assert.equal("pass", (verdict { test "success", test "pending" }))
    assert.same({ "pass", "otherwise" },
      { verdict({ test "success" }, { changed = "otherwise" }) })
  end)

  it("has no verdict where nothing could run, and says why", function()
    assert.same({ "n.a.", "why" }, { verdict { test "pending" } })
    assert.same({ "n.a.", "none here" }, { verdict(nil, { absent = "none here" }) })
  end)

  it("fails a row that was decided away and has tests", function()
    assert.equal("fail", (verdict({ test "success" }, { absent = "none here" })))
  end)
end)

-- `make providers-matrix`: every recording at every door, and the matrix of what became of
-- them.
--
--     luajit tests/tools/providers_matrix.lua [--json] [door…]
--
-- Exit status 1 where a cell failed, or where an exception is told that nothing needs.

package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
package.cpath = (os.getenv "MOONGATE_TOOLS" or "./build/tests") .. "/?.so;" .. package.cpath

require "engine"
local cases = require "support.traffic.cases"
local cells = require "support.traffic.cells"
local cjson = require "cjson"
local recorded = require "support.recorded"
local stage = require "support.traffic.stage"

local as_json, doors = false, {}
for _, word in ipairs(arg) do
  if word == "--json" then as_json = true else doors[#doors + 1] = word end
end

local function say(...) io.stderr:write(table.concat { ... }, "\n") end

local function text_of(err)
  return type(err) == "table" and tostring(err.message) or tostring(err)
end

local function outcome_of(case, on)
  if case.why then return case.why == "no adapter yet" and "absent" or "excepted", case.why end
  local ok, err = pcall(on.play, on, case)
  return ok and "passed" or "failed", not ok and text_of(err) or nil
end

local function run(list)
  local results, provider = {}, nil
  local on = stage.start(list)
  for i, case in ipairs(list) do
    if case.exchange.provider ~= provider then
      provider = case.exchange.provider
      say(("%4d of %d: %s"):format(i, #list, provider))
    end
    local outcome, why = outcome_of(case, on)
    if outcome == "failed" then say("FAILED ", case.name, "\n", why) end
    results[i] = { case = case, outcome = outcome, why = why }
  end
  on:assert_silent()
  on:stop()
  return results
end

local function reasons(results)
  local out = {}
  for _, result in ipairs(results) do
    if result.outcome == "excepted" then
      out[result.case.exchange.path .. " at " .. result.case.door] = result.why
    end
  end
  return out
end

local function totals(results)
  local out = { passed = 0, failed = 0, excepted = 0, absent = 0 }
  for _, result in ipairs(results) do out[result.outcome] = out[result.outcome] + 1 end
  return out
end

local LEGEND = "\n7: all passed; 5/7: the others have an exception or no adapter; "
  .. "x: an exception; -: no adapter"

local function show(matrix, sum, results, idle)
  if as_json then
    return print(cjson.encode {
      matrix = matrix, totals = sum, exceptions = reasons(results), idle_exceptions = idle,
    })
  end
  for _, line in ipairs(cells.lines(matrix)) do print(line) end
  print(LEGEND)
  for what, why in pairs(reasons(results)) do print(("x %s: %s"):format(what, why)) end
  for _, one in ipairs(idle) do print("an exception that nothing needs: " .. one) end
  print(("%d passed, %d failed, %d with a reason, %d without an adapter"):format(sum.passed,
    sum.failed, sum.excepted, sum.absent))
end

local list, idle = cases.list(doors[1] and doors)
if not list then
  say(recorded.folder, " is absent: nothing to show")
  os.exit(0)
end
local results = run(list)
local sum = totals(results)
show(cells.of(results), sum, results, idle)
os.exit(sum.failed == 0 and #idle == 0 and 0 or 1)

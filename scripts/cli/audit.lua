-- moongate audit: does the money add up?

local report = require "cli.report"
local table_text = require "cli.table_text"

local function code(answer) return answer.equal and 0 or 1 end

local function add_lines(out, sums)
  for _, sum in ipairs(sums) do
    local expected = sum.equal and "" or "$" .. sum.expected_usd
    out[#out + 1] = { sum.name, "$" .. sum.usd, sum.equal and "=" or "differs", expected }
  end
end

-- The accounts' sums are many: those that agree are counted, not shown.
local function lines_of(answer)
  local out = {}
  add_lines(out, answer.sums)
  add_lines(out, answer.different)
  local agree = answer.accounts - #answer.different
  if agree > 0 then
    out[#out + 1] = { ("accounts (%s)"):format(table_text.number(agree, "sum")), "", "=", "" }
  end
  return out
end

local function show(host, answer)
  host.print(table_text.of({ "sum", "dollars", "", "expected" }, lines_of(answer)))
  if answer.equal then
    host.print "All agree, to the nano-dollar."
  elseif answer.settled then
    host.print "They do not agree."
  else
    host.print "They do not agree; but requests went on while they were added up. Ask again."
  end
  return code(answer)
end

return report.of {
  path = "/admin/audit", show = show, code = code, query = function() return {} end,
  usage = [[
moongate audit [--json]

Adds up what was spent in every place where it is written: the requests' rows, their billed
attempts, the roll-ups by hour and day, the accounts, and the metric moongate_cost_usd_total.
Exit code 1 where two of them differ by a nano-dollar. Without a running gateway: what the
ledger holds.]],
}

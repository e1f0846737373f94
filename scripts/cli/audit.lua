-- moongate audit: does the money add up?

local report = require "cli.report"
local table_text = require "cli.table_text"

local function code(answer) return answer.equal and 0 or 1 end

-- The accounts' sums are many: those that agree are counted, not shown.
local function lines_of(sums)
  local out, agree = {}, 0
  for _, sum in ipairs(sums) do
    if not sum.equal then
      out[#out + 1] = { sum.name, "$" .. sum.usd, "differs", "$" .. sum.expected_usd }
    elseif sum.name:find(", ", 1, true) then
      agree = agree + 1
    else
      out[#out + 1] = { sum.name, "$" .. sum.usd, "=", "" }
    end
  end
  if agree > 0 then
    out[#out + 1] = { ("accounts (%s)"):format(table_text.number(agree, "sum")), "", "=", "" }
  end
  return out
end

local function show(host, answer)
  host.print(table_text.of({ "sum", "dollars", "", "expected" }, lines_of(answer.sums)))
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

-- moongate budgets: what is spent and left.

local json = require "engine.json"
local report = require "cli.report"
local table_text = require "cli.table_text"

local COLUMNS = {
  "account", "name", "window", "soft", "limit_usd", "spent_usd", "reserved_usd",
  "remaining_usd", "resets_at",
}

local function cells(row)
  return {
    row.name, row.window .. (row.soft and " (soft)" or ""), "$" .. row.limit_usd,
    "$" .. row.spent_usd, "$" .. row.reserved_usd, "$" .. row.remaining_usd,
    row.resets_at ~= json.null and row.resets_at or "never",
  }
end

local function show(host, answer)
  local lines = {}
  for i, row in ipairs(answer.data) do lines[i] = cells(row) end
  if #lines == 0 then
    host.print(host.offline and "There are no budgets in the ledger; those of routes.lua are "
      .. "known to a running gateway alone." or "There are no budgets.")
    return
  end
  host.print(table_text.of(
    { "account", "window", "limit", "spent", "reserved", "left", "resets" }, lines))
end

return report.of {
  path = "/admin/budgets", parameters = "budget_query", show = show, columns = COLUMNS,
  paged = true,
  query = function(parsed)
    return { team = parsed.team, account = parsed.account, limit = 1000 }
  end,
  rows = function(answer) return answer.data end,
  flags = { team = "NAME", account = "NAME", csv = true },
  usage = [[
moongate budgets [--team NAME] [--account NAME] [--json|--csv]

Every budget of keys, teams, tags and of all together: its limit, what is spent in the window
that runs, what requests under way have reserved, what is left, and when it begins anew (UTC).
Without a running gateway, those of the ledger.

  --team NAME     of this team and its keys
  --account NAME  one account, such as team:search
  --csv           one line per budget, with the names of --json]],
}

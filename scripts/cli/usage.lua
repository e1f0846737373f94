-- moongate usage: requests, tokens and money.

local json = require "engine.json"
local report = require "cli.report"
local table_text = require "cli.table_text"

local COLUMNS = {
  "name", "requests", "failed", "input_tokens", "cached_tokens", "cache_write_tokens",
  "output_tokens", "reasoning_tokens", "spend_usd", "unpriced", "estimated",
  "suspected_extra_tokens",
}
local FILTERS = {
  "by", "since", "until", "key", "team", "model", "provider", "deployment", "user", "tag",
  "limit",
}

local function query(parsed)
  local out = {}
  for _, name in ipairs(FILTERS) do out[name] = parsed[name] end
  return out
end

local function cells(sum)
  return {
    sum.name, table_text.count(sum.requests), table_text.count(sum.failed),
    table_text.count(sum.input_tokens), table_text.count(sum.cached_tokens),
    table_text.count(sum.output_tokens),
    "$" .. sum.spend_usd .. (sum.unpriced > 0 and " + ?" or ""),
  }
end

local function note(out, n, word, text)
  if n > 0 then out[#out + 1] = table_text.number(n, word) .. text end
end

local function notes(answer)
  local out, total = {}, answer.total
  note(out, answer.more, "row", " more in the total; --limit says how many are shown.")
  note(out, total.unpriced, "request", (" of unknown price %s not in the sum (?)."):format(
    total.unpriced == 1 and "is" or "are"))
  note(out, total.estimated, "request", " had to be estimated in tokens.")
  if total.suspected_extra_tokens > 0 then
    out[#out + 1] = ("Calls that were never answered held about %s more input tokens, which a "
      .. "provider may bill."):format(table_text.count(total.suspected_extra_tokens))
  end
  note(out, answer.unsettled, "request", " unsettled: the gateway died before their end was "
    .. "written; they are counted as reserved.")
  return out
end

local function show(host, answer)
  local lines = {}
  for i, sum in ipairs(answer.rows) do lines[i] = cells(sum) end
  if #lines > 1 then lines[#lines + 1] = cells(answer.total) end
  if #lines == 0 then
    local since = answer.since ~= json.null and " since " .. answer.since or ""
    host.print("No provider was asked" .. since .. ".")
  else
    local head = { answer.by, "requests", "failed", "input", "cached", "output", "spend" }
    host.print(table_text.of(head, lines))
  end
  for _, text in ipairs(notes(answer)) do host.print(text) end
end

return report.of {
  path = "/admin/usage", parameters = "usage_query", query = query, show = show,
  columns = COLUMNS,
  rows = function(answer) return answer.rows end,
  flags = {
    by = "key|team|model|group|provider|deployment|user|outcome|day|hour|tag:NAME",
    since = "7d", ["until"] = "DATE", csv = true, key = "NAME", team = "NAME", model = "NAME",
    provider = "NAME", deployment = "NAME", user = "ID", tag = "NAME=VALUE", limit = "N",
  },
  usage = [[
moongate usage [--by WHAT] [--since WHEN] [--until WHEN] [--json|--csv] [filters]

What was asked, what it took and what it cost.

  --by WHAT      one line per key (the default), team, model, group, provider, deployment,
                 user, outcome, day or hour (UTC), or value of a tag (tag:NAME)
  --since WHEN   30m, 24h, 7d ago, or a date such as 2026-11-01; all there is if not said
  --until WHEN   the same; a day is counted to its end
  --csv          one line per row, with the names of --json
  --limit N      the N rows of the most spend, or the latest days or hours (1000); the rest is
                 in the total
  --key NAME --team NAME --model NAME --provider NAME --deployment NAME --user ID
  --tag NAME=V   only what is of these]],
}

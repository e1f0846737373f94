-- moongate usage: requests, tokens and money, out of the journal. The gateway may run or not.

local args = require "cli.args"
local cjson = require "cjson"
local json = require "engine.json"
local money = require "lib.money"
local table_text = require "cli.table_text"

local VERB = {
  flags = { by = "key|model|provider|deployment|tag:NAME|day", since = "7d", json = true,
    data = "DIR" },
  most = 0,
  usage = [[
moongate usage [--by key|model|provider|deployment|tag:NAME|day] [--since 7d] [--json]
               [--data DIR]

What was asked, what it took and what it cost, read from the journal.

  --by WHAT      one line per key (the default), model, provider, deployment, day (UTC),
                 or value of a key's tag
  --since WHEN   30m, 24h, 7d, or a date such as 2026-11-01; all there is if not said
  --json         the same as JSON; money in nano-dollars and in dollars
  --data DIR     the data folder (data)

Exit code: 0, or 1 where the journal cannot be read.]],
}

local UNITS = { m = 60, h = 3600, d = 86400, w = 7 * 86400 }
local PROGRESS_FROM = 32 * 1024 * 1024 -- bytes of journal

-- When ---------------------------------------------------------------------------------

local function iso(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", seconds)
end

-- "7d" or "2026-11-01" → the time stamp rows are compared with; nil where it is neither.
local function since_of(text, now)
  local n, unit = text:match("^(%d+)([mhdw])$")
  if n then return iso(now - tonumber(n) * UNITS[unit]) end
  if text:match("^%d%d%d%d%-%d%d%-%d%d$") then return text .. "T00:00:00" end
  return text:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d")
end

-- By what ------------------------------------------------------------------------------

local FIELDS = { key = true, model = true, provider = true, deployment = true }

-- What a row is counted under.
local function grouper(by)
  if FIELDS[by] then
    return function(row) return type(row[by]) == "string" and row[by] or "-" end
  end
  if by == "day" then return function(row) return row.ts:sub(1, 10) end end
  local tag = by:match("^tag:(.+)$")
  if not tag then return nil end
  return function(row)
    local value = type(row.tags) == "table" and row.tags[tag]
    return value ~= nil and value ~= cjson.null and tostring(value) or "-"
  end
end

-- The sums -----------------------------------------------------------------------------

local function empty(name)
  return {
    name = name, requests = 0, failed = 0, input = 0, cached = 0, output = 0, nano = 0,
    unpriced = 0, estimated = 0, extra = 0,
  }
end

-- Input tokens of tries that were sent and never answered: perhaps billed, in no sum.
local function suspected(row)
  local n = 0
  for _, try in ipairs(type(row.attempts) == "table" and row.attempts or {}) do
    local extra = type(try) == "table" and try.suspected_extra
    if type(extra) == "table" then n = n + (tonumber(extra.input) or 0) end
  end
  return n
end

-- Was it answered, whole or in part, so that a provider bills it?
local function is_billed(row, tokens)
  return row.outcome == "ok" or (tokens.input or 0) + (tokens.output or 0) > 0
end

local function add(sum, row)
  local tokens = type(row.tokens) == "table" and row.tokens or {}
  sum.requests = sum.requests + 1
  if row.outcome ~= "ok" then sum.failed = sum.failed + 1 end
  sum.input = sum.input + (tokens.input or 0)
  sum.cached = sum.cached + (tokens.cache_read or 0)
  sum.output = sum.output + (tokens.output or 0)
  sum.extra = sum.extra + suspected(row)
  if row.estimated == true then sum.estimated = sum.estimated + 1 end
  if type(row.cost_nano) == "number" then
    sum.nano = sum.nano + row.cost_nano
  elseif is_billed(row, tokens) then
    sum.unpriced = sum.unpriced + 1
  end
end

local function new_report(by, since)
  return {
    by = by, since = since, rows = {}, by_name = {}, total = empty "total", pending = {},
    unsettled = 0, torn = 0,
  }
end

local function settle(report, row)
  if not report.pending[row.id] then return end
  report.pending[row.id] = nil
  report.unsettled = report.unsettled - 1
end

local function take(report, row, name_of)
  if type(row.ts) ~= "string" or (report.since and row.ts < report.since) then
    if row.type == "usage" then settle(report, row) end
    return
  end
  if row.type == "intent" then
    if not report.pending[row.id] then report.unsettled = report.unsettled + 1 end
    report.pending[row.id] = true
    return
  end
  if row.type ~= "usage" then return end
  settle(report, row)
  local name = name_of(row)
  local sum = report.by_name[name]
  if not sum then
    sum = empty(name)
    report.by_name[name], report.rows[#report.rows + 1] = sum, sum
  end
  add(sum, row)
  add(report.total, row)
end

-- The files ----------------------------------------------------------------------------

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

-- journal/2026-11-22-w0.jsonl and its like, oldest first; nil where there is no such folder.
local function journals(dir)
  local list = io.popen("cd -- " .. quoted(dir) .. " 2>/dev/null && echo here && ls -1")
  local there, out = list:read() == "here", {}
  for name in list:lines() do
    if name:match("%.jsonl$") then out[#out + 1] = dir .. "/" .. name end
  end
  list:close()
  table.sort(out)
  return there and out or nil
end

local function size_of(path)
  local file = io.open(path, "rb")
  if not file then return 0 end
  local size = file:seek("end")
  file:close()
  return size
end

local function total_size(files)
  local sum = 0
  for _, path in ipairs(files) do sum = sum + size_of(path) end
  return sum
end

local function on_terminal()
  return os.execute("test -t 2") == 0
end

-- A line on the terminal while a large journal is read.
local function progress_of(files)
  local total = total_size(files)
  if total < PROGRESS_FROM or not on_terminal() then return function() end end
  local done, shown = 0, -1
  return function(bytes)
    done = done + bytes
    local percent = math.floor(done / total * 100)
    if percent == shown then return end
    shown = percent
    io.stderr:write(("\rreading the journal: %d %%%s"):format(percent,
      percent >= 100 and "\r\27[K" or ""))
  end
end

local function read_file(path, report, name_of, progress)
  local file, err = io.open(path, "rb")
  if not file then return nil, err end
  for line in file:lines() do
    local ok, row = pcall(cjson.decode, line)
    if ok and type(row) == "table" then
      take(report, row, name_of)
    elseif line ~= "" then
      report.torn = report.torn + 1
    end
    progress(#line + 1)
  end
  file:close()
  return true
end

-- The report ---------------------------------------------------------------------------

local function sort(report)
  local by_day = report.by == "day"
  table.sort(report.rows, function(a, b)
    if not by_day and a.nano ~= b.nano then return a.nano > b.nano end
    if not by_day and a.requests ~= b.requests then return a.requests > b.requests end
    return a.name < b.name
  end)
end

local ORDER = {
  "name", "requests", "failed", "input_tokens", "cached_tokens", "output_tokens", "spend_nano",
  "spend_usd", "unpriced", "estimated", "suspected_extra_tokens",
}

local function as_json(sum)
  return json.object(ORDER, {
    name = sum.name, requests = sum.requests, failed = sum.failed, input_tokens = sum.input,
    cached_tokens = sum.cached, output_tokens = sum.output, spend_nano = sum.nano,
    spend_usd = money.dollars(sum.nano), unpriced = sum.unpriced, estimated = sum.estimated,
    suspected_extra_tokens = sum.extra,
  })
end

local function print_json(report, host)
  local rows = json.array {}
  for i, sum in ipairs(report.rows) do rows[i] = as_json(sum) end
  local order = { "by", "since", "rows", "total", "unsettled", "torn" }
  host.print(json.encode(json.object(order, {
    by = report.by, since = report.since or json.null, rows = rows,
    total = as_json(report.total), unsettled = report.unsettled, torn = report.torn,
  })))
end

local function cells(sum)
  return {
    sum.name, table_text.count(sum.requests), table_text.count(sum.failed),
    table_text.count(sum.input), table_text.count(sum.cached), table_text.count(sum.output),
    "$" .. money.dollars(sum.nano) .. (sum.unpriced > 0 and " + ?" or ""),
  }
end

local function notes(report)
  local out, total = {}, report.total
  if total.unpriced > 0 then
    out[#out + 1] = ("%s of unknown price %s not in the sum (?)."):format(
      table_text.number(total.unpriced, "request"), total.unpriced == 1 and "is" or "are")
  end
  if total.estimated > 0 then
    out[#out + 1] = ("%s had to be estimated in tokens."):format(
      table_text.number(total.estimated, "request"))
  end
  if total.extra > 0 then
    out[#out + 1] = ("Calls that were never answered held about %s more input tokens, which a "
      .. "provider may bill."):format(table_text.count(total.extra))
  end
  if report.unsettled > 0 then
    out[#out + 1] = ("%s unsettled: a call was begun and its end is not written (running now, "
      .. "or cut off)."):format(table_text.number(report.unsettled, "request"))
  end
  if report.torn > 0 then
    out[#out + 1] = table_text.number(report.torn, "line") .. " could not be read."
  end
  return out
end

local function print_text(report, host)
  local head = { report.by, "requests", "failed", "input", "cached", "output", "spend" }
  local lines = {}
  for i, sum in ipairs(report.rows) do lines[i] = cells(sum) end
  if #lines > 1 then lines[#lines + 1] = cells(report.total) end
  if #lines == 0 then
    host.print("Nothing was asked" .. (report.since and " since " .. report.since or "") .. ".")
  else
    host.print(table_text.of(head, lines))
  end
  for _, note in ipairs(notes(report)) do host.print(note) end
end

local function fill(report, name_of, files)
  local progress = progress_of(files)
  for _, path in ipairs(files) do
    local day = path:match("(%d%d%d%d%-%d%d%-%d%d)[^/]*$")
    if not (report.since and day and day < report.since:sub(1, 10)) then
      local ok, err = read_file(path, report, name_of, progress)
      if not ok then return nil, err end
    end
  end
  sort(report)
  return true
end

local function usage_error(host, problem)
  host.complain(problem)
  host.complain(VERB.usage)
  return 2
end

local function run(host, parsed, by, since, name_of)
  local dir = (parsed.data or host.data or "data") .. "/journal"
  local report = new_report(by, since)
  local files = journals(dir)
  if not files then
    host.complain("there is no journal in " .. dir)
    return 1
  end
  local ok, err = fill(report, name_of, files)
  if not ok then
    host.complain("the journal cannot be read: " .. tostring(err))
    return 1
  end
  local show = parsed.json and print_json or print_text
  show(report, host)
  return 0
end

return function(list, host)
  local parsed, code = args.read(list, VERB, host)
  if not parsed then return code end
  local by, since = parsed.by or "key", nil
  local name_of = grouper(by)
  if not name_of then return usage_error(host, ("--by %s: %s"):format(by, VERB.flags.by)) end
  if parsed.since then
    since = since_of(parsed.since, (host.now or os.time)())
    if not since then
      return usage_error(host, ("--since %s: 30m, 24h, 7d or a date"):format(parsed.since))
    end
  end
  return run(host, parsed, by, since, name_of)
end

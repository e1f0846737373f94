-- What was asked, what it took and what it cost: whole days and hours from the roll-ups, the
-- ragged ends, and what roll-ups do not keep, from the rows.
--
--   report { by, since?, until?, key?, team?, model?, provider?, deployment?, user?, tag?,
--     limit } → { by, rows, more, total, unsettled }; times are epoch seconds
--   logs   { key?, id?, user?, team?, since?, until?, limit } → { rows }, the newest first

local json = require "engine.json"
local sql = require "engine.sql"

local usage = {}

local HOUR, DAY, END = 3600, 86400, 2 ^ 40
local COLUMNS = {
  key = "key", team = "team", model = "model", group = "grp", provider = "provider",
  deployment = "deployment", user = "user", outcome = "outcome",
}
local ONLY_IN_ROWS = { user = true, outcome = true }
local EQUAL = { "team", "model", "provider", "deployment", "user" }

-- Sums of one source; ours is the name behind AS.
local FROM_SUMS = [[sum(requests) AS requests, sum(failed) AS failed, sum(input) AS input,
  sum(cache_read) AS cache_read, sum(cache_write) AS cache_write, sum(output) AS output,
  sum(reasoning) AS reasoning, sum(cost_nano) AS nano, sum(unpriced) AS unpriced,
  sum(estimated) AS estimated, sum(extra_input) AS extra FROM %s
  WHERE start >= ? AND start < ?]]
local FROM_ROWS = [[count(*) AS requests, sum(outcome <> 'ok') AS failed, sum(input) AS input,
  sum(cache_read) AS cache_read, sum(cache_write) AS cache_write, sum(output) AS output,
  sum(reasoning) AS reasoning, coalesce(sum(cost_nano), 0) AS nano,
  sum(cost_nano IS NULL AND (outcome = 'ok' OR input + output > 0)) AS unpriced,
  sum(estimated) AS estimated, coalesce(sum(CASE WHEN requests.attempts > 1
    OR outcome <> 'ok' THEN (SELECT sum(extra_input) FROM attempts
    WHERE attempts.id = requests.id) END), 0) AS extra FROM requests
  WHERE admitted_ms >= ? * 1000 AND admitted_ms < ? * 1000]]
local MEMBERS = {
  requests = "requests", failed = "failed", input_tokens = "input",
  cached_tokens = "cache_read", cache_write_tokens = "cache_write", output_tokens = "output",
  reasoning_tokens = "reasoning", spend_nano = "nano", unpriced = "unpriced",
  estimated = "estimated", suspected_extra_tokens = "extra",
}

-- Which rows ---------------------------------------------------------------------------------

local function json_path(name) return '$."' .. name .. '"' end

-- What must be true of a row beside its time: SQL, and its values in order.
local function conditions(want)
  local text, values = {}, {}
  local function add(condition, ...)
    text[#text + 1] = " AND " .. condition
    for _, value in ipairs { ... } do values[#values + 1] = value end
  end
  for _, name in ipairs(EQUAL) do
    if want[name] then add(COLUMNS[name] .. " = ?", want[name]) end
  end
  if want.key then add("(key = ? OR key_id = ?)", want.key, want.key) end
  if want.tag then
    local name, value = want.tag:match("^([^=]+)=(.+)$")
    add("json_extract(tags, ?) = ?", json_path(name), value)
  end
  return table.concat(text), values
end

-- The name under which a row is counted: SQL, and its values.
local function grouping(by, source)
  local tag = by:match("^tag:(.+)$")
  if tag then return "json_extract(tags, ?)", { json_path(tag) } end
  if COLUMNS[by] then return COLUMNS[by], {} end
  local seconds = by == "day" and DAY or HOUR
  local text = source == "requests" and "admitted_ms / 1000 / %d * %d" or "start / %d * %d"
  return text:format(seconds, seconds), {}
end

-- Which source for which time: a list of { source, from, to }.
local function sources(want)
  local from, to = want.since or 0, want["until"] or END
  if want.user or ONLY_IN_ROWS[want.by] then return { { "requests", from, to } } end
  local first, last = math.ceil(from / HOUR) * HOUR, math.floor(to / HOUR) * HOUR
  if first >= last then return { { "requests", from, to } } end
  local out = { { "requests", from, first }, { "requests", last, to } }
  local day, end_day = math.ceil(first / DAY) * DAY, math.floor(last / DAY) * DAY
  if want.by == "hour" or day >= end_day then
    out[3] = { "usage_hour", first, last }
    return out
  end
  out[3], out[4] = { "usage_hour", first, day }, { "usage_hour", end_day, last }
  out[5] = { "usage_day", day, end_day }
  return out
end

-- Adding up ----------------------------------------------------------------------------------

local function zero(name)
  local out = { name = name }
  for member in pairs(MEMBERS) do out[member] = 0 end
  return out
end

local function name_of(by, group)
  if group == nil or group == "" then return "-" end
  if by == "day" then return os.date("!%Y-%m-%d", group) end
  if by == "hour" then return os.date("!%Y-%m-%dT%H:00Z", group) end
  return tostring(group)
end

local function add(sum, row)
  for member, column in pairs(MEMBERS) do
    sum[member] = sum[member] + (tonumber(row[column]) or 0)
  end
end

local function append(list, more)
  for _, value in ipairs(more) do list[#list + 1] = value end
end

-- The sum of a name, and where it is a key's of its id.
local function sum_of(report, name, id)
  local by = name .. "\n" .. id
  local sum = report.by_name[by]
  if not sum then
    sum = zero(name)
    sum.id = id
    report.by_name[by], report.rows[#report.rows + 1] = sum, sum
  end
  return sum
end

local function take(report, want, part)
  local source, from, to = part[1], part[2], part[3]
  if from >= to then return end
  local group, values = grouping(want.by, source)
  local condition, rest = conditions(want)
  values = { unpack(values) }
  append(values, { from, to })
  append(values, rest)
  local what = source == "requests" and FROM_ROWS or FROM_SUMS:format(source)
  local id = want.by == "key" and "coalesce(key_id, '')" or "''"
  local rows = sql.rows(("SELECT %s AS name, %s AS id, %s%s GROUP BY 1, 2"):format(group, id,
    what, condition), unpack(values))
  for _, row in ipairs(rows) do
    add(sum_of(report, name_of(want.by, row.name), row.id), row)
    add(report.total, row)
  end
end

-- End users may be many more than anybody wants to see: SQL adds them up, and tells those of
-- the most spend, how many more there are, and the total. What has no name is called "-".
local USERS = "coalesce(nullif(user, ''), '-')"

local function take_users(report, want)
  local from, to = want.since or 0, want["until"] or END
  local condition, values = conditions(want)
  values = { from, to, unpack(values) }
  add(report.total, sql.row("SELECT " .. FROM_ROWS .. condition, unpack(values)))
  local count = sql.row(("SELECT count(DISTINCT %s) AS n FROM requests WHERE admitted_ms >= ? "
    .. "* 1000 AND admitted_ms < ? * 1000%s"):format(USERS, condition), unpack(values)).n
  values[#values + 1] = want.limit
  for _, row in ipairs(sql.rows(("SELECT %s AS name, %s%s GROUP BY 1 ORDER BY nano DESC, "
    .. "requests DESC, name LIMIT ?"):format(USERS, FROM_ROWS, condition), unpack(values))) do
    local sum = zero(row.name)
    add(sum, row)
    report.rows[#report.rows + 1] = sum
  end
  return report.rows, count - #report.rows
end

-- Keys of several teams may have one name: then their ids tell them apart.
local function name_apart(rows)
  local seen = {}
  for _, sum in ipairs(rows) do seen[sum.name] = (seen[sum.name] or 0) + 1 end
  for _, sum in ipairs(rows) do
    if seen[sum.name] > 1 and sum.id ~= "" then
      sum.name = ("%s (%s)"):format(sum.name, sum.id)
    end
  end
end

local function sort(rows, by)
  local in_time = by == "day" or by == "hour"
  table.sort(rows, function(a, b)
    if not in_time and a.spend_nano ~= b.spend_nano then return a.spend_nano > b.spend_nano end
    if not in_time and a.requests ~= b.requests then return a.requests > b.requests end
    return a.name < b.name
  end)
end

-- Those of the most spend; of days and hours the latest. And how many are left out.
local function cut(rows, by, limit)
  local more = math.max(0, #rows - limit)
  local skipped = (by == "day" or by == "hour") and more or 0
  local out = json.array {}
  for i = 1, math.min(#rows, limit) do out[i] = rows[skipped + i] end
  return out, more
end

-- Calls whose end was never written: begun, and the process died.
local function unsettled(want)
  local condition, values = conditions(want)
  return sql.row("SELECT count(*) AS n FROM requests WHERE outcome = 'unsettled' AND "
    .. "admitted_ms >= ? * 1000 AND admitted_ms < ? * 1000" .. condition, want.since or 0,
    want["until"] or END, unpack(values)).n
end

function usage.report(args)
  local report = { rows = json.array {}, by_name = {}, total = zero "total" }
  local rows, more
  if args.by == "user" then
    rows, more = take_users(report, args)
  else
    for _, part in ipairs(sources(args)) do take(report, args, part) end
    name_apart(report.rows)
    sort(report.rows, args.by)
    rows, more = cut(report.rows, args.by, args.limit)
  end
  return {
    by = args.by, rows = rows, more = more, total = report.total, unsettled = unsettled(args),
  }
end

-- One by one ---------------------------------------------------------------------------------

local ROW = [[SELECT id, ts_ms, key, key_id, team, tags, user, grp AS "group", model,
  deployment, provider, input, output, cache_read, cache_write, cost_nano, estimated, status,
  outcome, duration_ms, attempts, error FROM requests
  WHERE admitted_ms >= ? * 1000 AND admitted_ms < ? * 1000]]

function usage.logs(args)
  local condition, values = conditions(args)
  if args.id then
    condition = condition .. " AND id = ?"
    values[#values + 1] = args.id
  end
  values[#values + 1] = args.limit
  local rows = sql.rows(ROW .. condition .. " ORDER BY seq DESC LIMIT ?", args.since or 0,
    args["until"] or END, unpack(values))
  for _, row in ipairs(rows) do
    local tags = row.tags and json.decode(row.tags)
    row.tags = type(tags) == "table" and tags or json.object({}, {})
    row.estimated = row.estimated == 1
  end
  return { rows = json.array(rows) }
end

return usage

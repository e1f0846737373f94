-- A verb that asks one thing and prints it: as a table for people, as JSON, as CSV.

local args = require "cli.args"
local check = require "pipeline.admin.check"
local gateway = require "cli.gateway"
local json = require "engine.json"
local shapes = require "pipeline.admin.shapes"

local report = {}

local function quoted(value)
  if value == json.null or value == nil then return "" end
  local text = type(value) == "number" and ("%.0f"):format(value) or tostring(value)
  if not text:find('[",\r\n]') then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

--- Rows as CSV (RFC 4180), the members named in `order`, the names first.
function report.csv(order, rows)
  local out = { table.concat(order, ",") }
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(order) do cells[i] = quoted(row[name]) end
    out[#out + 1] = table.concat(cells, ",")
  end
  return table.concat(out, "\r\n") .. "\r"
end

local function flags_of(verb)
  local out = {}
  for _, flags in ipairs { gateway.FLAGS, verb.flags or {} } do
    for name, kind in pairs(flags) do out[name] = kind end
  end
  return out
end

-- What is wrong with a query, before anybody is asked.
local function unfit(query, name)
  for word, value in pairs(query) do
    local _, problem = check.parameter(shapes[name][word], tostring(value), word)
    if problem then return problem end
  end
end

-- The answer, its further pages put behind the first.
local function all_of(verb, ask, query)
  local answer, problem = ask("GET", gateway.target(verb.path, query))
  if not answer or not verb.paged then return answer, problem end
  while answer.next ~= json.null do
    query.after = answer.next
    local page
    page, problem = ask("GET", gateway.target(verb.path, query))
    if not page then return nil, problem end
    for _, row in ipairs(page.data) do answer.data[#answer.data + 1] = row end
    answer.next = page.next
  end
  return answer
end

--- A verb: { usage, flags, path, parameters (of shapes.lua), query(parsed) → table,
--- paged, show(host, answer) → exit code, columns and rows(answer) for CSV } → what main.lua
--- calls.
function report.of(verb)
  local usage = verb.usage .. "\n\n" .. gateway.HELP
  return function(words, host)
    local flags = flags_of(verb)
    local parsed, code = args.read(words, { flags = flags, most = 0, usage = usage }, host)
    if not parsed then return code end
    local query = verb.query(parsed)
    local wrong = unfit(query, verb.parameters)
    if wrong then return gateway.failed(wrong, host, flags) end
    local ask, failed = gateway.open(parsed, host)
    if not ask then return failed end
    local answer, problem = all_of(verb, ask, query)
    if not answer then return gateway.failed(problem, host, flags) end
    if parsed.json then
      host.print(json.encode(answer))
      return verb.code and verb.code(answer) or 0
    elseif parsed.csv then
      host.print(report.csv(verb.columns, verb.rows(answer)))
      return 0
    end
    return verb.show(host, answer, parsed) or 0
  end
end

return report

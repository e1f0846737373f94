-- The matrix: provider × door × feature, from what became of the cases.

local cases = require "support.traffic.cases"

local cells = {}

local COLUMNS = { unpack(cases.doors) }
for _, name in ipairs(cases.beside) do COLUMNS[#COLUMNS + 1] = name end

-- The worst that became of an exchange's runs at a door is what became of it.
local WORSE = { passed = 1, absent = 2, excepted = 3, failed = 4 }

local function cell_of(into, provider, door, feature)
  local at = into
  for _, name in ipairs { provider, feature, door } do
    at[name] = at[name] or {}
    at = at[name]
  end
  return at
end

local function tell(cell, outcome)
  cell[outcome] = (cell[outcome] or 0) + 1
end

--- provider → feature → door → how many exchanges passed, failed, are excepted, have no
--- adapter. "*" is all of a provider's. results: { case, outcome } each.
function cells.of(results)
  local worst, order = {}, {}
  for _, result in ipairs(results) do
    local case = result.case
    local key = case.exchange.path .. " " .. case.door
    local known = worst[key]
    if not known then
      order[#order + 1] = key
      worst[key] = { case = case, outcome = result.outcome }
    elseif WORSE[result.outcome] > WORSE[known.outcome] then
      known.outcome = result.outcome
    end
  end
  local out = {}
  for _, key in ipairs(order) do
    local one = worst[key]
    local exchange, door = one.case.exchange, one.case.door
    tell(cell_of(out, exchange.provider, door, "*"), one.outcome)
    for feature in pairs(exchange.has) do
      tell(cell_of(out, exchange.provider, door, feature), one.outcome)
    end
  end
  return out
end

-- 7: all passed. 5/7: some did not. x: none can, and a line says why. -: no adapter yet.
local function text_of(cell)
  if not cell then return "" end
  local passed, failed = cell.passed or 0, cell.failed or 0
  local excepted, absent = cell.excepted or 0, cell.absent or 0
  local all = passed + failed + excepted + absent
  if failed > 0 then return ("%d/%d FAIL"):format(passed, all) end
  if passed == all then return tostring(all) end
  if passed > 0 then return ("%d/%d"):format(passed, all) end
  return excepted > 0 and "x" or "-"
end

local function sorted(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function line_of(name, by_door)
  local out = { ("%-30s"):format(name) }
  for _, door in ipairs(COLUMNS) do
    out[#out + 1] = ("%13s"):format(text_of(by_door[door]))
  end
  return (table.concat(out):gsub("%s+$", ""))
end

--- The matrix as lines to print.
function cells.lines(matrix)
  local head = {}
  for _, door in ipairs(COLUMNS) do head[#head + 1] = ("%13s"):format(door) end
  local out = { ("%-30s"):format "provider, feature" .. table.concat(head) }
  for _, provider in ipairs(sorted(matrix)) do
    out[#out + 1] = line_of(provider, matrix[provider]["*"])
    for _, feature in ipairs(sorted(matrix[provider])) do
      if feature ~= "*" then
        out[#out + 1] = line_of("  " .. feature, matrix[provider][feature])
      end
    end
  end
  return out
end

return cells

-- The table of rows, for people (text), for a page (markdown), for programs (JSON).

local cjson = require "cjson"
local rows = require "matrix.rows"

local show = {}

local function one_line(text)
  return ((text or ""):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- The sums: state → how many.
function show.sums(list)
  local sums = { pass = 0, fail = 0, missing = 0, ["n.a."] = 0 }
  for _, row in ipairs(list) do sums[row.state] = sums[row.state] + 1 end
  return sums
end

local function sums_text(list)
  local sums = show.sums(list)
  return ("%d pass, %d fail, %d missing, %d not applicable"):format(
    sums.pass, sums.fail, sums.missing, sums["n.a."])
end

local function each_group(list, fn)
  for _, letter in ipairs(rows.order) do
    local own = {}
    for _, row in ipairs(list) do
      if row.id:sub(1, 1) == letter then own[#own + 1] = row end
    end
    if #own > 0 then fn(rows.groups[letter], own) end
  end
end

--- Each on a line of its own, in order; nothing where there are none.
function show.lines(list)
  if #list == 0 then return "" end
  table.sort(list)
  return table.concat(list, "\n") .. "\n\n"
end

--- For a terminal.
function show.text(list)
  local out = {}
  each_group(list, function(title, own)
    out[#out + 1] = ("\n%s: %s"):format(title, sums_text(own))
    for _, row in ipairs(own) do
      out[#out + 1] = ("  %-5s P%d %-8s %s"):format(row.id, row.priority, row.state, row.title)
      local why = one_line(row.why)
      if why ~= "" then out[#out + 1] = "        " .. (row.state == "pass" and
        "changed: " or "") .. why:sub(1, 600) end
    end
  end)
  return table.concat(out, "\n")
end

local INTRO = [[
# The fault matrix

What must happen when things go wrong, a row each: bad input, failing providers, load, reloads
and crashes, attacks, money. P0 and P1 are priorities. `make matrix` runs the tests whose names
carry a row's id and prints this table; `make matrix WRITE=1` writes this page; `make matrix
ROWS="U A-33"` runs some. *n.a.* has its reason; *changed* says where this gateway decided
otherwise (`tests/matrix/decisions.lua`).
]]

local function cell(text) return (one_line(text):gsub("|", "\\|")) end

--- For docs/matrix.md.
function show.page(list)
  local out = { INTRO, sums_text(list) .. ".", "" }
  each_group(list, function(title, own)
    out[#out + 1] = ("## %s\n\n%s.\n\n%s\n%s"):format(title, sums_text(own),
      "| row | P | state | what | |", "| --- | --- | --- | --- | --- |")
    for _, row in ipairs(own) do
      local why = row.state == "pass" and row.why and "changed: " .. row.why
        or row.state == "n.a." and row.why or ""
      out[#out + 1] = ("| %s | %d | %s | %s | %s |"):format(row.id, row.priority, row.state,
        cell(row.title), cell(why))
    end
    out[#out + 1] = ""
  end)
  return table.concat(out, "\n")
end

--- For programs.
function show.json(list)
  return cjson.encode { rows = list, sums = show.sums(list) }
end

return show

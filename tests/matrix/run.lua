-- Runs what carries rows' ids, and says of each row what came of it.

local cjson = require "cjson"
local process = require "support.process"
local rows = require "matrix.rows"
local sanitizer = require "support.sanitizer"

local run = { unshown = {} }

local SECONDS = tonumber(os.getenv "SUITE_SECONDS") or 600 -- of one file of tests
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"

local function note(results, id, status, name, message)
  local list = results[id] or {}
  results[id] = list
  list[#list + 1] = { name = name, status = status, message = message }
end

-- A file that did not load, or was ended, has failed every row that it carries.
local function broken(results, file, message)
  for id in pairs(file.ids) do note(results, id, "failure", file.path, message) end
end

local function lines_of(path)
  local list = {}
  for line in process.read(path):gmatch "[^\n]+" do list[#list + 1] = cjson.decode(line) end
  return list
end

-- busted's filter is a pattern on whole names.
local function arguments(file)
  local args = { "busted", "-o", "tests/matrix/reporter.lua" }
  for id in pairs(file.ids) do args[#args + 1] = "--filter=" .. id:gsub("%-", "%%-") end
  args[#args + 1] = file.path
  return args
end

-- What a sanitized build says that it cannot show: lines, each once.
local function note_unshown(text)
  for line in text:gmatch "not shown by this build: [^\n]+" do
    if not run.unshown[line] then
      run.unshown[line] = true
      table.insert(run.unshown, line)
    end
  end
end

--- The tests of one spec file into results: id → list of { name, status, message }. It has a
--- folder of reports of its own.
function run.spec(file, results)
  local out = os.tmpname()
  local status, text, err = process.run(arguments(file),
    { seconds = SECONDS, env = { MOONGATE_MATRIX = out, MOONGATE_REPORTS = false } })
  note_unshown(text)
  for _, line in ipairs(lines_of(out)) do
    if line.status == "broken" then
      broken(results, file, line.message)
    else
      for id in pairs(rows.ids(line.name)) do
        if file.ids[id] then note(results, id, line.status, line.name, line.message) end
      end
    end
  end
  os.remove(out)
  if not status then broken(results, file, "did not end within " .. SECONDS .. " s") end
  if status and status > 125 then broken(results, file, text .. err) end
end

--- A program in C stands for every row that its comments name.
function run.program(file, results)
  local name = file.path:match "([^/]+)%.c$"
  local status, out, err = process.run({ TOOLS .. "/" .. name }, { seconds = SECONDS })
  local report = sanitizer.take()
  local fine = status == 0 and not report
  note_unshown(out)
  for id in pairs(file.ids) do
    note(results, id, fine and "success" or "failure", file.path,
      not fine and (out .. err .. (report or "")):sub(-2000) or nil)
  end
end

-- "success" where all were, "pending" where all are; one that failed is what there is to say.
local function sum(list)
  local pending
  for _, test in ipairs(list) do
    if test.status ~= "success" and test.status ~= "pending" then return "fail", test end
    if test.status == "pending" then pending = pending or test end
  end
  for _, test in ipairs(list) do
    if test.status == "success" then return "pass", test end
  end
  return "n.a.", pending
end

--- What became of a row: "pass" | "fail" | "missing" | "n.a.", and why.
function run.verdict(row, list)
  local absent = row.decision and row.decision.absent
  if absent and list then return "fail", "decided away, and yet there are tests of it" end
  if absent then return "n.a.", absent end
  if not list then return "missing" end
  local state, test = sum(list)
  if state == "pass" then return "pass", row.decision and row.decision.changed end
  return state, state == "fail" and test.name .. ": " .. (test.message or "") or test.message
end

return run

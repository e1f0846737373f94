-- The fault matrix: runs every test whose name carries a row's id, and prints the table.
--
--     luajit tests/matrix/matrix.lua [--json] [--write FILE] [U | U-11]...
--
-- Exit status 0 where no row failed and none is missing.

package.path = "./tests/?.lua;" .. package.path

local rows = require "matrix.rows"
local run = require "matrix.run"
local sanitizer = require "support.sanitizer"
local show = require "matrix.show"

local function read_arguments()
  local options, only, i = {}, {}, 1
  while arg[i] do
    if arg[i] == "--json" then
      options.json = true
    elseif arg[i] == "--write" then
      i = i + 1
      options.write = arg[i]
    else
      only[#only + 1] = arg[i]
    end
    i = i + 1
  end
  return options, only
end

local options, only = read_arguments()

local function is_wanted(id)
  for _, prefix in ipairs(only) do
    if id:sub(1, #prefix) == prefix then return true end
  end
  return #only == 0
end

local function say(text)
  if not options.json then io.stderr:write(text, "\n") end
end

-- The rows asked for: a list, and id → true.
local function choose()
  local list, wanted = {}, {}
  for _, row in ipairs(rows.read "tests/matrix") do
    if is_wanted(row.id) then
      wanted[row.id] = true
      list[#list + 1] = row
    end
  end
  return list, wanted
end

-- id → list of { name, status, message }
local function run_all(wanted)
  local results = {}
  for _, file in ipairs(rows.files({ "tests/c" }, "^test_.*%.c$", wanted)) do
    say("  c     " .. file.path)
    run.program(file, results)
  end
  local folders = { "tests/unit", "tests/live", "tests/fire" }
  for _, file in ipairs(rows.files(folders, "_spec%.lua$", wanted)) do
    say("  spec  " .. file.path)
    run.spec(file, results)
  end
  return results
end

local list, wanted = choose()
local results = run_all(wanted)
for _, row in ipairs(list) do
  row.state, row.why = run.verdict(row, results[row.id])
  row.tests, row.decision = results[row.id] or {}, nil
end

if options.write then
  local file = assert(io.open(options.write, "w"))
  file:write(show.page(list))
  file:close()
end
local sums = show.sums(list)
local failed = sums.fail + sums.missing
if options.json then
  print(show.json(list))
else
  print(("%s\n\n%s%d rows are not applicable\n%d passed, %d failed"):format(
    show.text(list), show.lines(run.unshown), sums["n.a."], sums.pass, failed))
end
sanitizer.finish()
os.exit(failed == 0 and 0 or 1)

-- Real clients against the real gateway, each with a provider of every family behind it:
--
--     luajit tests/clients/run.lua FOLDER GROUP...
--
-- FOLDER is where they are installed, a folder a group; a client's own name picks it alone.
-- Prints a matrix of client, case and family, what is wrong with each cell that fails, and `N
-- passed, N failed`. What a client said, and what arrived, is kept in its folder.

package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath

local cases = require "clients.cases"
local cjson = require "cjson"
local helper = require "helper"
local judge = require "clients.judge"

local FAMILIES = { "openai", "anthropic", "gemini", "mistral" }
local KEY, PROVIDER_KEY = "mg-the-client", "sk-the-provider"
local PIECES = { 40, 1, 80 } -- bytes of a stream's first writes
local MARKS = { passed = "ok", failed = "FAIL", skipped = "-" }

local folder = assert(arg[1], "which folder?")
local upstream = helper.upstream()
local passed, failed, notes = 0, 0, {}

-- A provider of the client's own dialect is reached in it.
local function family_of(name, client)
  if name == "openai" and client.dialect == "responses" then name = "responses" end
  return require("clients.families." .. name)
end

local function each_cell(client, visit)
  for _, name in ipairs(FAMILIES) do
    for _, case in ipairs(cases.list) do
      visit(name .. "-" .. case.name, family_of(name, client), case, name)
    end
  end
end

-- The provider's answers, and the routes that lead to them ---------------------------------

local function script(lane, family, case)
  if case.failure then
    upstream:reply(lane, { status = case.failure.status, body = family.failure(case.failure) })
    return
  end
  for _, answer in ipairs(case.answers) do
    if answer.call then answer.call.id = family.call_id end
    local streamed = case.stream and { body = family.stream(answer), stream = PIECES }
    upstream:reply(lane, streamed or { body = family.whole(answer) }, 1)
  end
end

local ROUTE = [[
model %q {
  provider %q { name = %q, api_key = env.PROVIDER_KEY, base_url = %q } %q, retries = 0,
}]]

local function gateway_for(client)
  local routes = { 'virtual_key "client" { token = env.CLIENT_KEY }' }
  upstream:reset()
  each_cell(client, function(lane, family, case)
    script(lane, family, case)
    routes[#routes + 1] = ROUTE:format(lane, family.adapter, lane,
      upstream:url(lane) .. family.base, family.model)
  end)
  return helper.gateway {
    routes = table.concat(routes, "\n"),
    env = { CLIENT_KEY = KEY, PROVIDER_KEY = PROVIDER_KEY },
  }
end

-- A client, in an environment that holds nothing but what it needs -------------------------

local function command(client, gateway)
  local plan = cases.plan()
  plan.client, plan.families, plan.key = client.name, FAMILIES, KEY
  plan.root = "http://127.0.0.1:" .. gateway.port
  local program = client.program or { "node", "driver.mjs" }
  local args =
    { "env", "-i", "HOME=" .. gateway.dir, "PATH=" .. os.getenv "PATH", "LANG=C.UTF-8" }
  for _, word in ipairs(client.env or {}) do args[#args + 1] = word end
  for _, word in ipairs(program) do args[#args + 1] = word end
  args[#args + 1] = cjson.encode(plan)
  return args
end

-- Everything that went by is kept beside the client, for whoever looks into a failure.
local function log(client, what, text)
  local name = ("%s/%s/%s.%s.log"):format(folder, client.group, client.name, what)
  helper.process.write(name, text)
end

local function heard_from(client, gateway)
  local status, out, err = helper.process.run(command(client, gateway),
    { cwd = folder .. "/" .. client.group, seconds = 120 })
  log(client, "heard", out .. err)
  local heard = {}
  for line in out:gmatch "[^\n]+" do
    local ok, said = pcall(cjson.decode, line)
    if ok then heard[said.family .. "-" .. said.case] = said end
  end
  if status ~= 0 or next(heard) == nil then
    notes[#notes + 1] =
      ("%s ended with %s:\n%s"):format(client.name, tostring(status), err:sub(-2000))
  end
  return heard
end

local function by_lane(client)
  local out, all = {}, {}
  for i, request in ipairs(upstream:requests()) do
    all[i] = request.raw
    out[request.lane] = out[request.lane] or {}
    table.insert(out[request.lane], request)
  end
  log(client, "arrived", table.concat(all, "\n\n"))
  return out
end

-- The matrix --------------------------------------------------------------------------------

local function judge_cell(client, lane, case, found)
  if found.dead then return "failed" end -- which was noted once
  local wrong = judge.heard(client, case, found.heard)
  for _, one in ipairs(judge.arrived(case, found.requests, found)) do
    wrong[#wrong + 1] = one
  end
  for _, one in ipairs(wrong) do
    notes[#notes + 1] = ("%s, %s: %s"):format(client.name, lane, one)
  end
  return #wrong == 0 and "passed" or "failed"
end

local function print_row(client, marks)
  local cells = {}
  for _, name in ipairs(FAMILIES) do
    local row = {}
    for i, case in ipairs(cases.list) do row[i] = MARKS[marks[name .. "-" .. case.name]] end
    cells[#cells + 1] = ("%-18s"):format(table.concat(row, " "))
  end
  print(("%-27s %s"):format(client.name, table.concat(cells, " ")))
  io.stdout:flush()
end

-- What is wrong is counted and noted; a case that a client cannot do is neither.
local function judge_all(client, heard)
  local arrived, marks = by_lane(client), {}
  each_cell(client, function(lane, family, case)
    if client.skips and client.skips[case.name] then
      marks[lane] = "skipped"
      return
    end
    marks[lane] = judge_cell(client, lane, case, {
      dead = next(heard) == nil, heard = heard[lane], requests = arrived[lane] or {},
      family = family, key = PROVIDER_KEY,
    })
    if marks[lane] == "passed" then passed = passed + 1 else failed = failed + 1 end
  end)
  for name, why in pairs(client.skips or {}) do
    notes[#notes + 1] = ("%s, %s: skipped, %s"):format(client.name, name, why)
  end
  return marks
end

local function drive(client)
  local gateway = gateway_for(client)
  local heard = heard_from(client, gateway)
  local marks = judge_all(client, heard)
  local silent, why = pcall(gateway.assert_silent, gateway)
  if not silent then
    notes[#notes + 1], failed = client.name .. ": " .. tostring(why), failed + 1
  end
  gateway:stop()
  print_row(client, marks)
end

local function print_head()
  local names, list = {}, {}
  for i, name in ipairs(FAMILIES) do names[i] = ("%-18s"):format(name) end
  for i, case in ipairs(cases.list) do list[i] = case.name end
  print(("each family: %s"):format(table.concat(list, ", ")))
  print(("%-27s %s"):format("", table.concat(names, " ")))
end

local groups = {}
for i = 2, #arg do groups[arg[i]] = true end
print_head()
for _, client in ipairs(require "clients.clients") do
  if groups[client.group] or groups[client.name] then drive(client) end
end
upstream:stop()
for _, note in ipairs(notes) do print(note) end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)

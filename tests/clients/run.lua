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
local stage = require "clients.stage"

local function script(lane, family, case)
  if case.failure then return stage.fail(lane, family, case.failure) end
  if case.cut then return stage.cut(lane, family, case.cut) end
  for _, answer in ipairs(case.answers) do
    stage.answer(lane, family, answer, 1, case.stream)
  end
end

local function gateway_for(client)
  local lanes = {}
  stage.upstream:reset()
  stage.each(client, cases.list, function(lane, family, case)
    script(lane, family, case)
    lanes[#lanes + 1] = { lane, family }
  end)
  return stage.serve(lanes)
end

-- A client, in an environment that holds nothing but what it needs -------------------------

local function command(client, gateway)
  local plan = cases.plan()
  plan.client, plan.families, plan.key = client.name, stage.families, stage.key
  plan.root = "http://127.0.0.1:" .. gateway.port
  local args =
    { "env", "-i", "HOME=" .. gateway.dir, "PATH=" .. os.getenv "PATH", "LANG=C.UTF-8" }
  for _, word in ipairs(client.program or { "node", "driver.mjs" }) do
    args[#args + 1] = word
  end
  args[#args + 1] = cjson.encode(plan)
  return args
end

local function heard_from(client, gateway)
  local status, out, err = helper.process.run(command(client, gateway), {
    cwd = stage.folder .. "/" .. client.group, seconds = 300,
    meanwhile = function() stage.cut_begun(gateway) end,
  })
  stage.log(client, "heard", out .. err)
  local heard = {}
  for line in out:gmatch "[^\n]+" do
    local ok, said = pcall(cjson.decode, line)
    if ok then heard[said.family .. "-" .. said.case] = said end
  end
  if status ~= 0 or next(heard) == nil then
    stage.note("%s ended with %s:\n%s", client.name, tostring(status), err:sub(-2000))
  end
  return heard
end

-- What is wrong with a cell; of a client that never spoke, that is said once.
local function wrong_with(client, case, found)
  if found.dead then return { "the client said nothing" } end
  local wrong = judge.heard(client, case, found.heard)
  for _, one in ipairs(judge.arrived(case, found.requests, found)) do
    wrong[#wrong + 1] = one
  end
  return wrong
end

-- The calls of a case as this family named them.
local function calls_of(case, family)
  local out = {}
  for i, call in ipairs(case.answers and case.answers[1].calls or {}) do
    out[i] = { name = call.name, city = call.city, id = stage.call_id(family, i) }
  end
  return out
end

local function drive(client)
  local gateway = gateway_for(client)
  local heard = heard_from(client, gateway)
  local arrived, marks, skips = stage.arrived(client), {}, client.skips or {}
  stage.each(client, cases.list, function(lane, family, case)
    marks[lane] = skips[case.name] and "skipped"
      or stage.count(client, lane, wrong_with(client, case, {
        dead = next(heard) == nil, heard = heard[lane], requests = arrived[lane] or {},
        family = family, key = stage.provider_key, calls = calls_of(case, family),
      }))
  end)
  for name, why in pairs(skips) do
    stage.note("%s, %s: skipped, %s", client.name, name, why)
  end
  if not stage.has_broken(gateway) then
    stage.count(client, "the gateway", { "no stream broke off that had begun" })
  end
  stage.close(client, gateway)
  stage.row(client, cases.list, marks)
end

local wanted = {}
for i = 2, #arg do wanted[arg[i]] = true end
stage.start(assert(arg[1], "which folder?"))
stage.head(cases.list)
for _, client in ipairs(require "clients.clients") do
  if wanted[client.group] or wanted[client.name] then drive(client) end
end
stage.finish()

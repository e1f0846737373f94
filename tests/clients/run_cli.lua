-- Command lines against the real gateway, as people run them, without a terminal:
--
--     luajit tests/clients/run_cli.lua FOLDER GROUP...
--
-- Each is asked a question, made to read a file by a tool of its own, and refused, with a
-- provider of every family behind the gateway. Output as of run.lua.

package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath

local cjson = require "cjson"
local helper = require "helper"
local lfs = require "lfs"
local stage = require "clients.stage"

local PROMPT = "What does moon.txt say of the tide at Ostia?"
local SECRET = "It is 4 m at noon, and 31 cm at dusk."
local TEXT = { text = "The moon over Rome is full and bright.", input = 17, output = 9 }
local RESULT = { text = "The tide is told by the file.", input = 53, output = 8 }
local BRIGHT = { status = 400, message = "The moon is too bright for this prompt." }
local SECONDS = 90

local list = {
  { name = "chat", says = TEXT.text },
  { name = "tools", says = RESULT.text, tools = true },
  { name = "refused", says = BRIGHT.message, failure = BRIGHT },
}

-- What a run finds ---------------------------------------------------------------------------

local function script(lane, family, case, call)
  if case.failure then return stage.fail(lane, family, case.failure) end
  if case.tools then
    stage.answer(lane, family, { calls = { call }, input = 31, output = 12 }, 1, true)
  end
  stage.answer(lane, family, case.tools and RESULT or TEXT, nil, true)
end

local function make_folders(path)
  for at in path:gmatch "()/" do lfs.mkdir(path:sub(1, at - 1)) end
end

-- A folder for one run: a home and a place to work, both new.
local function place_of(client, gateway, lane, aux)
  local at = {
    root = "http://127.0.0.1:" .. gateway.port, key = stage.key, model = lane, aux = aux,
    dir = helper.process.temp_dir(), prompt = PROMPT,
    install = lfs.currentdir() .. "/" .. client.group,
  }
  if stage.folder:sub(1, 1) == "/" then at.install = stage.folder .. "/" .. client.group end
  at.home, at.work = at.dir .. "/home", at.dir .. "/work"
  lfs.mkdir(at.home)
  lfs.mkdir(at.work)
  helper.process.write(at.work .. "/moon.txt", SECRET .. "\n")
  for name, text in pairs(client.files or {}) do
    make_folders(at.dir .. "/" .. name)
    helper.process.write(at.dir .. "/" .. name, text(at))
  end
  return at
end

local function run(client, at)
  local args = { "env", "-i", "HOME=" .. at.home, "PATH=" .. os.getenv "PATH", "LANG=C.UTF-8",
    "NO_COLOR=1" }
  for _, word in ipairs(client.env(at)) do args[#args + 1] = word end
  for _, word in ipairs(client.command(at)) do args[#args + 1] = word end
  return helper.process.run(args, { cwd = at.work, seconds = SECONDS })
end

-- What is wrong with it ----------------------------------------------------------------------

-- Does one of the requests, as its family reads it, hold all of this?
local function some(asked, holds)
  for _, one in ipairs(asked) do
    if holds(one) then return true end
  end
  return false
end

local function returned(family)
  return function(one)
    local result = one.results[1]
    local is_ours = result and result.id == stage.call_id(family, 1)
    return is_ours and result.text:find(SECRET, 1, true)
  end
end

local function offers(name)
  return function(one)
    return some(one.tools, function(tool)
      return tool.name == name and #(tool.description or "") > 0
    end)
  end
end

local function asks(one)
  return one.stream and one.system ~= "" and one.question:find(PROMPT, 1, true)
end

local function read_all(wrong, requests, family)
  local asked = {}
  for i, request in ipairs(requests) do
    local ok, read = pcall(family.read, request)
    if ok and read.model == family.model and read.key == stage.provider_key then
      asked[#asked + 1] = read
    else
      wrong[#wrong + 1] = ("request %d is odd: %s"):format(i, ok and "model or key" or read)
    end
  end
  return asked
end

local function wrong_with(client, case, family, found)
  local wrong = {}
  local asked = read_all(wrong, found.requests, family)
  if not found.said:find(case.says, 1, true) then
    wrong[#wrong + 1] = "it does not say what it heard: " .. found.said:sub(-400)
  end
  if not case.failure and found.status ~= 0 then
    wrong[#wrong + 1] = "it ended with " .. tostring(found.status)
  end
  if not some(asked, asks) then
    wrong[#wrong + 1] = "the question did not arrive as a stream"
  end
  if not some(asked, offers(client.tool)) then
    wrong[#wrong + 1] = "its tool did not arrive"
  end
  if case.tools and not some(asked, returned(family)) then
    wrong[#wrong + 1] = "what its tool read did not arrive"
  end
  return wrong
end

-- Every family and case ----------------------------------------------------------------------

local function drive_one(client, family, lane, case)
  local aux = lane .. "-aux"
  stage.upstream:reset()
  local gateway = stage.serve({ { lane, family }, { aux, family } }, true)
  local at = place_of(client, gateway, lane, aux)
  script(lane, family, case,
    { name = client.tool, arguments = cjson.encode(client.arguments(at)) })
  stage.answer(aux, family, TEXT, nil, true)
  local status, out, err = run(client, at)
  local found =
    { status = status, said = out .. err, requests = stage.arrived(client)[lane] or {} }
  local wrong = wrong_with(client, case, family, found)
  stage.log(client, lane, found.said)
  stage.close(client, gateway)
  helper.remove_tree(at.dir)
  return stage.count(client, lane, wrong)
end

local wanted = {}
for i = 2, #arg do wanted[arg[i]] = true end
stage.start(assert(arg[1], "which folder?"))
stage.head(list)
for _, client in ipairs(require "clients.commands") do
  if wanted[client.group] or wanted[client.name] then
    local marks = {}
    stage.each(client, list, function(lane, family, case)
      marks[lane] = drive_one(client, family, lane, case)
    end)
    stage.row(client, list, marks)
  end
end
stage.finish()

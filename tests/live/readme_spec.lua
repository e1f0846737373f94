-- Every example of the README, run. A `console` block is a conversation: each line that begins
-- with `$ ` is run by a shell, and the lines that follow must be among those it prints, where …
-- stands for any text. A `lua` block is a routes.lua that `check` accepts.

local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local TEXT = process.read "README.md"
local BINARY = helper.binary:gsub("^[^/]", lfs.currentdir() .. "/%0")

local function blocks(language)
  local list = {}
  for code in TEXT:gmatch("```" .. language .. "\n(.-)```") do list[#list + 1] = code end
  return list
end

-- { command, expected lines } pairs of a console block.
local function conversation(code)
  local list = {}
  for line in code:gmatch "(.-)\n" do
    local command = line:match "^%$ (.*)$"
    local last = list[#list]
    if command then
      list[#list + 1] = { command = command, output = {} }
    elseif last and last.command:sub(-1) == "\\" then
      last.command = last.command:sub(1, -2) .. " " .. line
    elseif last and line ~= "" then
      last.output[#last.output + 1] = line
    end
  end
  return list
end

local function as_pattern(line)
  return "^" .. helper.plain(line):gsub("…", ".-") .. "%s*$"
end

describe("the README", function()
  local dir, gw

  setup(function()
    dir = process.temp_dir()
    process.write(dir .. "/routes.lua", process.read "routes.lua")
    gw = helper.gateway { routes = process.read "routes.lua" }
  end)

  teardown(function()
    gw:stop()
    helper.remove_tree(dir)
  end)

  local function run(command)
    command = command:gsub("127%.0%.0%.1:4000", "127.0.0.1:" .. gw.port)
      :gsub("127%.0%.0%.1:4001", "127.0.0.1:" .. gw.admin_port)
      :gsub("moongate reload", "moongate reload --admin 127.0.0.1:" .. gw.admin_port)
      :gsub("moongate usage", "moongate usage --data " .. gw.data)
      :gsub("build/moongate", BINARY)
    return process.run({ "sh", "-c", command }, { env = gw.env, cwd = dir })
  end

  it("has examples", function()
    assert.is_true(#blocks "lua" >= 1)
    assert.is_true(#blocks "console" >= 2)
  end)

  for i, code in ipairs(blocks "lua") do
    it(("lua example %d is one that check accepts"):format(i), function()
      local file = ("%s/routes%d.lua"):format(dir, i)
      process.write(file, code)
      local status, out, err =
        process.run({ "sh", "tests/tools/check-example.sh", file })
      assert.equal(0, status, out .. err)
    end)
  end

  for i, code in ipairs(blocks "console") do
    for _, step in ipairs(conversation(code)) do
      if not step.command:find "^make " then
        it(("console example %d: %s"):format(i, step.command), function()
          local status, out, err = run(step.command)
          assert.equal(0, status, out .. err)
          for _, expected in ipairs(step.output) do
            local pattern, found = as_pattern(expected), false
            for line in (out .. err):gmatch "[^\r\n]+" do
              found = found or line:find(pattern)
            end
            assert.is_truthy(found, "no line like\n" .. expected .. "\nin\n" .. out .. err)
          end
        end)
      end
    end
  end
end)

-- Every example of the README, run (support/conversation.lua). A `lua` block is a routes.lua
-- that `check` accepts.

local conversation = require "support.conversation"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local TEXT = process.read "README.md"
local BINARY = helper.binary:gsub("^[^/]", lfs.currentdir() .. "/%0")

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
      :gsub("moongate (teams %l+ %l+)", "moongate %1 --data " .. gw.data)
      :gsub("moongate budgets", "moongate budgets --data " .. gw.data)
      :gsub("build/moongate", BINARY)
    return process.run({ "sh", "-c", command }, { env = gw.env, cwd = dir })
  end

  it("has examples", function()
    assert.is_true(#conversation.blocks(TEXT, "lua") >= 1)
    assert.is_true(#conversation.blocks(TEXT, "console") >= 2)
  end)

  for i, code in ipairs(conversation.blocks(TEXT, "lua")) do
    it(("lua example %d is one that check accepts"):format(i), function()
      local file = ("%s/routes%d.lua"):format(dir, i)
      process.write(file, code)
      local status, out, err =
        process.run({ "sh", "tests/tools/check-example.sh", file })
      assert.equal(0, status, out .. err)
    end)
  end

  for i, code in ipairs(conversation.blocks(TEXT, "console")) do
    for _, step in ipairs(conversation.steps(code)) do
      if not step.command:find "^make " then
        it(("console example %d: %s"):format(i, step.command), function()
          local status, out, err = run(step.command)
          assert.equal(0, status, out .. err)
          local missing = conversation.missing(step, out .. err)
          assert.is_nil(missing, ("no line like\n%s\nin\n%s"):format(tostring(missing),
            out .. err))
        end)
      end
    end
  end
end)

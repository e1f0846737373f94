-- Every example of docs/admin.md, run: a console block is one shell, so that what it sets
-- lasts.

local conversation = require "support.conversation"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local TEXT = process.read "docs/admin.md"
local BINARY = helper.binary:gsub("^[^/]", lfs.currentdir() .. "/%0")
local MARK = "\1step %d ends with %s\n"

describe("docs/admin.md", function()
  local gw

  setup(function()
    gw = helper.gateway { routes = [[
model "mock" { provider "mock" {} { "mock", price = { input = "1.5", output = "2.25" } } }
virtual_key "declared" { token = "sk-of-routes-0123456789abcdef" }]] }
  end)
  teardown(function() gw:stop() end)

  -- All steps in one shell, a mark after each: what each printed, and its exit status.
  local function run(steps)
    local script = { "moongate() { " .. BINARY .. ' "$@"; }', "exec 2>&1" }
    for i, step in ipairs(steps) do
      script[#script + 1] = step.command:gsub("127%.0%.0%.1:4000", "127.0.0.1:" .. gw.port)
        :gsub("127%.0%.0%.1:4001", "127.0.0.1:" .. gw.admin_port)
      script[#script + 1] = ("printf '\\001step %d ends with %%s\\n' $?"):format(i)
    end
    local _, out = process.run({ "sh", "-c", table.concat(script, "\n") },
      { env = gw.env, cwd = gw.dir })
    local results, at = {}, 1
    for i in ipairs(steps) do
      local mark = MARK:format(i, "0")
      local from, to = out:find(mark, at, true)
      assert(from, ("%s\nfailed:\n%s"):format(steps[i].command, out:sub(at)))
      results[i], at = out:sub(at, from - 1), to + 1
    end
    return results
  end

  it("has examples that print what it says", function()
    local n = 0
    for _, code in ipairs(conversation.blocks(TEXT, "console")) do
      local steps = conversation.steps(code)
      for i, printed in ipairs(run(steps)) do
        n = n + 1
        local missing = conversation.missing(steps[i], printed)
        assert.is_nil(missing, ("%s\nprints no line like\n%s\nbut\n%s"):format(
          steps[i].command, tostring(missing), printed))
      end
    end
    assert.is_true(n >= 15)
  end)

  it("names every operation of LiteLLM's that is there", function()
    for path in process.read("docs/admin-openapi.json"):gmatch '"(/[kts][^"/]*/[^"]*)": {' do
      assert.is_truthy(TEXT:find(path, 1, true), path)
    end
  end)
end)

-- Secrets that come by the environment, and who may reach the admin listener.

local helper = require "helper"
local process = require "support.process"

local TOKEN = "admin-token-0123456789"
local ROUTES = [[model "m" { provider "mock" {} "m" }]]

describe("options", function()
  local gw
  after_each(function()
    if gw then gw:stop() end
    gw = nil
  end)

  -- The processes of a gateway: the parent, and the one that serves.
  local function processes()
    local list = { gw.process.pid }
    local found = io.popen("pgrep -P " .. gw.process.pid)
    for pid in found:lines() do list[#list + 1] = tonumber(pid) end
    found:close()
    return list
  end

  it("T22: takes secrets out of the environment of every process", function()
    gw = helper.gateway { routes = ROUTES, env = { MOONGATE_ADMIN_TOKEN = TOKEN } }
    local list = processes()
    assert.equal(2, #list)
    for _, pid in ipairs(list) do
      for _, file in ipairs { "environ", "cmdline" } do
        local text = process.read(("/proc/%d/%s"):format(pid, file))
        assert.is_true(#text > 10)
        assert.is_nil(text:find(TOKEN, 1, true))
      end
    end
    assert.is_nil(gw:log_text():find(TOKEN, 1, true))
  end)

  it("lets other machines reach the admin listener only where there is a token", function()
    local dir = process.temp_dir()
    local args = { helper.binary, "serve", "--data", dir .. "/d", "--listen", "127.0.0.1:0",
      "--admin", "0.0.0.0:0" }
    local function serve(env)
      local status, _, err = process.run(args, { env = env })
      return status, err
    end
    local status, err = serve {}
    assert.equal(2, status)
    assert.is_truthy(err:find("admin token", 1, true), err)
    status, err = serve { MOONGATE_ADMIN_TOKEN = "short" }
    assert.equal(2, status)
    assert.is_truthy(err:find("16", 1, true), err)
    local child = process.start(args,
      { env = { MOONGATE_ADMIN_TOKEN = TOKEN }, stdout = dir .. "/log" })
    helper.wait_until(function() return process.read(dir .. "/log"):find "moongate %d" end, 20,
      function() return "a greeting\n" .. process.read(dir .. "/log") end)
    assert.equal(0, child:stop())
    helper.remove_tree(dir)
  end)

  it("says in the data folder where the admin listener is, while it runs", function()
    gw = helper.gateway { routes = ROUTES }
    local file = gw.data .. "/admin.addr"
    assert.equal(("127.0.0.1:%d\n"):format(gw.admin_port), process.read(file))
    gw.process:stop()
    assert.equal("", process.read(file))
  end)
end)

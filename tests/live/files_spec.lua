-- S-42: who may read what a gateway leaves on the disk, whatever the umask says.

local admin_of = require "support.admin"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local ROUTES = [[
model "m" { provider "mock" {} { "mock", price = { input = 1, output = 1 } } }
virtual_key "k" { token = env.KEY }
]]
-- The folder and its lock are for everybody of the group who asks whether it is there.
local OPEN = { lock = "640" }

describe("S-42: files", function()
  local gw, dir

  setup(function()
    dir = process.temp_dir()
    gw = helper.gateway {
      routes = ROUTES, env = { KEY = "mg-files-0123456789abcdef0123456789" },
      under = { "sh", "-c", 'umask 0; exec "$@"', "sh" },
      args = { "--log-level", "info" },
    }
    assert.equal(200, gw:chat(helper.ask "m", {
      key = "mg-files-0123456789abcdef0123456789",
    }).status)
    admin_of(gw):key { name = "made" }
    helper.wait_until(function() return #gw:journal() >= 2 end, 5, "the journal")
  end)
  teardown(function()
    gw:stop()
    helper.remove_tree(dir)
  end)

  local function mode_of(path)
    return io.popen(("stat -c %%a '%s'"):format(path)):read "*l"
  end

  local function each_below(folder, fn)
    for name in lfs.dir(folder) do
      local path = folder .. "/" .. name
      local kind = lfs.attributes(path, "mode")
      if name ~= "." and name ~= ".." then
        fn(path, name, kind)
        if kind == "directory" then each_below(path, fn) end
      end
    end
  end

  it("of the data folder are the gateway's own, with the loosest umask", function()
    local seen = {}
    each_below(gw.data, function(path, name, kind)
      local mode = mode_of(path)
      if kind == "directory" then
        assert.equal("700", mode, path)
      else
        assert.equal(OPEN[name] or "600", mode, path)
      end
      seen[name:gsub("^%d.*", "journal")] = true
    end)
    for _, name in ipairs { "ledger.db", "pepper", "lock", "journal" } do
      assert.is_true(seen[name], name)
    end
  end)

  it("that are sockets are the gateway's own", function()
    local path = dir .. "/admin.sock"
    local data = dir .. "/data"
    process.write(dir .. "/routes.lua", 'model "m" { provider "mock" {} "mock" }')
    local child = process.start({
      "sh", "-c", 'umask 0; exec "$@"', "sh", helper.binary, "serve", "--routes",
      dir .. "/routes.lua", "--data", data, "--listen", "127.0.0.1:" .. helper.free_port(),
      "--admin", "unix:" .. path, "--workers", "1",
    }, { stdout = dir .. "/log" })
    helper.wait_until(function() return lfs.attributes(path, "mode") == "socket" end, 10,
      function() return "a socket: " .. process.read(dir .. "/log") end)
    assert.equal("600", mode_of(path))
    child:stop(process.TERM, 10)
  end)

  it("that hold secrets and that everybody may read are refused at the start", function()
    for _, mode in ipairs { "644", "604", "640", "600" } do
      process.write(dir .. "/secret", "sk-secret-of-a-file-0123456789")
      os.execute(("chmod %s %s/secret"):format(mode, dir))
      process.write(dir .. "/routes.lua", ('model "m" { provider "openai" { api_key = file %q '
        .. '} "gpt-4o" }'):format(dir .. "/secret"))
      local status, out, err = process.run { helper.binary, "check", dir .. "/routes.lua" }
      local fine = mode == "640" or mode == "600"
      assert.equal(fine, status == 0, mode .. ": " .. out .. err)
      assert.is_nil((out .. err):find("sk-secret", 1, true))
    end
  end)
end)

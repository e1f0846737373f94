-- The parent: signals, restarts, exit codes; what it tells a service manager.

local ffi = require "ffi"

local helper = require "helper"
local process = require "support.process"
local sanitizer = require "support.sanitizer"

ffi.cdef [[
int socket(int domain, int type, int protocol);
int bind(int fd, const void *name, unsigned size);
long recv(int fd, void *bytes, size_t size, int flags);
int close(int fd);
]]

local ROUTES = 'model "mock" { provider "mock" {} "mock" }'
local USR1, USR2 = 10, 12
local AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT = 1, 2, 0x40

-- A datagram socket as a service manager has it: path, next() → text | nil, close().
local function manager(path)
  local fd = ffi.C.socket(AF_UNIX, SOCK_DGRAM, 0)
  local name = ffi.new("char[110]")
  ffi.cast("uint16_t *", name)[0] = AF_UNIX
  ffi.copy(name + 2, path)
  assert(ffi.C.bind(fd, name, 2 + #path + 1) == 0)
  local bytes = ffi.new "char[512]"
  return {
    next = function()
      local n = tonumber(ffi.C.recv(fd, bytes, 512, MSG_DONTWAIT))
      return n > 0 and ffi.string(bytes, n) or nil
    end,
    close = function() ffi.C.close(fd) end,
  }
end

describe("the supervisor", function()
  local gw

  after_each(function()
    if gw then gw:stop() end
    gw = nil
  end)

  local function generation() return gw:metric "moongate_config_generation" end

  -- It has taken a first signal to stop: one that comes before that is the same signal.
  local function wait_stopping(one)
    helper.wait_until(function() return process.read(one.data .. "/admin.addr") == "" end, 20,
      "the beginning of its end")
  end

  it("hands HUP on: the files are read again", function()
    gw = helper.gateway { routes = ROUTES }
    local child, before = gw:child(), generation()
    gw.process:kill(process.HUP)
    helper.wait_until(function() return generation() == before + 1 end, 20, "a reload")
    assert.equal(child, gw:child())
  end)

  it("is not ended by signals that mean something to other servers", function()
    gw = helper.gateway { routes = ROUTES }
    local child = gw:child()
    for _, signal in ipairs { USR1, USR2 } do
      gw.process:kill(signal)
      ffi.C.kill(child, signal)
    end
    assert.equal(200, gw:request({ path = "/healthz" }).status)
    assert.equal(child, gw:child())
    assert.is_nil(gw.process:status())
  end)

  it("C-02: keeps serving when HUP finds a wrong file, and says so once", function()
    gw = helper.gateway { routes = ROUTES, loud = true }
    process.write(gw.routes_file, 'modle "x" {}')
    gw.process:kill(process.HUP)
    helper.wait_until(function() return #gw:log "reload_refused" == 1 end, 20, "a refusal")
    assert.equal(200, gw:chat(helper.ask "mock").status)
    local _, count = gw:log_text():gsub('unknown word', "")
    assert.equal(1, count)
  end)

  -- Ends the child: the seconds until another has answered.
  local function strike(signal)
    local pid = gw:child()
    ffi.C.kill(pid, signal)
    local from = helper.now()
    helper.wait_until(function() return process.gone(pid) end, 20, "its end")
    local response = gw:chat(helper.ask "mock") -- never refused: it waits for the next
    assert.equal(200, response.status)
    assert.is_not.equal(pid, gw:child())
    return helper.now() - from
  end

  -- A promise about time, as C-03: of each death the best of several counts.
  for name, signal in pairs { SIGSEGV = 11, SIGKILL = process.KILL } do
    it("C-14: starts a child again that died of " .. name .. ", within 1 s", function()
      local ended = ("ended by signal %d %%(%s%%); starting again"):format(signal, name)
      local tries, least = 0, { math.huge, math.huge, math.huge } -- also when it dies young
      repeat
        if gw then gw:stop() end
        gw = helper.gateway { routes = ROUTES, loud = true, env = sanitizer.struck() }
        for i = 1, 3 do least[i] = math.min(least[i], strike(signal)) end
        local _, count = gw:log_text():gsub(ended, "")
        assert.equal(3, count)
        tries = tries + 1
      until math.max(unpack(least)) < 1 or tries == 3
      assert.is_true(math.max(unpack(least)) < 1, table.concat(least, " "))
    end)
  end

  it("C-14: brings into the books what a crash left open", function()
    local up = helper.upstream()
    up:script("one", "halt\n", 1)
    gw = helper.gateway {
      routes = helper.routes(up, { "one" }), loud = true, env = sanitizer.struck(),
    }
    local connection = gw:chat_open(helper.ask "one")
    up:wait_for("one", 1)
    ffi.C.kill(gw:child(), 11)
    connection:close()
    local rows = helper.wait_until(function()
      local ok, response = pcall(gw.admin, gw, "GET", "/admin/usage?by=outcome")
      return ok and response and response.status == 200 and response.body:find "unsettled"
    end, 20, "an unsettled row")
    assert.is_truthy(rows)
    up:stop()
  end)

  it("is not outlived by its child", function()
    local one = helper.gateway { routes = ROUTES }
    local child = one:child()
    one.process:kill(process.KILL)
    helper.wait_until(function() return process.gone(child) end, 20, "the child's end")
    one.process:wait(5)
    helper.remove_tree(one.dir)
  end)

  it("C-11: stops at once when asked twice, and in order", function()
    local up = helper.upstream()
    up:script("one", "halt\n")
    local one = helper.gateway { routes = helper.routes(up, { "one" }) }
    local connection = one:chat_open(helper.ask "one")
    up:wait_for("one", 1)
    one.process:kill(process.TERM)
    wait_stopping(one)
    assert.is_nil(one.process:wait(0.3))
    one.process:kill(process.TERM)
    local response = connection:response() -- not just a closed connection
    assert.equal(503, response and response.status)
    assert.equal(0, one.process:wait(10)) -- asked once, it would wait for 30 s
    connection:close()
    assert.equal(1, #one:rows())
    helper.remove_tree(one.dir)
    up:stop()
  end)

  it("says so where the process dies while it stops", function()
    local up = helper.upstream()
    up:script("one", "halt\n")
    local one = helper.gateway { routes = helper.routes(up, { "one" }) }
    local connection = one:chat_open(helper.ask "one")
    up:wait_for("one", 1)
    local child = one:child()
    one.process:kill(process.TERM)
    wait_stopping(one)
    assert.is_nil(one.process:wait(0.3)) -- it waits for the request
    ffi.C.kill(child, process.KILL)
    assert.equal(1, one.process:wait(20)) -- its rows are not written: this was no orderly end
    assert.is_truthy(one:log_text():find "ended by signal 9 %(SIGKILL%) while it stopped")
    connection:close()
    helper.remove_tree(one.dir)
    up:stop()
  end)

  it("does not try again what can only fail again", function()
    gw = helper.gateway { routes = ROUTES }
    local status, out, err = gw:run { "serve", "--routes", gw.routes_file, "--data", gw.data,
      "--listen", "127.0.0.1:" .. helper.free_port(), "--admin", "off" }
    assert.equal(1, status) -- the data folder is taken
    assert.is_truthy((out .. err):find(gw.data, 1, true), out .. err)
  end)

  it("listens on unix sockets too, and removes them", function()
    local dir = process.temp_dir()
    local path = dir .. "/admin.sock"
    gw = helper.gateway { routes = ROUTES }
    local child = process.start({ helper.binary, "serve", "--routes", gw.routes_file, "--data",
      dir .. "/data", "--listen", "127.0.0.1:" .. helper.free_port(), "--admin",
      "unix:" .. path }, { stdout = dir .. "/log" })
    helper.wait_until(function()
      return process.run { helper.binary, "reload", "--wait", "--admin", "unix:" .. path } == 0
    end, 20, "a reload over a unix socket")
    assert.equal(0, child:stop())
    assert.is_nil(require("lfs").attributes(path))
    helper.remove_tree(dir)
  end)

  it("tells a service manager when it is ready, reloading and stopping", function()
    local dir = process.temp_dir()
    local listener = manager(dir .. "/notify")
    local said = {}
    local function hears(word)
      helper.wait_until(function()
        for text in listener.next do said[#said + 1] = text end
        return table.concat(said, "\n"):find(word, 1, true) ~= nil
      end, 20, word)
    end
    local one = helper.gateway { routes = ROUTES, env = { NOTIFY_SOCKET = dir .. "/notify" } }
    hears "READY=1"
    one.process:kill(process.HUP)
    hears "RELOADING=1\nMONOTONIC_USEC="
    one:stop()
    hears "STOPPING=1"
    listener.close()
    helper.remove_tree(dir)
  end)
end)

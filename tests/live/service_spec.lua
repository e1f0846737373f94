-- What a gateway gives up before it serves, and how it lives under a service manager: sockets
-- that are passed to it.

local helper = require "helper"
local http = require "support.http"
local process = require "support.process"
local sanitizer = require "support.sanitizer"

local ROUTES = 'model "mock" { provider "mock" {} "mock" }'
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local INTRUDER = require("lfs").currentdir() .. "/" .. TOOLS .. "/intruder.so"
if TOOLS:sub(1, 1) == "/" then INTRUDER = TOOLS .. "/intruder.so" end

-- A manager that opens two sockets, passes them on, and starts any number of gateways on them:
-- lines "start DATA", "stop N" on its standard input.
local MANAGER = [==[
import os, signal, socket, sys
binary, routes, ports = sys.argv[1], sys.argv[2], [int(p) for p in sys.argv[3:5]]
names = sys.argv[5]
sockets = []
for port in ports:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(512)
    sockets.append(s)
pids = []
for line in sys.stdin:
    verb, value = line.split()
    if verb == "stop":
        os.kill(pids[int(value)], signal.SIGTERM)
        continue
    pid = os.fork()
    if pid == 0:
        high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES=names)
        log = os.open(value + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        os.execv(binary, [binary, "serve", "--routes", routes, "--data", value,
                          "--workers", "1", "--listen", "127.0.0.1:1",
                          "--admin", "127.0.0.1:1"])
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
]==]

describe("what a gateway gives up", function()
  local gw

  after_each(function()
    if gw then gw:stop() end
    gw = nil
  end)

  it("S-40: other programs, other processes, mounts, modules: refused", function()
    if not helper.shows "confinement" then return pending(sanitizer.why "confinement") end
    local dir = process.temp_dir()
    gw = helper.gateway {
      routes = ROUTES, env = { LD_PRELOAD = INTRUDER, INTRUDER = dir .. "/told" },
    }
    local told = ""
    helper.wait_until(function()
      local file = io.open(dir .. "/told")
      told = file and file:read "*a" or ""
      if file then file:close() end
      return told:find "end\n"
    end, 20, "what the intruder was told")
    local refused = 0
    for name, answer in told:gmatch "(%S[^\n]*) (%u%w+)\n" do
      assert.equal("EPERM", answer, name)
      refused = refused + 1
    end
    assert.is_nil(told:find("done", 1, true), told)
    assert.is_true(refused >= 10, told)
    local hello = { model = "mock", messages = { { role = "user", content = "hi" } } }
    assert.equal(200, gw:chat(hello).status)
    helper.remove_tree(dir)
  end)

  it("S-44: leaves no core file, and lets nobody look inside", function()
    gw = helper.gateway { routes = ROUTES, closed = true }
    for _, pid in ipairs { gw.process.pid, gw:child() } do
      local limits = process.read(("/proc/%d/limits"):format(pid))
      assert.is_truthy(limits:find "Max core file size%s+0%s+0%s", limits)
      if not helper.shows "confinement" then return end
      -- What is not dumpable belongs to root, whoever started it.
      local owner = io.popen(("stat -c %%U /proc/%d/environ"):format(pid)):read "*l"
      assert.equal("root", owner)
      local status = process.read(("/proc/%d/status"):format(pid))
      assert.equal("1", status:match "NoNewPrivs:%s*(%d)")
      assert.equal("2", status:match "Seccomp:%s*(%d)")
    end
  end)

  it("S-44: does both where --core asks for it", function()
    gw = helper.gateway { routes = ROUTES, args = { "--core" } }
    local limits = process.read(("/proc/%d/limits"):format(gw:child()))
    local mine = process.read "/proc/self/limits"
    assert.equal(mine:match "Max core file size[^\n]*", limits:match "Max core file size[^\n]*")
  end)
end)

describe("under a service manager", function()
  local dir, manager, ports

  before_each(function()
    dir = process.temp_dir()
    process.write(dir .. "/manager.py", MANAGER)
    process.write(dir .. "/routes.lua", ROUTES)
    ports = { helper.free_port(), helper.free_port() }
  end)

  after_each(function()
    if manager then
      manager:write "stop 0\n"
      manager:close()
    end
    manager = nil
    helper.remove_tree(dir)
  end)

  local function begin(names)
    local words = { "python3", dir .. "/manager.py", helper.binary, dir .. "/routes.lua",
      ports[1], ports[2], names }
    manager = assert(io.popen(table.concat(words, " "), "w"))
    manager:setvbuf "no"
  end

  local function get(port, path)
    local ok, response = pcall(http.request, port, { method = "GET", path = path, timeout = 5 })
    return ok and response and response.status
  end

  local function log(name)
    local file = io.open(dir .. "/" .. name .. ".log")
    local text = file and file:read "*a" or ""
    if file then file:close() end
    return text
  end

  it("takes the sockets by their names, in any order", function()
    begin "admin:clients"
    manager:write("start " .. dir .. "/a\n")
    helper.wait_until(function() return get(ports[1], "/metrics") == 200 end, 10,
      function() return "a gateway\n" .. log "a" end)
    assert.equal(200, get(ports[2], "/v1/models"))
    helper.wait_until(function() return log("a"):find("127.0.0.1:" .. ports[2], 1, true) end, 5,
      function() return "a greeting\n" .. log "a" end) -- which may follow the first answer
  end)

  it("C-32: another takes over on the same sockets: no refusal, no broken stream", function()
    begin "clients:admin"
    manager:write("start " .. dir .. "/a\n")
    helper.wait_until(function() return get(ports[1], "/healthz") == 200 end, 10,
      function() return "a gateway\n" .. log "a" end)
    local stream = http.connect(ports[1])
    local body = '{"model":"mock","stream":true,"messages":'
      .. '[{"role":"user","content":"[mock pace=0.3]"}]}'
    stream:send(http.format { method = "POST", path = "/v1/chat/completions", body = body,
      headers = { ["content-type"] = "application/json" } })
    assert.equal(200, stream:head().status)
    assert.is_truthy(stream:event())
    manager:write("start " .. dir .. "/b\n")
    helper.wait_until(function() return log("b"):find("generation", 1, true) end, 10,
      function() return "another\n" .. log "b" end)
    manager:write "stop 0\n"
    local refused = 0
    for _ = 1, 300 do
      if get(ports[1], "/v1/models") ~= 200 then refused = refused + 1 end
    end
    assert.equal(0, refused)
    local last
    for event in function() return stream:event() end do last = event end
    assert.equal("data: [DONE]\n\n", last)
    manager:write "stop 1\n"
  end)
end)

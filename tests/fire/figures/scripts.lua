-- Bad, looping and memory-eating scripts: as a routes.lua that is refused, and as functions
-- that are stopped while others are served.

local helper = require "helper"
local process = require "support.process"
local socket = require "socket"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local figure = {
  what = "bad, looping, memory-eating scripts",
  target = "100 % of the corpus refused or stopped alone, ≤ 50 ms, neighbours' p99 + ≤ 20 ms",
  command = "luajit tests/fire/figures.lua scripts",
}

local FILES = {
  'model "one" {\n  oops oops\n}', "local x = nil\nlocal y = x.y", "modle 'one' {}",
  "while true do end", "while true do pcall(function() while true do end end) end",
  "local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1e7) .. i end",
  "local function f() return 1 + f() end\nf()", "error({})", "return setmetatable({}, nil, 1",
  "coroutine.wrap(function() while true do end end)()", 'os.execute("true")', "io.open('x')",
  ("x"):rep(100000), "local s = 'x' while true do s = s .. s end",
}

-- Each runs where the model's name says so.
local FUNCTIONS = {
  "while true do end", "while true do pcall(function() while true do end end) end",
  "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
  "local s = 'x' while true do s = s .. s end",
  "local function f() return 1 + f() end return f()",
  "local function f() return f() end return f()",
  "coroutine.wrap(function() while true do end end)()",
  "error(setmetatable({}, { __tostring = function() while true do end end }))",
  "return (('a'):rep(40)):find(('.-'):rep(8) .. 'b')",
  "xpcall(error, function() while true do end end)",
}

local function refused(w, good)
  local n = 0
  for _, text in ipairs(FILES) do
    process.write(w.gw.routes_file, text)
    if w.gw:admin("POST", "/admin/reload").status >= 400 then n = n + 1 end
  end
  process.write(w.gw.routes_file, good)
  assert(w.gw:admin("POST", "/admin/reload").status == 200)
  return n
end

-- One routing function that does each of them, by the model's name.
local function routing(functions)
  local out = { "route(function(r)" }
  for i, body in ipairs(functions) do
    out[#out + 1] = ("if r.model == 'bad%d' then %s end"):format(i, body)
  end
  return table.concat(out, "\n") .. "\nreturn r.model end)"
end

-- One bad request every three seconds; a fifth would switch the function off.
local function stopped(w, functions, found)
  for i in ipairs(functions) do
    socket.sleep(3)
    local began = socket.gettime()
    local response = w.gw:chat(helper.ask("bad" .. i))
    found.slowest = math.max(found.slowest, socket.gettime() - began)
    if response.status >= 400 and w.gw:chat(helper.ask "one").status == 200 then
      found.stopped = found.stopped + 1
    end
  end
end

-- One gateway with some of the functions, and neighbours meanwhile.
local function round(functions, found)
  local w = world.open { workers = 2 }
  local good, ask, pid = process.read(w.gw.routes_file), w.ask(), w.gw:child()
  if not found.files then found.files = refused(w, good) end
  w.gw:reload(good .. routing(functions))
  local calm = swarm.run(w.gw.port, ask, { rate = 100, seconds_ms = 2000 }).answered_us
  local run = swarm.start(w.gw.port, ask, { rate = 100, seconds_ms = 14000 })
  stopped(w, functions, found)
  local report = run:finish()
  found.alive = found.alive and w.gw:child() == pid
  found.failed = found.failed + world.failed(report)
  found.more = math.max(found.more, report.answered_us.p99 - calm.p99)
  w.stop()
end

function figure.take()
  local found = { stopped = 0, slowest = 0, failed = 0, more = 0, alive = true }
  for i = 1, #FUNCTIONS, 4 do
    round({ unpack(FUNCTIONS, i, math.min(i + 3, #FUNCTIONS)) }, found)
  end
  local all = found.files == #FILES and found.stopped == #FUNCTIONS and found.alive
  return ("%d of %d files refused, %d of %d functions stopped (the slowest answer after "
    .. "%.0f ms), %d neighbours failed, their p99 at most %s more"):format(found.files, #FILES,
    found.stopped, #FUNCTIONS, found.slowest * 1000, found.failed, world.ms(found.more)),
    all and found.slowest <= 0.05 and found.more <= 20000 and found.failed == 0
end

return figure

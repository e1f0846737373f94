-- nginx as a plain proxy and moongate, one worker each, to the same upstream in the same run:
-- processor time of the gateway's process (user and system, from the scheduler's counter): it
-- holds on a noisy machine where throughput does not. Prints a table; keep the last one in
-- tests/bench/RESULTS.md.
--
--     luajit tests/bench/bench.lua [SECONDS A SLICE]

package.path = "./tests/?.lua;" .. package.path
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"

local SECONDS = tonumber(arg[1]) or 2
local ROUNDS, EVENTS = 5, 20000
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local KEY, LIMITED = "mg-bench-0123456789abcdef", "mg-bench-limited-0123456789abcdef"
local ENV = { KEY = KEY, LIMITED = LIMITED }
local dir = process.temp_dir()

local NGINX = [[
worker_processes 1;
daemon off;
pid %s/nginx.pid;
error_log %s/nginx.err;
worker_rlimit_nofile 40000;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/f;
  uwsgi_temp_path %s/u; scgi_temp_path %s/s;
  keepalive_requests 100000000;
  upstream source { server 127.0.0.1:%d; keepalive 5000; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:%d backlog=4096;
    location / {
      proxy_pass http://source;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
]]

local ROUTES = [[
local here  = "http://127.0.0.1:%d/v1"
local plain = provider "openai_compatible" { name = "plain", base_url = here }
local other = provider "anthropic" { api_key = "k", base_url = here }
defaults { timeout = { total = "1h" } }
model "fast"  { plain { "gpt-4o-mini", price = { input = 0.15, output = 0.60 } } }
model "other" { other { "claude-sonnet-4-5" } }
virtual_key "bench" { token = env.KEY, models = { "*" }, tags = { team = "bench" } }
virtual_key "limited" {
  token = env.LIMITED, models = { "*" }, tags = { team = "paying" }, rpm = 1e9, tpm = 1e12,
  parallel = 1e6, budget = { "$1000000/day", "$5000000/month" },
}
limits { team = { paying = { rpm = 1e9, budget = "$9000000/month" } } }
]]

-- Nanoseconds on a processor, of all threads of a process, and of the busiest.
local function cpu_ns(pid)
  local sum, most = 0, 0
  for task in lfs.dir(("/proc/%d/task"):format(pid)) do
    if task:match "%d" then
      local text = process.read(("/proc/%d/task/%s/schedstat"):format(pid, task))
      local one = tonumber(text:match "^%d+" or 0)
      sum, most = sum + one, math.max(most, one)
    end
  end
  return sum, most
end

local function first_child(pid)
  return tonumber(process.read(("/proc/%d/task/%d/children"):format(pid, pid)):match "%d+")
end

local function start_source()
  local out = dir .. "/source"
  local child = process.start({ TOOLS .. "/source", tostring(EVENTS) }, { stdout = out })
  local port = helper.wait_until(function() return tonumber(process.read(out):match "^%d+") end)
  return child, port
end

local function start_nginx(source_port)
  local port, file = helper.free_port(), dir .. "/nginx.conf"
  process.write(file, NGINX:format(dir, dir, dir, dir, dir, dir, dir, source_port, port))
  local child =
    process.start({ "nginx", "-p", dir, "-c", file }, { stdout = dir .. "/nginx.out" })
  helper.wait_until(function()
    return pcall(helper.http.request, port, { path = "/", timeout = 1 })
  end, 10, "nginx")
  return child, port
end

local function request_file(name, path, body, key)
  local file = dir .. "/" .. name
  local headers = {
    ["content-type"] = "application/json", authorization = "Bearer " .. (key or KEY),
  }
  process.write(file,
    helper.http.format { method = "POST", path = path, body = body, headers = headers })
  return file
end

-- Load through a port: the processor time of `pid` meanwhile, in µs for each answer, how many a
-- second, and the time of its busiest thread.
local function measure(mode, port, connections, seconds, file, pid)
  local out = dir .. "/load"
  os.remove(out)
  local child = process.start({ TOOLS .. "/swarm", tostring(port), file,
    mode .. "=" .. connections, "seconds_ms=" .. math.floor(seconds * 1000) }, { stdout = out })
  helper.wait_until(function() return process.read(out):find "begin" end, 90, "the swarm")
  local before, before_most = cpu_ns(pid)
  helper.wait_until(function() return child:status() end, seconds + 60, "the end of the load")
  local after, after_most = cpu_ns(pid)
  local report = helper.json.decode(process.read(out):match "%b{}%s*$")
  local count = mode == "loop" and report.ok or report.events
  assert(report.broken + report.wrong + report.unconnected == 0, process.read(out))
  assert(count > 0, "nothing came")
  return (after - before) / 1000 / count, count / seconds,
    (after_most - before_most) / 1000 / count
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local rows = {}
local function row(...)
  rows[#rows + 1] = { ... }
  print(table.concat({ ... }, " | "))
end

local function least(list)
  table.sort(list)
  return list[1]
end

-- The same load through each of several gates, in turn, round after round: medians, or what
-- `pick` makes of the rounds.
local function compare(what, unit, gates, rounds, load, pick)
  pick = pick or median
  local costs, rates = {}, {}
  for _ = 1, rounds do
    for i, gate in ipairs(gates) do
      costs[i], rates[i] = costs[i] or {}, rates[i] or {}
      local cost, rate = load(gate)
      table.insert(costs[i], cost)
      table.insert(rates[i], rate)
    end
  end
  local floor = pick(costs[1])
  for i, gate in ipairs(gates) do
    local cost = pick(costs[i])
    row(what, gate.name, ("%.1f µs %s"):format(cost, unit), ("%.2f"):format(cost / floor),
      ("%d/s"):format(median(rates[i])))
  end
end

local function rss_kib(pid)
  return tonumber(process.read(("/proc/%d/status"):format(pid)):match "VmRSS:%s*(%d+)")
end

local function idle_memory(routes)
  local gw = helper.gateway { routes = routes, env = ENV, workers = 2 }
  socket.sleep(0.5)
  local kib = rss_kib(gw:child())
  gw:stop()
  return kib
end

-- Milliseconds from exec to the first whole answer; the best of ten.
local function start_time()
  local best = math.huge
  for i = 1, 10 do
    local port, admin = helper.free_port(), helper.free_port()
    local from = socket.gettime()
    local child = process.start({ helper.binary, "serve", "--routes", "routes.lua", "--data",
      dir .. "/data" .. i, "--listen", "127.0.0.1:" .. port, "--admin", "127.0.0.1:" .. admin,
      "--workers", "2" }, { stdout = dir .. "/start.log" })
    local response
    repeat
      local ok, got = pcall(helper.http.request, port, { method = "POST",
        path = "/v1/chat/completions", body = helper.ask "mock",
        headers = { ["content-type"] = "application/json" } })
      response = ok and got
    until response or socket.gettime() > from + 10
    assert(response and response.status == 200, "no first answer")
    best = math.min(best, socket.gettime() - from)
    child:stop()
  end
  return best * 1000
end

local function stream_body(model)
  return helper.ask(model, '"stream":true,"stream_options":{"include_usage":true}')
end

-- A key without a limit, and one with limits, budgets and a team that has some too: what
-- holding them costs the worker. The least of many short slices, since the difference is
-- smaller than what else goes on in a machine; the ledger's thread writes both keys' rows.
local function compare_limits(gw)
  local gates = {}
  for i, key in ipairs { KEY, LIMITED } do
    gates[i] = {
      name = i == 1 and "a key without limits" or "a key with limits and budgets",
      port = gw.port, pid = gw:child(),
      file = request_file("key" .. i, "/v1/chat/completions", helper.ask "fast", key),
    }
  end
  compare("whole answer, least of 20", "a request", gates, 4 * ROUNDS, function(gate)
    local _, rate, worker = measure("loop", gate.port, 64, SECONDS / 2, gate.file, gate.pid)
    return worker, rate
  end, least)
end

local function run()
  local source, source_port = start_source()
  local nginx, nginx_port = start_nginx(source_port)
  local routes = ROUTES:format(source_port)
  local gw = helper.gateway { routes = routes, env = ENV, workers = 1 }
  local nginx_gate = { name = "nginx", port = nginx_port, pid = first_child(nginx.pid) }
  local moongate = { name = "moongate", port = gw.port, pid = gw:child() }
  local translated =
    { name = "moongate, translated", port = gw.port, pid = gw:child(), other = true }

  row("what", "who", "processor time", "ratio to nginx", "rate")
  local whole = request_file("whole", "/v1/chat/completions", helper.ask "fast")
  compare("whole answer, 64 connections", "a request", { nginx_gate, moongate }, ROUNDS,
    function(gate) return measure("loop", gate.port, 64, SECONDS, whole, gate.pid) end)

  compare_limits(gw)

  local plain = request_file("plain", "/v1/chat/completions", stream_body "fast")
  local other = request_file("other", "/v1/chat/completions", stream_body "other")
  for _, streams in ipairs { 100, 4000 } do
    compare(("SSE event, %d streams"):format(streams), "an event",
      { nginx_gate, moongate, translated }, 3, function(gate)
        local file = gate.other and other or plain
        return measure("streams", gate.port, streams, SECONDS, file, gate.pid)
      end)
  end

  row("resident memory, idle, two workers", "moongate", ("%.1f MiB"):format(
    idle_memory(routes) / 1024), "", "")
  row("start to first answer", "moongate", ("%.0f ms"):format(start_time()), "", "")
  gw:stop()
  nginx:stop()
  source:stop(process.KILL)
end

run()
helper.remove_tree(dir)

local function command(line)
  local pipe = io.popen(line)
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local cpu = process.read("/proc/cpuinfo"):match "model name%s*: ([^\n]+)" or "unknown processor"
print(("\n%s, %s, %s cores, commit %s\n"):format(os.date "!%Y-%m-%d", cpu, command "nproc",
  command "git rev-parse --short HEAD"))
for i, cells in ipairs(rows) do
  print("| " .. table.concat(cells, " | ") .. " |")
  if i == 1 then print("| --- | --- | --- | --- | --- |") end
end

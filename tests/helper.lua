-- What live tests start from: the real binary on free loopback ports, with a routes.lua of the
-- test's own, a data folder that goes away, and the silence that must follow.

local cjson = require "cjson"
local http = require "support.http"
local lfs = require "lfs"
local process = require "support.process"
local sanitizer = require "support.sanitizer"
local socket = require "socket"
local upstream = require "support.upstream"

local helper = { http = http, process = process, json = cjson, script = upstream }

helper.binary = os.getenv "MOONGATE_BIN" or "build/moongate"
helper.sanitized = sanitizer.on
helper.shows = sanitizer.shows

-- Everything a developer's shell may hold that would change what a test sees.
local CLEAN = {
  OPENAI_API_KEY = false, ANTHROPIC_API_KEY = false, GEMINI_API_KEY = false,
  AZURE_API_KEY = false, AZURE_RESOURCE = false, MOONGATE_KEY = false,
  MOONGATE_TIME_SCALE = false, http_proxy = false, https_proxy = false, all_proxy = false,
}

helper.now = socket.gettime

--- A Lua pattern that matches the text itself.
function helper.plain(text) return (text:gsub("%p", "%%%0")) end

--- What `check` returns, once that is true; an error when it never is.
function helper.wait_until(check, seconds, what)
  local deadline = socket.gettime() + (seconds or 10)
  repeat
    local value = check()
    if value then return value end
    socket.sleep(0.005)
  until socket.gettime() > deadline
  if type(what) == "function" then what = what() end
  error("it never came to be: " .. (what or "what was waited for"), 2)
end

local last_port = 10240 + require("ffi").C.getpid() * 37 % 20000

--- A port that nobody listens on, below those that outgoing connections are given.
function helper.free_port()
  for _ = 1, 1000 do
    last_port = last_port < 32000 and last_port + 1 or 10240
    local server = socket.bind("127.0.0.1", last_port)
    if server then
      server:close()
      return last_port
    end
  end
  error "no port is free"
end

local function remove_tree(path)
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then
      local inside = path .. "/" .. name
      if lfs.symlinkattributes(inside, "mode") == "directory" then
        remove_tree(inside)
      else
        os.remove(inside)
      end
    end
  end
  lfs.rmdir(path)
end
helper.remove_tree = remove_tree

-- The gateway -------------------------------------------------------------------------------

local Gateway = {}
Gateway.__index = Gateway

local function started(gateway)
  local status = gateway.process:status()
  if status then
    error(("moongate ended with %d:\n%s"):format(status, gateway:log_text()), 3)
  end
  local greeted = gateway.log_elsewhere or gateway:log_text():find "moongate %d"
  if not greeted then return false end
  local ok, response = pcall(http.request, gateway.port, { path = "/healthz", timeout = 2 })
  return ok and response and response.status == 200
end

-- The program and its arguments, with what a test wants in front.
local function command_of(self, want)
  local args = { unpack(want.under or {}) }
  for _, arg in ipairs {
    helper.binary, "serve", "--routes", self.routes_file, "--data", self.data,
    "--listen", (want.host or "127.0.0.1") .. ":" .. self.port,
    "--admin", "127.0.0.1:" .. self.admin_port,
    "--workers", tostring(want.workers or 1),
  } do
    args[#args + 1] = arg
  end
  for _, arg in ipairs(want.args or {}) do
    args[#args + 1] = (arg:gsub("^@", self.dir .. "/"))
  end
  -- A sanitizer's slowness is no overload.
  if helper.sanitized and not table.concat(args, " "):find("--queue", 1, true) then
    args[#args + 1], args[#args + 2] = "--queue", "off"
  end
  -- Only root may look into a gateway: other users' tests need it open.
  if not want.closed and not process.is_root() then args[#args + 1] = "--core" end
  return args
end

local function environment_of(want)
  local env = want.env or {}
  if want.scale then env.MOONGATE_TIME_SCALE = tostring(want.scale) end
  for name, value in pairs(CLEAN) do
    if env[name] == nil then env[name] = value end
  end
  return env
end

--- Start moongate. want: routes (text), files (name → text), args, env, workers (default 1),
--- host (default 127.0.0.1), data (a folder that is there already), scale (0.01: a minute's
--- limit ends after 0.6 s), under (a command in front of it: a list), closed (as users have it,
--- though then only root can count its descriptors), log (a file that is there, a pipe).
function helper.gateway(want)
  local dir = process.temp_dir()
  local self = setmetatable({
    dir = dir, port = helper.free_port(), admin_port = helper.free_port(), loud = want.loud,
    log_file = dir .. "/log", routes_file = dir .. "/routes.lua",
    data = want.data or dir .. "/data", env = environment_of(want),
    log_elsewhere = want.log ~= nil,
  }, Gateway)
  for name, text in pairs(want.files or {}) do
    for at in name:gmatch "()/" do lfs.mkdir(dir .. "/" .. name:sub(1, at - 1)) end
    process.write(dir .. "/" .. name, text)
  end
  process.write(self.routes_file, want.routes)
  self.process = process.start(command_of(self, want),
    { stdout = want.log or self.log_file, env = self.env })
  helper.wait_until(function() return started(self) end, 30,
    function() return "a gateway\n" .. self:log_text():sub(-3000) end)
  return self
end

--- One request to the public listener.
function Gateway:request(want) return http.request(self.port, want) end

--- One request to the admin listener, which may take so many seconds.
function Gateway:admin(method, path, headers, seconds)
  local want = { method = method, path = path, headers = headers, timeout = seconds }
  if method == "POST" then want.body = "" end
  return http.request(self.admin_port, want)
end

local function chat_want(body, options)
  local want = {
    method = "POST", path = options and options.path or "/v1/chat/completions", body = body,
    headers = { ["content-type"] = "application/json", authorization = "Bearer any" },
    timeout = options and options.timeout,
  }
  if type(body) == "table" then want.body = cjson.encode(body) end
  for name, value in pairs(options and options.headers or {}) do want.headers[name] = value end
  if options and options.key then want.headers.authorization = "Bearer " .. options.key end
  return want
end

--- POST a chat (JSON text or a table); the answer has .json where it is JSON.
function Gateway:chat(body, options)
  local response, err = http.request(self.port, chat_want(body, options))
  if not response then
    error(("no answer: %s\n%s"):format(err, self:log_text():sub(-3000)), 0)
  end
  local ok, value = pcall(cjson.decode, response.body)
  response.json = ok and value or nil
  return response
end

--- The same, but returns the connection as soon as the request is sent.
function Gateway:chat_open(body, options)
  local connection = http.connect(self.port)
  connection.explain = function() return self:log_text():sub(-3000) end -- where none answers
  assert(connection:send(http.format(chat_want(body, options))))
  return connection
end

--- Raw bytes in, whatever comes back out.
function Gateway:raw(bytes)
  local connection = http.connect(self.port)
  connection:send(bytes)
  return connection
end

--- The value of a metric; labels as printed, sorted by name. Nil when there is no such series.
function Gateway:metric(name, labels)
  local text = self:admin("GET", "/metrics").body
  local sum
  for line in text:gmatch "[^\n]+" do
    local series, in_braces, value = line:match "^([%w_:]+)(%b{}) (%S+)$"
    if not series then series, value = line:match "^([%w_:]+) (%S+)$" end
    if series == name then
      local fits = true
      for label, wanted in pairs(labels or {}) do
        fits = fits and (in_braces or ""):find(('%s="%s"'):format(label, wanted), 1, true)
      end
      if fits then sum = (sum or 0) + tonumber(value) end
    end
  end
  return sum
end

local function json_lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    local ok, value = pcall(cjson.decode, line)
    if ok then list[#list + 1] = value end
  end
  return list
end

--- Wait until its workers have ended their turns, as threads have that all sleep: an answer
--- leaves before its line, which is written at a turn's end, and a client that left may not be
--- noticed yet. Some gateways never sleep, so no longer than a second.
function Gateway:turns_end()
  local deadline = helper.now() + 1
  while not process.sleeps(self:child()) and helper.now() < deadline do socket.sleep(0.002) end
end

--- What it has logged, with all that its workers had to say of answers that were heard.
function Gateway:log_text()
  self:turns_end()
  return process.read(self.log_file)
end

--- The log's JSON lines, decoded; only those of an event, where one is named.
function Gateway:log(event)
  local list = {}
  for _, line in ipairs(json_lines(self:log_text())) do
    if not event or line.event == event then list[#list + 1] = line end
  end
  return list
end

function Gateway:journal_text()
  local parts = {}
  if lfs.attributes(self.data .. "/journal", "mode") == "directory" then
    for name in lfs.dir(self.data .. "/journal") do
      if name:match "%.jsonl$" then
        parts[#parts + 1] = process.read(self.data .. "/journal/" .. name)
      end
    end
  end
  return table.concat(parts)
end

--- The journal's lines, decoded.
function Gateway:journal() return json_lines(self:journal_text()) end

--- Those of a type, in their order: of what was used, where none is named.
function Gateway:rows(kind)
  local list = {}
  for _, line in ipairs(self:journal()) do
    if line.type == (kind or "usage") then list[#list + 1] = line end
  end
  return list
end

--- The last of them.
function Gateway:last_row(kind)
  local list = self:rows(kind)
  return list[#list]
end

--- What was used for an answer, once it is written.
function Gateway:row_of(answer)
  local id = answer.headers["x-moongate-request-id"]
  return helper.wait_until(function()
    for _, row in ipairs(self:rows()) do
      if row.id == id then return row end
    end
  end, 5, function() return "a row:\n" .. self:journal_text():sub(-500) end)
end

--- Another routes.lua, and a reload that must succeed.
function Gateway:reload(routes)
  process.write(self.routes_file, routes)
  local response = self:admin("POST", "/admin/reload")
  assert(response.status == 200, response.body)
  return response
end

--- Run a verb of the binary against this gateway: status, stdout, stderr.
function Gateway:run(args, options)
  local all = { helper.binary }
  for _, arg in ipairs(args) do all[#all + 1] = arg end
  options = options or {}
  options.env = options.env or self.env
  return process.run(all, options)
end

--- The serving process: the supervisor's only child.
function Gateway:child()
  local pid = self.process.pid
  local children = process.read(("/proc/%d/task/%d/children"):format(pid, pid))
  return tonumber(children:match "%d+") or pid
end

--- How many threads the serving process has.
function Gateway:tasks()
  local status = process.read(("/proc/%d/status"):format(self:child()))
  return tonumber(status:match "Threads:%s*(%d+)")
end

--- A number of kilobytes from /proc/PID/status, of the serving process.
function Gateway:memory_kib(field)
  local status = process.read(("/proc/%d/status"):format(self:child()))
  return tonumber(status:match((field or "VmRSS") .. ":%s*(%d+) kB"))
end

local function idle(self)
  local in_flight = self:metric "moongate_requests_in_flight"
  local streams = self:metric "moongate_streams_open"
  return in_flight == 0 and streams == 0
end

-- What ends a process that went wrong by itself. The next one serves, so nobody might notice.
local FAULTS = { SEGV = true, BUS = true, ILL = true, FPE = true }

local function look_for_crash(text)
  local signal = text:match "was ended by signal %d+ %(SIG(%u+)%)"
  if signal and FAULTS[signal] then error("SIG" .. signal .. ":\n" .. text:sub(-4000), 3) end
end

--- No open request, stream or upstream, no crash, and no `error` line in the log but those
--- expected.
function Gateway:assert_silent()
  local text = self:log_text()
  sanitizer.look(text)
  look_for_crash(text)
  if self.process:status() then error("moongate is gone:\n" .. self:log_text(), 2) end
  helper.wait_until(function() return idle(self) end, 5, function()
    return ("an idle gateway: %s requests, %s streams"):format(
      tostring(self:metric "moongate_requests_in_flight"),
      tostring(self:metric "moongate_streams_open"))
  end)
  if self.loud then return end
  for _, line in ipairs(self:log()) do
    if line.level == "error" then error("an error in the log: " .. cjson.encode(line), 2) end
  end
end

-- B-32: after whatever a test did, rows, roll-ups, budgets and metrics hold the same money. A
-- gateway that does not answer, or has no ledger just now, has its own tests.
local function audit(self)
  local token = self.env.MOONGATE_ADMIN_TOKEN
  local ok, response = pcall(http.request, self.admin_port, {
    method = "GET", path = "/admin/audit", timeout = 10,
    headers = { authorization = token and "Bearer " .. token },
  })
  if not (ok and response and response.status == 200) then return end
  local found = cjson.decode(response.body)
  if not found.equal then error("the money does not add up: " .. response.body, 3) end
end

--- Stop and forget; the exit status must be 0, the money must add up, and no sanitizer may have
--- found anything: not even leaks, of which it tells at the end.
function Gateway:stop()
  local fine, wrong = pcall(audit, self)
  local status, why = self.process:stop(process.TERM, 15)
  local log = self:log_text()
  remove_tree(self.dir)
  sanitizer.look(log)
  if status ~= 0 then
    error(("moongate ended with %s (%s):\n%s"):format(tostring(status), tostring(why), log), 2)
  end
  if not fine then error(wrong, 2) end
end

-- What tests write over and over --------------------------------------------------------------

--- A test provider, one for a spec file.
helper.upstream = upstream.start

--- A whole chat answer as OpenAI's API gives it.
function helper.completion(text, more)
  more = more or ""
  return ('{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,'
    .. '"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant",'
    .. '"content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    .. '"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}%s}')
    :format(cjson.encode(text), more)
end

--- The same in Anthropic's words.
function helper.message(text)
  return ('{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5",'
    .. '"content":[{"type":"text","text":%s}],"stop_reason":"end_turn",'
    .. '"usage":{"input_tokens":10,"output_tokens":5}}'):format(cjson.encode(text))
end

local function chunk(delta, finish, usage)
  local choice = '[{"index":0,"delta":%s,"finish_reason":%s}]'
  return ('data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    .. '"model":"gpt-4o-mini-2024-07-18","choices":%s%s}\n\n'):format(
    delta and choice:format(delta, finish or "null") or "[]",
    usage and ',"usage":' .. usage or "")
end
helper.chunk = chunk

--- A piece of text as one event.
function helper.piece(text) return chunk(('{"content":%s}'):format(cjson.encode(text))) end

--- A whole streamed answer, one event a word, with usage and [DONE].
function helper.stream(...)
  local out = { chunk '{"role":"assistant","content":""}' }
  for _, word in ipairs { ... } do out[#out + 1] = helper.piece(word) end
  out[#out + 1] = chunk("{}", '"stop"')
  out[#out + 1] =
    chunk(nil, nil, '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}')
  out[#out + 1] = "data: [DONE]\n\n"
  return table.concat(out)
end

--- routes.lua with one OpenAI-compatible provider in each lane, and a model of the lane's name.
function helper.routes(up, lanes, more)
  local out = {}
  for _, lane in ipairs(lanes) do
    out[#out + 1] = ([[
model %q {
  provider "openai_compatible" { name = %q, base_url = %q, api_key = "upstream-key" } {
    "gpt-4o-mini", price = { input = 1, output = 2 },
  },
  retries = 0,
}]]):format(lane, lane, up:url(lane) .. "/v1")
  end
  return table.concat(out, "\n") .. "\n" .. (more or "")
end

--- A chat request's body for a model, with more members as JSON text.
function helper.ask(model, more)
  return ('{"model":%s,"messages":[{"role":"user","content":"hello"}]%s}'):format(
    cjson.encode(model), more and "," .. more or "")
end

return helper

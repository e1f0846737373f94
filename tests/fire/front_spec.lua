-- S-07: another proxy in front, whose connections to the gateway two users share. One of them
-- sends what is meant to be read differently by the two; the other one's answers stay its own.

local helper = require "helper"
local process = require "support.process"

local RUNS = tonumber(os.getenv "MOONGATE_SHARED_RUNS") or 600

-- Two connections to the gateway, kept: whoever asks next gets one of them.
local NGINX = [[
worker_processes 1;
daemon off;
pid DIR/nginx.pid;
error_log DIR/nginx.err;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/f;
  uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  upstream gateway { server 127.0.0.1:GATEWAY; keepalive 2; keepalive_requests 100000; }
  server {
    listen 127.0.0.1:PORT;
    ignore_invalid_headers off;
    underscores_in_headers on;
    merge_slashes off;
    location / {
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering BUFFERING;
      proxy_buffering off;
    }
  }
}
]]

local HAPROXY = [[
global
  maxconn 512
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:PORT
  option http-buffer-request
  default_backend gateway
backend gateway
  server one 127.0.0.1:GATEWAY maxconn 2
]]

local function is_there(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1") == 0
end

local HIDDEN = "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-hidden: "

-- What an attacker sends: heads and bodies as S-01 to S-06 have them, something hidden behind.
local function corpus(body)
  local list = {}
  local function add(lines, rest, first)
    list[#list + 1] = (first or "POST /v1/chat/completions HTTP/1.1\r\n")
      .. "host: x\r\nauthorization: Bearer any\r\ncontent-type: application/json\r\n"
      .. lines .. "\r\n" .. (rest or "")
  end
  local chunked = ("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body)
  local hidden = HIDDEN .. "1\r\n\r\n"
  for _, lines in ipairs {
    "content-length: %d\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\ncontent-length: %d\r\n",
    "content-length: %d\r\ntransfer-encoding : chunked\r\n",
    "content-length: %d\r\ntransfer-encoding:\011chunked\r\n",
    "content-length: %d\r\ntransfer-encoding: xchunked\r\n",
    "content-length: %d\r\nx-a: b\ntransfer-encoding: chunked\r\n",
    "content-length: %d\r\ntransfer_encoding: chunked\r\n",
    "content-length: %d\r\ncontent-length: 5\r\n", "content-length : %d\r\n",
    "content-length: +%d\r\n", "content-length: %d, %d\r\n", "content-length:\r\n %d\r\n",
  } do
    add(lines:gsub("%%d", #chunked), chunked .. hidden)
    add(lines:gsub("%%d", #body), body .. hidden)
    add(lines:gsub("%%d", "5"), chunked .. hidden)
  end
  local sizes = { "0x%x", "%x ", " %x", "+%x", "000000000000000000%x", "%x;a=\"\r\n" }
  for _, size in ipairs(sizes) do
    add("transfer-encoding: chunked\r\n", size:format(#body) .. "\r\n" .. body
      .. "\r\n0\r\n\r\n" .. hidden)
    add("transfer-encoding: chunked\r\n", size:format(#body) .. "\n" .. body .. "\n0\n\n"
      .. hidden)
  end
  add("content-length: 0\r\n", hidden, "GET /v1/models HTTP/1.1\r\n")
  add(("content-length: %d\r\n"):format(#body + #hidden), body .. hidden)
  add(("content-length: %d\r\nexpect: 100-continue\r\n"):format(#body), body .. hidden)
  return list
end

describe("S-07: behind another proxy", function()
  local up, gw, dir

  setup(function()
    up = helper.upstream()
    dir = process.temp_dir()
    gw = helper.gateway {
      loud = true, routes = helper.routes(up, { "victim", "evil" }),
    }
    up:reply("victim", { body = helper.completion "for the victim" })
    up:reply("evil", { body = helper.completion "for the evil one" })
  end)
  teardown(function()
    gw:stop()
    up:stop()
    helper.remove_tree(dir)
  end)

  local function front(program, config, args, more)
    local port = helper.free_port()
    local text = config:gsub("DIR", dir):gsub("GATEWAY", tostring(gw.port)):gsub("PORT",
      tostring(port))
    for name, value in pairs(more or {}) do text = text:gsub(name, value) end
    process.write(dir .. "/conf", text)
    local child = process.start({ program, unpack(args) }, { stdout = dir .. "/out" })
    helper.wait_until(function()
      local ok, response = pcall(helper.http.request, port, { path = "/healthz", timeout = 1 })
      return ok and response and response.status == 200
    end, 10, function() return program .. ": " .. process.read(dir .. "/out") end)
    return child, port
  end

  -- The victim's questions between the attacker's: each gets its own answer.
  local function share(port)
    local list, served = corpus(helper.ask "evil"), 0
    for run = 1, RUNS do
      local connection = helper.http.connect(port)
      connection:send(list[run % #list + 1])
      if run % 3 == 0 then connection:close() end -- the next one meets what it left
      local response = helper.http.request(port, {
        method = "POST", path = "/v1/chat/completions", body = helper.ask "victim",
        headers = { ["content-type"] = "application/json", authorization = "Bearer any" },
      })
      assert(response, "no answer")
      if response.status == 200 then
        served = served + 1
        assert.is_truthy(response.body:find("for the victim", 1, true), response.body)
      else -- a connection that the gateway closed is the proxy's to notice
        assert.equal(502, response.status, response.body)
      end
      if run % 3 ~= 0 then connection:close() end
    end
    assert.is_true(served > RUNS * 0.9, served .. " of " .. RUNS)
    for _, line in ipairs(gw:log "request") do
      assert.is_nil(line.path and line.path:find "^/admin", line.path)
    end
  end

  for _, buffering in ipairs { "on", "off" } do
    it("nginx, request buffering " .. buffering, function()
      if not is_there "nginx" then return pending "nginx is not there" end
      local child, port = front("nginx", NGINX, { "-p", dir, "-c", dir .. "/conf" },
        { BUFFERING = buffering })
      finally(function() child:stop(process.TERM, 5) end)
      share(port)
    end)
  end

  it("HAProxy", function()
    if not is_there "haproxy" then return pending "haproxy is not there" end
    local child, port = front("haproxy", HAPROXY, { "-f", dir .. "/conf", "-db" })
    finally(function() child:stop(process.TERM, 5) end)
    share(port)
  end)
end)

-- Inputs for the fuzzers out of recorded traffic: what clients sent and providers answered, cut
-- to what each target takes. They go into a folder outside the repository, one for each target.
--
--     luajit tests/fuzz/seeds.lua FOLDER
--
-- Where there are no recordings it says so, and the seeds of the repository are all there is.

package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath

local MOST = { head = 4096, merge = 2048, usage = 4096, log = 4096, answer = 8192 }
local USUAL = 16384 -- bytes of any other

local CUTS = "\0\3\1\7\2\0\5\20" -- tests/fuzz/split.h
-- Ten prices and no threshold (fuzz_usage.c).
local PRICES = "\16\39\8" .. "\16\39\10" .. ("\1\2\3"):rep(8) .. "\0\0\128"

local USAGE = { messages = "a", generate_content = "g", stream_generate_content = "g",
  responses = "r", chat_v2 = "c", converse = "c" }

local folder, made = arg[1] or "build/fuzz/seeds", {}
local seen = {}

local function add(target, bytes)
  local most = MOST[target] or USUAL
  bytes = bytes:sub(1, most)
  if seen[target .. bytes] then return end
  seen[target .. bytes] = true
  if not made[target] then os.execute(("mkdir -p '%s/%s'"):format(folder, target)) end
  made[target] = (made[target] or 0) + 1
  local file = assert(io.open(("%s/%s/%03d"):format(folder, target, made[target]), "wb"))
  file:write(bytes)
  file:close()
end

-- A body as chunks of these lengths, the last of them as long as it takes.
local function chunked(body, lengths)
  local out, at = {}, 1
  for _, len in ipairs(lengths or {}) do
    if len > 0 and at <= #body then
      out[#out + 1] = ("%x\r\n%s\r\n"):format(math.min(len, #body - at + 1),
        body:sub(at, at + len - 1))
      at = at + len
    end
  end
  if at <= #body then out[#out + 1] = ("%x\r\n%s\r\n"):format(#body - at + 1, body:sub(at)) end
  return table.concat(out) .. "0\r\n\r\n"
end

local function head_lines(headers)
  local names, out = {}, {}
  for name in pairs(headers or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local known = name:lower()
    if known ~= "content-length" and known ~= "transfer-encoding" then
      out[#out + 1] = ("%s: %s\r\n"):format(name, tostring(headers[name]))
    end
  end
  return table.concat(out)
end

local function from_request(exchange)
  local request = exchange.request
  local text = request.text
  local first = ("%s %s HTTP/1.1\r\nHost: a\r\n"):format(request.method or "POST",
    (request.path or "/"):gsub("%s.*", ""))
  if not text then return add("head", "\0" .. first .. "\r\n") end
  add("json", text)
  add("splice", "\2\2\0\4" .. "\11\1\3" .. text)
  add("tokens", text)
  local short = text:sub(1, 2000)
  local lines = head_lines(request.headers)
  add("head", "\0" .. first .. lines .. ("Content-Length: %d\r\n\r\n"):format(#short) .. short)
  add("head", "\64" .. first .. lines .. "Transfer-Encoding: chunked\r\n\r\n"
    .. chunked(short, { 1, 16, 300 }))
  local boundary = tostring((request.headers or {})["content-type"]):match "boundary=([%w'-]+)"
  if boundary then
    add("multipart", "abcd" .. text:gsub(boundary:gsub("%p", "%%%0"), "abcd"))
  end
end

-- Usage objects, wherever they stand in the text: in a whole answer, or in events.
local function from_usage(exchange, text)
  local letter = USAGE[exchange.api] or ""
  for _, name in ipairs { "usage", "usageMetadata" } do
    for object in text:gmatch('"' .. name .. '"%s*:%s*(%b{})') do
      add("usage", PRICES .. letter .. object)
    end
  end
end

-- Plain text of what was said, for vocabularies.
local function from_words(text)
  for words in text:gmatch '"content"%s*:%s*"([^"]+)"' do
    if #words > 40 then add("merge", "\0" .. words:gsub("\\n", "\n")) end
  end
end

local function from_response(exchange)
  local response = exchange.response
  local text = response.text
  if not text then return end
  local status = ("HTTP/1.1 %d X\r\n"):format(response.status)
  if response.status == 200 then status = "HTTP/1.1 200 OK\r\n" end
  local lines = status .. head_lines(response.headers)
  local short = text:sub(1, 8000)
  local how = exchange.stream and "\40\1" or "\0\4"
  local framed = exchange.stream
    and "transfer-encoding: chunked\r\n\r\n" .. chunked(short, response.chunk_lengths)
    or ("content-length: %d\r\n\r\n"):format(#short) .. short
  add("upstream", how .. lines .. framed)
  add("answer", how .. lines .. framed)
  if response.binary then
    if tostring((response.headers or {})["content-type"]):find "eventstream" then
      add("eventstream", CUTS .. "\0" .. text)
    end
    return
  end
  if exchange.stream then add("sse", CUTS .. text) else add("json", text) end
  from_usage(exchange, text)
  from_words(text)
  if response.status >= 400 then add("log", "\0" .. text) end
end

local ok, recorded = pcall(require, "support.recorded")
if not ok then
  print("no seeds out of recorded traffic: " .. tostring(recorded):match "[^\n]*")
  os.exit(0)
end
local list = recorded.list()
if not list then
  print("no recorded traffic in " .. recorded.folder .. ": only the seeds of the repository")
  os.exit(0)
end
for _, path in ipairs(list) do
  local exchange = recorded.load(path)
  from_request(exchange)
  from_response(exchange)
end

local names = {}
for name, count in pairs(made) do names[#names + 1] = ("%s %d"):format(name, count) end
table.sort(names)
print("seeds out of recorded traffic: " .. table.concat(names, ", "))

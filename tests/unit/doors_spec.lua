-- Golden cases of the doors: what a client of another dialect asks, as each family of providers
-- is asked it; and what providers answered (tests/golden), as that client hears it.
-- GOLDEN=write rewrites what is expected; the review is the diff.

require "engine"

local lfs = require "lfs"
local stub = require "tools.stub"

local ROOT = "tests/doors"
local WRITE = os.getenv "GOLDEN" == "write"
local FAMILIES = {
  { "openai", "gpt-5.4" }, { "deepseek", "deepseek-chat", { api = "chat" } },
  { "gemini", "gemini-3-pro" }, { "anthropic", "claude-opus-4-6" },
  { "vertex", "claude-opus-4-6" }, { "bedrock", "anthropic.claude-opus-4-6-v1" },
  { "cohere", "command-a-plus-05-2026" },
}
-- A question in the words of each door, streamed or not.
local QUESTIONS = {
  anthropic = '{"model":"m","max_tokens":9,"stream":%s,"messages":[1]}',
  responses = '{"model":"m","max_output_tokens":9,"stream":%s,"input":"hi"}',
  gemini = '{"contents":[1],"stream":%s}',
}
local ANSWERS = {
  "openai", "gemini", "mistral", "groq", "deepseek", "openrouter", "cohere",
}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function entries(path)
  local list = {}
  for name in lfs.dir(path) do
    if name:sub(1, 1) ~= "." then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

local function check(path, actual)
  if WRITE then
    lfs.mkdir((path:match "^(.*)/"))
    local file = assert(io.open(path, "wb"))
    file:write(actual)
    file:close()
  end
  assert.equal(read(path), actual)
end

local function described(err)
  if type(err) ~= "table" or not err.kind then error(err, 0) end
  return ("fault %s%s: %s"):format(err.kind, err.param and " " .. err.param or "", err.message)
end

-- What a family is asked, and what was dropped on the way.
local function asked(door, text, family)
  local call, dep = stub.visitor(door, text), stub.deployment(unpack(family))
  local ok, body = pcall(stub.asked, call, dep)
  if not ok then return described(body) .. "\n" end
  local dropped = table.concat(call.dropped, ",")
  return body .. "\n" .. (dropped ~= "" and "dropped: " .. dropped .. "\n" or "")
end

-- What the client hears of a provider's answer.
local function heard(door, provider, dir)
  local sse, whole = read(dir .. "response.sse"), read(dir .. "response.json")
  local text = QUESTIONS[door.name]:format(sse and "true" or "false")
  local call = stub.visitor(door, text)
  local reply, client = stub.reply(call, stub.deployment(provider, "m"), door)
  local adapter = require("providers." .. provider)
  local ok, err = pcall(function()
    local upstream = stub.upstream(sse or whole)
    if sse then return adapter.stream(upstream, reply) end
    if adapter.dialect then return adapter.decode(upstream:document(), reply) end
    adapter.decode(upstream:json { raw = { input = true, args = true } }, reply)
  end)
  reply:close(not ok and require("lib.fault").of(err) or nil)
  return (client:bytes():gsub('("%l+_at"):%d+', "%1:0"))
end

for _, name in ipairs(entries(ROOT)) do
  local door = require("dialects." .. name)

  describe("the door " .. name .. ":", function()
    for _, case in ipairs(entries(ROOT .. "/" .. name)) do
      local dir = ("%s/%s/%s/"):format(ROOT, name, case)
      local text = read(dir .. "call.json")
      for _, family in ipairs(text and FAMILIES or {}) do
        it(case .. ", as asked of " .. family[1], function()
          check(dir .. family[1] .. ".txt", asked(door, text, family))
        end)
      end
    end

    for _, provider in ipairs(ANSWERS) do
      for _, case in ipairs(entries("tests/golden/" .. provider)) do
        local dir = ("tests/golden/%s/%s/"):format(provider, case)
        if not read(dir .. "status") then
          it(provider .. "'s answer " .. case, function()
            check(("%s/%s/answers/%s-%s.txt"):format(ROOT, name, provider, case),
              heard(door, provider, dir) .. "\n")
          end)
        end
      end
    end
  end)
end

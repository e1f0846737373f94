-- Golden cases of the doors: what a client of another dialect asks, as each family of providers
-- is asked it; and what providers answered (tests/golden), as that client hears it.
-- GOLDEN=write rewrites what is expected; the review is the diff.

require "engine"

local file = require "support.file"
local golden = require "support.golden"
local stub = require "tools.stub"

local ROOT = "tests/doors"
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
local function heard(door, provider, case)
  local text = QUESTIONS[door.name]:format(case.sse and "true" or "false")
  local call = stub.visitor(door, text)
  local reply, client = stub.reply(call, stub.deployment(provider, "m"), door)
  local adapter = require("providers." .. provider)
  local ok, err = pcall(function()
    local upstream = stub.upstream(case.sse or case.json)
    if case.sse then return adapter.stream(upstream, reply) end
    stub.decode(adapter, upstream, reply)
  end)
  reply:close(not ok and require("lib.fault").of(err) or nil)
  return (client:bytes():gsub('("%l+_at"):%d+', "%1:0"))
end

for _, name in ipairs(file.names(ROOT)) do
  local door = require("dialects." .. name)

  describe("the door " .. name .. ":", function()
    for _, case in ipairs(golden.cases(ROOT .. "/" .. name)) do
      for _, family in ipairs(case.call and FAMILIES or {}) do
        it(case.name .. ", as asked of " .. family[1], function()
          golden.check(case.dir .. family[1] .. ".txt", asked(door, case.call, family))
        end)
      end
    end

    for _, provider in ipairs(ANSWERS) do
      for _, case in ipairs(golden.cases("tests/golden/" .. provider)) do
        if not case.status then
          it(provider .. "'s answer " .. case.name, function()
            golden.check(("%s/%s/answers/%s-%s.txt"):format(ROOT, name, provider, case.name),
              heard(door, provider, case) .. "\n")
          end)
        end
      end
    end
  end)
end

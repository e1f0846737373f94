-- Golden cases: what came in, what we must send, what they answered, the verbs that follow.
-- GOLDEN=write rewrites request.json and reply.txt; the review is the diff.

require "engine"

local file = require "support.file"
local golden = require "support.golden"
local json = require "engine.json"
local stub = require "tools.stub"

local ROOT = "tests/golden"

local function describe_fault(err)
  if type(err) ~= "table" or not err.kind then error(err, 0) end
  local out = { "fault", err.kind }
  for _, name in ipairs { "param", "retry_after", "exhausted" } do
    if err[name] then out[#out + 1] = name .. "=" .. tostring(err[name]) end
  end
  return table.concat(out, " ")
end

-- The verbs, and the fault that ended them where there was one.
local function verbs(adapter, case, events)
  local reply = stub.recorder()
  local ok, err = pcall(function()
    if case.sse then return adapter.stream(stub.upstream(case.sse, {}, events), reply) end
    stub.decode(adapter, stub.upstream(case.json), reply)
  end)
  if not ok then reply.lines[#reply.lines + 1] = describe_fault(err) end
  return reply.lines
end

local function refused(adapter, case)
  local provider_error = require "lib.provider_error"
  local status, retry_after = case.status:match("(%d+)%s*(%d*)")
  local body = stub.upstream(case.json):json()
  local kind, more = adapter.classify(tonumber(status), body)
  local err = provider_error.fault(tonumber(status), body, kind, more, {
    retry_after = tonumber(retry_after),
  })
  return { describe_fault(err) }
end

local function is_prefix(short, long)
  for i, line in ipairs(short) do
    if line ~= long[i] then return false end
  end
  return true
end

for _, provider in ipairs(file.names(ROOT)) do
  describe("golden " .. provider, function()
    for _, case in ipairs(golden.cases(ROOT .. "/" .. provider)) do
      local model = assert(json.decode(case.call)).model
      local adapter = stub.deployment(provider, model).provider.adapter

      it(case.name .. ": request", function()
        local call = stub.call(case.call)
        golden.check(case.dir .. "request.json",
          stub.encoded(call, stub.deployment(provider, call.model)) .. "\n")
      end)

      it(case.name .. ": reply", function()
        local lines = case.status and refused(adapter, case) or verbs(adapter, case)
        golden.check(case.dir .. "reply.txt", table.concat(lines, "\n") .. "\n")
      end)

      if case.sse then
        it(case.name .. ": broken off after every event", function()
          local whole = verbs(adapter, case)
          for n = 0, #stub.events(case.sse) do
            local part = verbs(adapter, case, n)
            -- Only what ends an answer may be missing, and nothing may be made up.
            assert.is_true(is_prefix(part, whole), ("after %d events"):format(n))
          end
        end)
      end
    end
  end)
end

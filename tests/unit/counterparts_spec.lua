-- The table of what has no counterpart: each row is so, the manual says it, and no hint that
-- the code knows is missing.

require "engine"

local counterparts = require "tools.counterparts"
local routes = require "routes_helper"
local stub = require "tools.stub"

local DOORS = {
  chat = "openai", messages = "anthropic", responses = "responses", gemini = "gemini",
}
local BODIES = {
  chat = { '"model":"m"', '"messages":[{"role":"user","content":"x"}]', "messages" },
  messages = { '"model":"m","max_tokens":4000', '"messages":[{"role":"user","content":"x"}]',
    "messages" },
  responses = { '"model":"m"', '"input":"x"', "input" },
  gemini = {
    '"model":"m"', '"contents":[{"role":"user","parts":[{"text":"x"}]}]', "contents",
  },
}

local function body_of(door, members)
  local own = BODIES[door]
  local rest = members:find('^"' .. own[3] .. '":') and "" or "," .. own[2]
  return ("{%s,%s%s}"):format(own[1], members, rest)
end

-- What became of it: the names that were dropped, or the fault.
local function asked(door, case, more)
  local dep = stub.deployment(case[3][1], case[3][2], more)
  local call = stub.visitor(require("dialects." .. DOORS[door]), body_of(door, case[2]))
  local ok, err = pcall(stub.asked, call, dep)
  if ok then return "," .. table.concat(call.dropped, ",") .. "," end
  assert(type(err) == "table" and err.kind, tostring(err))
  return nil, err
end

local function check_dropped(door, case, more)
  local dropped, err = asked(door, case, more)
  assert.is_truthy(dropped, err and err.message)
  assert.is_truthy(dropped:find("," .. case[1] .. ",", 1, true), dropped)
end

local function check_refused(door, case, more)
  local dropped, err = asked(door, case, more)
  assert.is_nil(dropped)
  assert.same({ "bad_request", "unsupported_parameter", case[1] }, { err.kind, err.code,
    err.param })
end

describe("what has no counterpart", function()
  for _, row in ipairs(counterparts.rows) do
    for _, case in ipairs(row.cases) do
      local name = ("%s of %s, to %s"):format(case[1], row.door, case[3][1])
      if row.becomes == "dropped" then
        it(name .. ": is dropped, and refused by who is strict", function()
          check_dropped(row.door, case)
          check_refused(row.door, case, { strict = true })
        end)
      else
        it(name .. ": is refused, and dropped by who may", function()
          check_refused(row.door, case)
          check_dropped(row.door, case, { drop_unsupported = true })
          check_refused(row.door, case, { strict = true })
        end)
      end
    end
  end

  it("is in the manual as it is here", function()
    assert.equal(counterparts.manual(), routes.read "docs/unsupported.md")
  end)

  -- The sets of hints in the code, by what a client calls them.
  local HINTS = {
    { "chat", "scripts/lib/fit.lua", "" },
    { "messages", "scripts/lib/messages_request.lua", "" },
    { "responses", "scripts/lib/responses_request.lua", "" },
    { "gemini", "scripts/lib/generate_request.lua", "" },
    { "gemini", "scripts/lib/generate_config.lua", "generationConfig." },
  }

  it("has every hint that the code knows", function()
    for _, one in ipairs(HINTS) do
      local text = routes.read(one[2]):match "\nlocal HINTS = {(.-)}"
      local n, known = 0, {}
      for _, row in ipairs(counterparts.rows) do
        for _, case in ipairs(row.door == one[1] and row.cases or {}) do
          known[case[1]] = true
        end
      end
      for name in text:gmatch "([%w_]+) = true" do
        n = n + 1
        assert.is_true(known[one[3] .. name], one[1] .. ": " .. name)
      end
      assert.is_true(n > 0)
    end
  end)
end)

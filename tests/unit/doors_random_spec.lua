-- Bodies of every door, spoilt at random, as every family of providers is asked them: whatever
-- comes, it is told or refused with a fault of the client's. And where both speak one dialect,
-- what nobody here knows survives; where they do not, telling a body twice changes it no more.
-- MOONGATE_SEED repeats a run that failed; MOONGATE_BODIES makes it longer.

require "engine"

local cjson = require "cjson"
local json = require "engine.json"
local lfs = require "lfs"
local process = require "support.process"
local stub = require "tools.stub"

local SEED = tonumber(os.getenv "MOONGATE_SEED") or os.time() % 1000000
local BODIES = tonumber(os.getenv "MOONGATE_BODIES") or 1000

local FAMILIES = {
  { "openai", "gpt-5.4" }, { "openai", "gpt-5-pro" }, { "mistral", "m" },
  { "gemini", "gemini-3-pro" }, { "anthropic", "claude-opus-4-6" },
  { "bedrock", "anthropic.claude-opus-4-6-v1" }, { "bedrock", "amazon.nova-lite-v1:0" },
  { "cohere", "command-a-plus-05-2026" }, { "vertex", "claude-opus-4-6" },
  { "vertex", "gemini-2.5-pro" },
}

local CHATS = {
  '{"model":"m","max_tokens":9,"messages":[{"role":"system","content":"s"},{"role":'
    .. '"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":'
    .. '{"url":"data:image/png;base64,AAAA"}}]},{"role":"assistant","content":null,'
    .. '"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":'
    .. '"{\\"a\\":1}"}}]},{"role":"tool","tool_call_id":"c1","content":"r"}],"tools":[{"type":'
    .. '"function","function":{"name":"f","description":"d","parameters":{"type":"object",'
    .. '"properties":{"a":{"type":"integer"}}}}}],"tool_choice":"auto","response_format":'
    .. '{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},'
    .. '"temperature":0.5,"stop":["s"],"reasoning_effort":"low","user":"u","stream":true}',
}

-- The bodies of the golden cases.
local function bodies_of(door)
  if door == "openai" then return CHATS end
  local list, root = {}, "tests/doors/" .. door
  for name in lfs.dir(root) do
    local text = process.read(("%s/%s/call.json"):format(root, name))
    if text ~= "" and #text < 8000 then list[#list + 1] = text end
  end
  table.sort(list)
  return list
end

local JUNK = {
  "0", "-1", "1e300", "0.5", '""', '"x"', '"\240\159\152\128"', "true", "false", "null", "{}",
  "[]", "[1]", "[[1]]", '{"a":1}', '[{"type":"text"}]', '{"type":"junk"}', '{"role":"user"}',
  '"' .. ("long "):rep(200) .. '"',
}

local function junk() -- never the same table twice
  return cjson.decode("[" .. JUNK[math.random(#JUNK)] .. "]")[1]
end

-- The places of a body: { table, key }….
local function places(value, list)
  for key, inner in pairs(value) do
    list[#list + 1] = { value, key }
    if type(inner) == "table" then places(inner, list) end
  end
  return list
end

-- A body with some of its places spoilt: other values, none, or strange members beside them.
local function spoilt(text)
  local body = cjson.decode(text)
  for _ = 1, math.random(1, 3) do
    local all = places(body, {})
    if #all == 0 then break end
    local at = all[math.random(#all)]
    local how = math.random(3)
    if how == 1 and type(at[2]) == "string" then
      at[1][at[2]] = nil
    elseif how == 2 and type(at[2]) == "string" then
      at[1]["x_" .. math.random(9)] = junk()
    else
      at[1][at[2]] = junk()
    end
  end
  local ok, out = pcall(cjson.encode, body)
  return ok and out or text
end

local function is_clients(err)
  return type(err) == "table" and err.kind ~= nil and err.status ~= nil and err.status < 500
end

for _, name in ipairs { "openai", "anthropic", "responses", "gemini" } do
  local door, bodies = require("dialects." .. name), bodies_of(name)

  describe("bodies at the door " .. name .. ", spoilt", function()
    it("are told, or refused with a fault", function()
      math.randomseed(SEED)
      local told, refused = 0, 0
      for _ = 1, BODIES do
        local text = spoilt(bodies[math.random(#bodies)])
        local family = FAMILIES[math.random(#FAMILIES)]
        local more = { strict = math.random(4) == 1, drop_unsupported = math.random(2) == 1 }
        if more.strict then more.drop_unsupported = false end
        local ok, result = pcall(function()
          local asked = stub.asked(stub.visitor(door, text), stub.deployment(family[1],
            family[2], more))
          assert(json.index(asked), "what it is told is no JSON")
        end)
        if ok then told = told + 1 else refused = refused + 1 end
        assert.is_true(ok or is_clients(result), ("seed %d, %s %s: %s\n%s"):format(SEED,
          family[1], family[2], tostring(type(result) == "table" and result.detail or result),
          text))
      end
      assert.is_true(told > 0 and refused > 0) -- neither all nor nothing
    end)
  end)
end

-- Who speaks the dialect of a door.
local OWN = {
  openai = { "openai_compatible", "m" }, anthropic = { "anthropic", "claude-opus-4-6" },
  responses = { "openai", "gpt-5.4" }, gemini = { "gemini", "gemini-3-pro" },
}

describe("members that nobody here knows", function()
  for name, family in pairs(OWN) do
    it("reach who speaks the dialect, at the door " .. name, function()
      math.randomseed(SEED)
      local door, bodies = require("dialects." .. name), bodies_of(name)
      for i = 1, 20 do
        local value = JUNK[math.random(#JUNK)]
        local own = ('"x_new_%d":{"y":%s,"z":[1.0,1e2,{}]},'):format(i, value)
        local text = bodies[math.random(#bodies)]:gsub("^%s*{", function(brace)
          return brace .. own
        end)
        local asked = stub.asked(stub.visitor(door, text), stub.deployment(unpack(family)))
        assert.is_truthy(asked:find(own:sub(1, -2), 1, true), ("seed %d: %s"):format(SEED, own))
      end
    end)
  end
end)

-- A chat told in a dialect, read at that dialect's door, and told again.
local TOLD = {
  anthropic = { { "anthropic", "claude-opus-4-6" } },
  gemini = { { "gemini", "gemini-3-pro" } },
  responses = { { "openai", "gpt-5-pro" } },
}

local function chat_of(call)
  local out = {}
  for member, value in pairs(call.body) do out[member] = value end
  out.model = out.model or "m"
  return json.encode(json.object({ "model", "messages" }, out))
end

describe("a chat that goes to and fro", function()
  for name, families in pairs(TOLD) do
    it("is the same after the second time, in the words of " .. name, function()
      local door, chats = require("dialects." .. name), require "dialects.openai"
      for _, family in ipairs(families) do
        local dep = stub.deployment(family[1], family[2], { drop_unsupported = true })
        for _, text in ipairs(CHATS) do
          local function tell(chat) return stub.asked(stub.visitor(chats, chat), dep) end
          local once = tell(text)
          local twice = tell(chat_of(stub.visitor(door, once)))
          local thrice = tell(chat_of(stub.visitor(door, twice)))
          assert.equal(twice, thrice)
          local first, second = cjson.decode(once), cjson.decode(twice)
          for _, member in ipairs { "messages", "contents", "input", "tools" } do
            assert.same(first[member], second[member])
          end
        end
      end
    end)
  end
end)

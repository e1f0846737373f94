-- What a translation costs: an agent's request of 100 kB (24 tools, 30 turns) from each door to
-- each family of providers, and one event on its way back. Processor time; the best of five.
-- Targets: 1 ms and 15 µs.

package.path = "./scripts/?.lua;./?.lua;./tests/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath
require "engine"
package.loaded["engine.shared"] = {
  hold = function() return { settle = function() end } end,
}

local natives = require "lib.natives"
local streams = require "bench.streams"
local stub = require "tools.stub"

local FAMILIES = {
  { "openai", "gpt-5.4" }, { "mistral", "m" }, { "gemini", "gemini-3-pro" },
  { "anthropic", "claude-opus-4-6" }, { "bedrock", "anthropic.claude-opus-4-6-v1" },
  { "cohere", "command-a-reasoning" },
  { "openai", "gpt-5-pro", stream = "responses" }, -- asked by Responses
}
local TOOLS, TURNS = 24, 30

local DOORS = {}

--- An agent's body of chats.
function DOORS.openai()
  local tools, turns = {}, { '{"role":"user","content":"hi"}' }
  for i = 1, TOOLS do
    tools[i] = ('{"type":"function","function":{"name":"tool%d","description":"%s",'
      .. '"parameters":{"type":"object","properties":{"a":{"type":"string","description":'
      .. '"%s"}},"required":["a"]}}}'):format(i, ("word "):rep(220), ("word "):rep(80))
  end
  for i = 2, TURNS do
    turns[#turns + 1] = i % 2 == 0
      and ('{"role":"assistant","content":"%s","tool_calls":[{"id":"call_%d","type":"function",'
        .. '"function":{"name":"tool1","arguments":"{\\"a\\":\\"%s\\"}"}}]}')
        :format(("say "):rep(150), i, ("x "):rep(300))
      or ('{"role":"tool","tool_call_id":"call_%d","content":"%s"}'):format(i - 1,
        ("result "):rep(250))
  end
  return '{"model":"m","max_tokens":9000,"stream":true,"messages":[{"role":"system","content":"'
    .. ("system "):rep(1500) .. '"},' .. table.concat(turns, ",") .. '],"tools":['
    .. table.concat(tools, ",") .. "]}"
end

--- An agent's body of Messages.
function DOORS.anthropic()
  local tools, turns = {}, { '{"role":"user","content":"hi"}' }
  for i = 1, TOOLS do
    tools[i] = ('{"name":"tool%d","description":"%s","input_schema":{"type":"object",'
      .. '"properties":{"a":{"type":"string","description":"%s"}},"required":["a"]}}')
      :format(i, ("word "):rep(220), ("word "):rep(80))
  end
  for i = 2, TURNS do
    turns[i] = i % 2 == 0
      and ('{"role":"assistant","content":[{"type":"text","text":"%s"},{"type":"tool_use",'
        .. '"id":"t%d","name":"tool1","input":{"a":"%s"}}]}')
        :format(("say "):rep(150), i, ("x "):rep(300))
      or ('{"role":"user","content":[{"type":"tool_result","tool_use_id":"t%d","content":'
        .. '"%s"}]}'):format(i - 1, ("result "):rep(250))
  end
  return '{"model":"m","max_tokens":9,"stream":true,"system":[{"type":"text","text":"'
    .. ("system "):rep(1500) .. '"}],"tools":[' .. table.concat(tools, ",") .. '],"messages":['
    .. table.concat(turns, ",") .. "]}"
end

--- The same of Responses.
function DOORS.responses()
  local tools, items = {}, { '{"role":"user","content":"hi"}' }
  for i = 1, TOOLS do
    tools[i] = ('{"type":"function","name":"tool%d","description":"%s","parameters":{"type":'
      .. '"object","properties":{"a":{"type":"string","description":"%s"}},"required":["a"]}}')
      :format(i, ("word "):rep(220), ("word "):rep(80))
  end
  for i = 2, TURNS do
    items[i] = i % 2 == 0
      and ('{"type":"message","role":"assistant","content":[{"type":"output_text","text":"%s"}]'
        .. '},{"type":"function_call","call_id":"t%d","name":"tool1","arguments":"{\\"a\\":'
        .. '\\"%s\\"}"}'):format(("say "):rep(150), i, ("x "):rep(300))
      or ('{"type":"function_call_output","call_id":"t%d","output":"%s"}')
        :format(i - 1, ("result "):rep(250))
  end
  return '{"model":"m","max_output_tokens":9,"stream":true,"instructions":"'
    .. ("system "):rep(1500) .. '","tools":[' .. table.concat(tools, ",") .. '],"input":['
    .. table.concat(items, ",") .. "]}"
end

--- The same of Gemini.
function DOORS.gemini()
  local tools, turns = {}, { '{"role":"user","parts":[{"text":"hi"}]}' }
  for i = 1, TOOLS do
    tools[i] = ('{"name":"tool%d","description":"%s","parametersJsonSchema":{"type":"object",'
      .. '"properties":{"a":{"type":"string","description":"%s"}},"required":["a"]}}')
      :format(i, ("word "):rep(220), ("word "):rep(80))
  end
  for i = 2, TURNS do
    turns[i] = i % 2 == 0
      and ('{"role":"model","parts":[{"text":"%s"},{"functionCall":{"name":"tool1","args":'
        .. '{"a":"%s"}}}]}'):format(("say "):rep(150), ("x "):rep(300))
      or ('{"role":"user","parts":[{"functionResponse":{"name":"tool1","response":{"output":'
        .. '"%s"}}}]}'):format(("result "):rep(250))
  end
  return '{"stream":true,"systemInstruction":{"parts":[{"text":"' .. ("system "):rep(1500)
    .. '"}]},"tools":[{"functionDeclarations":[' .. table.concat(tools, ",")
    .. ']}],"contents":[' .. table.concat(turns, ",") .. "]}"
end

-- Microseconds of one call of `fn`.
local function cost(n, fn)
  local best = math.huge
  for _ = 1, 5 do
    local from = os.clock()
    for _ = 1, n do fn() end
    best = math.min(best, (os.clock() - from) / n * 1e6)
  end
  return best
end

local EVENTS = 2000

-- One event of a family's stream in the door's words: its JSON read, its meaning told, its
-- bytes written. Where both speak one dialect, events pass and are not looked at.
local function event_cost(door, text, family)
  local dep = stub.deployment(unpack(family))
  local face = natives.of(door.name, dep) or dep.provider.adapter
  if door.name == face.dialect then return nil end
  local upstream = stub.upstream(streams.of(family.stream or family[1], EVENTS))
  return cost(1, function()
    upstream.position = 0
    local call = stub.visitor(door, text)
    local reply, client = stub.reply(call, dep, door)
    face.stream(upstream, reply)
    assert(#client.sent > EVENTS, "not every event reached the client")
  end) / EVENTS
end

local function told(us, format)
  return us and format:format(us) or "passes"
end

print "| door | to | processor time of the request | of an event |"
print "| --- | --- | --- | --- |"
for _, name in ipairs { "openai", "anthropic", "responses", "gemini" } do
  local door, text = require("dialects." .. name), DOORS[name]()
  for _, family in ipairs(FAMILIES) do
    local dep = stub.deployment(unpack(family))
    local request = cost(100, function() stub.asked(stub.visitor(door, text), dep) end)
    print(("| %s, %d bytes | %s %s | %.0f µs | %s |"):format(name, #text, family[1], family[2],
      request, told(event_cost(door, text, family), "%.1f µs")))
  end
end

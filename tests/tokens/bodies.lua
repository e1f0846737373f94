-- How fast bodies are counted, warm: microseconds of the best of seven, for chats of these
-- sizes, exactly and weighed.

package.path = "./scripts/?.lua;" .. package.path
package.cpath = (os.getenv "MOONGATE_TOOLS" or "./build/tests") .. "/?.so;" .. package.cpath
require "engine"
local json = require "engine.json"
local tokens = require "lib.tokens"

local WORDS = "The gateway reads a request once, decides which model may answer it, and passes "
  .. "what the provider says on to the client as it comes, counting what it costs on the way. "
local TOOL = '{"type":"function","function":{"name":"find_%d","description":"Finds documents '
  .. 'by what they say.","parameters":{"type":"object","properties":{"query":{"type":"string",'
  .. '"description":"What to look for."},"kind":{"type":"string","enum":["note","mail"]}},'
  .. '"required":["query"]}}}'

local function chat(bytes, many)
  local tools = {}
  for i = 1, many do tools[i] = TOOL:format(i) end
  return json.index(('{"model":"m","messages":[{"role":"system","content":"Be short."},{"role":'
    .. '"user","content":"%s"}]%s}'):format(WORDS:rep(bytes):sub(1, bytes),
    many > 0 and ',"tools":[' .. table.concat(tools, ",") .. "]" or ""))
end

local function microseconds(doc, profile)
  local rounds, best = math.ceil(2e6 / #doc), math.huge
  for _ = 1, 7 do
    local from = os.clock()
    for _ = 1, rounds do tokens.count_doc(doc, profile) end
    best = math.min(best, (os.clock() - from) / rounds * 1e6)
  end
  return best
end

print "\n| body | bytes | tokens | exact, µs | weighed, µs |\n| --- | --- | --- | --- | --- |"
for _, case in ipairs {
  { "short", 160, 0 }, { "a paragraph", 400, 0 }, { "with twenty tools", 400, 20 },
  { "four pages", 8000, 0 }, { "long", 400000, 0 },
} do
  local doc, profiles = chat(case[2], case[3]), tokens.profiles()
  local exact, weighed = profiles:of "gpt-4o", profiles:of "claude-sonnet-4-5"
  print(("| %s | %d | %d | %.1f | %.1f |"):format(case[1], #doc,
    (tokens.count_doc(doc, exact)), microseconds(doc, exact), microseconds(doc, weighed)))
end

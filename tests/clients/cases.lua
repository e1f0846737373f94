-- What every client is made to do. Each case is asked of a model of its own, FAMILY-CASE, whose
-- provider answers as it is told here; what the client then says it heard, and what arrived at
-- the provider, is held against this.

local cases = {}

cases.system = "You speak of nothing but weather."
cases.question = "What is the weather in Rome? \240\159\140\146" -- a moon: four bytes
cases.tool = {
  name = "weather",
  description = "The weather in a city",
  parameters = {
    type = "object",
    properties = { city = { type = "string", description = "Which city" } },
    required = { "city" },
    additionalProperties = false,
  },
  results = { Rome = "sunny, 21 °C", Paris = "rain, 12 °C" },
}

local TEXT = { text = "The moon over Rome is full — and bright.", input = 17, output = 9 }
local ROME = { name = "weather", arguments = '{"city":"Rome"}', city = "Rome" }
local PARIS = { name = "weather", arguments = '{"city":"Paris"}', city = "Paris" }
local CALL = { calls = { ROME }, input = 31, output = 12 }
local CALLS = { calls = { ROME, PARIS }, input = 31, output = 24 }
local BRIGHT = { status = 400, message = "The moon is too bright for this prompt." }
local BUSY = { status = 429, message = "The moon is busy until midnight." }
local RESULT = { text = "It is sunny in Rome, 21 °C.", input = 53, output = 8 }

cases.list = {
  { name = "chat", answers = { TEXT } },
  { name = "stream", answers = { TEXT }, stream = true },
  { name = "tools", answers = { CALL, RESULT }, tools = true },
  { name = "tools-stream", answers = { CALL, RESULT }, tools = true, stream = true },
  { name = "parallel", answers = { CALLS, RESULT }, tools = true, stream = true },
  { name = "refused", failure = BRIGHT },
  { name = "busy", failure = BUSY },
  { name = "cut", cut = TEXT, stream = true },
}

--- What a driver has to know.
function cases.plan()
  local list = {}
  for i, case in ipairs(cases.list) do
    list[i] = { name = case.name, stream = case.stream or false, tools = case.tools or false }
  end
  return { system = cases.system, question = cases.question, tool = cases.tool, cases = list }
end

return cases

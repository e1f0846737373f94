-- The text of a whole answer in any dialect, for providers that do not count what they said.

local json = require "engine.json"

local answer_text = {}

-- Members that hold what a model wrote, wherever they stand.
local WRITTEN = {
  content = true, text = true, thinking = true, reasoning = true, reasoning_content = true,
  refusal = true, arguments = true, summary = true,
}
local CALLED = { input = true, args = true } -- arguments as an object

local function walk(value, out)
  for name, member in pairs(value) do
    local kind = type(member)
    if kind == "string" and WRITTEN[name] then
      out[#out + 1] = member
    elseif kind == "table" and CALLED[name] and not json.is_array(member) then
      out[#out + 1] = json.encode(member)
    elseif kind == "table" and not json.is_raw(member) then
      walk(member, out)
    end
  end
end

--- All of it, joined. `ready` is a document, or text that is the answer itself.
function answer_text.of(ready)
  if type(ready) == "string" then return ready end
  local body, out = ready:decode(), {}
  if type(body) == "table" then walk(body, out) end
  return table.concat(out, "\n")
end

return answer_text

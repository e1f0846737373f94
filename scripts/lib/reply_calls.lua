-- The tool calls of an answer, as their pieces come.

local reply_calls = {}

--- Which call of `reply` a piece belongs to, and whether it is a new one: its index where it
--- says one, else a new one for a new id, else the last. Some count every call of a stream as
--- the first: a new id is a new call.
function reply_calls.slot(reply, call)
  local calls = reply.tool_calls or { by_index = {} }
  reply.tool_calls = calls
  local known
  if call.index then
    known = calls.by_index[call.index]
    if known and call.id and known.id and call.id ~= known.id then known = nil end
  elseif not call.id then
    known = calls[#calls]
  end
  if known then return known, false end
  known = { index = #calls, id = call.id, name = call.name, pieces = {}, extra = call.extra }
  calls[#calls + 1] = known
  if call.index then calls.by_index[call.index] = known end
  return known, true
end

return reply_calls

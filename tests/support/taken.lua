-- Whatever comes from outside is taken, or is a fault with a kind; nobody trips over it.

local fault = require "lib.fault"

--- Runs it on a text: true | false, the fault.
return function(text, run, ...)
  local ok, err = pcall(run, ...)
  if ok then return true end
  local kind = type(err) == "table" and err.kind
  if fault.is_kind(kind) and kind ~= "internal" then return false, err end
  error(("%s\n%s"):format(tostring(kind and err.message or kind or err), text), 0)
end

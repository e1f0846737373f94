-- What a describe may hold before its tests start it: an empty table, which becomes the thing
-- itself.

local promise = {}

--- Makes it what was started.
function promise.keep(empty, started)
  for name in pairs(empty) do empty[name] = nil end
  for name, value in pairs(started) do empty[name] = value end
  return setmetatable(empty, getmetatable(started))
end

return promise

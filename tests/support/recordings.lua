-- The recorded exchanges that a describe goes through. Where they are not on this machine, a
-- test says so, and there is nothing else to test.

local lfs = require "lfs"

--- Paths of the exchanges of these apis (a set; nil for all) and support.recorded, which loads
--- them; nil where there are none. spec: busted's words, which are globals of a spec alone.
return function(apis, spec)
  spec = spec or getfenv(2)
  if not lfs.attributes "build/tests/engine.so" then return nil end
  local recorded = require "support.recorded"
  local list = recorded.list(apis)
  if list then return list, recorded end
  spec.it("is not here: skipped", function() spec.pending(recorded.folder .. " is absent") end)
end

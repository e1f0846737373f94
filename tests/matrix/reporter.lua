-- An output handler for busted: a line of JSON for each test, as it ends, into the file that
-- MOONGATE_MATRIX names. A run that dies has told what it did until then.

local cjson = require "cjson"

return function()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local out = assert(io.open(assert(os.getenv "MOONGATE_MATRIX"), "a"))
  local said -- of the test that runs: why it failed, or is pending

  local function tell(name, status, message)
    out:write(cjson.encode { name = name, status = status, message = message }, "\n")
    out:flush()
  end

  local function note(_, _, message)
    if message then said = said or tostring(message) end
    return nil, true
  end

  -- Outside of tests: a file that does not load, a setup that fails.
  local function broken(element, _, message)
    if element.descriptor ~= "it" then
      tell(handler.getFullName(element), "broken", tostring(message))
    end
    return nil, true
  end

  local function done(element, _, status)
    tell(handler.getFullName(element), status, said)
    said = nil
    return nil, true
  end

  function handler.subscribe()
    busted.subscribe({ "failure", "it" }, note)
    busted.subscribe({ "error", "it" }, note)
    busted.subscribe({ "pending" }, note)
    busted.subscribe({ "failure" }, broken)
    busted.subscribe({ "error" }, broken)
    busted.subscribe({ "test", "end" }, done)
  end

  return handler
end

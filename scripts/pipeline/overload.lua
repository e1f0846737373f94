-- What is said where the gateway is too full to serve (engine/gate.h): made once a generation,
-- so that refusing takes no script.

local engine = require "engine.overload"
local fault = require "lib.fault"
local ingress = require "pipeline.ingress"

local overload = {}

local MESSAGE = "The gateway has more to do than it can take on. Try again in a moment."

--- The rows: for whom, with which status and body; no status: always served.
function overload.rows()
  local rows = {}
  local err = fault.new("overloaded", MESSAGE)
  for i, door in ipairs(ingress.doors()) do
    local row = { path = door.path, method = door.method, header = door.header }
    if door.words then
      local words = require(door.words)
      row.status = words.status and words.status(err) or err.status
      row.body = words.body(err)
    end
    rows[i] = row
  end
  return rows
end

--- Tell the engine.
function overload.tell()
  engine.say(overload.rows())
end

return overload

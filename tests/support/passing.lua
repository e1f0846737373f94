-- What goes by where client and provider speak one dialect: as it came, or it is a fault.

local json = require "engine.json"
local luassert = require "luassert"
local stub = require "tools.stub"
local taken = require "support.taken"

--- A face passes a stream of these events and this body on. reply_of(stream): a reply to a
--- client, and the client.
return function(face, events, body, reply_of)
  local bytes = table.concat(events)
  local reply, client = reply_of(true)
  local ok, err = taken(bytes, face.stream, stub.upstream(bytes), reply)
  reply:close(err)
  local sent = client:bytes()
  if ok then luassert.equal(sent, bytes:sub(1, #sent)) end
  taken(body, face.decode, assert(json.index(body)), (reply_of(false)))
end

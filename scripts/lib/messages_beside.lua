-- Anthropic's Messages passed on to servers of others that speak them beside a chat's dialect.
-- They know the key as they know it everywhere; the version they may ask for is Anthropic's.

local pass = require "lib.messages_pass"

local beside = {}
for name, value in pairs(pass) do beside[name] = value end

local VERSION = "2023-06-01" -- where the client names none

--- What the client's head adds to the request's.
function beside.add_headers(call, dep, headers)
  pass.add_headers(call, dep, headers)
  headers["anthropic-version"] = headers["anthropic-version"] or VERSION
end

return beside

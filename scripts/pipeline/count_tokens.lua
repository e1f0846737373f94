-- How many input tokens a request has, answered at once: agents ask two dozen times in a go,
-- and a provider's answer would count against its limits.

local tokens = require "lib.tokens"

local count_tokens = {}

--- Answer a request that only wants its tokens counted. May wait.
function count_tokens.answer(call, reply)
  local dep = call.group.deployments[1]
  local n = tokens.count_call(call, dep and dep.model or call.model)
  reply:answer(200, reply.writer.counted(n))
end

return count_tokens

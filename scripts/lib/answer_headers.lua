-- The headers that every answer has: whose it is, and what became of the request.

local answer = {}

local NO_ROOM = {} -- known of any limit

--- Of a reply. All in one table's constructor: it grows for none of them but a provider's own.
function answer.headers(self, content_type, cost)
  local call = self.call
  local dropped = call.dropped
  local room = call.limit_headers or call.provider_headers or NO_ROOM -- a key's own come first
  local headers = {
    ["content-type"] = content_type,
    ["x-request-id"] = call.id,
    [self.writer.id_header or "x-request-id"] = call.id,
    ["x-moongate-request-id"] = call.id,
    ["x-moongate-attempts"] = tostring(#call.attempts),
    ["x-moongate-deployment"] = call.dep and call.dep.name,
    ["x-moongate-dropped"] = dropped[1] and table.concat(dropped, ",") or nil,
    ["x-moongate-cost"] = cost,
    ["x-moongate-clamped"] = call.clamped and ("%d"):format(call.clamped) or nil,
    ["x-ratelimit-limit-requests"] = room["x-ratelimit-limit-requests"],
    ["x-ratelimit-remaining-requests"] = room["x-ratelimit-remaining-requests"],
    ["x-ratelimit-reset-requests"] = room["x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens"] = room["x-ratelimit-limit-tokens"],
    ["x-ratelimit-remaining-tokens"] = room["x-ratelimit-remaining-tokens"],
    ["x-ratelimit-reset-tokens"] = room["x-ratelimit-reset-tokens"],
  }
  if room.anthropic and self.writer.dialect == "anthropic" then
    for name, value in pairs(room.anthropic) do headers[name] = value end
  end
  return headers
end

return answer

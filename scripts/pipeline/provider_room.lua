-- What a provider says of the room that its limits leave: headers that a client may see where
-- its key has no limits of its own. Anthropic's go to clients of its dialect only.

local room = {}

local X = {
  "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
  "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
}
local ANTHROPIC = {}
for _, what in ipairs { "requests", "tokens", "input-tokens", "output-tokens" } do
  for _, member in ipairs { "limit", "remaining", "reset" } do
    ANTHROPIC[#ANTHROPIC + 1] = ("anthropic-ratelimit-%s-%s"):format(what, member)
  end
end

local function all(upstream, names)
  local out = {}
  for _, name in ipairs(names) do out[name] = upstream:header(name) end
  return out
end

--- The headers of an answer, or false where it says nothing of it.
function room.read(upstream)
  if upstream:header "x-ratelimit-limit-requests" then return all(upstream, X) end
  if upstream:header "anthropic-ratelimit-requests-limit"
    or upstream:header "anthropic-ratelimit-tokens-limit" then
    return { anthropic = all(upstream, ANTHROPIC) }
  end
  return false
end

--- How many requests or tokens are left, by such headers; nil where they do not say.
function room.left(headers, kind)
  local own = headers.anthropic
  local text = own and own["anthropic-ratelimit-" .. kind .. "-remaining"]
    or headers["x-ratelimit-remaining-" .. kind]
  local n = tonumber(text)
  return n and n >= 0 and n < math.huge and n or nil
end

return room

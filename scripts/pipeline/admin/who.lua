-- Who asks on the admin listener, and what that lets them do.

local auth = require "pipeline.auth"
local engine_admin = require "engine.admin"

local who = {}

local LOCAL = { localhost = true, ["::1"] = true }

local function refusal(status, code, message)
  return { status = status, code = code, message = message }
end

--- Is this a page in a browser, or a name that is not ours? A page names its origin; a name
--- that was made to point here names a host that is not us. Where the listener is reached from
--- elsewhere it has names that we cannot know, and always a token, which no page has.
function who.is_stranger(request)
  if request:header("origin") or request:header_count("host") > 1 then return true end
  if engine_admin.status().admin_remote then return false end
  local host = (request:header("host") or ""):lower()
  host = host:match("^%[(.-)%]") or host:match("^([^:]*)")
  return not (LOCAL[host] or host:match("^127%.%d+%.%d+%.%d+$"))
end

-- The token of `Authorization: Bearer …`: nil without the header, false where it is none.
local function bearer(request)
  local value = request:header("authorization")
  if not value then return nil end
  local scheme, token = value:match("^(%a+)%s+(%S+)%s*$")
  return scheme and scheme:lower() == "bearer" and token or false
end

local function team_admin(key)
  if key.role == "team_admin" and key.team then
    return { role = "team_admin", id = key.id, name = key.name, team = key.team }
  end
  return nil, refusal(403, "not_permitted", "This key may not administer anything.")
end

local OPERATOR = { role = "operator" }

-- Who it is: an actor | nil, refusal
local function actor_of(request, cfg)
  if request:header_count("authorization") > 1 then
    return nil, refusal(400, "invalid_header", "The authorization header came more than once.")
  end
  local token = bearer(request)
  local is_admin = engine_admin.is_token(token or "")
  if token == nil then
    if is_admin == nil then return OPERATOR end
    return nil, refusal(401, "missing_api_key", "The admin token is needed: send it as "
      .. "'Authorization: Bearer TOKEN'.")
  end
  if is_admin then return OPERATOR end
  if not token then return nil, refusal(401, "invalid_api_key", "The API key is not valid.") end
  local key, why = auth.of_token(token, cfg, request.peer)
  if not key then return nil, why end
  return team_admin(key)
end

--- May this request do what the operation does? actor | nil, refusal. The actor of what is open
--- to all is {}.
function who.may(op, request, cfg)
  if op.who == "open" then return {} end
  if op.who == "scrape" and not engine_admin.status().admin_remote then return {} end
  local actor, why = actor_of(request, cfg)
  if not actor then return nil, why end
  if actor.role ~= "operator" and op.who ~= "team" then
    return nil, refusal(403, "not_permitted", "This is the operator's alone.")
  end
  return actor
end

return who

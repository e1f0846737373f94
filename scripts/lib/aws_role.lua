-- Keys of the role that a machine or a container in AWS's cloud has: what is asked of the
-- address that gives them out there, and what its answers say. A machine is asked three times
-- (docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html), a
-- container once (docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).

local json = require "engine.json"

local role = {}

role.METADATA = "http://169.254.169.254"

local ROLES = "/latest/meta-data/iam/security-credentials/"
local SESSION_SECONDS = "300"  -- of the machine's word that lets us ask on
local LEAST, MOST = 60, 24 * 3600

-- Questions -----------------------------------------------------------------------------

local function get(url, headers)
  headers.accept, headers["user-agent"] = "*/*", "moongate"
  return { url = url, method = "GET", headers = headers }
end

local function of_machine(source, so_far)
  local base = source.token_url
  if not so_far.session then
    local first = get(base .. "/latest/api/token", {
      ["x-aws-ec2-metadata-token-ttl-seconds"] = SESSION_SECONDS,
    })
    first.method, first.body = "PUT", ""
    return first
  end
  return get(base .. ROLES .. (so_far.role or ""), {
    ["x-aws-ec2-metadata-token"] = so_far.session,
  })
end

--- The next question. `so_far` is an empty table at first; read() fills it.
function role.request(source, so_far)
  if source.aws == "machine" then return of_machine(source, so_far) end
  return get(source.token_url, { authorization = source.client_secret })
end

-- Answers -------------------------------------------------------------------------------

-- "2026-11-22T21:15:00Z" → seconds since 1970; nil for what is no such time.
local function seconds_of(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second =
    text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)")
  if not year then return nil end
  local early = math.floor((14 - month) / 12) -- years begin in March here
  local y, m = year + 4800 - early, month + 12 * early - 3
  local days = day + math.floor((153 * m + 2) / 5) + 365 * y + math.floor(y / 4)
    - math.floor(y / 100) + math.floor(y / 400) - 32045 - 2440588
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

local function word(value, most)
  return type(value) == "string" and #value > 0 and #value <= most
    and not value:find("[%c%s]") and value or nil
end

local function keys_of(bytes, now)
  local body = json.decode(bytes)
  if type(body) ~= "table" then return nil, "no keys" end
  local keys = {
    access_key_id = word(body.AccessKeyId, 256),
    secret_access_key = word(body.SecretAccessKey, 256),
    session_token = word(body.Token, 16384),
  }
  if not (keys.access_key_id and keys.secret_access_key and keys.session_token) then
    return nil, "no keys"
  end
  local ends = seconds_of(body.Expiration)
  local life = ends and math.max(LEAST, math.min(ends - now, MOST)) or LEAST
  return keys.session_token, life, keys
end

--- What an answer says: the session's token, seconds, and the keys; or false, where there is
--- another question; or nil and what is wrong.
function role.read(status, bytes, source, so_far, now)
  if status ~= 200 then return nil, ("answered %d, and no keys"):format(status) end
  if source.aws == "container" or so_far.role then return keys_of(bytes, now) end
  local said = word(bytes:match("^[^\r\n]*"), 1024)
  if not said then return nil, so_far.session and "has no role" or "says nothing" end
  if not so_far.session then
    so_far.session = said
  elseif said:find("^[%w+=,.@_-]+$") then
    so_far.role = said
  else
    return nil, "names a role that cannot be one"
  end
  return false
end

return role

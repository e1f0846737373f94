-- oauth { … }: where a provider's access tokens come from. What it returns is an empty table,
-- which the `token` of a provider takes; the session knows what it stands for.

local json = require "engine.json"
local kinds = require "config.kinds"
local oauth = require "lib.oauth"
local place = require "config.place"
local role = require "lib.aws_role"
local void = require "config.void"

local words = {}

-- A service account's key file: https://cloud.google.com/iam/docs/keys-create-delete.
local function service_account(value, at)
  local account = type(value) == "string" and json.decode(value)
  if type(account) ~= "table" or type(account.private_key) ~= "string" then
    return nil, 'must be the text of a service account\'s key, such as file "vertex.json"'
  end
  at:secret(account.private_key)
  for _, name in ipairs { "client_email", "token_uri" } do
    if type(account[name]) ~= "string" then return nil, "has no " .. name end
  end
  local uri, problem = kinds.url(account.token_uri)
  if not uri then return nil, "has a token_uri that " .. problem end
  local signed = oauth.assertion(account, "", 0)
  if not signed then return nil, "has a private_key that is no RSA key in PEM" end
  return account
end

local LOCAL = {
  "^localhost$", "^127%.%d+%.%d+%.%d+$", "^10%.%d+%.%d+%.%d+$", "^192%.168%.%d+%.%d+$",
  "^172%.1[6-9]%.%d+%.%d+$", "^172%.2%d%.%d+%.%d+$", "^172%.3[01]%.%d+%.%d+$",
  "^169%.254%.%d+%.%d+$", "^%[::1%]$", "^%[f[cd]%x%x:[%x:]+%]$",
}

-- Secrets go to a token endpoint: never in the clear, save within a network of one's own.
local function token_url(value)
  local url, problem = kinds.url(value)
  if not url then return nil, problem end
  local host = url:match("^http://(%[[^%]]*%])") or url:match("^http://([^/:]+)")
  if not host then return url end
  for _, pattern in ipairs(LOCAL) do
    if host:find(pattern) then return url end
  end
  return nil, "must be https, or on this machine or a private network"
end

words.schema = {
  fields = {
    service_account = service_account, token_url = token_url, client_id = kinds.text,
    client_secret = kinds.secret, scope = kinds.text, metadata = kinds.flag,
    aws = kinds.one_of { "machine", "container" },
  },
}

local function of_account(at, source)
  local account = source.service_account
  if source.client_id or source.client_secret then
    return at:error("has a service_account and a client's credentials; one of them is enough")
  end
  if not source.token_url and account.token_uri:find("^http:") then
    return at:error("service_account has a token_uri that is not https", "service_account")
  end
  source.account, source.service_account = account, nil
  source.token_url = source.token_url or account.token_uri
  source.scope = source.scope or oauth.SCOPE
  source.project = type(account.project_id) == "string" and account.project_id or nil
  return true
end

local function of_client(at, source)
  for _, name in ipairs { "token_url", "client_id", "client_secret" } do
    if source[name] == nil then
      return at:error(("needs a service_account, or the field \"%s\""):format(name))
    end
  end
  return true
end

-- The first of these fields that is given.
local function idle(source, ...)
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    if source[name] then return name end
  end
  return nil
end

local function of_machine(at, source)
  local odd = idle(source, "service_account", "client_id", "client_secret", "scope")
  if odd then return at:error(("asks the machine; %s says nothing then"):format(odd), odd) end
  source.token_url = source.token_url or oauth.METADATA
  return true
end

local function of_role(at, source)
  local odd = idle(source, "service_account", "client_id", "metadata", "scope")
  if odd then
    return at:error(("asks for a role's keys; %s says nothing then"):format(odd), odd)
  end
  if source.aws == "container" and not source.token_url then
    return at:error('needs the field "token_url" for a container\'s role')
  end
  source.token_url = source.token_url or role.METADATA
  return true
end

--- What `oauth { … }` builds.
function words.declare(session, fields, line)
  local at = place.new(session, "oauth", line)
  local source = at:check(fields, words.schema)
  for _, value in pairs(source) do
    if value == void then return void end -- it has been spoken of
  end
  local finish = source.aws and of_role or source.metadata and of_machine
    or source.service_account and of_account or of_client
  if not finish(at, source) then return void end
  local token = {}
  session.oauths[token] = source
  return token
end

--- The kind of a provider's `token`: what oauth() returned, or the text of one that is fetched
--- by somebody else.
function words.token(value, at)
  local source = at.session.oauths[value]
  if source then return source end
  if type(value) ~= "string" then
    return nil, ("must be oauth { … } or a text, such as env.NAME, not %s"):format(
      kinds.name(value))
  end
  local fixed, problem = kinds.secret(value, at)
  return fixed and { fixed = fixed }, problem
end

return words

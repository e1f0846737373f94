-- What Amazon's services have in common: where they are, and how a request says who asks.

local sigv4 = require "lib.sigv4"

local aws = {}

--- The fields of a provider. Either an api_key (of Bedrock: it is sent as it is), or the keys
--- that requests are signed with.
aws.fields = {
  region            = { type = "string", required = true },
  access_key_id     = { secret = true },
  secret_access_key = { secret = true },
  session_token     = { secret = true },
}
aws.needs = { "api_key", "access_key_id", "token" }

--- What is wrong with a provider's fields; nil where nothing is.
function aws.problem(provider)
  if not provider.access_key_id or provider.secret_access_key then return nil end
  return "has an access_key_id and no secret_access_key"
end

--- A text as one segment of a path. Nothing of it is read as a step up or down.
function aws.segment(text)
  if text:find("^%.+$") then return (text:gsub("%.", "%%2E")) end
  return sigv4.escape(text)
end

-- https://docs.aws.amazon.com/general/latest/gr/rande.html
local function domain_of(region)
  return region:find("^cn%-") and "amazonaws.com.cn" or "amazonaws.com"
end

--- Where a service is, as a function of its deployment.
function aws.address(service, tail)
  return function(dep)
    local region = dep.provider.region
    return ("https://%s.%s.%s%s"):format(service, region, domain_of(region), tail or "")
  end
end

--- An adapter's `sign` for a service, with `keys` of a role where the provider's token is one;
--- it does nothing where there is a key or a token that is sent as it is.
function aws.signer(service)
  return function(request, dep, keys)
    local provider = dep.provider
    if provider.api_key or provider.token and not keys then return end
    keys = keys or provider
    sigv4.sign(request, {
      access_key_id = keys.access_key_id, region = provider.region, service = service,
      secret_access_key = keys.secret_access_key, session_token = keys.session_token,
    })
  end
end

return aws

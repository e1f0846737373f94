-- AWS Signature Version 4:
-- https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

local crypto = require "engine.crypto"
local percent = require "lib.percent"
local time = require "engine.time"

local sigv4 = {}

local ALGORITHM = "AWS4-HMAC-SHA256"

---@class AwsCredentials
---@field access_key_id string
---@field secret_access_key string
---@field session_token string?
---@field region string
---@field service string

--- Text as one segment of a path: all but letters, digits and -._~ escaped.
sigv4.escape = percent.encode

-- scheme, host (with its port where that is not the usual one, as clients say it), path, query
local function parts_of(url)
  local scheme, host, rest = url:match("^(%w+)://([^/?#]+)([^#]*)")
  local path, query = rest:match("^([^?]*)%??(.*)$")
  host = host:gsub("^.*@", ""):lower()
  host = host:gsub(scheme == "https" and ":443$" or ":80$", "")
  return host, path ~= "" and path or "/", query
end

-- The path as it is sent, escaped once more, as for all services but S3.
local function canonical_path(path)
  return (path:gsub("[^/]+", sigv4.escape))
end

-- Parameters as they are sent, by name and then by value.
local function canonical_query(query)
  local list = {}
  for item in query:gmatch("[^&]+") do
    local name, value = item:match("^([^=]*)=?(.*)$")
    list[#list + 1] = { name, value }
  end
  table.sort(list, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i, item in ipairs(list) do list[i] = item[1] .. "=" .. item[2] end
  return table.concat(list, "&")
end

-- What is signed of the headers: their lines, and their names.
local function canonical_headers(host, headers)
  local signed, names, lines = { host = host }, {}, {}
  for name, value in pairs(headers) do
    name = name:lower()
    if name == "content-type" or name:find("^x%-amz%-") then signed[name] = value end
  end
  for name in pairs(signed) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = signed[name]:gsub("^%s+", ""):gsub("%s+$", ""):gsub(" +", " ")
    lines[i] = name .. ":" .. value .. "\n"
  end
  return table.concat(lines), table.concat(names, ";")
end

--- The request in the one form that both sides sign, and the names of its signed headers.
function sigv4.canonical(request)
  local host, path, query = parts_of(request.url)
  local headers, names = canonical_headers(host, request.headers)
  return table.concat({
    request.method, canonical_path(path), canonical_query(query), headers, names,
    crypto.sha256(request.body or ""),
  }, "\n"), names
end

-- The key of a day, a region and a service.
local function key_of(credentials, day)
  local key = "AWS4" .. credentials.secret_access_key
  for _, part in ipairs { day, credentials.region, credentials.service, "aws4_request" } do
    key = crypto.hmac_sha256_raw(key, part)
  end
  return key
end

--- Sign a request { method, url, headers, body }, into its headers. `now` in seconds since
--- 1970, the present where it is not given.
---@param credentials AwsCredentials
function sigv4.sign(request, credentials, now)
  local stamp = time.iso(now or time.now()):gsub("%.%d+", ""):gsub("[-:]", "")
  local scope = ("%s/%s/%s/aws4_request"):format(stamp:sub(1, 8), credentials.region,
    credentials.service)
  local headers = request.headers
  headers["x-amz-date"], headers["x-amz-security-token"] = stamp, credentials.session_token
  local canonical, names = sigv4.canonical(request)
  local text = table.concat({ ALGORITHM, stamp, scope, crypto.sha256(canonical) }, "\n")
  local signature = crypto.hmac_sha256(key_of(credentials, stamp:sub(1, 8)), text)
  headers.authorization = ("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s"):format(
    ALGORITHM, credentials.access_key_id, scope, names, signature)
end

return sigv4

-- Certificates of a test's own, made with openssl: an authority, and servers' of all kinds.

local process = require "support.process"

local certificates = {}

local CONFIG = [[
[ca]
default_ca = own
[own]
dir = %s
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
]]

local function run(args)
  local status, out, err = process.run(args)
  if status ~= 0 then error(table.concat(args, " ") .. ":\n" .. out .. err, 2) end
end

local Authority = {}
Authority.__index = Authority

local function key_of(path)
  run { "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
    "-out", path }
  return path
end

--- An authority in a folder of its own; .file is its certificate.
function certificates.authority(name)
  local dir = process.temp_dir()
  local self = setmetatable({ dir = dir, file = dir .. "/ca.crt" }, Authority)
  self.key = key_of(dir .. "/ca.key")
  process.write(dir .. "/config", CONFIG:format(dir))
  process.write(dir .. "/index", "")
  process.write(dir .. "/serial", "1000\n")
  run { "openssl", "req", "-x509", "-new", "-key", self.key, "-days", "30", "-subj",
    "/CN=" .. (name or "test authority"), "-out", self.file }
  return self
end

--- A server's { certificate, key }. want: name, san ("IP:127.0.0.1"), from, to (YYYYMMDD…Z).
function Authority:server(want)
  local at = self.dir .. "/" .. want.name
  local files = { certificate = at .. ".crt", key = key_of(at .. ".key") }
  run { "openssl", "req", "-new", "-key", files.key, "-subj", "/CN=" .. want.name, "-addext",
    "subjectAltName=" .. (want.san or "IP:127.0.0.1"), "-out", at .. ".csr" }
  run { "openssl", "ca", "-batch", "-notext", "-config", self.dir .. "/config", "-cert",
    self.file, "-keyfile", self.key, "-in", at .. ".csr", "-out", files.certificate,
    "-startdate", want.from or "20200101000000Z", "-enddate", want.to or "20491231000000Z" }
  return files
end

--- A server's that nobody signed but itself.
function Authority:lonely(name)
  local at = self.dir .. "/" .. name
  local files = { certificate = at .. ".crt", key = key_of(at .. ".key") }
  run { "openssl", "req", "-x509", "-new", "-key", files.key, "-days", "30", "-subj",
    "/CN=" .. name, "-addext", "subjectAltName=IP:127.0.0.1", "-out", files.certificate }
  return files
end

function Authority:remove() require("helper").remove_tree(self.dir) end

return certificates

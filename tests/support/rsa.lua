-- RSA keys made when a test begins, and signatures checked by the openssl program: what the
-- gateway signs is believed to nobody but another implementation.

local process = require "support.process"

local rsa = {}

local function run(...)
  local status, out, err = process.run({ "openssl", ... }, {})
  assert(status == 0, err)
  return out
end

--- A new private key, in PEM (PKCS#8, as Google's files have it).
function rsa.key(bits)
  return run("genpkey", "-algorithm", "RSA", "-pkeyopt",
    "rsa_keygen_bits:" .. (bits or 2048))
end

--- A private key that is no RSA key.
function rsa.elliptic()
  return run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
end

--- What a command of openssl with these arguments makes of a key, which is the last of them.
function rsa.convert(...)
  local args = { ... }
  local path = os.tmpname()
  process.write(path, table.remove(args))
  args[#args + 1], args[#args + 2] = "-in", path
  local out = run(unpack(args))
  os.remove(path)
  return out
end

--- Is `signature` that of `text` by `key`, as RS256 makes it?
function rsa.verify(key, text, signature)
  local dir = process.temp_dir()
  for name, bytes in pairs { key = key, text = text, signature = signature } do
    process.write(dir .. "/" .. name, bytes)
  end
  local _, out = process.run({ "openssl", "dgst", "-sha256", "-prverify", dir .. "/key",
    "-signature", dir .. "/signature", dir .. "/text" }, {})
  for _, name in ipairs { "key", "text", "signature" } do os.remove(dir .. "/" .. name) end
  os.remove(dir)
  return out:find "Verified OK" ~= nil
end

return rsa

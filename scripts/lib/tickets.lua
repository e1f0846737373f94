-- The ids by which clients know what providers keep for them, files and batches: the provider's
-- own, and behind it who has it and whose it is, under the pepper.
--
--   file-abc123-mg0011223300112233445566778899aabbccddeeff
--
-- So nothing has to be remembered, over restarts and by several gateways alike: who was not
-- given an id by a gateway cannot say it, and another team's is as good as none.

local crypto = require "engine.crypto"
local keyring = require "engine.keyring"

local tickets = {}

local LONGEST = 200 -- bytes of a provider's own id

local function account_of(provider)
  return crypto.sha256(provider):sub(1, 8)
end

local function seal(provider, owner, id)
  local text = table.concat({ "kept", provider, owner, id }, "\0")
  return crypto.hex(keyring.hash(text):sub(1, 16))
end

--- Whose things a key's are: its team's, else its own.
function tickets.owner(key)
  if key.team then return "team\0" .. key.team end
  return "key\0" .. (key.id or key.name)
end

--- The client's id of what `provider` (a name of routes.lua) calls `id`.
function tickets.mint(provider, owner, id)
  return ("%s-mg%s%s"):format(id, account_of(provider), seal(provider, owner, id))
end

--- An id as a client says it: { id, account, seal }, or nil where it is none of ours.
function tickets.read(text)
  if type(text) ~= "string" then return nil end
  local id, account, sealed = text:match("^([%w_-]+)%-mg(%x%x%x%x%x%x%x%x)(%x+)$")
  if not id or #id > LONGEST or #sealed ~= 32 then return nil end
  return { id = id, account = account, seal = sealed }
end

--- May `provider` be the one that has it?
function tickets.is_at(ticket, provider)
  return ticket.account == account_of(provider)
end

--- Was it given to `owner`, of what `provider` has?
function tickets.is_good(ticket, provider, owner)
  return crypto.equal(ticket.seal, seal(provider, owner, ticket.id))
end

return tickets

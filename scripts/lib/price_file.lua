-- DATA/prices: a table of prices with a head that says where it is from, and a last line that
-- no byte of it can be changed or lost without. `moongate prices import` writes it, the gateway
-- reads it when it starts and at each reload.
--
--   moongate prices 1
--   date 2026-07-24
--   source model_prices_and_context_window.json
--   source-sha256 …
--
--   [openai]
--   …
--   sha256 …

local price_table = require "lib.price_table"

local price_file = {}

local FIRST = "moongate prices 1\n"

--- The bytes of such a file. about = { date, source, source_sha256 }; sha256 is a function.
function price_file.write(body, about, sha256)
  local text = ("%sdate %s\nsource %s\nsource-sha256 %s\n\n%s"):format(FIRST, about.date,
    about.source, about.source_sha256, body)
  return ("%ssha256 %s\n"):format(text, sha256(text))
end

local function head(text)
  local date, source, sum, body = text:match(
    "^moongate prices 1\ndate ([%d-]+)\nsource ([^\n]+)\nsource%-sha256 (%x+)\n\n(.*)$")
  if not date then return nil end
  return { date = date, source = source, source_sha256 = sum }, body
end

--- The bytes of such a file → a table (lib/price_table.lua), or nil and why not. Where `sha256`
--- is nil, somebody has compared the last line already.
function price_file.read(bytes, sha256)
  if bytes:sub(1, #FIRST) ~= FIRST then return nil, "it is no table of prices" end
  local text, sum = bytes:match("^(.*\n)sha256 (%x+)\n$")
  if not text then return nil, "its end is missing" end
  if sha256 and sha256(text) ~= sum then return nil, "it was changed after it was written" end
  local about, body = head(text)
  if not about then return nil, "its head is damaged" end
  about.sha256 = sum
  return price_table.open(body, about)
end

-- What the gateway was given; nothing where scripts run without one.
function price_file.given()
  if not package.preload["engine.vm"] and not package.loaded["engine.vm"] then return nil end
  local bytes = require("engine.vm").source("prices")
  return bytes and price_file.read(bytes)
end

return price_file

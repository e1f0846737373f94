-- Recorded exchanges beside chats: images, sound, moderations, documents put in order, pages,
-- files and batches. What was sent reaches a provider of the same kind byte for byte, and so
-- does its answer the client, but for ids of what is kept.

local pair = require "support.pair"
local recordings = require "support.recordings"

local PATHS = {
  images = true, audio = true, moderations = true, rerank = true, ocr = true, batches = true,
  files = true,
}
-- As what a provider is declared; all others speak OpenAI's words.
local ADAPTERS = {
  anthropic = "anthropic", cohere = "cohere", mistral = "mistral", openrouter = "openrouter",
  xai = "xai", refusing = "anthropic", -- who refuses a key rests for a while
}
-- Not this gateway's, and why.
local OTHERS = {
  ["/v1/chat/moderations"] = "moderations of chats are Mistral's own",
  ["/upload/v1beta/files"] = "files of Google's have an upload in steps",
}

describe("recorded exchanges of what is no chat", function()
  local list, recorded = recordings(PATHS)
  if not list then return end

  local up, gw = pair.once(function(up)
    local routes = { ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
model "openai/*" { provider "openai_compatible" { name = "o", base_url = "%s/v1" } "*" }
]]):format(up:url "openai") }
    for name, adapter in pairs(ADAPTERS) do
      routes[#routes + 1] = ([[
model "%s/*" { provider "%s" { name = "a-%s", api_key = "k", base_url = "%s/v1" } "*" }
]]):format(name, adapter, name, up:url(name))
    end
    return { loud = true, routes = table.concat(routes) }
  end)

  local function group_of(exchange)
    if exchange.response.status == 401 then return "refusing" end
    return ADAPTERS[exchange.provider] and exchange.provider or "openai"
  end

  -- The model's name in a body, or in a part of a form, with what stands before it.
  local function named(text, name)
    local changed, n = text:gsub('("model"%s*:%s*")([^"]*)', function(head, old)
      return head .. name(old)
    end, 1)
    if n > 0 then return changed end
    return (text:gsub('(name="?model"?\r\n\r\n)([^\r]*)', function(head, old)
      return head .. name(old)
    end, 1))
  end

  local function has_model(text) return named(text, function() return "\1" end) ~= text end

  local function serve(exchange, group, text)
    local answer = exchange.response
    local body = answer.text or ""
    up:reply(group, {
      status = answer.status, body = body, stream = exchange.stream and "drip" or nil,
      headers = { ["content-type"] = answer.headers["content-type"] or "application/json" },
    })
    local headers = { ["x-moongate-model"] = group .. "/any" }
    for name, value in pairs(exchange.request.headers) do headers[name] = value end
    headers["content-type"] = headers["content-type"] or "application/json"
    local path = exchange.request.path:gsub("^/api", "")
    return gw:request { method = "POST", path = path, body = text, headers = headers }
  end

  local function without_ids(text)
    return (text:gsub("%-mg%x+", ""):gsub('"input_file_id":"[^"]*"', ""))
  end

  local function check_answer(exchange, response)
    local want = exchange.response
    if want.status ~= 200 then
      return assert.is_true(response.status >= 400, response.status)
    end
    assert.equal(200, response.status, response.body)
    local kind = want.headers["content-type"]
    if not kind:find "json" then assert.equal(kind, response.headers["content-type"]) end
    local same = without_ids(want.text) == without_ids(response.body)
    assert.is_true(same, response.body:sub(1, 300))
  end

  local function check_row(exchange)
    local row = gw:last_row()
    local usage = type(exchange.response.body) == "table" and exchange.response.body.usage
    if not usage or not usage.input_tokens then return end
    assert.same({ usage.input_tokens, usage.output_tokens },
      { row.tokens.input, row.tokens.output })
  end

  -- A batch is made of a file that was made here.
  local function with_file(exchange, group)
    up:reply(group, { body = '{"id":"file-FqLLytrEaPH6hmSPXTr1db"}' }, 1)
    local made = gw:request {
      method = "POST", path = "/v1/files", headers = {
        ["x-moongate-model"] = group .. "/any",
        ["content-type"] = "multipart/form-data; boundary=b",
      },
      body = "--b\r\nContent-Disposition: form-data; name=purpose\r\n\r\nbatch\r\n--b--\r\n",
    }
    local id = made.body:match '"id":"([^"]*)"'
    up:reset()
    return (exchange.request.text:gsub('("input_file_id"%s*:%s*")[^"]*', "%1" .. id))
  end

  for _, path in ipairs(list) do
    local exchange = recorded.load(path)
    local why = OTHERS[exchange.request.path]
    it(path, function()
      if why then
        local response = gw:request {
          method = "POST", path = exchange.request.path, body = "{}",
          headers = { ["content-type"] = "application/json" },
        }
        return assert.equal(404, response.status, why)
      end
      local group, text = group_of(exchange), exchange.request.text
      local asked = has_model(text) and exchange.api ~= "batches"
        and named(text, function(old) return group .. "/" .. old end)
      if text:find '"input_file_id"' then asked = with_file(exchange, group) end
      local response = serve(exchange, group, asked or text)
      assert.is_true(up:last(group).body == text, up:last(group).body:sub(1, 500))
      local place = exchange.request.path:match "/v%d(/.*)"
      assert.is_truthy(up:last(group).path:find(place, 1, true))
      check_answer(exchange, response)
      check_row(exchange)
    end)
  end
end)

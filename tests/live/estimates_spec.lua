-- What is billed where a provider does not say: an estimate, flagged, and near the truth.
-- Recorded answers are played with their usage left out, and their rows compared with it.

local helper = require "helper"
local pair = require "support.pair"
local recordings = require "support.recordings"

describe("usage that a provider leaves out", function()
  local list, recorded = recordings { chat_completions = true }
  if not list then return end

  local up, gw = pair.once(function(up)
    return { loud = true, routes = ([[
defaults { retries = 0, cooldown = { allowed_fails = 100000 } }
model "*" { provider "openai_compatible" { name = "o", base_url = "%s/v1" } "*" }
]]):format(up:url "one") }
  end)

  local function without_usage(answer)
    local body = helper.json.decode(answer)
    local usage = body.usage
    body.usage = nil
    return helper.json.encode(body), usage
  end

  -- Whole answers in text, of models whose words are all there to count.
  local function is_fit(exchange)
    local f = exchange.has
    local apart = f.thinking or f.tools or f.tool_call or f.vision or f.audio_in
      or f.audio_out or f.document or f.n_choices or f.server_tools
    return not (apart or exchange.broken or exchange.stream) and exchange.request.text
      and exchange.response.text
  end

  it("B-34: is estimated within 10 % over all that was recorded, and flagged", function()
    local estimated, reported, rows = 0, 0, 0
    for _, path in ipairs(list) do
      local exchange = recorded.load(path)
      local body, usage
      if is_fit(exchange) then body, usage = without_usage(exchange.response.text) end
      local details = usage and usage.completion_tokens_details
      local thought = type(details) == "table" and tonumber(details.reasoning_tokens) or 0
      if usage and usage.prompt_tokens and thought == 0 then
        up:reset()
        up:reply("one", { body = body })
        if gw:chat(exchange.request.text).status == 200 then
          rows = rows + 1
          local line = helper.wait_until(function()
            local used = gw:rows()
            return #used >= rows and used[#used]
          end, 5, "a row")
          assert.is_true(line.estimated)
          estimated = estimated + line.tokens.input + line.tokens.output
          reported = reported + usage.prompt_tokens + usage.completion_tokens
        end
      end
    end
    assert.is_true(rows >= 15, rows .. " recordings")
    local off = math.abs(estimated - reported) / reported
    assert.is_true(off <= 0.1, ("%d estimated, %d reported"):format(estimated, reported))
  end)
end)

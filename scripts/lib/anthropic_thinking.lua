-- How much Anthropic's models are to think, from a chat's reasoning_effort.

local chat = require "lib.chat"
local json = require "engine.json"

local thinking = {}

local BUDGETS = {
  minimal = 1024, low = 1024, medium = 2048, high = 4096, xhigh = 8192, max = 16384,
}
local EFFORTS = {
  minimal = "low", low = "low", medium = "medium", high = "high", xhigh = "xhigh", max = "max",
}
local LEAST_BUDGET = 1024

local function adaptive(effort, model)
  if effort == "none" then return { type = "disabled" } end
  local word = EFFORTS[effort]
  if word == "xhigh" and not model.xhigh then word = "high" end
  return { type = "adaptive" }, { effort = word }
end

-- With a budget, a turn that called tools must begin with the thought that led there.
local function budget(effort, about)
  if effort == "none" then return nil end
  local tokens = math.min(BUDGETS[effort], about.max_tokens - 1)
  if tokens < LEAST_BUDGET or about.after_tools then return nil, nil, true end
  return json.object({ "type", "budget_tokens" }, { type = "enabled", budget_tokens = tokens })
end

---@class AnthropicAbout
---@field max_tokens number     of the answer
---@field forced boolean?       a tool has to be called
---@field after_tools boolean?  the last turn of the assistant called tools, its thought is gone

--- thinking, output_config for the effort asked for; names the hint where it cannot be taken.
---@param about AnthropicAbout
function thinking.of(call, model, about)
  local wanted, effort = call.body.thinking, call.body.reasoning_effort
  if type(wanted) == "table" then return wanted end
  if not chat.given(effort) then return nil end
  local made, config, refused
  if BUDGETS[effort] and model.thinking and not about.forced or effort == "none" then
    if model.thinking == "adaptive" then
      made, config = adaptive(effort, model)
    elseif model.thinking == "budget" then
      made, config, refused = budget(effort, about)
    end
  else
    refused = true
  end
  if refused then call:drop("reasoning_effort") end
  return made, config
end

return thinking

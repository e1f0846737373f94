-- A chat completions call as a request to Bedrock's Converse.
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html

local chat = require "lib.chat"
local chat_length = require "lib.chat_length"
local fit = require "lib.fit"
local json = require "engine.json"
local messages = require "lib.converse_messages"
local models = require "lib.converse_models"
local sampling = require "lib.anthropic_sampling"
local thinking = require "lib.anthropic_thinking"
local tools = require "lib.converse_tools"
local values = require "lib.values"

local request = {}

local given = values.given

local KNOWN = fit.known {
  "max_completion_tokens", "max_tokens", "parallel_tool_calls", "reasoning_effort",
  "response_format", "service_tier", "stop", "temperature", "thinking", "tool_choice", "tools",
  "top_k", "top_p",
}

local ORDER = {
  "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig",
  "additionalModelRequestFields", "outputConfig", "serviceTier",
}
local INFERENCE = { "maxTokens", "temperature", "topP", "stopSequences" }
local ADDITIONAL = {
  "thinking", "output_config", "tool_choice", "top_k", "inferenceConfig", "reasoningConfig",
  "reasoning_effort",
}

local VISIBLE = "%S" -- Anthropic's models refuse stops that are white space

local function some(t) return next(t) ~= nil and t or nil end

-- Thought --------------------------------------------------------------------------

local function last_called(turns)
  for i = #turns, 1, -1 do
    if turns[i].role == "assistant" then
      local content = turns[i].content
      return content[#content].toolUse ~= nil and not content[1].reasoningContent
    end
  end
  return false
end

local CLAUDE = {}

-- An Anthropic model's own words travel beside Converse's.
function CLAUDE.fill(call, model, state)
  local claude, own = model.claude, {}
  state.more.thinking, state.more.output_config = thinking.of(call, claude, {
    max_tokens = state.inference.maxTokens or claude.max_tokens, forced = state.forced,
    after_tools = last_called(state.where.turns),
  })
  own.thinking = state.more.thinking
  sampling.add(call, claude, own)
  state.inference.temperature, state.inference.topP = own.temperature, own.top_p
  state.more.top_k, state.more.tool_choice = own.top_k, state.own_choice
end

-- Only those have that word.
local function no_thinking(call, state)
  if not chat.given(call.body.thinking) then return end
  fit.refuse(call, state.where.dep, "thinking", "does not take `thinking`.")
end

local NOVA = {}

local NOVA_EFFORTS = {
  minimal = "low", low = "low", medium = "medium", high = "high", xhigh = "high", max = "high",
}

-- https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html: with the
-- highest effort neither a limit nor a way of sampling may be said.
local function nova_thought(call, model, state)
  local wanted = given(call.body.reasoning_effort)
  if wanted == nil or wanted == "none" then return end
  local effort = NOVA_EFFORTS[wanted]
  if model.nova < 2 or not effort then return call:drop("reasoning_effort") end
  if effort == "high" and state.inference.maxTokens then effort = "medium" end
  state.more.reasoningConfig = json.object({ "type", "maxReasoningEffort" },
    { type = "enabled", maxReasoningEffort = effort })
  if effort ~= "high" then return end
  local said = state.inference
  if said.temperature ~= nil then said.temperature = call:drop("temperature") end
  if said.topP ~= nil then said.topP = call:drop("top_p") end
end

function NOVA.fill(call, model, state)
  no_thinking(call, state)
  nova_thought(call, model, state)
  local top_k = given(call.body.top_k)
  if top_k ~= nil then state.more.inferenceConfig = { topK = top_k } end
end

local OTHERS = {}

function OTHERS.fill(call, model, state)
  no_thinking(call, state)
  local effort = given(call.body.reasoning_effort)
  if model.openai and effort ~= "none" then
    state.more.reasoning_effort = effort
  elseif effort ~= nil then
    call:drop("reasoning_effort")
  end
  if chat.given(call.body.top_k) then call:drop("top_k") end
end

local function family(model)
  return model.claude and CLAUDE or model.nova and NOVA or OTHERS
end

-- Shapes of answers ------------------------------------------------------------------

local function format(call, dep, model)
  local wanted = given(call.body.response_format)
  if type(wanted) ~= "table" or wanted.type == "text" then return nil end
  local said = chat.table_or_empty(wanted.json_schema)
  if wanted.type ~= "json_schema" or model.schema == false or not chat.given(said.schema) then
    return fit.refuse(call, dep, "response_format",
      ("does not take a `response_format` of type %s."):format(tostring(wanted.type)))
  end
  local schema = json.object({ "name", "description", "schema" }, {
    name = type(said.name) == "string" and said.name or "answer",
    description = type(said.description) == "string" and said.description or nil,
    schema = json.text(said.schema),
  })
  return {
    textFormat = json.object({ "type", "structure" }, {
      type = "json_schema", structure = { jsonSchema = schema },
    }),
  }
end

local TIERS = { default = "default", flex = "flex", priority = "priority" }

local function service_tier(call)
  local wanted = given(call.body.service_tier)
  if wanted == nil or wanted == "auto" then return nil end
  if not TIERS[wanted] then return call:drop("service_tier") end
  return { type = TIERS[wanted] }
end

local function guardrail(dep)
  local id = dep.provider.guardrail
  if not id then return nil end
  return json.object({ "guardrailIdentifier", "guardrailVersion" }, {
    guardrailIdentifier = id, guardrailVersion = dep.provider.guardrail_version or "DRAFT",
  })
end

-- The whole body ---------------------------------------------------------------------

--- The body of the request; the model stands in the path.
function request.encode(call, dep)
  fit.fields(call, dep, KNOWN)
  local model = models.of(dep.model)
  local where = messages.encode(call, dep, model)
  local config, own_choice, forced = tools.encode(call, where)
  local state = {
    where = where, forced = forced, own_choice = own_choice, more = {},
    inference = {
      maxTokens = chat_length.max_tokens(call.body, dep),
      stopSequences = chat_length.stops_with(call, model.claude and VISIBLE or "."),
      temperature = given(call.body.temperature), topP = given(call.body.top_p),
    },
  }
  family(model).fill(call, model, state)
  return json.object(ORDER, {
    messages = where.turns, system = some(where.system),
    inferenceConfig = some(state.inference) and json.object(INFERENCE, state.inference),
    toolConfig = config, guardrailConfig = guardrail(dep),
    additionalModelRequestFields = some(state.more) and json.object(ADDITIONAL, state.more),
    outputConfig = format(call, dep, model), serviceTier = service_tier(call),
  })
end

return request

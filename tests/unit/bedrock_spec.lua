-- Bedrock's addresses, credentials, errors, and what its models are not told.

require "engine"

local bedrock = require "providers.bedrock"
local converse = require "lib.converse_models"
local errors = require "lib.converse_errors"
local json = require "engine.json"
local openai = require "providers.bedrock_openai"
local provider_error = require "lib.provider_error"
local stub = require "tools.stub"

local KEYS = {
  region = "us-east-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "wJalrXUtnFEMI",
}

local function deployment(model, more, provider)
  local fields = { region = "us-east-1" }
  for name, value in pairs(provider or {}) do fields[name] = value end
  return stub.deployment("bedrock", model, more, fields)
end

local function url(adapter, dep, call)
  local path = adapter.path
  return adapter.base_url(dep) .. path(dep, call or {})
end

describe("bedrock's address", function()
  it("holds the region and the model, escaped", function()
    local dep = deployment "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
    local base = "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
    local model = "us.anthropic.claude-3-7-sonnet-20250219-v1%3A0"
    assert.equal(base .. model .. "/converse", url(bedrock, dep))
    assert.equal(base .. model .. "/converse-stream", url(bedrock, dep, { stream = true }))
  end)

  it("holds a profile's ARN in the model's place", function()
    local arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu"
    local dep = deployment("anthropic.claude-sonnet-4-6", { arn = arn })
    assert.equal("https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3A"
      .. "us-east-1%3A123456789012%3Aapplication-inference-profile%2F1arbu/converse",
      url(bedrock, dep))
  end)

  it("is another domain in China", function()
    local dep = deployment("m", nil, { region = "cn-north-1" })
    assert.equal("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/m/converse",
      url(bedrock, dep))
  end)

  it("is never left by a model's name", function()
    for name, segment in pairs {
      [".."] = "%2E%2E", ["."] = "%2E", ["../../x"] = "..%2F..%2Fx", ["a?b#c"] = "a%3Fb%23c",
      ["é\n"] = "%C3%A9%0A",
    } do
      assert.equal("https://bedrock-runtime.us-east-1.amazonaws.com/model/" .. segment
        .. "/converse", url(bedrock, deployment(name)))
    end
  end)

  it("in OpenAI's dialect is one of two endpoints", function()
    local function at(model, provider)
      provider = provider or {}
      provider.region = "us-east-1"
      return url(openai, stub.deployment("bedrock_openai", model, nil, provider))
    end
    assert.equal("https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions",
      at "openai.gpt-oss-20b-1:0")
    local mantle = { endpoint = "mantle" }
    assert.equal("https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions",
      at("openai.gpt-oss-safeguard-20b", mantle))
    assert.equal("https://bedrock-mantle.us-east-1.api.aws/openai/v1/chat/completions",
      at("openai.gpt-5.6-luna", mantle))
  end)
end)

describe("bedrock's credentials", function()
  local function signed(adapter, provider)
    local dep = { name = "d", provider = provider }
    local request = {
      method = "POST", url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse",
      headers = { ["content-type"] = "application/json" }, body = "{}",
    }
    for name, value in pairs(adapter.headers(dep)) do request.headers[name] = value end
    adapter.sign(request, dep)
    return request.headers
  end

  it("are a key, sent as it is", function()
    local headers = signed(bedrock, { region = "us-east-1", api_key = "bedrock-api-key-x" })
    assert.same({
      ["content-type"] = "application/json", authorization = "Bearer bedrock-api-key-x",
    }, headers)
  end)

  it("or keys that sign", function()
    local headers = signed(bedrock, KEYS)
    assert.truthy(headers.authorization:find "^AWS4%-HMAC%-SHA256 Credential=AKIDEXAMPLE/%d+/"
      .. "us%-east%-1/bedrock/aws4_request, SignedHeaders=content%-type;host;x%-amz%-date, "
      .. "Signature=%x+$")
    assert.is_nil(headers["x-amz-security-token"])
  end)

  it("sign for the service that is asked", function()
    local provider = { endpoint = "mantle" }
    for name, value in pairs(KEYS) do provider[name] = value end
    local headers = signed(openai, provider)
    assert.truthy(headers.authorization:find("/us-east-1/bedrock-mantle/aws4_request", 1, true))
  end)

  it("are both halves, or none", function()
    local routes = require "routes_helper"
    local shipped = {
      adapters = function() return { "bedrock" } end,
      adapter = function(name) return require("providers." .. name) end,
    }
    local function problems(fields)
      local text = ('local b = provider "bedrock" { region = "r", %s }\n'):format(fields)
      local _, found = routes.load(text .. 'model "m" { b "x" }\n', nil, shipped)
      return found[1]
    end
    assert.is_nil(problems "access_key_id = env.KEY, secret_access_key = env.KEY")
    assert.is_nil(problems "api_key = env.KEY")
    assert.truthy(problems("access_key_id = env.KEY"):find("no secret_access_key", 1, true))
    assert.truthy(problems(""):find("api_key", 1, true))
  end)

  it("may be a role's, where requests are signed", function()
    local routes = require "routes_helper"
    local shipped = {
      adapters = function() return { "bedrock", "anthropic" } end,
      adapter = function(name) return require("providers." .. name) end,
    }
    local function problem(source, provider)
      local text = ("local t = oauth { %s }\nlocal p = provider %s\n"):format(source, provider)
      local _, found = routes.load(text .. 'model "m" { p "x" }\n', nil, shipped)
      return found[1]
    end
    local here = '"bedrock" { region = "r", token = t }'
    assert.is_nil(problem('aws = "machine"', here))
    assert.is_nil(problem('aws = "container", token_url = "http://169.254.170.2/v2/x"', here))
    assert.truthy(problem('aws = "container"', here):find("token_url", 1, true))
    assert.truthy(problem('aws = "cloud"', here):find("machine", 1, true))
    assert.truthy(problem('aws = "machine", scope = "x"', here):find("scope", 1, true))
    assert.truthy(problem('aws = "machine"', '"anthropic" { token = t }')
      :find("signs no requests", 1, true))
  end)

  it("leave a token alone", function()
    local headers = signed(bedrock, { region = "us-east-1", token = { fixed = "t" } })
    assert.is_nil(headers.authorization)
    assert.is_nil(headers["x-amz-date"])
  end)
end)

describe("bedrock's errors", function()
  local function upstream(name)
    return {
      header = function(_, asked) return asked == "x-amzn-errortype" and name or nil end,
    }
  end

  local function kind(status, name, message)
    local body = { message = message }
    local found, more = bedrock.classify(status, body, upstream(name))
    return provider_error.fault(status, body, found, more, {})
  end

  it("are known by the name in a header", function()
    for name, want in pairs {
      ["ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"] =
        "bad_request",
      AccessDeniedException = "auth", UnrecognizedClientException = "auth",
      ExpiredTokenException = "auth", InvalidSignatureException = "auth",
      ThrottlingException = "rate_limit", ServiceQuotaExceededException = "rate_limit",
      ModelNotReadyException = "overloaded", ServiceUnavailableException = "overloaded",
      ModelTimeoutException = "timeout", ModelErrorException = "server_error",
      InternalServerException = "server_error", ResourceNotFoundException = "model_missing",
    } do
      assert.equal(want, kind(400, name, "something").kind, name)
    end
  end)

  it("are what their status says where there is no name", function()
    assert.equal("rate_limit", kind(429, nil, "Too many requests").kind)
    assert.equal("auth", kind(403, nil, "no").kind)
    assert.equal("overloaded", kind(503, nil, "no").kind)
    assert.equal("server_error", kind(424, nil, "no").kind)
  end)

  it("tell a full window and a model that is not there from other mistakes", function()
    for message, want in pairs {
      ["Input is too long for requested model."] = "context_window",
      ["Too many input tokens. Max input tokens: 8192, request input token count: 11500"] =
        "context_window",
      ["The provided model identifier is invalid."] = "model_missing",
      ["Invocation of model ID x with on-demand throughput isn’t supported."] =
        "model_missing",
      ["messages.0.content: text is blank"] = "bad_request",
    } do
      assert.equal(want, kind(400, "ValidationException", message).kind, message)
    end
  end)

  it("say that a day's tokens are gone", function()
    local message = "Too many tokens per day, please wait before trying again."
    assert.is_true(kind(429, "ThrottlingException", message).exhausted)
    assert.is_falsy(kind(429, "ThrottlingException", "Too many tokens, please wait").exhausted)
  end)

  it("come in streams too", function()
    for _, case in ipairs {
      { "throttlingException", { message = "slow down" }, "rate_limit" },
      { "validationException", { message = "Input is too long" }, "context_window" },
      { "modelStreamErrorException", { originalMessage = "x", originalStatusCode = 500 },
        "server_error" },
      { "serviceUnavailableException", { message = "later" }, "overloaded" },
      { "internalServerException", {}, "server_error" },
      { "modelTimeoutException", "", "timeout" },
      { "InternalError", "it broke", "server_error" },
    } do
      local ok, err = pcall(errors.raise, case[1], case[2])
      assert.is_false(ok)
      assert.equal(case[3], err.kind, case[1])
    end
  end)
end)

describe("bedrock's models", function()
  it("are known without the region of their profile", function()
    for name, own in pairs {
      ["us.anthropic.claude-sonnet-4-6"] = "anthropic.claude-sonnet-4-6",
      ["us-gov.anthropic.claude-sonnet-4-6"] = "anthropic.claude-sonnet-4-6",
      ["global.amazon.nova-2-lite-v1:0"] = "amazon.nova-2-lite-v1:0",
      ["arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-3-70b-instruct-v1:0"] =
        "meta.llama3-3-70b-instruct-v1:0",
      ["arn:aws:bedrock:us-east-1:1:application-inference-profile/1arbu"] = "1arbu",
      ["deepseek.v3.2"] = "deepseek.v3.2",
    } do
      assert.equal(own, converse.name(name))
    end
  end)

  it("are told apart by what they take", function()
    local claude = converse.of "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
    assert.equal(307, claude.claude.version)
    assert.same({ true, false, false }, { claude.caches, claude.caches_hour, claude.schema })
    assert.equal(201, converse.of("anthropic.claude-v2:1").claude.version)
    assert.equal(406, converse.of("anthropic.claude-opus-4-6-v1").claude.version)
    assert.is_true(converse.of("eu.anthropic.claude-haiku-4-5-20251001-v1:0").one_tool)
    assert.equal(1, converse.of("amazon.nova-lite-v1:0").nova)
    assert.equal(2, converse.of("us.amazon.nova-2-lite-v1:0").nova)
    assert.is_nil(converse.of("1arbu").schema)
  end)
end)

describe("bedrock's requests", function()
  local function asked(model, body, more)
    local call = stub.call(json.encode(body))
    local ok, out = pcall(stub.encoded, call, deployment(model, more))
    return ok and json.decode(out) or out, call.dropped
  end

  local function ask(more)
    local body = { model = "m", messages = { { role = "user", content = "hi" } } }
    for name, value in pairs(more) do body[name] = value end
    return body
  end

  local TOOL = {
    type = "function", ["function"] = { name = "now", parameters = { type = "object" } },
  }

  it("drop hints, and name them", function()
    local body, dropped = asked("meta.llama3-8b-instruct-v1:0",
      ask { top_k = 4, reasoning_effort = "high", seed = 1, service_tier = "scale" })
    assert.same({ "seed", "reasoning_effort", "top_k", "service_tier" }, dropped)
    assert.is_nil(body.additionalModelRequestFields)
  end)

  it("refuse what would change the question, unless they may drop it", function()
    for name, value in pairs {
      n = 2, logprobs = true, thinking = { type = "enabled" },
      response_format = { type = "json_object" },
    } do
      local err = asked("meta.llama3-8b-instruct-v1:0", ask { [name] = value })
      assert.equal("unsupported_parameter", err.code, name)
      assert.equal(name, err.param)
      local _, dropped = asked("meta.llama3-8b-instruct-v1:0", ask { [name] = value },
        { drop_unsupported = true })
      assert.same({ name }, dropped)
    end
  end)

  it("refuse pictures that are elsewhere", function()
    local err = asked("amazon.nova-lite-v1:0", {
      model = "m", messages = { { role = "user", content = json.array {
        { type = "image_url", image_url = { url = "https://example.com/a.png" } },
      } } },
    })
    assert.equal("messages[0].content[0]", err.param)
  end)

  it("leave tools out that may not be called", function()
    local body = asked("amazon.nova-lite-v1:0", ask {
      tools = json.array { TOOL }, tool_choice = "none",
    })
    assert.is_nil(body.toolConfig)
  end)

  local function after_a_call(more)
    return ask {
      messages = json.array {
        { role = "user", content = "hi" },
        { role = "assistant", tool_calls = json.array { {
          id = "c1", type = "function", ["function"] = { name = "now", arguments = "{}" },
        } } },
        { role = "tool", tool_call_id = "c1", content = "noon" },
      },
      tools = more.tools, tool_choice = more.tool_choice,
      parallel_tool_calls = more.parallel_tool_calls,
    }
  end

  it("name the tools that were called where the client names none", function()
    local body = asked("amazon.nova-lite-v1:0", after_a_call {})
    assert.equal("now", body.toolConfig.tools[1].toolSpec.name)
  end)

  it("say in Anthropic's words what Converse has none for", function()
    local choice = after_a_call { tools = json.array { TOOL }, tool_choice = "none" }
    local body = asked("anthropic.claude-sonnet-4-6", choice)
    assert.same({ tool_choice = { type = "none" } }, body.additionalModelRequestFields)
    assert.equal("tool_choice", asked("amazon.nova-lite-v1:0", choice).param)

    local one = after_a_call {
      tools = json.array { TOOL }, tool_choice = "required", parallel_tool_calls = false,
    }
    body = asked("anthropic.claude-sonnet-4-6", one)
    assert.same({ tool_choice = { type = "any", disable_parallel_tool_use = true } },
      body.additionalModelRequestFields)
    assert.is_nil(body.toolConfig.toolChoice)
  end)

  it("refuse one of several tools at a time, and name the wish where there is one", function()
    local function wish(tools)
      return asked("amazon.nova-lite-v1:0", after_a_call {
        tools = tools, tool_choice = "required", parallel_tool_calls = false,
      })
    end
    local other = { type = "function", ["function"] = { name = "then" } }
    assert.equal("parallel_tool_calls", wish(json.array { TOOL, other }).param)
    local body, dropped = wish(json.array { TOOL })
    assert.same({ any = {} }, body.toolConfig.toolChoice)
    assert.same({ "parallel_tool_calls" }, dropped)
  end)

  it("say that a result is an error in words where there is no other way", function()
    local function result(model)
      local body = after_a_call { tools = json.array { TOOL } }
      body.messages[3].is_error = true
      return asked(model, body).messages[3].content[1].toolResult
    end
    assert.equal("error", result("amazon.nova-lite-v1:0").status)
    local other = result "meta.llama3-8b-instruct-v1:0"
    assert.is_nil(other.status)
    assert.equal("Error: noon", other.content[1].text)
  end)

  it("name marks for a cache that the model does not have", function()
    local body, dropped = asked("meta.llama3-8b-instruct-v1:0", {
      model = "m", messages = { { role = "user", content = json.array {
        { type = "text", text = "a", cache_control = { type = "ephemeral" } },
      } } },
    })
    assert.same({ "cache_control" }, dropped)
    assert.equal(1, #body.messages[1].content)
  end)

  it("keep to a limit with Nova's highest effort", function()
    local body = asked("amazon.nova-2-lite-v1:0",
      ask { reasoning_effort = "high", max_tokens = 9 })
    assert.equal("medium",
      body.additionalModelRequestFields.reasoningConfig.maxReasoningEffort)
    local dropped
    body, dropped = asked("amazon.nova-2-lite-v1:0",
      ask { reasoning_effort = "high", temperature = 0.2 })
    assert.equal("high", body.additionalModelRequestFields.reasoningConfig.maxReasoningEffort)
    assert.same({ "temperature" }, dropped)
  end)

  it("hold the provider's guardrail", function()
    local call = stub.call(json.encode(ask {}))
    local dep = deployment("m", nil, { guardrail = "g1", guardrail_version = "2" })
    assert.same({ guardrailIdentifier = "g1", guardrailVersion = "2" },
      json.decode(stub.encoded(call, dep)).guardrailConfig)
  end)

  it("give hidden thought back as it came, whatever its bytes", function()
    local content = require "lib.converse_content"
    for _, redacted in ipairs { "RXVFQ0trZ0k=", "AAEC/w==" } do
      local data = content.hidden(redacted)
      assert.equal(redacted, content.thought { type = "redacted_thinking", data = data }
        .reasoningContent.redactedContent)
    end
    assert.equal("EuECKkgI", content.hidden "RXVFQ0trZ0k=")
  end)
end)

-- The command lines: how each is told where the gateway is, and asked without a terminal. `at`
-- is where it runs: root, key, model, aux (for what it asks beside), home, work, install and
-- prompt. `tool` is a tool of its own, called once with `arguments`, so that it reads a file.

local cjson = require "cjson"

local NPM = "/node_modules/"

local function codex(at)
  local words = {
    "node", at.install .. NPM .. "@openai/codex/bin/codex.js", "exec", "--skip-git-repo-check",
    "--dangerously-bypass-approvals-and-sandbox", "-m", at.model,
  }
  local provider = "model_providers.moongate."
  for _, setting in ipairs {
    "model_provider=moongate", provider .. "name=moongate", provider .. "wire_api=responses",
    provider .. "base_url=" .. at.root .. "/v1", provider .. "env_key=MOONGATE_KEY",
    provider .. "request_max_retries=0", provider .. "stream_max_retries=0",
  } do
    words[#words + 1] = "-c"
    words[#words + 1] = setting
  end
  words[#words + 1] = at.prompt
  return words
end

local GEMINI_SETTINGS = cjson.encode {
  security = { auth = { selectedType = "gemini-api-key" } },
  privacy = { usageStatisticsEnabled = false }, telemetry = { enabled = false },
  general = { enableAutoUpdate = false },
}

local function opencode_settings(npm, base)
  return function(at)
    return cjson.encode {
      provider = {
        moongate = {
          npm = npm, options = { baseURL = at.root .. base, apiKey = at.key },
          models = { [at.model] = { name = at.model }, [at.aux] = { name = at.aux } },
        },
      },
      small_model = "moongate/" .. at.aux, share = "disabled", autoupdate = false,
    }
  end
end

local function opencode(name, dialect, npm)
  return {
    name = name, group = "opencode", dialect = dialect,
    tool = "read", arguments = function(at) return { filePath = at.work .. "/moon.txt" } end,
    files = { ["work/opencode.json"] = opencode_settings(npm, "/v1") },
    env = function()
      return {
        "OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_AUTOUPDATE=1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD=1", "OPENCODE_DISABLE_DEFAULT_PLUGINS=1",
      }
    end,
    command = function(at)
      return { at.install .. NPM .. "opencode-linux-x64/bin/opencode", "run", "-m",
        "moongate/" .. at.model, at.prompt }
    end,
  }
end

return {
  {
    name = "codex", group = "codex", dialect = "responses",
    tool = "exec_command", arguments = function() return { cmd = "cat moon.txt" } end,
    env = function(at) return { "MOONGATE_KEY=" .. at.key } end, command = codex,
  },
  {
    name = "gemini-cli", group = "gemini-cli", dialect = "gemini",
    tool = "read_file", arguments = function() return { file_path = "moon.txt" } end,
    files = { ["home/.gemini/settings.json"] = function() return GEMINI_SETTINGS end },
    env = function(at)
      return { "GOOGLE_GEMINI_BASE_URL=" .. at.root, "GEMINI_API_KEY=" .. at.key,
        "GEMINI_CLI_TRUST_WORKSPACE=true" }
    end,
    command = function(at)
      return { "node", at.install .. NPM .. "@google/gemini-cli/bundle/gemini.js", "-m",
        at.model, "--approval-mode", "yolo", "-p", at.prompt }
    end,
  },
  opencode("opencode", "chat", "@ai-sdk/openai-compatible"),
  opencode("opencode-anthropic", "messages", "@ai-sdk/anthropic"),
  {
    name = "claude-code", group = "claude-code", dialect = "messages",
    tool = "Read", arguments = function(at) return { file_path = at.work .. "/moon.txt" } end,
    env = function(at)
      return {
        "ANTHROPIC_BASE_URL=" .. at.root, "ANTHROPIC_AUTH_TOKEN=" .. at.key,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL=" .. at.aux, "DISABLE_TELEMETRY=1",
        "DISABLE_AUTOUPDATER=1", "DISABLE_ERROR_REPORTING=1", "CLAUDE_CODE_MAX_RETRIES=0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
      }
    end,
    command = function(at)
      return { at.install .. NPM .. "@anthropic-ai/claude-code-linux-x64/claude", "-p",
        at.prompt, "--model", at.model }
    end,
  },
}

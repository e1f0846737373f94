// LangChain for JavaScript, with its classes for OpenAI (chat and Responses), Anthropic and Google.

import { AIMessageChunk, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { ChatAnthropic } from "@langchain/anthropic";
import { ChatGoogle } from "@langchain/google";
import { ChatOpenAI } from "@langchain/openai";
import { plan, run, weather } from "./cases.mjs";

const apiKey = plan.key;
const openai = { apiKey, maxRetries: 0, configuration: { baseURL: `${plan.root}/v1` } };
const models = {
  "langchain-openai": (model) => new ChatOpenAI({ ...openai, model }),
  "langchain-responses": (model) => new ChatOpenAI({ ...openai, model, useResponsesApi: true }),
  "langchain-anthropic": (model) =>
    new ChatAnthropic({ model, apiKey, anthropicApiUrl: plan.root, maxRetries: 0 }),
  "langchain-google": (model) =>
    new ChatGoogle({ model, apiKey, endpoint: plan.root, maxRetries: 0 }),
};

const tool = {
  type: "function",
  function: {
    name: plan.tool.name, description: plan.tool.description, parameters: plan.tool.parameters,
  },
};

async function streamed(model, messages) {
  let whole = new AIMessageChunk("");
  for await (const chunk of await model.stream(messages)) whole = whole.concat(chunk);
  return whole;
}

function finish(message) {
  const said = message.response_metadata;
  return said.finish_reason ?? said.stop_reason ?? message.additional_kwargs.stop_reason
    ?? said.finishReason ?? said.status ?? null;
}

await run(async (name, one) => {
  const plain = models[plan.client](name);
  const model = one.tools ? plain.bindTools([tool]) : plain;
  const messages = [new SystemMessage(plan.system), new HumanMessage(plan.question)];
  const steps = [];
  for (;;) {
    const heard = one.stream ? await streamed(model, messages) : await model.invoke(messages);
    const calls = heard.tool_calls ?? [];
    steps.push({
      text: heard.text, calls: calls.map((call) => ({ name: call.name, arguments: call.args })),
      usage: { input: heard.usage_metadata?.input_tokens, output: heard.usage_metadata?.output_tokens },
      finish: finish(heard),
    });
    if (calls.length === 0 || steps.length > 2) return steps;
    messages.push(heard, ...calls.map((call) => new ToolMessage({
      content: weather(call.args), tool_call_id: call.id, name: call.name,
    })));
  }
});

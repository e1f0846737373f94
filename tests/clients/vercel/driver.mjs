// The Vercel AI SDK, with each of its providers that take an address.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { plan, run, weather } from "./cases.mjs";

const apiKey = plan.key;
const v1 = `${plan.root}/v1`;
const models = {
  "vercel-openai": (name) => createOpenAI({ baseURL: v1, apiKey })(name),
  "vercel-openai-chat": (name) => createOpenAI({ baseURL: v1, apiKey }).chat(name),
  "vercel-compatible": (name) =>
    createOpenAICompatible({ name: "moongate", baseURL: v1, apiKey, includeUsage: true })(name),
  "vercel-anthropic": (name) => createAnthropic({ baseURL: v1, apiKey })(name),
  "vercel-google": (name) =>
    createGoogleGenerativeAI({ baseURL: `${plan.root}/v1beta`, apiKey })(name),
};

const tools = {
  [plan.tool.name]: tool({
    description: plan.tool.description,
    inputSchema: jsonSchema(plan.tool.parameters),
    execute: async (asked) => weather(asked),
  }),
};

async function streamed(asked) {
  let broken = null;
  const result = streamText({ ...asked, onError: ({ error }) => { broken = error; } });
  await result.consumeStream();
  if (broken) throw broken;
  return result.steps;
}

await run(async (name, one) => {
  const asked = {
    model: models[plan.client](name), system: plan.system, prompt: plan.question, maxRetries: 0,
    ...(one.tools ? { tools, stopWhen: stepCountIs(3) } : {}),
  };
  const steps = one.stream ? await streamed(asked) : (await generateText(asked)).steps;
  return steps.map((step) => ({
    text: step.text,
    calls: step.toolCalls.map((call) => ({ name: call.toolName, arguments: call.input })),
    usage: { input: step.usage.inputTokens, output: step.usage.outputTokens },
    finish: step.finishReason,
  }));
});

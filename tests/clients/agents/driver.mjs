// OpenAI's Agents SDK for JavaScript, which runs the loop of tools itself, over Responses and chats.

import {
  Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, setTracingDisabled, tool,
} from "@openai/agents";
import OpenAI from "openai";
import { plan, run, weather as report } from "./cases.mjs";

setTracingDisabled(true);
const client = new OpenAI({ baseURL: `${plan.root}/v1`, apiKey: plan.key, maxRetries: 0 });
const kinds = {
  "agents-responses": OpenAIResponsesModel,
  "agents-chat": OpenAIChatCompletionsModel,
};
const weather = tool({
  name: plan.tool.name, description: plan.tool.description, parameters: plan.tool.parameters,
  strict: true, execute: async (asked) => report(asked),
});

function text(output) {
  return output.filter((item) => item.type === "message")
    .flatMap((item) => item.content).map((part) => part.text ?? "").join("");
}

function calls(output) {
  return output.filter((item) => item.type === "function_call")
    .map(({ name, arguments: said }) => ({ name, arguments: said }));
}

await run(async (name, one) => {
  const agent = new Agent({
    name: "a", instructions: plan.system, model: new kinds[plan.client](client, name),
    tools: one.tools ? [weather] : [],
  });
  const result = await new Runner().run(agent, plan.question, { stream: one.stream, maxTurns: 3 });
  if (one.stream) {
    for await (const event of result) void event;
    await result.completed;
    if (result.error) throw result.error;
  }
  return result.rawResponses.map(({ output, usage }) => ({
    text: text(output), calls: calls(output),
    usage: { input: usage.inputTokens, output: usage.outputTokens }, finish: null,
  }));
});

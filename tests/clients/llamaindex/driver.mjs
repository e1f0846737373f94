// LlamaIndex for TypeScript: its OpenAI class over chats, and over Responses.

import { openai, openaiResponses } from "@llamaindex/openai";
import { plan, run } from "./cases.mjs";

const at = { apiKey: plan.key, baseURL: `${plan.root}/v1`, maxRetries: 0 };
const models = {
  "llamaindex-openai": (model) => openai({ ...at, model }),
  "llamaindex-responses": (model) => openaiResponses({ ...at, model }),
};
const tool = {
  call: () => plan.tool.result,
  metadata: {
    name: plan.tool.name, description: plan.tool.description, parameters: plan.tool.parameters,
  },
};

function content(message) {
  if (typeof message.content === "string") return message.content;
  return (message.content ?? []).map((part) => part.text ?? "").join("");
}

async function streamed(model, asked) {
  let text = "", options = null, raw = null;
  for await (const chunk of await model.chat({ ...asked, stream: true })) {
    text += chunk.delta;
    if (chunk.options?.toolCall) options = chunk.options;
    raw = chunk.raw ?? raw;
  }
  return { message: { role: "assistant", content: text, options: options ?? {} }, raw };
}

await run(async (name, one) => {
  const model = models[plan.client](name);
  const messages =
    [{ role: "system", content: plan.system }, { role: "user", content: plan.question }];
  const steps = [];
  for (;;) {
    const asked = { messages, ...(one.tools ? { tools: [tool] } : {}) };
    const { message, raw } = one.stream ? await streamed(model, asked) : await model.chat(asked);
    const calls = message.options?.toolCall ?? [];
    const usage = raw?.usage ?? {};
    steps.push({
      text: content(message), calls: calls.map((call) => ({ name: call.name, arguments: call.input })),
      usage: {
        input: usage.prompt_tokens ?? usage.input_tokens,
        output: usage.completion_tokens ?? usage.output_tokens,
      },
      finish: raw?.choices?.[0]?.finish_reason ?? raw?.status ?? null,
    });
    if (calls.length === 0 || steps.length > 2) return steps;
    messages.push(message, {
      role: "user", content: plan.tool.result,
      options: { toolResult: { id: calls[0].id, result: plan.tool.result, isError: false } },
    });
  }
});

// LlamaIndex for TypeScript: its OpenAI class over chats, and over Responses.

import { openai, openaiResponses } from "@llamaindex/openai";
import { plan, run, weather } from "./cases.mjs";

const at = { apiKey: plan.key, baseURL: `${plan.root}/v1`, maxRetries: 0 };
const models = {
  "llamaindex-openai": (model, one) => openai({
    ...at, model,
    additionalChatOptions: one.stream ? { stream_options: { include_usage: true } } : {},
  }),
  "llamaindex-responses": (model) => openaiResponses({ ...at, model }),
};
const tool = {
  call: weather,
  metadata: {
    name: plan.tool.name, description: plan.tool.description, parameters: plan.tool.parameters,
  },
};

function content(message) {
  if (typeof message.content === "string") return message.content;
  return (message.content ?? []).map((part) => part.text ?? "").join("");
}

async function streamed(model, asked) {
  let text = "", raw = {};
  const calls = new Map(); // each comes again and again, until it is whole
  for await (const chunk of await model.chat({ ...asked, stream: true })) {
    text += chunk.delta;
    for (const call of chunk.options?.toolCall ?? []) calls.set(call.id, call);
    const { usage, choices } = chunk.raw ?? {}; // the usage comes last, without a choice
    raw = { usage: usage ?? raw.usage, choices: choices?.[0] ? choices : raw.choices };
  }
  const options = calls.size > 0 ? { toolCall: [...calls.values()] } : {};
  return { message: { role: "assistant", content: text, options }, raw };
}

await run(async (name, one) => {
  const model = models[plan.client](name, one);
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
    messages.push(message, ...calls.map(({ id, input }) => ({
      role: "user", content: weather(input),
      options: { toolResult: { id, result: weather(input), isError: false } },
    })));
  }
});

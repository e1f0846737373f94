// The official clients of OpenAI (chat and Responses), Anthropic and Google, for JavaScript.

import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { plan, run, weather } from "./cases.mjs";

const { name: tool, description, parameters } = plan.tool;
const apiKey = plan.key;

// Each gives one answer of a conversation, as a step, and what goes on from it.

function chat(model, one) {
  const client = new OpenAI({ baseURL: `${plan.root}/v1`, apiKey, maxRetries: 0 });
  const messages =
    [{ role: "system", content: plan.system }, { role: "user", content: plan.question }];
  const tools = one.tools ? [{ type: "function", function: { name: tool, description, parameters } }]
    : undefined;
  return async () => {
    const asked = { model, messages, tools };
    const data = one.stream
      ? await client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } })
        .finalChatCompletion()
      : await client.chat.completions.create(asked);
    const { message, finish_reason: finish } = data.choices[0];
    const calls = message.tool_calls ?? [];
    messages.push(message, ...calls.map((call) =>
      ({ role: "tool", tool_call_id: call.id, content: weather(call.function.arguments) })));
    return {
      text: message.content, finish, calls: calls.map((call) => call.function),
      usage: { input: data.usage.prompt_tokens, output: data.usage.completion_tokens },
    };
  };
}

function responses(model, one) {
  const client = new OpenAI({ baseURL: `${plan.root}/v1`, apiKey, maxRetries: 0 });
  const input = [{ role: "user", content: plan.question }];
  const tools = one.tools ? [{ type: "function", name: tool, description, parameters, strict: true }]
    : undefined;
  return async () => {
    const asked = { model, instructions: plan.system, input, tools, store: false };
    const data = one.stream ? await client.responses.stream(asked).finalResponse()
      : await client.responses.create(asked);
    const calls = data.output.filter((item) => item.type === "function_call");
    input.push(...data.output, ...calls.map((call) =>
      ({ type: "function_call_output", call_id: call.call_id, output: weather(call.arguments) })));
    const said = data.output.filter((item) => item.type === "message");
    return {
      text: said.flatMap((item) => item.content).map((part) => part.text).join(""),
      finish: data.status,
      calls: calls.map((call) => ({ name: call.name, arguments: call.arguments })),
      usage: { input: data.usage.input_tokens, output: data.usage.output_tokens },
    };
  };
}

function messages(model, one) {
  const client = new Anthropic({ baseURL: plan.root, apiKey, maxRetries: 0 });
  const list = [{ role: "user", content: plan.question }];
  const tools = one.tools ? [{ name: tool, description, input_schema: parameters }] : undefined;
  return async () => {
    const asked = { model, max_tokens: 1000, system: plan.system, messages: list, tools };
    const data = one.stream ? await client.messages.stream(asked).finalMessage()
      : await client.messages.create(asked);
    const calls = data.content.filter((block) => block.type === "tool_use");
    list.push({ role: "assistant", content: data.content });
    list.push({ role: "user", content: calls.map((call) =>
      ({ type: "tool_result", tool_use_id: call.id, content: weather(call.input) })) });
    return {
      text: data.content.map((block) => block.text ?? "").join(""), finish: data.stop_reason,
      calls: calls.map((call) => ({ name: call.name, arguments: call.input })),
      usage: { input: data.usage.input_tokens, output: data.usage.output_tokens },
    };
  };
}

// A stream's pieces as one answer.
async function together(stream) {
  const parts = [];
  let last = null;
  for await (const piece of stream) {
    parts.push(...(piece.candidates?.[0]?.content?.parts ?? []));
    last = piece;
  }
  last.candidates[0].content = { role: "model", parts };
  return last;
}

function generate(model, one) {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: plan.root } });
  const contents = [{ role: "user", parts: [{ text: plan.question }] }];
  const declared = { name: tool, description, parametersJsonSchema: parameters };
  const tools = one.tools ? [{ functionDeclarations: [declared] }] : undefined;
  return async () => {
    const asked = { model, contents, config: { systemInstruction: plan.system, tools } };
    const data = one.stream ? await together(await client.models.generateContentStream(asked))
      : await client.models.generateContent(asked);
    const { content, finishReason: finish } = data.candidates[0];
    const calls = content.parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    contents.push(content, { role: "user", parts: calls.map(({ id, name, args }) =>
      ({ functionResponse: { id, name, response: { output: weather(args) } } })) });
    return {
      text: content.parts.map((part) => (part.thought ? "" : part.text ?? "")).join(""), finish,
      calls: calls.map((call) => ({ name: call.name, arguments: call.args })),
      usage: {
        input: data.usageMetadata.promptTokenCount,
        output: data.usageMetadata.candidatesTokenCount,
      },
    };
  };
}

const kinds = {
  "openai-node": chat, "openai-node-responses": responses, "anthropic-node": messages,
  "genai-node": generate,
};

await run(async (name, one) => {
  const next = kinds[plan.client](name, one);
  const steps = [];
  do steps.push(await next()); while (steps.at(-1).calls.length > 0 && steps.length < 3);
  return steps;
});

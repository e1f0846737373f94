// The official OpenAI client for Node: a chat, a stream, a tool call, an error. Counts its checks.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "hello moon" }];
const tools = [{
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) { passed += 1; return; }
  failed += 1;
  console.log(`node: not so: ${what}`);
}

async function attempt(what, body) {
  try {
    await body();
  } catch (error) {
    check(`${what}: ${error}`, false);
  }
}

await attempt("a chat", async () => {
  const { data, response } =
    await client.chat.completions.create({ model: "mock", messages }).withResponse();
  check("a chat has text", data.choices[0].message.content.length > 0);
  check("a chat finishes", data.choices[0].finish_reason === "stop");
  check("a chat has usage", data.usage.total_tokens > 0);
  check("a chat says who answered", response.headers.get("x-moongate-deployment") !== null);
});

await attempt("a stream", async () => {
  const stream = await client.chat.completions.create(
    { model: "mock", messages, stream: true, stream_options: { include_usage: true } });
  let text = "", finish = null, usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  check("a stream has text", text.length > 0);
  check("a stream finishes", finish === "stop");
  check("a stream has usage", usage !== null && usage.total_tokens > 0);
});

await attempt("a tool call", async () => {
  const data = await client.chat.completions.create({ model: "mock", messages, tools });
  const call = data.choices[0].message.tool_calls[0];
  check("a tool call names the tool", call.function.name === "weather");
  check("a tool call has arguments", typeof JSON.parse(call.function.arguments) === "object");
  check("a tool call finishes so", data.choices[0].finish_reason === "tool_calls");
});

await attempt("a streamed tool call", async () => {
  const run = client.chat.completions.stream({ model: "mock", messages, tools });
  const data = await run.finalChatCompletion();
  const call = data.choices[0].message.tool_calls[0];
  check("a streamed tool call names the tool", call.function.name === "weather");
  check("a streamed tool call has arguments", typeof JSON.parse(call.function.arguments) === "object");
});

await attempt("embeddings", async () => {
  const input = ["moon", "gate"];
  const bytes = await client.embeddings.create({ model: "mock", input });
  const plain = await client.embeddings.create({ model: "mock", input, encoding_format: "float" });
  check("embeddings are one a text", bytes.data.length === 2 && bytes.data[1].index === 1);
  check("embeddings are numbers", typeof bytes.data[0].embedding[0] === "number");
  check("embeddings say the same as bytes and as numbers", bytes.data.every((one, i) =>
    one.embedding.every((x, j) => Math.abs(x - plain.data[i].embedding[j]) < 1e-6)));
  check("embeddings have usage", bytes.usage.total_tokens > 0);
});

await attempt("a completion", async () => {
  const data = await client.completions.create({ model: "mock", prompt: "hello moon" });
  check("a completion has text", data.choices[0].text.includes("hello"));
  check("a completion has usage", data.usage.total_tokens > 0);
  let text = "";
  const stream =
    await client.completions.create({ model: "mock", prompt: "hello moon", stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  check("a streamed completion says the same", text === data.choices[0].text);
});

await attempt("an error", async () => {
  let seen = null;
  try {
    await client.chat.completions.create({ model: "no-such-model", messages });
  } catch (error) {
    seen = error;
  }
  check("an error is the client's own", seen instanceof OpenAI.NotFoundError);
  check("an error has our code", seen?.code === "model_not_found");
});

await attempt("the list of models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  check("the list of models has mock", names.includes("mock"));
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

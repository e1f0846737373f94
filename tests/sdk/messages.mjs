// The official Anthropic client for Node: a chat, a stream, a tool loop of two turns, an error, with
// an upstream of each family. Counts its checks.

import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "hello moon" }];
const tools = [{
  name: "weather",
  description: "The weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}];

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) { passed += 1; return; }
  failed += 1;
  console.log(`node messages: not so: ${what}`);
}

async function attempt(what, body) {
  try {
    await body();
  } catch (error) {
    check(`${what}: ${error}`, false);
  }
}

function call(data) {
  return data.content.find((block) => block.type === "tool_use");
}

async function loop(model, ask) {
  const first = await ask({ model, max_tokens: 100, messages, tools });
  const asked = call(first);
  check(`${model}: a tool is called`, asked?.name === "weather" && typeof asked.input.city === "string");
  check(`${model}: which ends the turn`, first.stop_reason === "tool_use");
  const second = await ask({
    model, max_tokens: 100, tools,
    messages: [...messages, { role: "assistant", content: first.content }, {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: asked.id, content: "sunny" }],
    }],
  });
  const text = second.content.find((block) => block.type === "text")?.text ?? "";
  check(`${model}: its result is answered`, text.includes("sunny"));
  check(`${model}: and the loop ends`, second.stop_reason === "end_turn");
}

for (const model of process.argv.slice(3)) {
  await attempt(`${model}: a chat`, async () => {
    const { data, response } = await client.messages
      .create({ model, max_tokens: 100, system: "be brief", messages }).withResponse();
    check(`${model}: a chat has text`, data.content[0].type === "text" && data.content[0].text.length > 0);
    check(`${model}: a chat finishes`, data.stop_reason === "end_turn");
    check(`${model}: a chat has usage`, data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
    check(`${model}: a chat has an id`, response.headers.get("x-request-id") !== null);
  });

  await attempt(`${model}: a stream`, async () => {
    const stream = client.messages.stream({ model, max_tokens: 100, messages });
    let text = "";
    stream.on("text", (piece) => { text += piece; });
    const data = await stream.finalMessage();
    check(`${model}: a stream has text`, text.length > 0 && data.content.at(-1).text === text);
    check(`${model}: a stream finishes`, data.stop_reason === "end_turn");
    check(`${model}: a stream has usage`, data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
  });

  await attempt(`${model}: tools`, () => loop(model, (body) => client.messages.create(body)));
  await attempt(`${model}: streamed tools`,
    () => loop(model, (body) => client.messages.stream(body).finalMessage()));

  await attempt(`${model}: a beta`, async () => {
    const data = await client.beta.messages.create({ model, max_tokens: 100, messages, betas: ["new-2026"] });
    check(`${model}: a beta answers`, data.stop_reason === "end_turn");
  });
}

await attempt("an error", async () => {
  let seen = null;
  try {
    await client.messages.create({ model: "no-such-model", max_tokens: 9, messages });
  } catch (error) {
    seen = error;
  }
  check("an error is the client's own", seen instanceof Anthropic.NotFoundError);
  check("an error has its type", seen?.error?.error?.type === "not_found_error");
  check("an error has an id", seen?.requestID?.length > 0);
});

await attempt("counting", async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "mock", messages });
  check("tokens are counted", input_tokens > 0);
});

await attempt("the list of models", async () => {
  const names = [];
  for await (const model of client.models.list({ limit: 1 })) names.push(model.id);
  check("the list of models has mock", names.includes("mock"));
  check("the list of models ends", new Set(names).size === names.length);
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// The official OpenAI client for Node at the door of Responses: a chat, a stream, a tool loop of two turns, an
// error, with an upstream of each family. Counts its checks.

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const tools = [{
  type: "function",
  name: "weather",
  description: "The weather in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: false,
}];

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) { passed += 1; return; }
  failed += 1;
  console.log(`node responses: not so: ${what}`);
}

async function attempt(what, body) {
  try {
    await body();
  } catch (error) {
    check(`${what}: ${error}`, false);
  }
}

// Streams' responses come without the client's own output_text.
function text_of(response) {
  return response.output.filter((item) => item.type === "message")
    .flatMap((item) => item.content).map((part) => part.text).join("");
}

async function loop(model, ask) {
  const input = [{ role: "user", content: "hello moon" }];
  const first = await ask({ model, max_output_tokens: 100, input, tools, store: false });
  const asked = first.output.find((item) => item.type === "function_call");
  check(`${model}: a tool is called`,
    asked?.name === "weather" && typeof JSON.parse(asked.arguments).city === "string");
  check(`${model}: which ends the turn`, first.status === "completed");
  const second = await ask({
    model, max_output_tokens: 100, tools, store: false,
    input: [...input, ...first.output,
      { type: "function_call_output", call_id: asked.call_id, output: "sunny" }],
  });
  check(`${model}: its result is answered`, text_of(second).includes("sunny"));
  check(`${model}: and the loop ends`, !second.output.some((item) => item.type === "function_call"));
}

for (const model of process.argv.slice(3)) {
  await attempt(`${model}: a chat`, async () => {
    const { data, response } = await client.responses.create({
      model, max_output_tokens: 100, instructions: "be brief", input: "hello moon", store: false,
    }).withResponse();
    check(`${model}: a chat has text`, data.output_text.length > 0);
    check(`${model}: a chat finishes`, data.status === "completed" && data.error === null);
    check(`${model}: a chat has usage`, data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
    check(`${model}: a chat has ids`, data.id.startsWith("resp_") && response.headers.get("x-request-id"));
  });

  await attempt(`${model}: a stream`, async () => {
    const stream = client.responses.stream({ model, max_output_tokens: 100, input: "hello moon" });
    let text = "";
    stream.on("response.output_text.delta", (event) => { text += event.delta; });
    const data = await stream.finalResponse();
    check(`${model}: a stream has text`, text.length > 0 && text_of(data) === text);
    check(`${model}: a stream finishes`, data.status === "completed");
    check(`${model}: a stream has usage`, data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
  });

  await attempt(`${model}: events`, async () => {
    const names = [];
    const numbers = [];
    for await (const event of await client.responses.create({ model, input: "hello moon", stream: true })) {
      names.push(event.type);
      numbers.push(event.sequence_number);
    }
    check(`${model}: events begin`, names[0] === "response.created" && names[1] === "response.in_progress");
    check(`${model}: events end`, names.at(-1) === "response.completed");
    check(`${model}: events are numbered`, numbers.every((number, i) => number === i));
  });

  await attempt(`${model}: tools`, () => loop(model, (body) => client.responses.create(body)));
  await attempt(`${model}: streamed tools`,
    () => loop(model, (body) => client.responses.stream(body).finalResponse()));
}

await attempt("an error", async () => {
  let seen = null;
  try {
    await client.responses.create({ model: "no-such-model", input: "hello" });
  } catch (error) {
    seen = error;
  }
  check("an error is the client's own", seen instanceof OpenAI.NotFoundError);
  check("an error has its code", seen?.code === "model_not_found" && seen?.param === "model");
  check("an error has an id", seen?.requestID?.length > 0);
});

await attempt("a response that nobody keeps", async () => {
  let seen = null;
  try {
    await client.responses.create({ model: "mock", input: "hello", previous_response_id: "resp_1" });
  } catch (error) {
    seen = error;
  }
  check("what nobody keeps is refused", seen instanceof OpenAI.BadRequestError);
  check("and named", seen?.param === "previous_response_id");
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

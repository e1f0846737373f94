// Google's official client for Node: a chat, a stream, a tool loop of two turns, an error, with an
// upstream of each family. Counts its checks.

import { ApiError, GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: process.argv[2] } });
const question = [{ role: "user", parts: [{ text: "hello moon" }] }];
const tools = [{
  functionDeclarations: [{
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] },
  }],
}];

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) { passed += 1; return; }
  failed += 1;
  console.log(`node genai: not so: ${what}`);
}

async function attempt(what, body) {
  try {
    await body();
  } catch (error) {
    check(`${what}: ${error}`, false);
  }
}

// A stream's pieces as one answer.
async function streamed(asked) {
  const parts = [];
  let last = null;
  for await (const piece of await client.models.generateContentStream(asked)) {
    parts.push(...(piece.candidates?.[0]?.content?.parts ?? []));
    last = piece;
  }
  last.candidates[0].content = { role: "model", parts };
  return last;
}

function text(data) {
  return data.candidates[0].content.parts.filter((part) => !part.thought)
    .map((part) => part.text ?? "").join("");
}

async function loop(model, ask) {
  const first = await ask({ model, contents: question, config: { tools } });
  const content = first.candidates[0].content;
  const asked = content.parts.find((part) => part.functionCall)?.functionCall;
  check(`${model}: a tool is called`, asked?.name === "weather" && typeof asked.args.city === "string");
  check(`${model}: which ends the turn`, first.candidates[0].finishReason === "STOP");
  const second = await ask({
    model, config: { tools },
    contents: [...question, content, {
      role: "user",
      parts: [{ functionResponse: { id: asked.id, name: asked.name, response: { output: "sunny" } } }],
    }],
  });
  check(`${model}: its result is answered`, text(second).includes("sunny"));
  check(`${model}: and the loop ends`, second.candidates[0].finishReason === "STOP");
}

for (const model of process.argv.slice(3)) {
  await attempt(`${model}: a chat`, async () => {
    const data = await client.models.generateContent({
      model, contents: "hello moon", config: { systemInstruction: "be brief", maxOutputTokens: 100 },
    });
    check(`${model}: a chat has text`, data.text.length > 0);
    check(`${model}: a chat finishes`, data.candidates[0].finishReason === "STOP");
    const usage = data.usageMetadata;
    check(`${model}: a chat has usage`, usage.promptTokenCount > 0 && usage.candidatesTokenCount > 0);
  });

  await attempt(`${model}: a stream`, async () => {
    const data = await streamed({ model, contents: question });
    check(`${model}: a stream has text`, text(data).length > 0);
    check(`${model}: a stream finishes`, data.candidates[0].finishReason === "STOP");
    check(`${model}: a stream has usage`, data.usageMetadata.promptTokenCount > 0);
  });

  await attempt(`${model}: two turns`, async () => {
    const chat = client.chats.create({ model });
    await chat.sendMessage({ message: "hello moon" });
    const data = await chat.sendMessage({ message: "and the stars" });
    check(`${model}: a second turn answers`, data.text.includes("stars"));
  });

  await attempt(`${model}: tools`, () => loop(model, (asked) => client.models.generateContent(asked)));
  await attempt(`${model}: streamed tools`, () => loop(model, streamed));
}

await attempt("an error", async () => {
  let seen = null;
  try {
    await client.models.generateContent({ model: "no-such-model", contents: "x" });
  } catch (error) {
    seen = error;
  }
  check("an error is the client's own", seen instanceof ApiError && seen.status === 404);
  check("an error has its status", seen?.message.includes("NOT_FOUND"));
});

await attempt("counting", async () => {
  const { totalTokens } = await client.models.countTokens({ model: "mock", contents: "hello moon" });
  check("tokens are counted", totalTokens > 0);
});

await attempt("the list of models", async () => {
  const names = [];
  for await (const model of await client.models.list()) names.push(model.name);
  check("the list of models has mock", names.includes("models/mock"));
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

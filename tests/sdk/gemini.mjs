// A provider in Gemini's words: says what it was told, and calls the first tool it is offered until
// it has a result. Its calls are signed, and it refuses those that come back without.

import http from "node:http";

const SIGNATURE = "c2lnbmVk";

function unsigned(contents) {
  return contents.some((turn) => turn.parts.some((part) => part.functionCall
    && part.thoughtSignature !== SIGNATURE));
}

function answer(body) {
  const last = body.contents.at(-1).parts.at(-1);
  const tool = body.tools?.[0]?.functionDeclarations?.[0];
  const part = tool && !last.functionResponse
    ? { functionCall: { name: tool.name, args: { city: "Rome" } }, thoughtSignature: SIGNATURE }
    : { text: last.text ?? JSON.stringify(last.functionResponse.response) };
  return {
    candidates: [{ content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 }],
    usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3, totalTokenCount: 10 },
    modelVersion: "gemini-3-pro", responseId: "r1",
  };
}

http.createServer((request, response) => {
  let text = "";
  request.on("data", (bytes) => { text += bytes; });
  request.on("end", () => {
    const body = JSON.parse(text);
    const refused = unsigned(body.contents);
    const said = refused
      ? { error: { code: 400, message: "Function call is missing a thought_signature", status: "INVALID_ARGUMENT" } }
      : answer(body);
    const streamed = !refused && request.url.includes(":streamGenerateContent");
    response.writeHead(refused ? 400 : 200,
      { "content-type": streamed ? "text/event-stream" : "application/json" });
    response.end(streamed ? `data: ${JSON.stringify(said)}\r\n\r\n` : JSON.stringify(said));
  });
}).listen(Number(process.argv[2]), "127.0.0.1");

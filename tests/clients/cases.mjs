// What every driver shares: it is told a plan, does each case with each family of providers, and
// prints what its client said it heard, a line of JSON each.

export const plan = JSON.parse(process.argv[2]);

// What the tool gives for its arguments, an object or the text of one.
export function weather(asked) {
  const { city } = typeof asked === "string" ? JSON.parse(asked) : asked;
  return plan.tool.results[city];
}

// An error's class and those above it, by every name that it goes by.
function classes(error) {
  const list = [error?.name];
  for (let at = error; at && at.constructor !== Object; at = Object.getPrototypeOf(at)) {
    list.push(at.constructor.name);
  }
  return list.filter(Boolean);
}

function describe(error) {
  return {
    classes: classes(error), status: error?.status ?? error?.statusCode ?? null,
    message: String(error?.message ?? error),
  };
}

// `ask(model, case)` gives the answers it heard: [{ text, calls: [{ name, arguments }],
// usage: { input, output }, finish }].
export async function run(ask) {
  for (const family of plan.families) {
    for (const one of plan.cases) {
      const line = { family, case: one.name };
      try {
        line.steps = await ask(`${family}-${one.name}`, one);
      } catch (error) {
        line.error = describe(error);
      }
      console.log(JSON.stringify(line));
    }
  }
}

// Texts that tell tokenizers apart, the same in every run of a seed.

// A small generator of numbers (mulberry32).
function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const FRAGMENTS = [
  "'s", "'S", "'t", "'RE", "'re", "'vE", "'m", "'LL", "'ll", "'d", "'D", "'ſ", "’s", "'x", "'",
  " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", " \n", "\n ", "\u00a0", "\u0085", "\u2003",
  "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\u180e", "\u0000", "\u001f", "\u000b",
  "0", "12", "1234", "٣٤", "Ⅷ", "½", "²", "৪", "a", "word", "Word", "WORD", "camelCase",
  "HTTPServer", "ǅ", "ǅa", "ʰ", "ª", "ß", "İ", "é", "e\u0301", "\u0301", "\u0301\u0302", "ﬁ",
  "你好", "世界", "漢", "カタカナ", "ひらがな", "한국어", "한", "नमस्ते", "ไทย", "مرحبا", "שלום", "Привет",
  "ΑΒγ", "😀", "👨‍👩‍👧", "🏳️‍🌈", "🇩🇪", "<|endoftext|>", "<|im_start|>", "//", "/", "/*", "*/", "```", "==",
  "----", "...", "!?", "{\"", "\":", "},", "[]", "()", "\\n", "\\u00e9", "&nbsp;", "$", "€", "−",
  "_", "__", "@", "#", "%", "\u{10ffff}", "\u{1d400}", "\u{20000}", "\u{13000}", "\u{e0020}",
];

const RANGES = [[0, 0x80], [0x80, 0x800], [0x800, 0xd800], [0xe000, 0x3ffff]];

function character(pick) {
  const [from, to] = RANGES[pick(RANGES.length)];
  return String.fromCodePoint(from + pick(to - from));
}

/** Short strings of everything that a split rule treats specially. */
export function hostile(seed, count) {
  const pick = random(seed);
  return Array.from({ length: count }, () => {
    let text = "";
    for (let n = 1 + pick(12); n > 0; n--) {
      const part = pick(4) ? FRAGMENTS[pick(FRAGMENTS.length)] : character(pick);
      text += part.repeat(pick(10) ? 1 : 1 + pick(9));
    }
    return text;
  });
}

const ALPHABETS = [
  "a", "ab", "aA", "abcdefghijklmnopqrstuvwxyz", "=", "=-", "!@#$%^&*(", " ", " \t", "\n", "\r\n",
  "etaoinshrdlu", "αβγδε", "абвгд", "가나다라", "的一是不了人我在有", "😀😁😂", "/", "ACGT", "lo",
];

// A piece that no rule splits, from 65 to 6,000 bytes or so.
function piece(pick) {
  const kind = pick(4), length = 65 + pick(pick(4) ? 400 : 6000);
  let text = "";
  if (kind === 0) return ALPHABETS[pick(ALPHABETS.length)].repeat(length).slice(0, length);
  const base = kind === 1 ? [0x4e00, 0x5000] : [0xac00, 0x2ba4];
  const letters = [...ALPHABETS[pick(ALPHABETS.length)]];
  for (let n = length >> 1; n > 0; n--) {
    text += kind === 3 ? letters[pick(letters.length)]
      : String.fromCodePoint(base[0] + pick(pick(3) ? base[1] : 64));
  }
  return text;
}

/** Pieces far longer than any token, where merging is what takes the time. */
export function long(seed, count) {
  const pick = random(seed + 1);
  return Array.from({ length: count }, () => piece(pick));
}

/** Every `stride`th code point of planes 0 to 3 and the tags, in eight frames. */
export function codePoints(stride) {
  const points = [];
  for (let point = 0; point < 0x40000; point += stride) {
    if (point < 0xd800 || point > 0xdfff) points.push(point);
  }
  for (let point = 0xe0000; point < 0xe0200; point++) points.push(point);
  const frames = ["X", "aX", " X", "Xa", "X's", "1X", "AXb", "X \n X"];
  return frames.map((frame) => [
    JSON.stringify(frame),
    points.map((point) => frame.replaceAll("X", () => String.fromCodePoint(point))),
  ]);
}

/** The published vectors: encoding → texts. */
export function golden(plans) {
  const found = new Map();
  for (const [, name, text] of plans.matchAll(/EncodingName: (\S+)\nSample: (.*)\nEncoded:/g)) {
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(JSON.parse(JSON.stringify(text)));
  }
  return found;
}

/** One of each script and kind. */
export const texts = [
  "The quick brown fox jumps over the lazy dog. It's what they'd call a pangram, isn't it? In 1888,"
    + " 35,000 people (or so) had read it; nobody counted.\n\n",
  "Größenordnung: „Über sieben Brücken“ – das heißt 1.234,56 € für Straßenbahnschaffnerinnen.\n",
  "Съешь же ещё этих мягких французских булок, да выпей чаю. Цена — 120 рублей.\r\n",
  "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία· πόσο κάνει; 12 €.\n",
  "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 2026년 11월 22일.\n",
  "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。カタログ１２３。\n",
  "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。\n",
  "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।\n",
  "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. ١٢٣٤\n",
  "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ\n",
  "static inline int f(const char *p, size_t n)\n{\n\tfor (size_t i = 0; i < n; i++) {\n\t\tif (p[i] =="
    + " '\\0') return -1; /* not text */\n\t}\n\n    return 0x7FFF;\n}\n",
  "def fetch(self, url: str, *, timeout=30.0) -> dict[str, Any]:\n    \"\"\"Fetch it.\"\"\"\n    return"
    + " json.loads(self.session.get(f\"{url}?a=1&b=2\").text)\n",
  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}],\"temperature\":0.7,\"n\":1,"
    + "\"tools\":[],\"stop\":null}\n",
  "| a | b |\n| --- | ---: |\n| **x** | `1` |\n\n- [ ] item https://example.org/a?b=c#d\n",
  "ZGF0YTppbWFnZS9wbmc7YmFzZTY0LGlWQk9SdzBLR2dvQUFBQU5TVWhFVWdBQUFBRUFBQUFC",
];

/** Eight scripts, code, JSON, Markdown, base64: alone, cut anywhere, repeated and mixed. */
export function real() {
  const cut = texts.flatMap((text) => [...text].map((_, i, all) => all.slice(0, i).join("")));
  const pairs = texts.flatMap((a) => texts.map((b) => a + b));
  return [...texts, ...cut, ...pairs, ...texts.map((text) => text.repeat(60))];
}

/** So many characters of an alphabet, in no order. */
export function noise(length, alphabet) {
  const pick = random(7);
  return Array.from({ length }, () => alphabet[pick(alphabet.length)]).join("");
}

// Asks a question and waits for its answer; or answers questions, also those of the time while nobody answered.
//   node request-response.mjs ask TEXT
//   node request-response.mjs answer [COUNT]
const url = process.env.HARK_URL ?? "http://127.0.0.1:8080";

// What the daemon answers.
async function call(method, path, { body, key, ...query } = {}) {
  const headers = {};
  if (key) headers["Idempotency-Key"] = key; // sent twice, it is one event
  if (process.env.HARK_TOKEN) headers.Authorization = `Bearer ${process.env.HARK_TOKEN}`;
  const answer = await fetch(`${url}${path}?${new URLSearchParams(query)}`, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(60000) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function ask(text) {
  const session = `question-${Date.now()}-${process.pid}`;
  // Where the bus is now, before asking: the answer cannot be missed.
  const { cursor: after } = await call("GET", "/api/events/wait/answer", { timeout: 0 });
  await call("POST", "/api/events/question", { key: session, body: { topic: "coordination", correlation_id: session, data: { text } } });
  const reply = await call("GET", "/api/events/wait/answer", { filter: `correlation_id:${session}`, after, timeout: 30000 });
  if (!reply.events) throw new Error("no answer within 30 s");
  console.log(reply.events[0].data.text);
}

async function answer(count = 1) {
  for (let answered = 0; answered < Number(count); ) {
    // Under a name the daemon knows how far one has read; a new one begins with what is kept.
    const told = await call("GET", "/api/events/wait/question", { subscriber: "answerer", after: 0, limit: 1, timeout: 30000 });
    for (const { correlation_id, sequence, data } of told.events ?? []) {
      await call("POST", "/api/events/answer", { key: `answer-${correlation_id}`, body: { topic: "coordination", correlation_id, data: { text: `${data.text}: yes` } } });
      await call("POST", "/api/subscribers/answerer/ack", { cursor: sequence });
      ++answered;
    }
  }
}

const [role, ...words] = process.argv.slice(2);
await { ask, answer }[role](...words);

// A step that begins when all that it needs is done, in whatever order.
//   node dependency-chain.mjs SESSION STEP [NEEDS...]
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

const [session, step, ...needs] = process.argv.slice(2);
const missing = new Set(needs);
for (let after = 0; missing.size > 0; ) {
  const told = await call("GET", "/api/events/wait/step_done", { filter: `correlation_id:${session}`, after, timeout: 30000 });
  after = told.cursor;
  for (const event of told.events ?? []) missing.delete(event.data.step);
}
// … the work …
await call("POST", "/api/events/step_done", { key: `step-${session}-${step}`, body: { topic: "implementation", correlation_id: session, data: { step } } });
console.log(`${step} done`);

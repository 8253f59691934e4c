// One request, several workers, all their replies gathered.
//   node fan-out.mjs ask SESSION COUNT
//   node fan-out.mjs work SESSION NAME
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

const say = (kind, session, worker) => call("POST", `/api/events/${kind}`, { key: `${kind}-${session}-${worker}`, body: { topic: "coordination", correlation_id: session, data: { worker } } });

async function ask(session, count) {
  // Where the request stands. Asked again under its key it is the same place, and replies to it stand behind it.
  let { sequence: after } = await say("request", session, "all");
  const until = Date.now() + 60000;
  for (let left = Number(count); left > 0; ) {
    if (Date.now() > until) throw new Error(`${left} have not replied within a minute`);
    const told = await call("GET", "/api/events/wait/reply", { filter: `correlation_id:${session}`, after, timeout: 10000 });
    after = told.cursor;
    for (const reply of told.events ?? []) {
      console.log(reply.data.worker);
      --left;
    }
  }
}

async function work(session, name) {
  while (!(await call("GET", "/api/events/wait/request", { filter: `correlation_id:${session}`, after: 0, timeout: 30000 })).events);
  // … the work …
  await say("reply", session, name);
}

const [role, ...words] = process.argv.slice(2);
await { ask, work }[role](...words);

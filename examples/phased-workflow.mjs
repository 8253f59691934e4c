// One that leads through phases, each begun when the one before is done; and one that does them.
//   node phased-workflow.mjs lead SESSION
//   node phased-workflow.mjs work SESSION
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

const phases = ["plan", "build", "verify"];
const say = (kind, session, phase) => call("POST", `/api/events/${kind}`, { key: `${kind}-${session}-${phase}`, body: { topic: "coordination", correlation_id: session, data: { phase } } });

async function hear(kind, session, phase) {
  while (!(await call("GET", `/api/events/wait/${kind}`, { filter: `correlation_id:${session},payload.phase:${phase}`, after: 0, timeout: 30000 })).events);
}

async function lead(session) {
  for (const phase of phases) {
    await say("phase_begin", session, phase);
    await hear("phase_done", session, phase);
    console.log(`${phase} done`);
  }
}

async function work(session) {
  for (const phase of phases) {
    await hear("phase_begin", session, phase);
    // … the work …
    await say("phase_done", session, phase);
  }
}

const [role, session] = process.argv.slice(2);
await { lead, work }[role](session);

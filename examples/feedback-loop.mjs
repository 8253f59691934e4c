// Two agents in rounds: one writes, the other reviews, until it approves.
//   node feedback-loop.mjs write SESSION
//   node feedback-loop.mjs review SESSION    approves the third draft
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

const say = (kind, session, data) => call("POST", `/api/events/${kind}`, { key: `${kind}-${session}-${data.round}`, body: { topic: "testing", correlation_id: session, data } });

// The one of this round, among all that are kept.
async function heard(kind, session, round) {
  for (;;) {
    const told = await call("GET", `/api/events/wait/${kind}`, { filter: `correlation_id:${session},payload.round:${round}`, after: 0, timeout: 30000 });
    if (told.events) return told.events[0].data;
  }
}

async function write(session) {
  for (let round = 1; ; ++round) {
    await say("draft", session, { round });
    if ((await heard("review", session, round)).approved) return console.log(`approved in round ${round}`);
  }
}

async function review(session) {
  for (let round = 1, approved = false; !approved; ++round) {
    await heard("draft", session, round);
    approved = round >= 3;
    await say("review", session, { round, approved });
  }
}

const [role, session] = process.argv.slice(2);
await { write, review }[role](session);

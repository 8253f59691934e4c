// Emits by the CloudEvents SDK in each form, finds them on the bus, and has the SDK take them as CloudEvents again.    node cloudevents.cjs URL
const assert = require('node:assert');
const { CloudEvent, HTTP, Mode, emitterFor } = require('cloudevents');
const [url] = process.argv.slice(2);

async function post({ headers, body }) {
  const answer = await fetch(`${url}/api/events`, { method: 'POST', headers, body });
  const said = await answer.json();
  assert.strictEqual(answer.status, 202, JSON.stringify(said));
  return said;
}
const stored = async (id) => (await fetch(`${url}/api/events/${id}`)).json();

// hark's names of its own are not an SDK's: id and source stand in `context`, and extensions beside them.
function as_cloud_event({ type, subject, time, topic, correlation_id, priority, data, context }) {
  const { id, source, ...extensions } = context;
  const said = { specversion: '1.0', id, source, type, subject, time, topic, correlationid: correlation_id, priority, data, ...extensions };
  const body = JSON.stringify(said);
  return HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body });
}

const made = (id, more) => new CloudEvent({ id, source: '/sdk', type: 'built', subject: 'a subject', time: '2026-11-21T07:17:07.123Z', datacontenttype: 'application/json',
  topic: 'deployment', correlationid: 'story', priority: 7, stage: 'x', data: { n: id, text: 'é ∑ 漢 𝄞' }, ...more });

async function told(event, id) {
  const seen = as_cloud_event(await stored(id));
  for (const name of ['id', 'source', 'type', 'subject', 'time', 'topic', 'correlationid', 'priority', 'stage', 'datacontenttype']) assert.deepStrictEqual(String(seen[name]), String(event[name]), name);
  assert.deepStrictEqual(seen.data, event.data);
  seen.validate();
}

(async () => {
  for (const mode of [Mode.STRUCTURED, Mode.BINARY]) {
    const event = made(`one-${mode}`);
    const emit = emitterFor(post, { mode });
    const first = await emit(event);
    await told(event, first.event_id);
    const again = await emit(event);
    assert.deepStrictEqual(again, { ...first, duplicate: true });
  }
  const batch = [made('b-1'), made('b-2'), made('one-binary')];
  const ids = (await post({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify(batch) })).event_ids;
  assert.strictEqual(ids.length, 3);
  for (const [at, event] of batch.entries()) await told(event, ids[at]);

  const bytes = made('bytes', { datacontenttype: 'application/octet-stream', data: Uint8Array.from([0, 255, 128, 7]) });
  const { event_id } = await post(HTTP.structured(bytes));
  assert.strictEqual((await stored(event_id)).data, Buffer.from([0, 255, 128, 7]).toString('base64'));
  console.log('all as they were');
})();

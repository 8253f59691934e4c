// Reads along by npm's ws and asks again after the last cursor where it is cut off: the `n` of each event, a line each.    node ws.cjs read URL TYPE
// Publishes `COUNT` events with keys, and again what was not answered when it was cut off.                                node ws.cjs publish URL TYPE COUNT
// Says how the daemon answers a page of another site.                                                                    node ws.cjs foreign URL
const WebSocket = require('ws');
const [what, url, type, count] = process.argv.slice(2);
const address = url.replace('http', 'ws') + '/api/ws';

// `open` and `heard` of each connection, one after another until `done`.
let done = false;
function connected(open, heard) {
  const socket = new WebSocket(address, 'hark');
  socket.on('open', () => open(socket));
  socket.on('message', (text) => heard(JSON.parse(text), socket));
  socket.on('error', () => {});
  socket.on('close', () => done || setTimeout(() => connected(open, heard), 100));
}

function read() {
  let after = 0;
  connected((socket) => socket.send(JSON.stringify({ op: 'subscribe', id: 's', types: [type], after })), (message) => {
    if (message.op !== 'event') return;
    after = message.cursor;
    console.log(message.event.data.n);
  });
}

function publish() {
  const open = new Set(Array.from({ length: Number(count) }, (_, n) => n));
  let waiting = 0;
  connected((socket) => {
    for (const n of open) socket.send(JSON.stringify({ op: 'publish', id: `${n}`, key: `ws-${type}-${n}`, event: { event_type: type, publisher: 'ws', data: { n } } }));
    waiting = open.size;
  }, (message, socket) => {
    if (message.op !== 'published') throw new Error(JSON.stringify(message));
    open.delete(Number(message.id));
    console.log(message.id);
    if (--waiting === 0) (done = true), socket.close(1000);
  });
}

function foreign() {
  const socket = new WebSocket(address, { origin: 'http://evil.example' });
  socket.on('unexpected-response', (_, answer) => (console.log(answer.statusCode), process.exit(0)));
  socket.on('open', () => process.exit(1));
}

({ read, publish, foreign })[what]();

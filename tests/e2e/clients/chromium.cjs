// A page of the daemon's own in Chromium reads along, by EventSource or WebSocket: the `n` of each event, a line each.
//   node chromium.cjs PROGRAM EventSource|WebSocket URL TYPE
// A page of another site (PAGE) tries to: what it got, one line of JSON.
//   node chromium.cjs PROGRAM foreign URL PAGE
const { chromium } = require('playwright-core');
const [executablePath, what, url, word] = process.argv.slice(2);

// What follows is run by the page.
const pages = {
  EventSource: ([type]) => {
    const source = new EventSource(`/api/stream?types=${type}&after=0`);
    source.addEventListener(type, (event) => console.log(JSON.parse(event.data).data.n));
  },
  WebSocket: ([type]) => {
    let after = 0;
    (function connect() {
      const socket = new WebSocket(`ws://${location.host}/api/ws`, ['hark']);
      socket.onopen = () => socket.send(JSON.stringify({ op: 'subscribe', id: 's', types: type, after }));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.op !== 'event') return;
        after = message.cursor;
        console.log(message.event.data.n);
      };
      socket.onclose = () => setTimeout(connect, 100);
    })();
  },
  foreign: async ([, hark]) => {
    const ended = (target, good) => new Promise((resolve) => {
      target.onopen = () => resolve(good);
      target.onerror = () => resolve('refused');
    });
    const body = JSON.stringify({ data: 1 });
    console.log(JSON.stringify({
      socket: await ended(new WebSocket(hark.replace('http', 'ws') + '/api/ws'), 'open'),
      stream: await ended(new EventSource(hark + '/api/stream'), 'open'),
      read: await fetch(hark + '/api/events').then(() => 'read', () => 'refused'),
      // A page may send this to any site without asking; it may not be taken there.
      publish: await fetch(hark + '/api/events/forged', { method: 'POST', mode: 'no-cors', body }).then(({ type }) => type, () => 'refused'),
    }));
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
  const page = await browser.newPage();
  page.on('console', (message) => message.type() === 'log' && console.log(message.text()));
  await page.goto(what === 'foreign' ? word : `${url}/healthz`);
  await page.evaluate(pages[what], [word, url]);
  if (what === 'foreign') await browser.close();
})();

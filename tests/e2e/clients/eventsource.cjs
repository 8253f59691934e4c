// Reads along by npm's eventsource: the `n` of each event that comes, a line each.    node eventsource.cjs URL TYPE
const { EventSource } = require('eventsource');
const [url, type] = process.argv.slice(2);
const source = new EventSource(`${url}/api/stream?types=${type}&after=0`);
source.addEventListener(type, (event) => console.log(JSON.parse(event.data).data.n));

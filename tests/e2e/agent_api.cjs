// What scripts written for ngrok's agent do, by the client that npm's `ngrok` brings, against ttf: lists tunnels, starts one, replays a
// request, stops it. Run by test_apps_mcp.py where that package is: agent_api.cjs INSPECTOR PUBLIC_PORT SERVICE_PORT
const assert = require('node:assert');
const http = require('node:http');
const {NgrokClient, NgrokClientError} = require('./node_modules/ngrok/src/client.js');

const [inspector, publicPort, servicePort] = process.argv.slice(2);
const api = new NgrokClient(inspector);

const visit = (url, body) => new Promise((resolve, reject) => {
  const request = http.request({host: '127.0.0.1', port: publicPort, method: 'POST', path: '/hook?n=1', headers: {Host: new URL(url).host}},
    answer => answer.on('end', () => resolve(answer.statusCode)).resume());
  request.on('error', reject).end(body);
});

// Asks again until it holds: what it waits for is under way in another process.
const until = async (ask, holds) => {
  for (const end = Date.now() + 30000; ;) {
    const got = await ask();
    if (holds(got)) return got;
    assert(Date.now() < end, JSON.stringify(got));
    await new Promise(resolve => setTimeout(resolve, 20));
  }
};

(async () => {
  const {tunnels} = await api.listTunnels();
  assert.deepStrictEqual(tunnels.map(tunnel => tunnel.name), ['command_line']);

  const started = await api.startTunnel({name: 'hooks', proto: 'http', addr: Number(servicePort)});
  assert.strictEqual(started.name, 'hooks');
  const tunnel = await until(() => api.tunnelDetail('hooks'), found => found.public_url);
  assert.match(tunnel.config.addr, new RegExp(servicePort));
  assert.strictEqual((await api.listTunnels()).tunnels.length, 2);
  await assert.rejects(api.startTunnel({name: 'hooks', proto: 'http', addr: 1}), error => error instanceof NgrokClientError && /already/.test(error.message));
  await assert.rejects(api.startTunnel({name: 'tcp', proto: 'tcp', addr: 22}), NgrokClientError);

  assert.strictEqual(await visit(tunnel.public_url, 'hello'), 200);
  const ended = list => list.requests.every(request => request.response);
  const [first] = (await until(() => api.listRequests({limit: 5, tunnel_name: 'hooks'}), list => list.requests.length === 1 && ended(list))).requests;
  assert.strictEqual(first.request.uri, '/hook?n=1');
  assert.strictEqual(first.response.status_code, 200);
  assert.ok(Buffer.from(first.request.raw, 'base64').toString().endsWith('\r\n\r\nhello'));

  assert.strictEqual(await api.replayRequest(first.id, 'hooks'), true);
  const both = (await until(() => api.listRequests({tunnel_name: 'hooks'}), list => list.requests.length === 2 && ended(list))).requests;
  assert.strictEqual(both[0].request.raw, first.request.raw);
  assert.strictEqual((await api.requestDetail(both[0].id)).id, both[0].id);
  await assert.rejects(api.requestDetail('999'), error => error.response.statusCode === 404);

  assert.strictEqual(await api.deleteAllRequests(), true);
  assert.strictEqual((await api.listRequests()).requests.length, 0);
  assert.strictEqual(await api.stopTunnel('hooks'), true);
  await assert.rejects(api.stopTunnel('hooks'), NgrokClientError);
  assert.strictEqual((await api.listTunnels()).tunnels.length, 1);
  console.log('fine');
})().catch(error => {
  console.error(error);
  process.exit(1);
});

// The inspector's page. What visitors sent is put into the page as text and never as markup; the Content-Security-Policy
// allows no other script than this one. The key in the page's address (behind #) lets it write.
'use strict';

const $ = id => document.getElementById(id);
const key = location.hash.slice(1) || sessionStorage.getItem('key') || '';
if (key) sessionStorage.setItem('key', key);

// Names of secrets, as ttf's log and `ttf mcp` tell them (base/log.h); of parameters a few more.
const SECRET = '(token|password|passwd|passphrase|secret|apikey|accesskey|privatekey|secretkey|signature|credentials?|jwt|authorization|sessionid|assertion)';
const SECRET_FIELDS = new RegExp('^(set)?cookie$|^(?!accesscontrol).*' + SECRET + '$');
const SECRET_PARAMETERS = new RegExp(SECRET + '|^(resume|sig|key|pass|pwd|sid|code|otp|auth)$');
const URL_FIELDS = /^(location|content-location|referer|x-original-url)$/i;
const HIDDEN = '••••••';

let lines = [];            // of the list, the newest first
let chosen = null;         // the id
let record = null;         // all of it
let compared = null;       // another record, beside whose answer this one's is put
let paused = false;
const marked = new Set();

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.startsWith('on')) made.addEventListener(property.slice(2), value);
    else if (property in made && property !== 'role' && property !== 'list') made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

function say(text) {
  $('said').textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $('said').textContent = ''; }, 4000);
}

async function ask(path, options = {}) {
  const headers = {'X-Inspect-Key': key};
  if (options.body) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path, {...options, headers});
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).msg || 'HTTP ' + answer.status);
  return answer;
}

const attempt = work => async (...words) => {
  try { await work(...words); } catch (error) { say(error.message); }
};

// ---- units, bytes, text ----

function size(bytes) {
  if (bytes < 1000) return bytes + ' B';
  for (const unit of ['kB', 'MB', 'GB']) {
    bytes /= 1000;
    if (bytes < 1000 || unit === 'GB') return bytes.toPrecision(3) + ' ' + unit;
  }
}
const took = milliseconds => milliseconds < 1000 ? milliseconds + ' ms' : (milliseconds / 1000).toFixed(1) + ' s';
const bytesOf = base64 => Uint8Array.from(atob(base64), character => character.charCodeAt(0));
const base64Of = bytes => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
const textOf = bytes => new TextDecoder().decode(bytes);
const isText = bytes => { try { new TextDecoder('utf-8', {fatal: true}).decode(bytes); return !bytes.includes(0); } catch { return false; } };
const sentBytes = message => bytesOf(message.body);                       // as far as they are kept
const shownBytes = message => bytesOf(message.decoded ?? message.body);   // without their content coding
const isPlain = message => message.decoded !== undefined || !fieldOf(message, 'content-encoding');
const isWhole = message => message.decoded_whole ?? sentBytes(message).length === message.body_bytes;
const fieldOf = (message, name) => (message.fields.find(field => field[0].toLowerCase() === name) || [])[1] || '';

function hex(bytes) {
  const rows = [];
  for (let at = 0; at < bytes.length && rows.length < 2048; at += 16) {
    const row = Array.from(bytes.slice(at, at + 16));
    rows.push(at.toString(16).padStart(8, '0') + '  ' + row.map(byte => byte.toString(16).padStart(2, '0')).join(' ').padEnd(49) +
      row.map(byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.').join(''));
  }
  return rows.join('\n') + (bytes.length > 32768 ? '\n… ' + size(bytes.length - 32768) + ' more' : '');
}

const letters = name => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const unescaped = name => { try { return decodeURIComponent(name); } catch { return name; } };
const hidesParameter = name => SECRET_PARAMETERS.test(letters(unescaped(name)));
const hidesField = name => SECRET_FIELDS.test(letters(name));
const hideForm = text => text.split('&').map(pair => {
  const name = pair.split('=')[0];
  return pair.includes('=') && hidesParameter(name) ? name + '=' + HIDDEN : pair;
}).join('&');
function hideQuery(target) {
  const at = target.indexOf('?');
  return at < 0 ? target : target.slice(0, at + 1) + hideForm(target.slice(at + 1));
}
function hideValue(name, value) {
  if (hidesField(name)) return HIDDEN;
  return URL_FIELDS.test(name) ? hideQuery(value) : value;
}
const hidesValue = (name, value) => hideValue(name, value) !== value;

// Behind the string that begins at `at`.
function stringEnd(text, at) {
  for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
  return Math.min(at + 1, text.length);
}
// Strings of members with such names, whether the text is whole JSON or not.
function hideMembers(text) {
  const colon = /\s*:\s*(?=")/y;
  let shown = '', kept = 0, at = text.indexOf('"');
  while (at >= 0) {
    const end = colon.lastIndex = stringEnd(text, at);
    const isNamed = hidesField(text.slice(at + 1, end - 1)) && colon.test(text);
    const value = isNamed ? colon.lastIndex : end;
    if (isNamed) {
      shown += text.slice(kept, value) + '"' + HIDDEN + '"';
      kept = stringEnd(text, value);
    }
    at = text.indexOf('"', isNamed ? kept : end);
  }
  return shown + text.slice(kept);
}
const hideBody = (message, text) =>
  /x-www-form-urlencoded/i.test(fieldOf(message, 'content-type')) ? hideForm(text) : hideMembers(text);

// ---- the list ----

function isShown(line) {
  const status = $('status').value, code = line.visitor_status;
  if ($('method').value && line.method !== $('method').value) return false;
  if (status === 'e' ? !line.error : status && String(code)[0] !== status) return false;
  return line.path.toLowerCase().includes($('text').value.toLowerCase()) || holding.has(line.id);
}

// Fields and bodies are not in the list: which requests hold the text, ttf says. Of those from the id `after` on.
let holding = new Set(); // ids
async function find(after) {
  const text = $('text').value;
  const found = text ? (await (await ask('/api/inspect/requests?limit=300&after=' + after + '&text=' + encodeURIComponent(text))).json()).requests : [];
  if ($('text').value !== text) return;
  if (!after) holding.clear();
  for (const line of found) holding.add(line.id);
  showList();
}
const findLater = () => {
  showList();
  clearTimeout(findLater.timer);
  findLater.timer = setTimeout(attempt(() => find(0)), 200);
};

function option(line) {
  const code = line.ended || line.visitor_status ? line.visitor_status || '—' : '…';
  return element('div', {role: 'option', id: 'r' + line.id, 'aria-selected': line.id === chosen, onclick: () => choose(line.id)},
    element('span', {className: 's' + String(line.visitor_status)[0]}, String(code)),
    element('span', {}, line.method),
    element('span', {className: 'path', title: line.error || ''},
      (marked.has(line.id) ? '★ ' : '') + (line.replay_of ? '↻ ' : '') + hideQuery(line.path) +
      (line.upgrade ? ' (' + line.upgrade + ')' : '')),
    element('span', {className: 'dim took'}, took(Math.round(line.duration / 1e6)) + ' ' + size(line.response_bytes)));
}

function showList() {
  const shown = lines.filter(isShown);
  $('list').replaceChildren(...shown.map(option));
  $('list').setAttribute('aria-activedescendant', chosen && shown.some(line => line.id === chosen) ? 'r' + chosen : '');
  $('nothing').hidden = shown.length > 0;
  $('nothing').textContent = lines.length ? 'No request is like that.' : 'No request has come yet.';
  for (const method of new Set(lines.map(line => line.method)))
    if (![...$('method').options].some(choice => choice.value === method)) $('method').append(new Option(method, method));
}

let isLoading = false, isStale = false;
async function load() {
  if (paused) return;
  if (isLoading) { isStale = true; return; }
  isLoading = true;
  try {
    lines = (await (await ask('/api/inspect/requests?limit=300')).json()).requests;
    showList();
    if ($('text').value) await find((lines[20] || {id: 0}).id); // those of before have their bodies
    if (record && !record.ended && chosen === record.id) await show(chosen);
  } finally {
    isLoading = false;
    if (isStale) { isStale = false; setTimeout(load, 250); }
  }
}

// ---- one request ----

const section = (title, ...children) => [element('h2', {}, title), ...children];

function secret(text, hides) {
  if (!hides) return text;
  const button = element('button', {type: 'button', className: 'secret', title: 'Show it', onclick: () => button.replaceWith(text)}, HIDDEN);
  return button;
}

function table(pairs, hides) {
  return element('table', {}, element('tbody', {}, ...pairs.map(([name, value]) =>
    element('tr', {}, element('th', {scope: 'row'}, name), element('td', {}, secret(value, hides(name, value)))))));
}

function parameters(text) {
  return [...new URLSearchParams(text)];
}

function multipart(bytes, type) {
  const boundary = (/boundary="?([^";]+)/.exec(type) || [])[1];
  if (!boundary) return null;
  const text = Array.from(bytes, byte => String.fromCharCode(byte)).join('');
  return text.split('--' + boundary).slice(1, -1).map(part => {
    const at = part.indexOf('\r\n\r\n');
    const name = (/name="([^"]*)"/.exec(part.slice(0, at)) || [])[1] || '';
    const file = (/filename="([^"]*)"/.exec(part.slice(0, at)) || [])[1];
    const value = part.slice(at + 4, -2);
    return [name, file === undefined ? value.slice(0, 4096) : file + ', ' + size(value.length)];
  });
}

function views(message) {
  const bytes = shownBytes(message), type = fieldOf(message, 'content-type').toLowerCase(), found = {};
  if (isPlain(message) && isText(bytes)) {
    const text = textOf(bytes);
    if (/json/.test(type)) try { found.JSON = () => element('pre', {}, JSON.stringify(JSON.parse(text), null, 2)); } catch { /* as text */ }
    if (/x-www-form-urlencoded/.test(type)) found.Form = () => table(parameters(text), hidesParameter);
    if (/event-stream/.test(type)) found.Events = () => element('ol', {}, ...text.split(/\r?\n\r?\n/).filter(Boolean).map(event => element('li', {}, element('pre', {}, event))));
    found.Text = () => element('pre', {}, text);
  }
  if (/multipart/.test(type)) {
    const parts = multipart(bytes, type === '' ? '' : fieldOf(message, 'content-type'));
    if (parts) found.Parts = () => table(parts, hidesParameter);
  }
  if (isPlain(message) && /^image\/(png|jpeg|gif|webp)/.test(type) && isWhole(message))
    found.Image = () => element('img', {alt: 'the image of this body', src: URL.createObjectURL(new Blob([bytes], {type: type.split(';')[0]}))});
  found.Hex = () => element('pre', {}, hex(bytes));
  return found;
}

function lengthOf(message) {
  const kept = sentBytes(message).length, coding = fieldOf(message, 'content-encoding');
  return size(message.body_bytes) + (coding ? ' ' + coding : '') + (kept < message.body_bytes ? ', the first ' + size(kept) + ' are kept' : '') +
    (message.decoded === undefined ? '' : ', ' + (isWhole(message) ? '' : 'the first ') + size(shownBytes(message).length) + ' decoded');
}

function body(message) {
  if (!message.body_bytes) return [element('p', {className: 'dim'}, 'No body.')];
  const found = views(message), place = element('div');
  const buttons = Object.entries(found).map(([name, make], at) => element('button', {type: 'button', 'aria-pressed': at === 0, onclick: event => {
    for (const button of buttons) button.setAttribute('aria-pressed', button === event.target);
    place.replaceChildren(make());
  }}, name));
  place.append(Object.values(found)[0]());
  return [element('div', {className: 'tools'}, ...buttons, element('span', {className: 'dim'}, lengthOf(message))), place];
}

// The frames of a WebSocket (RFC 6455 5.2), as far as their bytes are kept.
function frames(bytes) {
  const found = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = bytes[at] & 15, isMasked = bytes[at + 1] & 128;
    let length = bytes[at + 1] & 127;
    at += 2;
    if (length === 126) { length = bytes[at] << 8 | bytes[at + 1]; at += 2; }
    else if (length === 127) { length = Number(new DataView(bytes.buffer, at, 8).getBigUint64(0)); at += 8; }
    const mask = isMasked ? bytes.slice(at, at += 4) : null;
    const payload = bytes.slice(at, at + length).map((byte, i) => mask ? byte ^ mask[i & 3] : byte);
    const name = {0: 'more', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong'}[opcode] || 'opcode ' + opcode;
    found.push([name, isText(payload) && opcode !== 8 ? textOf(payload) : hex(payload)]);
    at += length;
  }
  return found;
}

function messages(title, message) {
  let found = [];
  try { found = frames(bytesOf(message.body)); } catch { /* cut within a head */ }
  return section(title, element('table', {}, element('tbody', {}, ...found.map(([name, text]) =>
    element('tr', {}, element('th', {scope: 'row'}, name), element('td', {}, element('pre', {}, text)))))));
}

function half(title, message) {
  return [...section(title, table(message.fields, hidesValue)), ...body(message)];
}

function difference(answer, other) {
  const text = message => message ? message.status + '\n' + message.fields.map(field => field.join(': ')).join('\n') + '\n\n' +
    (isText(shownBytes(message)) ? textOf(shownBytes(message)) : hex(shownBytes(message))) : '(no answer)';
  const mine = text(answer).split('\n'), others = text(other).split('\n');
  if (mine.join('\n') === others.join('\n')) return section('Compared', element('p', {}, 'Both answers are the same.'));
  const here = new Set(mine), there = new Set(others); // of bodies that strangers sent: many lines
  const gone = others.filter(line => !here.has(line)), come = mine.filter(line => !there.has(line));
  return section('Compared: only there, only here', element('pre', {className: 'removed'}, gone.join('\n')), element('pre', {className: 'added'}, come.join('\n')));
}

function detail() {
  const {request, response} = record, query = request.uri.split('?').slice(1).join('?');
  const isSocket = response && response.status_code === 101;
  const parts = [
    element('h2', {}, request.method + ' ' + hideQuery(request.uri)),
    element('p', {}, element('span', {className: 's' + String(record.visitor_status)[0]}, response ? response.status : record.ended ? 'no answer' : 'waiting'),
      record.error ? ' — ' + record.error + (record.detail ? ': ' + record.detail : '') : ''),
    element('p', {className: 'dim'}, new Date(record.start).toLocaleString() + ' · first byte ' +
      (record.first_byte_ms === null ? '—' : took(record.first_byte_ms)) + ' · whole ' + (record.ended ? took(Math.round(record.duration / 1e6)) : '…') +
      (record.replay_of ? ' · again of ' + record.replay_of : '')),
    tools(),
  ];
  if (compared && compared.id !== record.id) parts.push(...difference(response, compared.response));
  if (query) parts.push(...section('Query', table(parameters(query), hidesParameter)));
  if (isSocket) {
    parts.push(...section('Request', table(request.fields, hidesValue)));
    parts.push(...messages('Sent by the visitor', request), ...messages('Sent by the service', response));
  } else {
    parts.push(...half('Request', request));
    if (response) parts.push(...half('Answer', response));
  }
  parts.push(element('details', {}, element('summary', {}, 'Raw (with secrets)'), element('pre', {}, textOf(bytesOf(request.raw))),
    response ? element('pre', {}, textOf(bytesOf(response.raw))) : null));
  $('detail').replaceChildren(...parts);
}

const tool = (id, text, work) => element('button', {type: 'button', id, onclick: attempt(work)}, text);

function tools() {
  const times = element('input', {type: 'number', min: 1, max: 100, value: 1, 'aria-label': 'times'});
  const port = element('input', {type: 'number', min: 1, max: 65535, placeholder: 'port', 'aria-label': 'to another port'});
  return element('div', {className: 'tools'},
    tool('replay', 'Replay', () => replay({times: Number(times.value) || 1, ...(port.value ? {port: Number(port.value)} : {})})),
    times, port,
    tool('edit', 'Edit and replay', edit),
    tool('curl', 'Copy as curl', () => navigator.clipboard.writeText(curl()).then(() => say('Copied'))),
    tool('har', 'Save HAR', () => saveHar(false)),
    tool('har-secrets', 'HAR with secrets', () => saveHar(true)),
    tool('compare', compared && compared.id === record.id ? 'Compared with the next' : 'Compare', () => { compared = record; detail(); say('Choose the other request'); }),
    tool('mark', marked.has(record.id) ? 'Unmark' : 'Mark', () => { if (!marked.delete(record.id)) marked.add(record.id); showList(); detail(); }));
}

async function replay(wish) {
  await ask('/api/requests/http', {method: 'POST', body: JSON.stringify({id: record.id, tunnel_name: record.tunnel_name, ...wish})});
  say('Sent again');
}

// What is written by hand is not encoded again.
const isKeptField = message => ([name]) => message.decoded === undefined || name !== 'content-encoding';

function edit() {
  const {request} = record, bytes = shownBytes(request);
  if (!isText(bytes)) { say('This body is no text'); return; }
  const fields = request.fields.filter(isKeptField(request));
  const head = element('textarea', {'aria-label': 'line and fields', value: request.method + ' ' + request.uri + '\n' + fields.map(field => field.join(': ')).join('\n')});
  const text = element('textarea', {'aria-label': 'body', value: textOf(bytes)});
  const send = attempt(async () => {
    const [line, ...fields] = head.value.split('\n').filter(Boolean), [method, uri] = line.split(' ');
    const headers = fields.map(field => [field.split(':')[0].trim().toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]);
    await replay({method, uri, headers, body: base64Of(new TextEncoder().encode(text.value))});
    detail();
  });
  $('detail').replaceChildren(element('h2', {}, 'Edit and replay'), head, text,
    element('div', {className: 'tools'}, element('button', {type: 'button', onclick: send}, 'Send'), element('button', {type: 'button', onclick: detail}, 'Cancel')));
  head.focus();
}

// A method may hold what a shell reads (RFC 9110 5.6.2), and it is a visitor's: each word that is not ours is quoted.
function curl() {
  const quote = text => "'" + text.replaceAll("'", "'\\''") + "'";
  const {request} = record, bytes = shownBytes(request);
  const url = tunnelUrl(record.tunnel_name).replace(/\/$/, '') + request.uri;
  const parts = ['curl', '-g', '-X', quote(request.method), quote(url)];
  for (const [name, value] of request.fields.filter(isKeptField(request)))
    if (!/^(host|x-forwarded-|forwarded|via)/.test(name)) parts.push('-H', quote(name + ': ' + value));
  if (bytes.length && isText(bytes)) parts.push('--data-raw', quote(textOf(bytes)));
  return parts.join(' ');
}

const harText = (message, withSecrets) => (withSecrets ? text => text : text => hideBody(message, text))(textOf(shownBytes(message)));

// http://www.softwareishard.com/blog/har-12-spec/ ("content": decoded, `compression` is what its coding saved)
function harContent(answer, withSecrets) {
  const bytes = shownBytes(answer), mimeType = fieldOf(answer, 'content-type');
  const text = isPlain(answer) && isText(bytes) ? {text: harText(answer, withSecrets)} : {text: base64Of(bytes), encoding: 'base64'};
  if (answer.decoded === undefined || !isWhole(answer)) return {size: answer.body_bytes, mimeType, ...text};
  return {size: bytes.length, compression: bytes.length - answer.body_bytes, mimeType, ...text};
}

function harOf(withSecrets) {
  const fields = message => message.fields.map(([name, value]) => ({name, value: withSecrets ? value : hideValue(name, value)}));
  const {request, response} = record, url = withSecrets ? request.uri : hideQuery(request.uri);
  const whole = Math.round(record.duration / 1e6), wait = record.first_byte_ms ?? whole;
  const empty = {status: 0, statusText: '', fields: [], body: '', body_bytes: 0};
  const answer = response || empty;
  return {log: {version: '1.2', creator: {name: 'ttf', version: '1'}, entries: [{
    startedDateTime: record.start, time: whole, cache: {}, timings: {send: 0, wait, receive: Math.max(0, whole - wait)},
    request: {method: request.method, url: tunnelUrl(record.tunnel_name).replace(/\/$/, '') + url, httpVersion: 'HTTP/1.1', cookies: [], headers: fields(request),
      queryString: parameters(url.split('?').slice(1).join('?')).map(([name, value]) => ({name, value})), headersSize: -1, bodySize: request.body_bytes,
      postData: request.body ? {mimeType: fieldOf(request, 'content-type'), text: harText(request, withSecrets)} : undefined},
    response: {status: answer.status_code || 0, statusText: String(answer.status).slice(4), httpVersion: 'HTTP/1.1', cookies: [], headers: fields(answer),
      content: harContent(answer, withSecrets), redirectURL: '', headersSize: -1, bodySize: answer.body_bytes},
  }]}};
}

function saveHar(withSecrets) {
  const link = element('a', {href: URL.createObjectURL(new Blob([JSON.stringify(harOf(withSecrets), null, 2)], {type: 'application/json'})), download: 'request-' + record.id + '.har'});
  link.click();
  URL.revokeObjectURL(link.href);
}

async function show(id) {
  const found = await (await ask('/api/requests/http/' + id)).json();
  if (id !== chosen) return; // another was chosen meanwhile, and its answer may have been the quicker one
  record = found;
  detail();
}

const choose = attempt(async id => {
  chosen = id;
  showList();
  await show(id);
});

// ---- tunnels, keys, life ----

let tunnels = [];
const tunnelUrl = name => (tunnels.find(tunnel => tunnel.name === name) || {}).public_url || '';
const loadTunnels = attempt(async () => {
  tunnels = (await (await ask('/api/tunnels')).json()).tunnels;
  $('tunnels').textContent = tunnels.map(tunnel => (tunnel.public_url || tunnel.name) + ' → ' + tunnel.config.addr).join(', ');
});

$('list').addEventListener('keydown', event => {
  const shown = lines.filter(isShown), at = shown.findIndex(line => line.id === chosen);
  const to = {ArrowDown: at + 1, ArrowUp: Math.max(at - 1, 0), Home: 0, End: shown.length - 1}[event.key];
  if (to === undefined || !shown[to]) return;
  event.preventDefault();
  choose(shown[to].id);
  $('r' + shown[to].id).scrollIntoView({block: 'nearest'});
});
$('filter').addEventListener('input', event => event.target === $('text') ? findLater() : showList());
$('filter').addEventListener('submit', event => event.preventDefault());
$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', paused);
  if (!paused) load();
});
$('clear').addEventListener('click', attempt(async () => {
  await ask('/api/requests/http', {method: 'DELETE'});
  chosen = record = compared = null;
  $('detail').replaceChildren(element('p', {}, 'Choose a request to see it.'));
}));

const news = new EventSource('/api/inspect/events');
news.onmessage = () => { load().catch(error => say(error.message)); if (!tunnelUrl((tunnels[0] || {}).name)) loadTunnels(); };
news.onerror = () => say('ttf does not answer');
loadTunnels();

'use strict';

// What a 0.9 server and the application on it must do.

const assert = require('node:assert/strict');

const { HtmlFile, JsonpPolling, WebSocket, XhrPolling, handshake } = require('./client-v0.js');
const { getJson, request } = require('./http.js');

const TRANSPORTS = [
  [WebSocket, 'main', 'websocket'],
  [XhrPolling, 'main', 'xhr-polling'],
  [JsonpPolling, 'main', 'jsonp-polling'],
  [HtmlFile, 'main', 'htmlfile'],
  [WebSocket, 'websocket-only', 'websocket'],
  [XhrPolling, 'polling-only', 'xhr-polling'],
  [JsonpPolling, 'jsonp-only', 'jsonp-polling'],
  [HtmlFile, 'htmlfile-only', 'htmlfile'],
];

async function checkTransport(ports, [Transport, port, name]) {
  const tag = `check-${port}-${name}`;
  const session = await Transport.open(ports[port], { query: `&tag=${tag}` });
  await session.until((packet) => packet.startsWith('5:::{"name":"welcome",') && packet.includes(`"tag":"${tag}"`));
  await session.until('5:1+::{"name":"welcome-question","args":["who are you?"]}');
  await session.send('6:::1+["a check"]');
  await session.until('5:::{"name":"welcome-answer","args":["a check"]}');

  // Messages, events, acknowledgements both ways.
  await session.send('3:::höra: \ufffd 😀');
  await session.until('3:::höra: \ufffd 😀');
  await session.send('4:::{"a":[null,"é"]}');
  await session.until('4:::{"a":[null,"é"]}');
  await session.send('5:::{"name":"echo","args":[1,"höra",{"a":[null]}]}');
  await session.until('5:::{"name":"echo","args":[1,"höra",{"a":[null]}]}');
  await session.send('5:1+::{"name":"reply","args":["many"]}', '3:2::x', '5:3+::{"name":"twice-ack"}', '3:4+::data');
  await session.until('6:::1+[1,"two",true,null,{"three":3},[4]]');
  await session.until('6:::2');
  await session.until('6:::3+["first"]');
  await session.until('6:::3+["second"]');
  await session.until('6:::4+["data"]');
  await session.send('5:::{"name":"ask-plain","args":["question",1]}', '5:::{"name":"ask-send","args":["text"]}');
  await session.until('5:2::{"name":"question","args":[1]}');
  await session.until('3:3::text');
  await session.send('6:::2', '6:::3');
  await session.until('5:::{"name":"answer"}');
  await session.until('5:::{"name":"answer"}');

  // A namespace.
  await session.send('1::/chat');
  await session.until('1::/chat');
  await session.until((packet) => packet.startsWith('5:1+:/chat:{"name":"welcome-question"'));
  await session.send('5:1+:/chat:{"name":"echo","args":["there"]}');
  await session.until('6::/chat:1+["there"]');
  await session.send('3::/chat:text');
  await session.until('3::/chat:text');

  await checkJournal(ports, tag, session, name);

  await getJson(ports.control, `/disconnect?tag=${tag}&nsp=/chat`, { method: 'POST' });
  // 0.9.0 ends the whole session; whoever polls finds it gone.
  await session.until(ports.old ? (packet) => packet === '0::' || packet === '7:::1+0' : '0::/chat');
}

async function checkJournal(ports, tag, session, name) {
  const pushed = await getJson(ports.control, `/emit?tag=${tag}&nsp=/chat`, { method: 'POST', body: '["pushed",1]' });
  assert.equal(pushed.sockets, 1);
  await session.until('5::/chat:{"name":"pushed","args":[1]}');

  const { requests } = await getJson(ports.control, `/requests?tag=${tag}`);
  assert.deepEqual([requests[0].kind, requests[0].opened], ['handshake', session.sid]);
  assert.ok(requests.slice(1).every(({ sid, transport }) => sid === session.sid && transport === name));
  const { sessions } = await getJson(ports.control, `/sessions?tag=${tag}`);
  assert.equal(sessions.length, 1);
  assert.deepEqual([sessions[0].transport, sessions[0].closed_at], [name, null]);
  const { sockets } = await getJson(ports.control, `/sockets?tag=${tag}`);
  assert.deepEqual(sockets.map(({ nsp }) => nsp), ['/', '/chat']);
  assert.deepEqual(sockets[0].welcome_answer, ['a check']);
  const { questions } = await getJson(ports.control, `/questions?tag=${tag}`);
  assert.deepEqual(questions.map(({ how, answers }) => [how, answers]), [['plain', 1], ['message', 1]]);
  const { packets } = await getJson(ports.control, `/packets?tag=${tag}&direction=received&type=message`);
  assert.deepEqual(packets.map(({ data }) => data), ['3:::höra: \ufffd 😀', '3:2::x', '3:4+::data', '3::/chat:text']);
}

// The rest of the vocabulary, over a websocket.
async function checkEvents(ports) {
  const session = await WebSocket.open(ports.main, { query: '&tag=check-events' });
  let id = 0;
  const ask = async (name, ...args) => {
    id += 1;
    await session.send(`5:${id}+::${JSON.stringify({ name, args })}`);
    const answer = await session.until((packet) => packet.startsWith(`6:::${id}`));
    return JSON.parse(answer.slice(`6:::${id}+`.length) || '[]');
  };
  const tell = (name, ...args) => session.send(`5:::${JSON.stringify({ name, args })}`);

  await tell('seq', 'thread', 0);
  await tell('seq', 'thread', 1);
  const complete = { count: 2, in_order: true, intact: true, last: 1 };
  assert.deepEqual(await ask('seq-report'), [{ thread: complete }]);
  assert.deepEqual(await ask('count'), [3]);
  assert.deepEqual(await ask('late-ack', 20, 'late', null), ['late', null]);
  assert.deepEqual(await ask('check', 'falsy', null, false, 0, '', [], {}), [true, '[null,false,0,"",[],{}]']);
  assert.equal((await ask('check', 'zero', -0.5))[0], false);
  const sha1 = 'f572d396fae9206628714fb2ce00f72e94f2258f';
  assert.deepEqual(await ask('digest', 'hello\n'), [{ kind: 'text', bytes: 6, sha1 }]);
  const [shaken] = await ask('handshake');
  assert.deepEqual([shaken.sid, shaken.nsp, shaken.transport], [session.sid, '/', 'websocket']);
  assert.deepEqual([shaken.query.tag, shaken.address], ['check-events', '127.0.0.1']);
  await session.send('5:50+::{"name":"ask","args":["question"]}');
  await session.until('5:2+::{"name":"question"}');
  await session.send('6:::2+["an answer"]');
  await session.until('6:::50+["an answer"]');

  await tell('burst', { count: 2, size: 3 });
  for (const rest of ['tick","args":[0,"xxx"]', 'tick","args":[1,"xxx"]', 'tick-end","args":[2]']) {
    await session.until(`5:::{"name":"${rest}}`);
  }
  await tell('types');
  await session.until('5:::{"name":"type-none"}');
  await session.until('5:::{"name":"types-end","args":[20]}');
  await tell('after', 20, 'later', 1);
  await session.until('5:::{"name":"later","args":[1]}');
  await tell('join', 'room');
  await tell('broadcast', 'room', 'to all', 1);
  await session.until('5:::{"name":"to all","args":[1]}');
  await tell('send', '');
  await session.until('3::');
  await tell('send-json', null);
  await session.until('4:::null');
  await tell('raw', '9:::nonsense');
  await session.until('9:::nonsense');
  await tell('fail', 'unauthorized', 'reconnect');
  await session.until('7:::2+0');
  await tell('disconnect-me');
  await session.until('0::');
  await session.ended;
}

async function checkEnds(ports) {
  const tag = 'check-ends';
  const action = (path) => getJson(ports.control, `${path}?tag=${tag}`, { method: 'POST' });
  const open = () => WebSocket.open(ports.main, { query: `&tag=${tag}` });

  let session = await open();
  await session.send('0::');
  await session.until('0::');
  await session.ended;
  session = await open();
  assert.deepEqual(await action('/disconnect'), { sockets: 1 });
  await session.until('0::');
  await session.ended;
  session = await open();
  assert.deepEqual(await action('/close'), { sessions: 1 });
  await session.ended;
  session = await open();
  assert.deepEqual(await action('/mute'), { sessions: 1 });
  assert.deepEqual(await action('/drop'), { connections: 1 });
  await session.ended;

  const { sessions } = await getJson(ports.control, `/sessions?tag=${tag}`);
  assert.equal(sessions.length, 4);
  assert.ok(sessions.every(({ closed_at }) => closed_at !== null));
  const { sockets } = await getJson(ports.control, `/sockets?tag=${tag}`);
  assert.ok(sockets.every(({ disconnected_at }) => disconnected_at !== null));

  const gone = await WebSocket.attach(ports.main, session.sid);
  await gone.ended;
}

async function checkGuards(ports) {
  const session = await WebSocket.open(ports['nsp-guarded'], { query: '&token=secret' });
  for (const nsp of ['admin', 'admin-error', 'slow', 'slow-admin', 'token']) await session.send(`1::/${nsp}`);
  await session.until('7::/admin:2');
  await session.until('7::/admin-error:undefined');
  await session.until('1::/token');
  await session.until('1::/slow');
  await session.until('7::/slow-admin:2');
  session.tcp.destroy();

  const answers = [];
  for (const refuse of ['unauthorized', 'error']) {
    const { status, body } = await request(ports['root-guarded'], `/socket.io/1/?refuse=${refuse}&delay=50`);
    answers.push([status, body.toString()]);
  }
  const { status, body } = await request(ports.forbidden, '/socket.io/1/');
  answers.push([status, body.toString()]);
  assert.deepEqual(answers, [
    [403, 'handshake unauthorized'],
    [500, 'handshake error'],
    [403, 'handshake bad origin'],
  ]);
}

async function checkOtherPorts(ports) {
  const fields = async (port, options) => {
    const { heartbeat, close, transports } = await handshake(ports[port], options);
    return [heartbeat, close, transports];
  };
  const all = 'websocket,htmlfile,xhr-polling,jsonp-polling';
  const usual = ports.old ? ['15', '25'] : ['60', '60'];
  assert.deepEqual(await fields('main'), [...usual, all]);
  assert.deepEqual(await fields('polling-first'), [...usual, 'jsonp-polling,xhr-polling,htmlfile,websocket']);
  assert.deepEqual(await fields('no-transports'), [...usual, '']);
  assert.deepEqual(await fields('custom-path', { resource: '/custom/path' }), [...usual, all]);
  assert.deepEqual(await fields('short-heartbeat'), ['1', '1', all]);
  assert.deepEqual(await fields('no-heartbeat'), ['', usual[1], all]);
  assert.deepEqual(await fields('no-timeouts'), ['', '', all]);
  assert.deepEqual(await fields('short-close'), [usual[0], '1', all]);

  const beating = await WebSocket.open(ports['short-heartbeat']);
  await beating.until('2::');
  await beating.send('2::');
  await beating.until('2::');
  await beating.ended;
  const polling = await XhrPolling.open(ports['short-poll']);
  await polling.until('8::');
  assert.equal((await request(ports.main, '/elsewhere')).status, 404);

  const fault = JSON.stringify({ on: 'handshake', times: 1, answer: { status: 502, body: '<h1>Bad gateway</h1>' } });
  await getJson(ports.control, '/fault?tag=check-fault', { method: 'POST', body: fault });
  assert.equal((await request(ports.main, '/socket.io/1/?tag=check-fault')).status, 502);
  await handshake(ports.main, { query: '&tag=check-fault' });
}

async function checkOld(ports, version) {
  const here = { ...ports, old: version === '0.9.0' };
  for (const transport of TRANSPORTS) await checkTransport(here, transport);
  await checkEvents(here);
  await checkEnds(here);
  await checkGuards(here);
  await checkOtherPorts(here);
}

module.exports = checkOld;

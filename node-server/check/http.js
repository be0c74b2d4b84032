'use strict';

// Plain HTTP requests of the checks.

const http = require('node:http');

const DEADLINE = 10_000;

function request(port, target, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, path: target, method, headers, agent: false }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => {
        resolve({ status: res.statusCode, type: res.headers['content-type'] ?? '', body: Buffer.concat(chunks) });
      });
    });
    req.on('error', reject);
    req.setTimeout(DEADLINE, () => req.destroy(new Error(`no answer to ${method} ${target}`)));
    req.end(body);
  });
}

async function getJson(port, target, options) {
  const { body } = await request(port, target, options);
  return JSON.parse(body);
}

module.exports = { DEADLINE, getJson, request };

'use strict';

// The ports with TLS: copies of `main`, each with a certificate of its own. `--tls=<folder>` says where those are.

var fs = require('fs');
var path = require('path');

var VARIANTS = [
  { name: 'tls', certificate: 'server' },
  { name: 'tls-client', certificate: 'server', asks: true },
  { name: 'tls-name', certificate: 'other-name' },
  { name: 'tls-expired', certificate: 'expired' }
];

// Each is { name, options }, the options those of `https.createServer`.
function variants(folder) {
  function read(name) {
    return fs.readFileSync(path.join(folder, name));
  }
  return VARIANTS.map(function (variant) {
    var options = { cert: read(variant.certificate + '.pem'), key: read(variant.certificate + '-key.pem') };
    if (variant.asks) {
      options.ca = read('ca.pem');
      options.requestCert = true;
      options.rejectUnauthorized = true;
    }
    return { name: variant.name, options: options };
  });
}

// What a client showed in its TLS handshake; null without TLS.
function shown(connection) {
  if (!connection.encrypted) return null;
  var certificate = connection.getPeerCertificate();
  return {
    server_name: connection.servername || null,
    client: (certificate && certificate.subject && certificate.subject.CN) || null
  };
}

module.exports = { shown: shown, variants: variants };
